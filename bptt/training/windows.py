"""Long sequences in windows: the state, but no gradient, is carried from one to the next.

Over all windows of a stream, with parameters that stay as they are, the gradient is (TRUNC) with k1 = k2.
(A last window that is shorter goes back through its own steps alone, and not through k2.) The loop is
yours, since parameters may change after each window:

>>> import bptt
>>> tiny, state = bptt.teaching.tiny(), None
>>> for window in bptt.windows(tiny.x, tiny.targets, length=2):
...     trace = bptt.forward(tiny.stack, tiny.params, window.x, state)
...     d_outputs = bptt.squared_error(trace.outputs, window.targets).d_outputs
...     gradient = bptt.backward(trace, d_outputs)
...     state = bptt.carry_state(trace)

A progress bar, ``tqdm(bptt.windows(...))``, knows its total, since what is returned has a length.

Source: Williams & Peng (1990), as in `bptt.truncated_bptt`.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Mask, validation
from bptt._core.tree import array_record, tree_map
from bptt.network.traces import LayerTrace, States, Trace
from bptt.training.pieces import Data, Pieces, Targets, checked, each, starts_of

__all__ = ["Window", "carry_state", "parallel_streams", "windows"]


@array_record
class Window(NamedTuple):
    """Some consecutive steps of all sequences.

    Attributes
    ----------
    x
        Their input, shape (length, B, n), a view.
    targets
        Their targets, shape (length, B, ...); None if there are none.
    mask
        Which of them there are, booleans of shape (length, B); None if all.
    steps
        Where they are in the whole, as a `bptt.algorithms.CostOfSteps` is asked.
    """

    x: Array
    targets: Targets
    mask: Mask | None
    steps: slice


def windows(
    x: ArrayLike,
    targets: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    length: int,
    drop_last: bool = False,
) -> Sequence[Window]:
    """Cut long sequences into windows of consecutive steps, in their order: (TRUNC) with k1 = k2.

    Start each in the state that `carry_state` takes from the one before. Windows are views: of an array
    that lies in a file (`numpy.memmap`) only the window at hand is read.

    Parameters
    ----------
    x
        Input, float32, float64 or integers, shape (T, B, n).
    targets
        Targets, numbers or classes, shape (T, B, ...).
    mask
        Which steps of which sequences there are, booleans of shape (T, B).
    length
        How many steps a window has, from 1 to T.
    drop_last
        What becomes of the last window if `length` does not divide T: it is shorter, or, if True, left
        out.

    Returns
    -------
    Sequence of Window
        No step is in two of them. A slice is possible, ``windows(...)[k:]``, to go on in the middle.

    Raises
    ------
    TypeError
        If `x` is not float32, float64 or integers, `targets` are no numbers, `mask` or `drop_last` is not
        boolean, or `length` is not an integer.
    ValueError
        If shapes do not match, there is no step or no sequence, or `length` is not from 1 to T.

    See Also
    --------
    bptt.truncated_bptt : the same gradient in one call, for sequences that do fit.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> x = np.arange(5.0).reshape(5, 1, 1)
    >>> [window.x.ravel().tolist() for window in bptt.windows(x, length=2)]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> [window.steps for window in bptt.windows(x, length=2, drop_last=True)]
    [slice(0, 2, None), slice(2, 4, None)]
    """
    arrays = checked(x, targets, mask)
    starts = starts_of("length", length, len(arrays[0]), drop_last)
    return Pieces(starts, partial(_window, arrays, starts.step))


def _window(arrays: Data, length: int, first: int) -> Window:
    steps = slice(first, min(first + length, len(arrays[0])))
    return Window(*each(arrays, lambda whole: whole[steps]), steps)


def carry_state(trace: Trace) -> States:
    """Copy the last states of a window's trace: where the next window starts, as `initial`.

    The gradient stops at the border, since the copy is a constant of the next run. It is a copy so that
    it does not keep the window's memory alive.

    Parameters
    ----------
    trace
        What `bptt.forward` returned, for layers of one direction.

    Returns
    -------
    tuple of tuples of Array
        For each layer the arrays of its state, each (B, n).

    Raises
    ------
    TypeError
        If `trace` is not a trace, or has a layer that reads in both directions.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    >>> bptt.carry_state(trace)[1][0].shape == trace.layers[1].a[-1].shape
    True
    """
    validation.instance("trace", trace, Trace)
    for i, layer in enumerate(trace.layers):
        validation.instance(f"trace.layers[{i}]", layer, LayerTrace)
    return tree_map(np.copy, trace.final)


def parallel_streams(sequence: ArrayLike, number: int) -> np.ndarray:
    """Cut one very long sequence into streams that are read side by side, as the rows of a batch.

    Stream b is the b-th stretch of T // number steps, so that the last state of a window is, for each
    row, the one that its next window needs. The T % number last steps are left out. Only the first
    stream has seen all of its past: the others begin with none, in the middle.

    Parameters
    ----------
    sequence
        Of any dtype, shape (T, ...): inputs (T, n), or classes (T,). Cut inputs and targets alike.
    number
        B, how many streams, from 1 to T.

    Returns
    -------
    Array
        Shape (T // number, number, ...), of the same dtype; no copy if memory is in one piece.

    Raises
    ------
    TypeError
        If `number` is not an integer, or `sequence` does not make a plain array.
    ValueError
        If `sequence` has no axis of time, or `number` is not from 1 to T.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.parallel_streams(np.arange(7), 2).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    found = validation.as_array("sequence", sequence)
    if found.ndim == 0:
        validation.refuse_shape("sequence", ("T", "..."), ())
    streams = validation.between("number", number, 1, len(found))
    length = len(found) // streams
    rows = found[: length * streams].reshape(streams, length, *found.shape[1:])
    return rows.swapaxes(0, 1)
