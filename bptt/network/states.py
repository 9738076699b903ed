"""What goes into a run beside parameters and input: initial states, masks, and their cotangents.

All of it is checked here, at the public boundary, and put into one form: a tuple of arrays for each
layer, a pair of those for a layer that reads in both directions.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import validation
from bptt._core.types import Array, LayerParams, LayerState, Mask, State
from bptt.cells import Bidirectional, BothDirections
from bptt.cells.layout import state_names_of
from bptt.network.parameters import Params
from bptt.network.stack import AnyCell, OneDirection, units_of
from bptt.network.traces import AnyTrace, BidirectionalTrace

__all__ = ["lengths_to_mask"]

Initial: TypeAlias = Sequence[LayerState] | None
"""The states of the layers before the first step; where a state is one array, it may stand bare."""


def lengths_to_mask(lengths: ArrayLike, steps: int | None = None) -> Mask:
    """Say which steps of a padded batch there are.

    Parameters
    ----------
    lengths
        How many steps each sequence has, integers of shape (B,), 1 or more.
    steps
        T, the steps of the padded batch; the longest length if not given.

    Returns
    -------
    ndarray of bool
        Shape (T, B): True where the sequence goes on, False where it has ended.

    Raises
    ------
    TypeError
        If `lengths` are not integers.
    ValueError
        If a length is below 1 or above `steps`.

    Examples
    --------
    >>> import bptt
    >>> bptt.lengths_to_mask([2, 3]).astype(int)
    array([[1, 1],
           [1, 1],
           [0, 1]])
    """
    found = validation.as_array("lengths", lengths)
    if found.ndim != 1 or not found.size:
        msg = f"lengths must have shape (B,), B >= 1, got {found.shape}"
        raise ValueError(msg)
    found = validation.of_kind("lengths", found, "iu", "integers")
    total = int(found.max()) if steps is None else validation.size("steps", steps)
    if found.min() < 1 or found.max() > total:
        msg = f"lengths must be from 1 to {total}, got {found.min()} to {found.max()}"
        raise ValueError(msg)
    return np.arange(total)[:, None] < found


def check_mask(mask: ArrayLike | None, x: Array) -> Mask | None:
    """Return a mask that fits the input."""
    if mask is None:
        return None
    return validation.of_kind("mask", mask, "b", "boolean", x.shape[:2])


def initial_states(
    cells: Sequence[AnyCell], params: Params, x: Array, initial: Initial
) -> tuple[LayerState, ...]:
    """Return the initial states of all layers, zero where none is given."""
    each = _each("initial", initial, len(cells), "states, one a recurrent layer")
    layers = zip(each, cells, params.layers, strict=True)
    return tuple(initial_state(*named, cell, layer, x) for named, cell, layer in layers)


def initial_state(
    name: str, initial: LayerState, cell: AnyCell, params: LayerParams, x: Array
) -> LayerState:
    """Return the initial state of one layer, zero if not given."""
    if isinstance(cell, Bidirectional):
        each = _each(name, initial, 2, "states, one a direction")
        both = zip(each, (cell.forward, cell.backward), params, strict=True)
        return BothDirections(*(initial_state(*named, one, part, x) for named, one, part in both))
    shape = (x.shape[1], units_of(cell, params))
    if initial is None:
        return tuple(np.zeros(shape, params[0].real.dtype) for _ in state_names_of(cell))
    return state_arrays(name, cell, initial, shape, validation.ANALYTIC)


def _each(name: str, given: object, count: int, of: str) -> list[tuple[str, LayerState]]:
    """Return so many states, each with its name; None for each if none are given."""
    each = (None,) * count if given is None else validation.sequence(name, given, count, of)
    return [(f"{name}[{i}]", state) for i, state in enumerate(each)]


def state_arrays(
    name: str,
    cell: OneDirection,
    given: LayerState,
    shape: tuple[int, ...],
    dtypes: tuple[str, ...],
) -> State:
    """Return a state, or the cotangent of one, as arrays that have been checked."""
    if isinstance(given, np.ndarray):
        given = (given,)
    names = state_names_of(cell)
    arrays = validation.sequence(name, given, len(names), "arrays, " + ", ".join(names))
    return tuple(
        validation.array(f"{name}.{part}", array, shape, dtypes)
        for part, array in zip(names, arrays, strict=True)
    )


def final_states(
    layers: Sequence[AnyTrace], d_final: Sequence[LayerState] | None
) -> tuple[LayerState, ...]:
    """Return the cotangents of the final states as arrays that have been checked, zero if not given."""
    each = _each("d_final", d_final, len(layers), "states, one a recurrent layer")
    return tuple(final_state(*named, layer) for named, layer in zip(each, layers, strict=True))


def final_state(name: str, d_final: LayerState, trace: AnyTrace) -> LayerState:
    """Return the cotangent of one layer's final state, zero if not given."""
    if isinstance(trace, BidirectionalTrace):
        both = _each(name, d_final, 2, "states, one a direction")
        there, back = (final_state(*named, one) for named, one in zip(both, trace, strict=True))
        return BothDirections(there, back)
    if d_final is None:
        return tuple(np.zeros(array.shape, array.dtype) for array in trace.final)  # (bp2-end)
    return state_arrays(name, trace.cell, d_final, trace.final[0].shape, validation.REAL)
