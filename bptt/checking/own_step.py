"""A factored cell's own formula: its derivative by weighted inputs, state and own parameters, checked alone."""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from bptt._core import Array, Arrays, Tree
from bptt._core.tree import numbers_in, refuse_overwritten
from bptt._core.validation import Thing, tried
from bptt.cells.layout import check_backward, check_step, layout_of
from bptt.cells.protocol import Cell
from bptt.checking.cell_bugs import LIKE, SIGMOID, TANH, slopes
from bptt.checking.handwritten import Layer
from bptt.checking.jacobian import Function, Truth, jacobian, joined
from bptt.checking.report import Check
from bptt.checking.suite import LARGE, SMALL, errors, form, linear, true_gradient
from bptt.checking.sweep import Bugs, factors
from bptt.network.traces import weighted_inputs

# Of weighted inputs, near zero and far out, without a gap above 0.5; states go up to 0.8 and to the last.
SIZES = (0.01, 1.0, 2.4, 3.0, 4.0, 6.0, 8.0, 15.0)
WIDE = 4.0  # of own parameters, which are drawn up to 0.8 elsewhere
EDGE = 800.0  # of weighted inputs: exp overflows, a derivative must not
FAR = 1e-6  # the tolerance there: that of central differences
OFTEN = 20  # calls, of which some differ if dropout or a counter is in them
STEEP = 1e-6  # the least slope of an activation that leaves eight digits of what is divided by it


class OwnStep(NamedTuple):
    """What a cell's step_backward returned for one step, and the truth, by the names of the formula."""

    cell: Cell
    truth: Truth
    checks: dict[str, Check]
    names: list[str]
    at: Arrays
    got: Arrays
    want: Arrays
    large: Arrays


def step_check(name: str, cell: Cell, at: Arrays, k: int, truth: Truth, rng: Generator) -> OwnStep:
    """Check what a factored cell does at one step: its derivatives by weighted inputs, state and own.

    An engine that gives `step_backward` unit errors does not see what it does to large ones.
    """
    layout, point = layout_of(cell), point_of(cell, at, k)
    cotangents, got, *scaled = step_and_back(cell, point, rng)
    want = _true(lambda p: cell.step(*p)[0], point, cotangents, truth)
    names = [f"d_{name}" for name in layout.weighted + layout.states + layout.own]
    checks = {
        "step": Check(name, errors(names, got, want), truth.tolerance, form(names, got, want)),
        "linear": linear(f"{name}, linear", names, scaled, got),
    }
    return OwnStep(cell, truth, checks, names, point, got, want, scaled[0])


def point_of(cell: Cell, at: Arrays, k: int) -> Arrays:
    """Return the arguments of `step` at the first step of a layer."""
    states, own = at[k + 1 :], layout_of(cell).split(at[:k])[3]
    return [*weighted_inputs(cell, at[:k], at[k][0], states[0]), *states, *own]


