r"""The checks themselves: of a layer, and of a factored cell's own step.

All errors are relative to the largest entry of the trusted tensor, or to a thousandth of the largest of
all tensors if that is more: a gradient that has vanished is right when it is small. In a layer that is written
by hand, no tensor is held to digits that rounding takes, where its units are saturated.

The tolerance in float32 is derived, not chosen. One step makes at most k + 10 roundings one after the
other in each number (an inner product of k terms; some ten pointwise operations), T steps forward and
T steps back make 2 T (k + 10), and the sum over T B products in a weight gradient T B more. Each
changes its number by at most the unit roundoff u = 2^-24, relatively. What such a change does to the
gradient is measured, in float64: :math:`\kappa` is the largest relative change of a tensor, per relative
change of all data by :math:`\pm 2^{-20}` at random, and at least 1. To first order the error is therefore
at most :math:`\kappa u (2 T (k + 10) + T B)`. The check divides by :math:`\kappa`.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator

from bptt._core import Array, Arrays, Mask
from bptt.checking.gradcheck import ACCURACY, contradiction
from bptt.checking.handwritten import Layer, copies, roles
from bptt.checking.jacobian import Truth, along, jacobian, joined, moved_outputs
from bptt.checking.report import CellReport, Check

Checks: TypeAlias = tuple[Check, ...]
Pair: TypeAlias = tuple[Arrays, Arrays]  # what forward and backward give, or two calls of the same

SAME = 1e-12  # two ways to sum the same numbers
# Exact factors, far beyond any threshold at which gradients are clipped, and far below any at which they are dropped.
LARGE, SMALL = 2.0**20, 2.0**-100
UNIT = 2.0**-24  # roundoff of float32
NUDGE = 2.0**-20
LATER = "not resumed, since outputs depend on later steps"
SLIGHT = 1e-5  # a part of the size of what is multiplied: of smaller gradients rounding leaves no ten digits


class Case(NamedTuple):
    """A layer, one gradient that it returned, and the true one: what a bug is guessed from.

    `mask` is that of a padded batch; `large`, `twice`, `checks` and `padded` belong to a whole one.
    """

    layer: Layer
    truth: Truth
    at: Arrays
    cotangents: Arrays
    got: Arrays
    want: Arrays
    mask: Mask | None
    large: Arrays
    twice: Pair
    checks: dict[str, Check]
    padded: "Case | None"

    @property
    def names(self) -> list[str]:
        """The names of the tensors."""
        return self.layer.names


def unsound(subject: str, layer: Layer, at: Arrays) -> CellReport | None:
    """Call forward twice, backward once: report what makes all other checks void."""
    ones, twos = (layer.function(at) for _ in range(2))
    names = layer.returned
    if not all(np.isfinite(a).all() for a in (*ones, *twos)):
        bug = "not finite", "forward returned NaN or infinity"
    elif any(e > SAME for e in errors(names, twos, ones).values()):
        bug = "not a function of its arguments", "forward, called twice, gave two answers"
    else:
        found = layer.gradient(at, [np.ones_like(a) for a in ones])
        if all(np.isfinite(a).all() for a in found):
            return None
        names, ones, twos = layer.names, found, found
        bug = "not finite", "backward returned NaN or infinity"
    check = Check("numbers, always the same", errors(names, twos, ones), SAME)
    return CellReport(subject, (check,), bugs=(bug,))


def layer_checks(layer: Layer, at: Arrays, truth: Truth, rng: Generator) -> tuple[Checks, Case]:
    """Run all checks of a layer."""
    k = layer.n_params
    steps, batch = at[k].shape[:2]
    outs = layer.function(at)
    cotangents = [rng.normal(size=a.shape) for a in outs]
    # First of all, since what accumulates spoils all that comes after it.
    checks, twice = _called_twice(layer, at, cotangents)
    found = [*checks]
    # Of a cell the numbers are drawn, and small.
    size = 0.0 if layer.state_names else _size(cotangents, outs, at)
    for name, t in (("one step", 1), ("two steps", min(2, steps))):
        short = [*at[:k], at[k][:t], *at[k + 1 :]]
        w = [cotangents[0][:t], *cotangents[1:]]
        want = true_gradient(short, w, jacobian(layer.function, short, truth))
        _refuse_saturated(_largest(want), size)
        got = layer.gradient(short, w)
        found.append(_compare(name, layer, got, want, truth.tolerance, SLIGHT * size))
    matrix = jacobian(layer.function, at, truth)
    got = want = at
    for name, w in _each_alone(cotangents, steps):
        got, want = layer.gradient(at, w), true_gradient(at, w, matrix)
        found.append(_compare(name, layer, got, want, truth.tolerance, SLIGHT * size))
    of_mask, padded = _masked(layer, at, cotangents, truth, rng) if layer.masked else ((), None)
    scaled = [layer.gradient(at, [factor * w for w in cotangents]) for factor in (LARGE, SMALL)]
    whole = np.ones((steps, batch), np.bool_)
    found += [
        _adjoint(layer, at, cotangents, got, truth, rng, SLIGHT * size),
        linear("linear", layer.names, scaled, got),
        *_both("batch", layer, (outs, got), _one_by_one(layer, at, cotangents, whole)),
        *_from_zero(layer, at, cotangents, rng.spawn(1)[0]),
        *_resumed(layer, at, cotangents, (outs, got)),
        *of_mask,
        _float32(layer, at, cotangents, got, rng, size),
    ]
    by_name = {check.name: check for check in found}
    case = Case(layer, truth, at, cotangents, got, want, None, scaled[0], twice, by_name, padded)
    return tuple(found), case


def _size(w: Arrays, outs: Arrays, at: Arrays) -> float:
    """Return what rounding is relative to in a gradient, as that of 1 - tanh² where a unit is saturated."""
    return _largest(w) * min(1.0, _largest(outs)) * max(1.0, _largest(at))


def _refuse_saturated(largest: float, size: float) -> None:
    """Refuse a point where all derivatives are so small that rounding, as of 1 - tanh², hides the right ones and the wrong."""
    if largest < SLIGHT * size:
        msg = (
            "params, x and initial must leave units that are not saturated, got derivatives of at most "
            f"{largest:.1e} in the first steps: take smaller numbers"
        )
        raise ValueError(msg)


def _largest(arrays: Arrays) -> float:
    return max(float(np.abs(array).max(initial=0)) for array in arrays)


def _each_alone(cotangents: Arrays, steps: int) -> list[tuple[str, Arrays]]:
    """Each way a cost may enter, alone; all of them last."""
    outputs, *final = cotangents
    last = np.zeros_like(outputs)
    last[-1] = outputs[-1]
    none = [np.zeros_like(f) for f in final]
    return [
        ("outputs only", [outputs, *none]),
        ("last output only", [last, *none]),
        ("final state only", [np.zeros_like(outputs), *final]),
        (f"all {steps} steps", cotangents),
    ]


def errors(names: Sequence[str], got: Arrays, want: Arrays, least: float = 0.0) -> dict[str, float]:
    """Return the relative error of each tensor: infinite where a shape is wrong or a number is none.

    A tensor whose entries are all below `least` is measured by that.
    """
    sizes = [float(np.abs(w[np.isfinite(w)]).max(initial=0)) for w in want]
    overall = max(sizes) or 1.0
    found = {}
    for name, g, w, size in zip(names, got, want, sizes, strict=True):
        fits = g.shape == w.shape and np.isfinite(g).all() and np.isfinite(w).all()
        scale = max(size, 1e-3 * overall, least)
        found[name] = float(np.abs(g - w).max(initial=0)) / scale if fits else np.inf
    return found


def linear(name: str, names: Sequence[str], scaled: Sequence[Arrays], got: Arrays) -> Check:
    """Compare what comes of cotangents that are `LARGE`, and `SMALL`, times as large with what it should be."""
    each = zip(scaled, (LARGE, SMALL), strict=True)
    large, small = (errors(names, [g / factor for g in part], got) for part, factor in each)
    return Check(name, {n: max(large[n], small[n]) for n in names}, SAME)


def _gradient(layer: Layer, at: Arrays, w: Arrays) -> Arrays:
    """Return the gradient of a piece, to be put together with others: no numbers in place of a wrong shape."""
    both = zip(layer.gradient(at, w), at, strict=True)
    return [g if g.shape == a.shape else np.full(a.shape, np.nan) for g, a in both]


def _compare(
    name: str,
    layer: Layer,
    got: Arrays,
    want: Arrays,
    tolerance: float,
    least: float = 0.0,
    *,
    itself: bool = False,
) -> Check:
    note = "" if itself else form(layer.names, got, want)
    return Check(name, errors(layer.names, got, want, least), tolerance, note, itself)


def form(names: Sequence[str], got: Arrays, want: Arrays) -> str:
    """Say which tensors have another shape than the trusted ones, or fewer digits."""
    told = [
        f"{n} has shape {g.shape}, not {w.shape}" if g.shape != w.shape else f"{n} is {g.dtype}"
        for n, g, w in zip(names, got, want, strict=True)
        if g.shape != w.shape or g.dtype.char in "ef"
    ]
    return "; ".join(told)


def true_gradient(at: Arrays, w: Arrays, matrix: Arrays) -> Arrays:
    """Return Jᵀ w, as arrays like those at which J was taken."""
    return [(m @ joined(w)).reshape(a.shape) for m, a in zip(matrix, at, strict=True)]


def _called_twice(layer: Layer, at: Arrays, cotangents: Arrays) -> tuple[tuple[Check, Check], Pair]:
    """Call backward twice on one run: the same must come, the first result must stay, and all arguments too."""
    mine, w = copies(at), copies(cotangents)
    _, saved = layer.run(mine)
    held = layer.pull(mine, w, saved)
    names = [*layer.names, *(f"d_{name}" for name in layer.returned)]
    changed = errors(names, [*mine, *w], [*at, *cotangents])
    first = copies(held)
    second = copies(layer.pull(mine, copies(cotangents), saved))
    stays = all(np.array_equal(a, b) for a, b in zip(first, held, strict=True))
    note = "" if stays else "what the first call returned has changed"
    twice = Check("called twice", errors(layer.names, second, first), SAME, note, itself=True)
    return (twice, Check("arguments left alone", changed, 0.0)), (first, second)


def _adjoint(
    layer: Layer,
    at: Arrays,
    w: Arrays,
    got: Arrays,
    truth: Truth,
    rng: Generator,
    least: float = 0.0,
) -> Check:
    """Compare <J v, w> with <v, Jᵀ w>, for a random v in each tensor by itself."""
    found = {}
    for i, name in enumerate(layer.names):
        v = rng.normal(size=at[i].shape)
        moved = along(layer.function, at, i, v, truth)
        scale = float(np.linalg.norm(moved) * np.linalg.norm(joined(w)))
        scale = max(scale, least * float(np.linalg.norm(v))) or 1.0
        fits = got[i].shape == at[i].shape
        gap = abs(float(moved @ joined(w)) - float((v * got[i]).sum())) if fits else np.inf
        found[name] = gap / scale  # (adjoint-identity)
    return Check("adjoint", found, truth.tolerance)


def _both(name: str, layer: Layer, got: Pair, want: Pair) -> tuple[Check, Check]:
    """Compare what forward and backward give in one way with what they give in another."""
    forward = Check(f"{name} forward", errors(layer.returned, got[0], want[0]), SAME, itself=True)
    return forward, _compare(f"{name} backward", layer, got[1], want[1], SAME, itself=True)


def _one_by_one(layer: Layer, at: Arrays, w: Arrays, mask: Mask) -> Pair:
    """Run sequences alone, each without its gaps; return what their batch should give, zero in the gaps."""
    k = layer.n_params
    outputs, d_x = np.zeros_like(w[0]), np.zeros_like(at[k])
    finals, pulls = [], []
    for i, there in enumerate(mask.T):
        row = slice(i, i + 1)
        one, cotangents = _rows(at, k, row, there), _rows(w, 0, row, there)
        if there.any():
            alone, pull = layer.function(one), _gradient(layer, one, cotangents)
        else:  # the state stays, and so does its error
            alone = [cotangents[0], *one[k + 1 :]]
            pull = [*map(np.zeros_like, one[: k + 1]), *cotangents[1:]]
        outputs[there, row], d_x[there, row] = alone[0], pull[k]
        finals.append(alone[1:])
        pulls.append(pull)
    d_params = [sum(parts) for parts in zip(*(pull[:k] for pull in pulls), strict=True)]
    d_initial = map(np.concatenate, zip(*(pull[k + 1 :] for pull in pulls), strict=True))
    final = map(np.concatenate, zip(*finals, strict=True))
    return [outputs, *final], [*d_params, d_x, *d_initial]


def _rows(arrays: Arrays, k: int, rows: slice, steps: Mask) -> Arrays:
    """Pick sequences, and steps, out of a batch, whose k-th array has an axis of time; those before have no rows."""
    return [*arrays[:k], arrays[k][steps, rows], *(a[rows] for a in arrays[k + 1 :])]


def _from_zero(layer: Layer, at: Arrays, w: Arrays, rng: Generator) -> tuple[Check, Check]:
    """Start where a run does if it is not told: if forward is finite there, backward has to be, too, and right.

    Once more where the first input is zero, too, and with it a bias, so that weighted inputs are, as in a new net.
    This is often at a kink, of which central differences say nothing.
    """
    k = layer.n_params
    states, late = [np.zeros_like(a) for a in at[k + 1 :]], at[k].copy()
    late[0] = 0
    bias = roles(at[:k], late, states[0][None])[2]
    unbiased = [p * (layer.names[i] != "b" and i != bias) for i, p in enumerate(at[:k])]
    ends, wrong = (dict.fromkeys(layer.names, 0.0) for _ in range(2))
    for zero in ([*at[: k + 1], *states], [*unbiased, late, *states]):
        terms = joined(layer.function(zero)) * joined(w)
        if not np.isfinite(terms).all() or any((*ends.values(), *wrong.values())):
            continue
        size = np.abs(terms).sum()  # the sum itself may cancel, its rounding does not

        def cost(i: int, way: Array, h: float, zero: Arrays = zero, size: float = size) -> Array:
            parts = moved_outputs(layer.function, zero, i, way, h) * joined(w)
            return np.array([parts.sum(), size, *parts])  # of which kinks may cancel in the sum

        for i, (name, got) in enumerate(zip(layer.names, layer.gradient(zero, w), strict=True)):
            ends[name] = max(ends[name], *errors([""], [got], [got]).values())
            way = rng.normal(size=at[i].shape)
            slopes = np.array([(got * way).sum() if got.shape == way.shape else np.nan, 0.0])
            if apart := contradiction(partial(cost, i, way), slopes):
                wrong[name] = abs(apart[0] - apart[1]) / (abs(apart[0]) + abs(apart[1]))
    return (
        Check("finite from a zero state", ends, SAME, "NaN or infinity" * any(ends.values()), True),
        Check("right from a zero state", wrong, ACCURACY),
    )


def _resumed(layer: Layer, at: Arrays, w: Arrays, whole: Pair) -> Checks:
    """Stop half way and go on from the final state: forward, and, the other way round, backward."""
    k, steps = layer.n_params, len(at[layer.n_params])
    if steps == 1:
        return ()
    cut = steps // 2
    early = [*at[:k], at[k][:cut], *at[k + 1 :]]
    first = layer.function(early)
    if not errors(["outputs"], first[:1], [whole[0][0][:cut]])["outputs"] <= SAME:
        return (Check(LATER, {}, SAME, itself=True),)
    late = [*at[:k], at[k][cut:], *first[1:]]
    second = layer.function(late)
    in_pieces = [np.concatenate([first[0], second[0]]), *second[1:]]
    apart = errors(layer.returned, whole[0], in_pieces)
    there = Check("initial state: resumed forward", apart, SAME, itself=True)
    back_late = _gradient(layer, late, [w[0][cut:], *w[1:]])
    back_early = _gradient(layer, early, [w[0][:cut], *back_late[k + 1 :]])
    params = [a + b for a, b in zip(back_early[:k], back_late[:k], strict=True)]
    chained = [*params, np.concatenate([back_early[k], back_late[k]]), *back_early[k + 1 :]]
    name = "final state: resumed backward"
    return there, _compare(name, layer, whole[1], chained, SAME, itself=True)


def mask_of(steps: int, batch: int) -> Mask:
    """Return a mask: all steps for the first sequence, one for the last; gaps at the end, the start and between."""
    places = np.arange(batch)
    lengths = 1 + (batch - 1 - places) * (steps - 1) // max(1, batch - 1)
    return (np.arange(steps)[:, None] + (places > 1)) % steps < lengths


def _masked(
    layer: Layer, at: Arrays, w: Arrays, truth: Truth, rng: Generator
) -> tuple[Checks, Case]:
    """Compare a padded batch with its sequences one by one, each without its gaps."""
    k = layer.n_params
    mask = mask_of(*at[k].shape[:2])
    x = np.where(mask[:, :, None], at[k], rng.normal(size=at[k].shape))
    mask = np.pad(mask, (0, 1))  # and a step that no sequence has, a sequence without steps
    more = [np.pad(a, (*[(0, 1)] * (a.ndim - 1), (0, 0)), "wrap") for a in (x, *at[k + 1 :], *w)]
    padded, w = [*at[:k], *more[: len(at) - k]], more[len(at) - k :]
    w[0] *= mask[:, :, None]
    outs, got = layer.function(padded, mask), layer.gradient(padded, w, mask)
    want_outs, want = _one_by_one(layer, padded, w, mask)
    shown = [outs[0] * mask[:, :, None], *outs[1:]]
    checks = _both("mask", layer, (shown, got), (want_outs, want))
    return checks, Case(layer, truth, padded, w, got, want, mask, [], ([], []), {}, None)


def _float32(
    layer: Layer, at: Arrays, w: Arrays, got: Arrays, rng: Generator, size: float
) -> Check:
    """Compare with float32; the tolerance is that of this module's docstring."""
    k = layer.n_params
    steps, batch = at[k].shape[:2]
    longest = max((size for array in at[:k] for size in array.shape), default=1)
    tolerance = UNIT * (2 * steps * (longest + 10) + steps * batch)
    kappa = dict.fromkeys(layer.names, 1.0)
    for _ in range(3):
        moved = [a * (1 + NUDGE * rng.choice([-1.0, 1.0], a.shape)) for a in (*at, *w)]
        change = errors(layer.names, layer.gradient(moved[: len(at)], moved[len(at) :]), got)
        kappa = {name: max(kappa[name], e / NUDGE) for name, e in change.items()}
    single = [a.astype(np.float32) for a in (*at, *w)]
    in_single = layer.gradient(single[: len(at)], single[len(at) :])
    if beyond := _beyond_float32(in_single, got):
        return Check(f"float32 {beyond} here", {}, tolerance)  # no fault: it holds fewer numbers
    wide = [n for n, g in zip(layer.names, in_single, strict=True) if g.dtype != np.float32]
    note = f"condition {max(kappa.values()):.0f}"
    if wide:
        note += f"; {', '.join(wide)} not float32"
    in_double = [g.astype(np.float64) for g in in_single]
    found = errors(layer.names, in_double, got, UNIT / tolerance * size)
    # Where kappa is infinite a shape is wrong, which is another check's.
    found = {n: 0.0 if np.isinf(kappa[n]) else e / kappa[n] for n, e in found.items()}
    return Check("float32", found, tolerance, note)


def _beyond_float32(in_single: Arrays, got: Arrays) -> str:
    """Say whether the numbers of a gradient leave the range of float32, and at which end."""
    if any(
        np.isfinite(g).all() and not np.isfinite(s).all()
        for s, g in zip(in_single, got, strict=True)
    ):
        return "overflows"
    smallest = float(np.finfo(np.float32).tiny) / UNIT  # below it, float32 has fewer digits
    return "underflows" if 0 < _largest(got) < smallest else ""
