"""Which loops over time a cell runs through: the one place that decides."""

from collections.abc import Iterator

import numpy as np

from bptt._core import Array, LayerParams, Saved, State, validation
from bptt._core.tree import numbers_in, refuse_overwritten
from bptt.cells.protocol import AnyMask, Formula, formula_of, is_factored
from bptt.network import loop, unfactored
from bptt.network.traces import LayerGradient, LayerTrace


def walk(
    cell: Formula, params: LayerParams, x: Array, state: State, mask: AnyMask
) -> Iterator[tuple[State, Saved]]:
    """Go forward step by step: yield the state after each, and what its derivative needs."""
    if formula_of(cell) is not cell:  # its own engine takes all steps at once
        trace = run_layer(cell, params, x, state, mask)
        for row in zip(*(array[1:] for array in trace.states), strict=True):
            yield row, None
    elif is_factored(cell):
        yield from loop.walk(cell, params, x, state, mask)
    else:
        yield from unfactored.walk(cell, params, x, state, mask)


def run_layer(
    cell: Formula, params: LayerParams, x: Array, state: State, mask: AnyMask
) -> LayerTrace:
    """Run one layer forward on arguments that have been checked, and keep all steps: (FWD)."""
    if formula_of(cell) is not cell:
        found = cell.run_layer(params, x, state, mask)
        return validation.instance(f"{type(cell).__name__}.run_layer(...)", found, LayerTrace)
    dtype = np.result_type(x, *params, *state)
    states = tuple(np.empty((len(x) + 1, *array.shape), dtype) for array in state)
    saved: list[Saved] = []
    for array, first in zip(states, state, strict=True):
        array[0] = first
    before: list[bytes] = []
    for t, (stepped, kept) in enumerate(walk(cell, params, x, state, mask), 1):
        for array, now in zip(states, stepped, strict=True):
            array[t] = now
        if t == 1:
            before = numbers_in(kept)
        saved.append(kept)
    step = "step" if is_factored(cell) else "unfactored_step"
    refuse_overwritten(f"{type(cell).__name__}.{step}", saved[0], before)
    return LayerTrace(cell, params, x, states, saved, mask)


def run_layer_backward(trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
    """Go back through one layer, by the engine that ran it, on arguments that have been checked."""
    cell: Formula = trace.cell
    if formula_of(cell) is not cell:
        back = cell.run_layer_backward(trace, d_a, d_state)
        name = f"{type(cell).__name__}.run_layer_backward(...)"
        return validation.instance(name, back, LayerGradient)
    way = loop.run_layer_backward if is_factored(cell) else unfactored.run_layer_backward
    return way(trace, d_a, d_state)