def far_check(name: str, step: OwnStep, rng: Generator) -> Check:
    """Check the same derivatives where weighted inputs are very small, and they and states far out, where cells saturate.

    So once more with own parameters up to `WIDE`, of either sign, which may be clipped beyond one. At `EDGE`
    they have to be numbers.
    """
    layout, n = layout_of(step.cell), step.at[0].shape[1]
    rows = [(size, far) for z in SIZES for size in (z, -z) for far in (0.8, SIZES[-1])]
    sizes, states = np.array(rows).T[..., None]

    def reaching(high: float, low: float, *count: int) -> Array:
        """Draw numbers of which one in each row is near the highest, and not at it, where a kink may be."""
        drawn = rng.uniform(low, high, (*count, n))
        drawn[..., 0] = high * rng.uniform(0.98, 1, count)
        return rng.permuted(drawn, axis=-1)

    # In half of the rows all units have one sign, since a domain may end at zero; in the others each has its own, so that
    # two gates have equal signs in some units and opposite signs in some. There, in all units but one, gates after the
    # first have sizes of their own, too: one may be saturated where another is not.
    turned = [rng.choice([-1, 1], (len(SIZES), 1, 2, n)) for _ in layout.weighted]
    for each in turned:
        each[:, :, 0] = each[:, :, 0, :1]
    spread = (each.repeat(2, axis=1).reshape(-1, n) for each in turned)
    reach = [sizes.repeat(n, axis=1) for _ in layout.weighted]
    for size in reach[1:]:
        size[1::2, 1:] = rng.choice(SIZES, (len(rows) // 2, n - 1))
    signs = rng.choice([-1, 1], (len(rows), 1))
    point = [size * each * reaching(1, 0.5) for size, each in zip(reach, spread, strict=True)]
    point += [states * signs * reaching(1, -1, len(rows)) for _ in layout.states]
    own = step.at[len(point) :]
    found = _far_errors(step, point, own, rng)
    wide = [np.sign(k[0]) * reaching(WIDE, 1) for k in own]
    others = [(point, [sign * k for k in wide]) for sign in (1, -1) if own]
    edge = [EDGE * rng.choice([-1, 1], (8, n)) for _ in layout.weighted]
    edge += [rng.uniform(-0.8, 0.8, (8, n)) for _ in layout.states]
    note = ""
    for there, with_own in (*others, (edge, own)):
        with contextlib.suppress(ArithmeticError, ValueError, AssertionError):  # it may refuse them
            more = _far_errors(step, there, with_own, rng, there is edge)
            if there is edge and any(more.values()):
                note = f"no number at |z| = {EDGE:.0f}"
            found = {key: max(found.get(key, 0.0), more.get(key, 0.0)) for key in found | more}
    return Check(name, found, FAR, note)


def _far_errors(
    step: OwnStep, point: Arrays, own: Arrays, rng: Generator, at_edge: bool = False
) -> dict[str, float]:
    """Return the errors of the derivatives at some weighted inputs and states.

    A function may be analytic in the middle alone, and too steep for central differences elsewhere: each
    entry is compared with the nearer of the two truths. Where `step` is not finite is not its domain.
    At the edge of exp's range only that they are numbers is asked.
    """
    cell = step.cell
    inside = np.all([np.isfinite(a).all(axis=1) for a in cell.step(*point, *own)[0]], axis=0)
    if not inside.any():
        return {}
    point = [*(array[inside] for array in point), *own]
    cotangents, got, *_ = step_and_back(cell, point, rng)
    if at_edge:
        return errors(step.names, got, got)
    want = _nearest(lambda p: cell.step(*p)[0], point, cotangents, got, step.truth)
    return errors(step.names, got, want)


def _nearest(
    function: Function, point: Arrays, cotangents: Arrays, got: Arrays, truth: Truth
) -> Arrays:
    """Return the true gradient by central differences, or, where it is nearer, by the complex step."""
    want = _true(function, point, cotangents, Truth(False, ""))
    if truth.analytic:
        with contextlib.suppress(Exception):  # a user's function may refuse complex numbers there
            triples = zip(got, want, _true(function, point, cotangents, truth), strict=True)
            return [np.where(np.isnan(w) | (abs(g - o) < abs(g - w)), o, w) for g, w, o in triples]
    return want


def far_layer_check(name: str, layer: Layer, at: Arrays, truth: Truth, rng: Generator) -> Check:
    """Check one step of a layer at inputs and states of the sizes of `far_check`, each in a sequence of its own."""
    k, count = layer.n_params, 2 * len(SIZES)

    def far(width: int) -> Array:
        return np.repeat(SIZES, 2)[:, None] * rng.uniform(-1, 1, (count, width))

    point = [*at[:k], far(at[k].shape[2])[None], *(far(a.shape[1]) for a in at[k + 1 :])]
    outs = layer.function(point)
    if not np.isfinite(joined(outs)).all():
        return Check(name, {}, FAR)
    cotangents = [rng.normal(size=a.shape) for a in outs]
    got = layer.gradient(point, cotangents)
    want = _nearest(layer.function, point, cotangents, got, truth)
    return Check(name, errors(layer.names, got, want), FAR)


def step_and_back(cell: Cell, point: Arrays, rng: Generator) -> list[Arrays]:
    """Take one step and go back through it: return the cotangents, drawn here, and what comes back of them.

    Last, what comes back of cotangents that are `LARGE` times as large, and `SMALL` times. What the two functions return is refused
    if it has not the form that `bptt.Cell` says, or if it depends on what was done between the two calls.
    """
    layout, named = layout_of(cell), type(cell).__name__
    past, shape = point[len(layout.weighted) :], point[0].shape
    returned = tried(f"{named}.step", cell.step, *point)
    check_step(cell, layout, returned, point[0])
    outs, saved = returned[0], tuple(map(np.asarray, returned[1]))
    cotangents = [rng.normal(size=a.shape) for a in outs]

    def back(factor: float) -> tuple[Arrays, Arrays, Arrays]:
        given = (*(factor * c for c in cotangents), *past, *saved)
        found = tried(f"{named}.step_backward", cell.step_backward, *given)
        check_backward(cell, layout, found, point[0])
        return found

    def numbers(found: tuple[Arrays, Arrays, Arrays]) -> Arrays:
        d_weighted, d_past, d_own = ([np.broadcast_to(g, shape) for g in part] for part in found)
        return [*(g + 0.0 for g in (*d_weighted, *d_past)), *(g.sum(axis=0) for g in d_own)]

    def another_step() -> None:
        refuse_reuse(f"{named}.step", returned, lambda: cell.step(*(a / 2 for a in point)))

    found = refuse_memory(f"{named}.step_backward", lambda: back(1.0), another_step)
    large = refuse_reuse(f"{named}.step_backward", found, lambda: back(LARGE))
    return [cotangents, *map(numbers, (found, large, back(SMALL)))]


def _true(function: Function, point: Arrays, cotangents: Arrays, truth: Truth) -> Arrays:
    return true_gradient(point, cotangents, jacobian(function, point, truth))


def refuse_memory(
    name: str, back: Callable[[], Thing], another_step: Callable[[], object]
) -> Thing:
    """Refuse a way back that depends on which step was taken last; return what it returned."""
    once, twice = (numbers_in(back()) for _ in range(2))
    another_step()
    found = back()
    now = numbers_in(found)
    # What changes from call to call, if only now and then, is told apart by other checks.
    if once == twice != now and all(numbers_in(back()) == now for _ in range(OFTEN)):
        msg = (
            f"{name} must be a function of its arguments, got another answer after another step: what a step keeps "
            "elsewhere than in saved, as in self, the next step overwrites"
        )
        raise TypeError(msg)
    return found


def refuse_reuse(name: str, returned: Tree, again: Callable[[], Thing]) -> Thing:
    """Refuse a function whose next call writes over what it has returned; return what that call returned."""
    before, later = numbers_in(returned), again()
    refuse_overwritten(name, returned, before)
    return later


def mixed(step: OwnStep) -> dict[str, str]:
    """Take each entry by itself: name the methods that then give it another number than among the others."""
    cell, layout, z = step.cell, layout_of(step.cell), step.at[0]
    saved = cell.step(*step.at)[1]
    back = [*(z for _ in layout.states), *step.at[len(layout.weighted) :], *saved]
    found = []
    for name, given in (("step", step.at), ("step_backward", back)):
        with contextlib.suppress(Exception):  # a user's function may need all entries
            if _mixes(getattr(cell, name), given, z.shape):
                found.append(f"{name}: an entry alone gets another number than among others")
    return {"not elementwise": "; ".join(found)} if found else {}


def _mixes(function: Callable[..., Arrays], given: Arrays, shape: tuple[int, ...]) -> bool:
    whole = [np.broadcast_to(a, shape) for a in sum(function(*given), ())]
    for r, e in np.ndindex(shape):
        one = [a[r : r + 1, e : e + 1] if a.ndim == 2 else a[e : e + 1] for a in given]
        for a, alone in zip(whole, sum(function(*one), ()), strict=True):
            if not np.allclose(np.broadcast_to(alone, (1, 1)), a[r, e], LIKE, LIKE, equal_nan=True):
                return True
    return False


def own_step_bugs(step: OwnStep) -> Bugs:
    """Make bugs of one step of a factored cell: of whole tensors, then of the slopes of gates."""
    layout, right = layout_of(step.cell), dict(zip(step.names, step.want, strict=True))
    states = {f"d_{name}" for name in layout.states}

    def of(some: dict[str, Array]) -> Arrays:
        return [some.get(name) for name in right]

    for bug, evidence, factor in factors(1, len(step.at[0])):
        yield bug, evidence, [factor * w for w in step.want]
    yield "gradient missing", "zeros", of({n: 0 * right[n] for n in right if n not in states})
    yield "direct path missing", "zeros", of({n: 0 * right[n] for n in states})
    for name in right:
        twin = f"d_x{name[3:]}"
        if name.startswith("d_h") and twin in right:
            made = {name: right[twin]}
            yield "reset gate left out", f"it is {twin}, but the two differ", of(made)
    for activation in (TANH, SIGMOID):
        for bug, (_, slope) in slopes(activation).items():
            made = {}
            for name, z, got in zip(layout.weighted, step.at, step.got, strict=False):
                a = activation(z)
                true = activation.derivative(z, a)
                if (steep := true > STEEP).any():  # what is flat says nothing
                    guess = right[f"d_{name}"] * slope(z, a) / np.where(steep, true, 1)
                    made[f"d_{name}"] = np.where(steep, guess, got)
            yield bug, f"if it goes through {activation.name}", of(made)
