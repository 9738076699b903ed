"""Which loops over time a cell runs through: the one place that decides."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bptt._core.types import Array, LayerParams, Mask, Saved, State
from bptt.cells.protocol import OwnEngine, RunTrace, formula_of, is_factored
from bptt.network import loop, unfactored
from bptt.network.gradients import LayerGradient
from bptt.network.traces import LayerTrace


class Engine(NamedTuple):
    """How a layer is run: forward, forward without a trace, and back."""

    run_layer: Callable[[Any, LayerParams, Array, State, Mask | None], LayerTrace]
    walk: Callable[[Any, LayerParams, Array, State, Mask | None], Iterator[tuple[State, Saved]]]
    run_layer_backward: Callable[[LayerTrace, Array, State], LayerGradient]


PLAIN = Engine(loop.run_layer, loop.walk, loop.run_layer_backward)
UNFACTORED = Engine(unfactored.run_layer, unfactored.walk, unfactored.run_layer_backward)


def engine_of(cell: object) -> Engine:
    """Return the engine that runs a cell: its own, the plain loop, or that of the unfactored level."""
    if formula_of(cell) is not cell:
        return Engine(_forward_by_own, _walk_by_own, _backward_by_own)
    return PLAIN if is_factored(cell) else UNFACTORED


def _forward_by_own(
    cell: OwnEngine, params: LayerParams, x: Array, state: State, mask: Mask | None
) -> LayerTrace:
    trace: LayerTrace = cell.run_layer(params, x, state, mask)
    return trace


def _walk_by_own(
    cell: OwnEngine, params: LayerParams, x: Array, state: State, mask: Mask | None
) -> Iterator[tuple[State, None]]:
    """Go through all steps at once, then hand the states out one by one."""
    trace = cell.run_layer(params, x, state, mask)
    for row in zip(*(array[1:] for array in trace.states), strict=True):
        yield tuple(array.copy() for array in row), None


def _backward_by_own(trace: RunTrace, d_a: Array, d_state: State) -> LayerGradient:
    gradient: LayerGradient = trace.cell.run_layer_backward(trace, d_a, d_state)
    return gradient
