"""A factored cell's own formula: its derivative by weighted inputs, state and own parameters, checked alone."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from bptt._core.types import Array, Tree
from bptt._core.validation import tried
from bptt.cells.layout import check_backward, check_step, layout_of
from bptt.cells.protocol import Cell
from bptt.checking.cell_bugs import LIKE, SIGMOID, TANH, same, slopes
from bptt.checking.jacobian import Arrays, Truth, jacobian
from bptt.checking.report import Check
from bptt.checking.suite import errors, true_gradient
from bptt.network.traces import weighted_inputs


class OwnStep(NamedTuple):
    """What a cell's step_backward returned for one step, and the truth, by the names of the formula."""

    check: Check
    names: list[str]
    at: Arrays
    got: Arrays
    want: Arrays


def step_check(
    name: str, cell: Cell, at: Arrays, k: int, truth: Truth, rng: np.random.Generator
) -> OwnStep:
    """Check what a factored cell does at one step: its derivatives by weighted inputs, state and own."""
    layout = layout_of(cell)
    *_, own = layout.split(at[:k])
    states = at[k + 1 :]
    shape = states[0].shape
    point = [*weighted_inputs(cell, at[:k], at[k][0], states[0]), *states, *own]

    def function(p: Arrays) -> Arrays:
        return list(cell.step(*p)[0])

    named = type(cell).__name__
    returned = tried(f"{named}.step", cell.step, *point)
    check_step(cell, layout, returned, shape)
    outs, saved = returned
    cotangents = [rng.normal(size=a.shape) for a in outs]
    arguments = (*cotangents, *states, *own, *saved)
    found = tried(f"{named}.step_backward", cell.step_backward, *arguments)
    smaller = [c / 2 for c in cotangents]
    rest = arguments[len(smaller) :]
    refuse_reuse(f"{named}.step_backward", found, lambda: cell.step_backward(*smaller, *rest))
    check_backward(cell, layout, found, shape)
    d_weighted, d_past, d_own = found
    got = [np.array(np.broadcast_to(g, shape)) for g in (*d_weighted, *d_past)]
    got += [np.array(np.broadcast_to(g, shape).sum(axis=0)) for g in d_own]
    want = true_gradient(point, cotangents, jacobian(function, point, truth, range(len(point))))
    names = [f"d_{name}" for name in layout.weighted + layout.states + layout.own]
    return OwnStep(Check(name, errors(names, got, want), truth.tolerance), names, point, got, want)


def refuse_reuse(name: str, returned: Tree, again: Callable[[], object]) -> None:
    """Refuse a function whose next call writes over what it has returned, as one with a buffer does."""
    arrays = list(_arrays(returned))
    before = [array.copy() for array in arrays]
    again()
    for array, copy in zip(arrays, before, strict=True):
        if array.tobytes() != copy.tobytes():
            msg = f"{name} must return arrays of its own, got one that a later step has overwritten"
            raise TypeError(msg)


def _arrays(record: Tree) -> Iterator[Array]:
    if isinstance(record, np.ndarray):
        yield record
    elif isinstance(record, (tuple, list, Mapping)):
        for part in record.values() if isinstance(record, Mapping) else record:
            yield from _arrays(part)


def own_step_bugs(cell: Cell, step: OwnStep) -> Iterator[tuple[str, str, str]]:
    """Guess from one step of a factored cell alone: whole tensors, then the slope of each gate."""
    wrong = step.check.faulty
    want = dict(zip(step.names, step.want, strict=True))
    got = dict(zip(step.names, step.got, strict=True))
    states = [f"d_{name}" for name in layout_of(cell).states]
    for name in wrong:
        g, w = got[name], want[name]
        missing = "direct path missing" if name in states else "gradient missing"
        for bug, factor in (
            ("factor 2", 2.0),
            ("factor 2", 0.5),
            ("wrong sign", -1.0),
            (missing, 0.0),
        ):
            if _fits(g, factor * w, w):
                yield bug, name, f"{factor:g} times the true one"
        if _fits(g, w / len(step.at[0]), w):
            yield "mean over the batch", name, "divided by B"
        twin = f"d_x{name[3:]}"
        if (
            name.startswith("d_h")
            and twin in want
            and twin not in wrong
            and _fits(g, want[twin], w)
        ):
            yield "reset gate left out", name, f"it is {twin}, but the two differ"
    for name, z in zip(layout_of(cell).weighted, step.at, strict=False):
        yield from _slope_of_gate(f"d_{name}", z, got[f"d_{name}"], want[f"d_{name}"])


def _fits(got: Array, guess: Array, truth: Array) -> bool:
    """Say whether a guess explains what came, and is not the truth, which then would do so too."""
    return same(got, guess) and not same(truth, guess)


def _slope_of_gate(name: str, z: Array, got: Array, want: Array) -> Iterator[tuple[str, str, str]]:
    """Compare the slope that a gate's error has with those of the known activations."""
    if errors(["_"], [got], [want])["_"] <= LIKE:
        return
    for activation in (TANH, SIGMOID):
        a = activation(z)
        for bug, (_, slope) in slopes(activation).items():
            if same(got * activation.derivative(z, a), want * slope(z, a)):
                yield bug, name, f"if {name[2:]} goes through {activation.name}"
