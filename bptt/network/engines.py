"""Which loops over time a cell runs through: the one place that decides."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from bptt._core import validation
from bptt._core.tree import numbers_in, refuse_overwritten
from bptt._core.types import Array, LayerParams, Mask, Saved, State
from bptt.cells.protocol import Formula, formula_of, is_factored
from bptt.network import loop, unfactored
from bptt.network.gradients import LayerGradient
from bptt.network.traces import LayerTrace

Walk: TypeAlias = Callable[..., Iterator[tuple[State, Saved]]]  # what goes forward step by step


def run_layer(
    cell: Formula, params: LayerParams, x: Array, state: State, mask: Mask | None
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
    walk: Walk
    walk, step = (loop.walk, "step") if is_factored(cell) else (unfactored.walk, "unfactored_step")
    before: list[bytes] = []
    for t, (stepped, kept) in enumerate(walk(cell, params, x, state, mask), 1):
        for array, now in zip(states, stepped, strict=True):
            array[t] = now
        if t == 1:
            before = numbers_in(kept)
        elif t == 2:
            refuse_overwritten(f"{type(cell).__name__}.{step}", saved[0], before)
        saved.append(kept)
    return LayerTrace(cell, params, x, states, saved, mask)


def run_layer_backward(trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
    """Go back through one layer, by the engine that ran it, on arguments that have been checked."""
    cell: Formula = trace.cell
    if formula_of(cell) is not cell:
        back = cell.run_layer_backward(trace, d_a, d_state)
        name = f"{type(cell).__name__}.run_layer_backward(...)"
        return validation.instance(name, back, LayerGradient)
    if is_factored(cell):
        return loop.run_layer_backward(trace, d_a, d_state)
    return unfactored.run_layer_backward(trace, d_a, d_state)
