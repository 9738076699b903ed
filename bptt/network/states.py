"""What goes into a run beside parameters and input: initial states, masks, and their cotangents.

All of it is checked here, at the public boundary, and put into one form: a tuple of arrays for each
layer, a pair of those for a layer that reads in both directions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, LayerParams, LayerState, Mask, validation
from bptt.cells import Bidirectional, BothDirections, state_names_of
from bptt.network.stack import AnyCell, units_of

__all__ = ["lengths_to_mask"]


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
        If `lengths` or `steps` are not integers.
    ValueError
        If `lengths` are not of shape (B,), or one is below 1 or above `steps`.

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
        limits = ">= 1" if steps is None else f"from 1 to {total}"
        msg = f"lengths must be {limits}, got {found.min()} to {found.max()}"
        raise ValueError(msg)
    return np.arange(total)[:, None] < found


def check_mask(mask: ArrayLike | None, x: Array) -> Mask | None:
    """Return a mask that fits the input."""
    return None if mask is None else validation.of_kind("mask", mask, "b", "boolean", x.shape[:2])


def check_states(
    name: str,
    given: Sequence[LayerState] | None,
    cells: Sequence[AnyCell],
    like: Sequence[LayerState],
    dtypes: tuple[str, ...],
) -> tuple[LayerState, ...]:
    """Return the states of some layers, or the cotangents of such, each as `check_state` does."""
    named = _each(name, given, len(cells), "states, one a recurrent layer")
    each = zip(named, cells, like, strict=True)
    return tuple(check_state(*one, cell, layer, dtypes) for one, cell, layer in each)


def check_state(
    name: str, given: LayerState, cell: AnyCell, like: LayerState, dtypes: tuple[str, ...]
) -> LayerState:
    """Return the state of a layer, or the cotangent of one, of the shape of `like`; zero if none is given."""
    if isinstance(cell, Bidirectional):
        named = _each(name, given, 2, "states, one a direction")
        both = zip(named, (cell.forward, cell.backward), like, strict=True)
        return BothDirections(*(check_state(*one, part, way, dtypes) for one, part, way in both))
    if given is None:
        return tuple(np.zeros(array.shape, array.dtype) for array in like)  # (bp2-end)
    if isinstance(given, np.ndarray):
        given = (given,)
    names = state_names_of(cell)
    arrays = validation.sequence(name, given, len(names), "arrays, " + ", ".join(names))
    return tuple(
        validation.array(f"{name}.{part}", array, like[0].shape, dtypes)
        for part, array in zip(names, arrays, strict=True)
    )


def empty_state(cell: AnyCell, params: LayerParams, x: Array) -> LayerState:
    """Return arrays of the shape and the precision of a layer's state, without numbers in them yet."""
    if isinstance(cell, Bidirectional):
        both = zip((cell.forward, cell.backward), params, strict=True)
        return BothDirections(*(empty_state(*one, x) for one in both))
    shape = (x.shape[1], units_of(cell, params))
    return tuple(np.empty(shape, params[0].real.dtype) for _ in state_names_of(cell))


def _each(name: str, given: object, count: int, of: str) -> list[tuple[str, LayerState]]:
    """Return so many states, each with its name; None for each if none are given."""
    each = (None,) * count if given is None else validation.sequence(name, given, count, of)
    return [(f"{name}[{i}]", state) for i, state in enumerate(each)]
