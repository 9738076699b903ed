"""Bugs in the mathematics of a step, made on purpose in cells that are recognized by what they compute.

A layer is recognized when its states are those of a known cell with the same parameters, in any order of
the gates. The formulas here are those of the step alone. A bug is a small change in what one of them hands to the
complex step: its numbers stay right, and its derivative is wrong in one place, as if a hand-written one were.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations, product
from typing import NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array, Arrays
from bptt.cells import activations
from bptt.cells.activations import Activation
from bptt.checking.gradcheck import TINY
from bptt.checking.sweep import Bugs, Steps, sweep

Slope: TypeAlias = Callable[[Array, Array], Array]  # a derivative, right or wrong, of z and a
Slopes: TypeAlias = dict[str, Slope]  # by the letters of the gates
Gates: TypeAlias = dict[str, Array]  # by their letters
Squash: TypeAlias = Callable[[str, Array], Array]  # a gate's activation, by its letter

SIGMOID, TANH = activations.sigmoid, activations.tanh
KNOWN = (TANH, SIGMOID, activations.softplus, activations.relu, activations.identity)
OF_A: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda a: 1 - a**2,
    "sigmoid": lambda a: a * (1 - a),
}

LIKE = 1e-8


def slopes(activation: Activation) -> dict[str, tuple[str, Slope]]:
    """Return the wrong derivatives of an activation, by the name of the bug."""
    name, true = activation.name, activation.derivative
    wrong: dict[str, tuple[str, Slope]] = {
        "a' missing": ("1 for its derivative", lambda z, _: np.ones_like(z)),
        "a' at a instead of z": (f"{name}'(a)", lambda _, a: true(a, activation(a))),
        "a in place of a'": (f"{name}(a)", lambda _, a: activation(a)),
    }
    if name in OF_A:
        wrong["a' formula of a, given z"] = ("z put into it", lambda z, _: OF_A[name](z))
    return wrong


def same(a: Array, b: Array) -> bool:
    """Say whether two arrays are the same but for rounding."""
    return bool(np.abs(a - b).max() <= LIKE * max(1e-3, np.abs(b).max()))


def cut(value: Array) -> Array:
    """Return a value without its derivative."""
    return value.real.astype(complex)


def posing(value: Array, other: Array) -> Array:
    """Return a value with the derivative of another."""
    return value.real + 1j * other.imag


class Run(NamedTuple):
    """What a step is taken from: the blocks of x w + b, of a u and of u, the state (a first), own vectors."""

    x: Gates
    h: Gates
    u: Gates
    past: Arrays
    own: Arrays


class Known(NamedTuple):
    """A cell that a layer may be.

    step: takes what squashes, a run, and what a bug is called here; returns the new state. order: of the gates.
    activations: of the gates. states: where a, then c, stand in the state. own: how many own vectors. bugs: names,
    evidence, and what `step` calls them. together: the gates whose slopes are wrong at once.
    """

    step: Callable[[Squash, Run, str], Arrays]
    order: Sequence[str]
    activations: dict[str, Activation]
    states: tuple[int, ...] = (0,)
    own: int = 0
    bugs: tuple[tuple[str, str, str], ...] = ()
    together: tuple[str, ...] = ("a",)


def _elman(squash: Squash, run: Run, _: str) -> Arrays:
    return [squash("a", run.x["a"] + run.h["a"])]


LSTM_BUGS = (
    ("tanh(c) derivative missing", "1 for 1 - tanh²(c)", "a' missing"),
    ("tanh applied twice", "1 - tanh²(tanh c)", "a' at a instead of z"),
    ("cell error overwritten", "what comes from c(t+1) is lost", "later"),
    ("c_t for c_(t-1)", "δ of f is made with the new c", "new"),
    ("path through a missing in c", "c(t-1) gets f times what came from c(t+1) alone", "through"),
    ("direct path missing", "f ∂C/∂c does not arrive", "direct"),
    ("peephole to o missing", "p_o δ_o does not reach c", "o"),
    ("peepholes to the past missing", "p_i δ_i + p_f δ_f do not reach c(t-1)", "i, f"),
)


def _lstm(squash: Squash, run: Run, bug: str) -> Arrays:
    z, c, (p_i, p_f, p_o) = {k: run.x[k] + run.h[k] for k in "ifgo"}, run.past[1], run.own
    seen = cut(c) if bug == "i, f" else c
    i, f = squash("i", z["i"] + p_i * seen), squash("f", z["f"] + p_f * seen)
    g = squash("g", z["g"])
    c_new = f * (cut(c) if bug == "direct" else c) + i * g
    if bug == "new":
        c_new = posing(c_new, f * cut(c_new) + cut(f) * c + i * g)
    read = f * cut(c) + i * g if bug == "through" else c_new
    o = squash("o", z["o"] + p_o * (cut(read) if bug == "o" else read))
    slope = slopes(TANH)[bug][1] if bug in slopes(TANH) else TANH.derivative
    return [o * through(read, TANH, slope), cut(c_new) if bug == "later" else c_new]


GRU_BUGS = (
    ("other GRU's reset", "δ of r, u's gradient and the way to the past are the other's", "other"),
    ("other GRU's reset", "δ of r alone is the other's", "other r"),
    ("reset gate left out", "δ of n reaches the past without r", "open"),
    ("update gate swapped", "s and 1 - s change places on the way back", "swapped"),
    ("direct path missing", "what is kept of ∂C/∂a does not arrive", "direct"),
)


def _gru(squash: Squash, run: Run, bug: str, *, before: bool, renews: bool) -> Arrays:
    """Step a GRU, of either kind: r acts before the product or after it, and s keeps or renews."""
    (x, h, u, (a,), (c,)), own, other = run, before, not before
    r, s = squash("r", x["r"] + h["r"]), squash("s", x["s"] + h["s"])

    def reset(before: bool, r: Array) -> Array:
        product: Array = (r * a) @ u["n"] + c if before else r * (h["n"] + c)
        return product

    product = reset(own, r)
    if bug == "other":
        product = posing(product, reset(other, r))
    elif bug == "other r":
        of_r = reset(other, r) - reset(other, cut(r))
        product = posing(product, reset(own, cut(r)) + of_r)
    elif bug == "open":
        of_past = a @ cut(u["n"]) if before else h["n"] + c
        of_rest = (r * cut(a)) @ u["n"] + c if before else r * cut(h["n"] + c)
        product = posing(product, of_past + of_rest)
    n, keep = squash("n", x["n"] + product), 1 - s if renews else s
    a_new = (1 - keep) * n + keep * (cut(a) if bug == "direct" else a)
    if bug == "swapped":
        a_new = posing(a_new, cut(keep) * n + (1 - cut(keep)) * a + keep * cut(a - n))
    return [a_new]


def through(z: Array, activation: Activation, slope: Slope) -> Array:
    """Return a(z), with a slope that may be wrong."""
    a = activation(z.real)
    found: Array = a + 1j * slope(z.real, a) * z.imag
    return found


def _candidates(gates: int) -> Iterator[Known]:
    """Make all cells that have so many gates."""
    if gates == 1:
        for activation in KNOWN:
            yield Known(_elman, "a", {"a": activation})
    if gates == 4:
        squashed = dict.fromkeys("ifo", SIGMOID) | {"g": TANH}
        for order, places in product(permutations("ifgo"), ((0, 1), (1, 0))):
            yield Known(_lstm, order, squashed, places, 3, LSTM_BUGS, (*"ifgo", "ifo", "ifgo"))
    if gates == 3:
        squashed = dict.fromkeys("rs", SIGMOID) | {"n": TANH}
        for order, before, renews in product(permutations("rsn"), (False, True), (False, True)):
            step = partial(_gru, before=before, renews=renews)
            yield Known(step, order, squashed, (0,), 1, GRU_BUGS, (*"rsn", "rs", "rsn"))


def cell_bugs(steps: Steps, cotangents: Arrays) -> Bugs:
    """Make all bugs of the cell that a layer is recognized as."""
    if steps.w is None or steps.u is None or steps.b is None:
        return
    if len({a.shape[2] for a in (cotangents[0], *steps.states)}) > 1:
        return  # the outputs are more than the state, or its arrays differ in width
    width = steps.params[steps.b].size
    if steps.params[steps.w].shape[1] != width:  # blocks of a u alone, or of x w alone
        return
    for known in _candidates(width // steps.past.shape[2]):
        if len(known.states) != len(steps.states) or not _fits(steps, known):
            continue
        for name, evidence, bug in known.bugs:
            yield name, evidence, _made(steps, known, cotangents, bug, {})
        wrong = {gate: slopes(a) for gate, a in known.activations.items()}
        for each in known.together:
            for name, (evidence, _) in wrong[each[-1]].items():
                where = f"gate{'s'[: len(each) - 1]} {', '.join(each)}"
                bad = {gate: wrong[gate][name][1] for gate in each}
                found = _made(steps, known, cotangents, "", bad)
                yield name, where if known.bugs else evidence, found
        # No other order of gates does the same; an Elman cell's relu may look like the identity.
        if known.bugs:
            return


def _fits(steps: Steps, known: Known) -> bool:
    both = zip(steps.states, _run(steps, known, steps.point, "", {}), strict=True)
    return all(same(new.real, state[1:].reshape(new.shape)) for state, new in both)


def _run(steps: Steps, known: Known, point: Arrays, bug: str, wrong: Slopes) -> Arrays:
    """Take all steps at once: return the new states, in the order of the layer.

    Before its own axes an array may have one of copies: each is a run by itself.
    """
    params, x = point[: steps.k], point[steps.k]
    past = [point[steps.k + 1 + place] for place in known.states]
    used = [i or 0 for i in (steps.w, steps.u, steps.b)]  # a recognized cell has all three
    (w, u, b), n = (params[i] for i in used), past[0].shape[-1]
    rest = [p for i, p in enumerate(params) if i not in used and steps.params[i].ndim == 1]
    own = [p[..., None, k * n : (k + 1) * n] for p in rest for k in range(p.shape[-1] // n)]
    own = [*own, *known.own * [np.zeros(n)]][: known.own]

    def blocks(z: Array) -> Gates:
        return dict(zip(known.order, np.split(z, len(known.order), axis=-1), strict=True))

    def squash(gate: str, z: Array) -> Array:
        activation = known.activations[gate]
        return through(z, activation, wrong.get(gate, activation.derivative))

    x, h = blocks(x @ w + b[..., None, :]), blocks(past[0] @ u)
    found = known.step(squash, Run(x, h, blocks(u), past, own), bug)
    return [found[place] for place in known.states]


def _made(steps: Steps, known: Known, cotangents: Arrays, bug: str, wrong: Slopes) -> Arrays:
    """Go back through the layer by the derivatives of a formula with a bug, taken by the complex step."""
    jacobians, k = [], steps.k
    for i, leaf in enumerate(steps.point):
        rows, copies = [], np.arange(leaf.shape[-1])
        for place in np.ndindex(leaf.shape[:-1] if i < k else ()):  # of a state all rows at once
            point = list(steps.point)
            point[k], point[i] = (np.array([point[j] + 0j] * len(copies)) for j in (k, i))
            point[i][copies, *place, ..., copies] += 1j * TINY  # in each copy another entry
            new = _run(steps, known, point, bug, wrong)
            rows.append(np.imag(np.concatenate([new[known.states[0]], *new], axis=2)) / TINY)
        jacobians.append(np.concatenate(rows).reshape(-1, *steps.x.shape[:2], rows[0].shape[2]))
    return sweep(steps._replace(jacobians=jacobians), cotangents).record()
