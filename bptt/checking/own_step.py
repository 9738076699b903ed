"""A factored cell's own formula: its derivative by weighted inputs, state and own parameters, checked alone."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from bptt._core.tree import arrays_in
from bptt._core.types import Array, Tree
from bptt._core.validation import tried
from bptt.cells.layout import check_backward, check_step, layout_of
from bptt.cells.protocol import Cell
from bptt.checking.cell_bugs import SIGMOID, TANH, slopes
from bptt.checking.jacobian import Arrays, Truth, jacobian
from bptt.checking.report import Check
from bptt.checking.suite import errors, true_gradient
from bptt.checking.sweep import Bugs, factors
from bptt.network.traces import weighted_inputs

# Of weighted inputs, near zero and far out; states are drawn between -0.8 and 0.8.
SIZES = (0.01, 1.0, 15.0)
FAR = 1e-6  # the tolerance there: that of central differences
STEEP = 1e-6  # the least slope of an activation that leaves eight digits of what is divided by it


class OwnStep(NamedTuple):
    """What a cell's step_backward returned for one step, and the truth, by the names of the formula."""

    cell: Cell
    truth: Truth
    check: Check
    names: list[str]
    at: Arrays
    got: Arrays
    want: Arrays


def step_check(
    name: str, cell: Cell, at: Arrays, k: int, truth: Truth, rng: np.random.Generator
) -> OwnStep:
    """Check what a factored cell does at one step: its derivatives by weighted inputs, state and own."""
    layout, point = layout_of(cell), point_of(cell, at, k)
    cotangents, got = step_and_back(cell, point, rng)
    want = _true(cell, point, cotangents, truth)
    names = [f"d_{name}" for name in layout.weighted + layout.states + layout.own]
    check = Check(name, errors(names, got, want), truth.tolerance)
    return OwnStep(cell, truth, check, names, point, got, want)


def point_of(cell: Cell, at: Arrays, k: int) -> Arrays:
    """Return the arguments of `step` at the first step of a layer."""
    states, own = at[k + 1 :], layout_of(cell).split(at[:k])[3]
    return [*weighted_inputs(cell, at[:k], at[k][0], states[0]), *states, *own]


def far_check(name: str, step: OwnStep, rng: np.random.Generator) -> Check:
    """Check the same derivatives where weighted inputs are very small, and far out, where cells saturate.

    A function may be analytic in the middle alone, and too steep for central differences elsewhere: each
    entry is compared with the nearer of the two truths. Where `step` is not finite is not its domain.
    """
    cell, layout, n = step.cell, layout_of(step.cell), step.at[0].shape[1]
    sizes = np.repeat(SIZES, 2)[:, None] * np.tile([[1.0], [-1.0]], (len(SIZES), 1))
    point = [sizes * rng.choice([-1, 1]) * rng.uniform(0.5, 1, n) for _ in layout.weighted]
    point += [rng.uniform(-0.8, 0.8, (len(sizes), n)) for _ in layout.states]
    own = step.at[len(point) :]
    inside = np.all([np.isfinite(a).all(axis=1) for a in cell.step(*point, *own)[0]], axis=0)
    point = [*(array[inside] for array in point), *own]
    if not inside.any():
        return Check(name, {}, FAR)
    cotangents, got = step_and_back(cell, point, rng)
    want = _true(cell, point, cotangents, Truth(False, ""))
    if step.truth.analytic:
        with contextlib.suppress(Exception):  # a user's function may refuse complex numbers there
            triples = zip(got, want, _true(cell, point, cotangents, step.truth), strict=True)
            want = [np.where(np.isnan(w) | (abs(g - o) < abs(g - w)), o, w) for g, w, o in triples]
    return Check(name, errors(step.names, got, want), FAR)


def step_and_back(cell: Cell, point: Arrays, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Take one step and go back through it: return the cotangents, drawn here, and what comes back.

    What the two functions return is refused if it has not the form that `bptt.Cell` says.
    """
    layout, named = layout_of(cell), type(cell).__name__
    past, shape = point[len(layout.weighted) :], point[0].shape
    returned = tried(f"{named}.step", cell.step, *point)
    check_step(cell, layout, returned, point[0])
    refuse_reuse(f"{named}.step", returned, lambda: cell.step(*(a / 2 for a in point)))
    outs, saved = returned[0], tuple(map(np.asarray, returned[1]))
    cotangents = [rng.normal(size=a.shape) for a in outs]
    found = tried(f"{named}.step_backward", cell.step_backward, *cotangents, *past, *saved)
    again = partial(cell.step_backward, *(-c for c in cotangents), *past, *saved)
    refuse_reuse(f"{named}.step_backward", found, again)
    check_backward(cell, layout, found, point[0])
    d_weighted, d_past, d_own = found
    got = [np.array(np.broadcast_to(g, shape)) for g in (*d_weighted, *d_past)]
    got += [np.array(np.broadcast_to(g, shape).sum(axis=0)) for g in d_own]
    return cotangents, got


def _true(cell: Cell, point: Arrays, cotangents: Arrays, truth: Truth) -> Arrays:
    matrix = jacobian(lambda p: cell.step(*p)[0], point, truth)
    return true_gradient(point, cotangents, matrix)


def refuse_reuse(name: str, returned: Tree, again: Callable[[], object]) -> None:
    """Refuse a function whose next call writes over what it has returned, as one with a buffer does."""
    arrays = arrays_in(returned)
    before = [array.copy() for array in arrays]
    again()
    for array, copy in zip(arrays, before, strict=True):
        if array.tobytes() != copy.tobytes():
            msg = f"{name} must return arrays of its own, got one that a later step has overwritten"
            raise TypeError(msg)


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
