r"""Sequences in pieces: minibatches of some sequences, windows of some steps, cut when they are asked for.

**Minibatches** deal the sequences of a batch out, for one epoch. A cost is a sum over sequences
(see `bptt.training.losses`), and so its gradient is that of all minibatches together:

.. math:: \partial C / \partial \theta = \sum_{m} \partial C_m / \partial \theta

which is (tie), over the batch.

**Windows** cut long sequences: the state, but no gradient, is carried from one to the next. Over all windows of a
stream, with parameters that stay as they are, the gradient is (TRUNC) with k1 = k2. (A last window that is shorter
goes back through its own steps alone, and not through k2.) The loop is yours, since parameters may change after
each window:

>>> import bptt
>>> tiny, state = bptt.teaching.tiny(), None
>>> for window in bptt.windows(tiny.x, tiny.targets, length=2):
...     trace = bptt.forward(tiny.stack, tiny.params, window.x, state)
...     d_outputs = bptt.squared_error(trace.outputs, window.targets).d_outputs
...     gradient = bptt.backward(trace, d_outputs)
...     state = bptt.carry_state(trace)

A progress bar, ``tqdm(bptt.windows(...))``, knows its total, since what is returned has a length; this library has
no bar of its own.

Source of windows: Williams & Peng (1990), as in `bptt.truncated_bptt`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bptt._core import Array, LayerState, Mask, validation
from bptt._core.tree import array_record, tree_map
from bptt.network.states import check_mask
from bptt.network.traces import LayerTrace, Trace

__all__ = ["Minibatch", "Window", "carry_state", "minibatches", "parallel_streams", "windows"]

Piece = TypeVar("Piece")
Targets: TypeAlias = Any  # an array of numbers or of classes; None if there are none
Data: TypeAlias = tuple[Array, Targets, Mask | None]  # x, targets and mask


@array_record
class Minibatch(NamedTuple):
    """Some sequences of a batch.

    Attributes
    ----------
    x
        Their input, shape (T, size, n), a copy.
    targets
        Their targets, shape (T, size, ...); None if there are none.
    mask
        Which of their steps there are, booleans of shape (T, size); None if all.
    members
        Which sequences of the batch they are: cut by them whatever else belongs to a sequence.
    """

    x: Array
    targets: Targets
    mask: Mask | None
    members: NDArray[np.intp]


def minibatches(
    x: ArrayLike,
    targets: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    size: int,
    rng: int | np.random.Generator,
    drop_last: bool = False,
) -> Sequence[Minibatch]:
    """Deal the sequences of a batch out into minibatches, for one epoch.

    The order is drawn here, by one call of ``rng.permutation``, and by nothing later: the minibatches
    can be gone through again, or from the k-th on, ``minibatches(...)[k:]``. With
    ``rng=np.random.default_rng((seed, epoch))`` an epoch depends on these two numbers alone, and a run
    that was interrupted goes on with the minibatch that it had come to.

    Parameters
    ----------
    x
        Input of all sequences, float32, float64 or integers, shape (T, B, n), padded to one length.
    targets
        Their targets, numbers or classes, shape (T, B, ...).
    mask
        Which steps of which sequences there are, booleans of shape (T, B), see `bptt.lengths_to_mask`.
    size
        How many sequences a minibatch has, from 1 to B.
    rng
        Where the order is drawn from, a generator or a seed.
    drop_last
        What becomes of the last minibatch if `size` does not divide B: it is smaller, or, if True,
        left out, and with it other sequences each epoch.

    Returns
    -------
    Sequence of Minibatch
        Each sequence is in one of them. A `Minibatch` is made when it is asked for; dtypes stay.

    Raises
    ------
    TypeError
        If `x` is not float32, float64 or integers, `targets` are no numbers, `mask` or `drop_last` is not
        boolean, `size` is not an integer, or `rng` is neither a generator nor a seed.
    ValueError
        If shapes do not match, there is no step or no sequence, or `size` is not from 1 to B.

    See Also
    --------
    windows : pieces of steps in place of sequences.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> x = np.zeros((3, 5, 1))
    >>> epoch = bptt.minibatches(x, size=2, rng=np.random.default_rng(0))
    >>> len(epoch), [batch.members.tolist() for batch in epoch]
    (3, [[2, 4], [3, 0], [1]])
    """
    arrays = checked(x, targets, mask)
    number = arrays[0].shape[1]
    starts = starts_of("size", size, number, drop_last)
    order = validation.generator("rng", rng).permutation(number)
    return Pieces(starts, partial(_minibatch, arrays, order, starts.step))


def _minibatch(arrays: Data, order: NDArray[np.intp], size: int, first: int) -> Minibatch:
    members = order[first : first + size]
    return Minibatch(*each(arrays, lambda whole: whole.take(members, axis=1)), members)


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
        Each step is in one of them. A slice is possible, ``windows(...)[k:]``, to go on in the middle.

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


def carry_state(trace: Trace) -> tuple[LayerState, ...]:
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


class Pieces(Sequence[Piece], Generic[Piece]):
    """Pieces that are cut when asked for; a slice of them is again such a sequence.

    To be copied and pickled, `cut` must be a function of a module, or a `functools.partial` of one.
    """

    def __init__(self, starts: range, cut: Callable[[int], Piece]) -> None:
        self._starts, self._cut = starts, cut

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self._starts)

    @overload
    def __getitem__(self, which: int) -> Piece: ...
    @overload
    def __getitem__(self, which: slice) -> "Pieces[Piece]": ...
    def __getitem__(self, which: int | slice) -> "Piece | Pieces[Piece]":
        """Cut a piece, or hand out some of them, not yet cut."""
        if isinstance(which, slice):
            return Pieces(self._starts[which], self._cut)
        return self._cut(self._starts[which])


def checked(x: ArrayLike, targets: ArrayLike | None, mask: ArrayLike | None) -> Data:
    """Check shapes and dtypes, and not the numbers: a file that is mapped would be read for that."""
    found = validation.as_array("x", x)
    form = np.broadcast_to(np.empty((), found.dtype.newbyteorder("=")), found.shape)
    validation.shaped("x", form, ("T", "B", "n"), validation.DATA)
    return found, None if targets is None else _targets(targets, found), check_mask(mask, found)


def each(arrays: Data, cut: Callable[[np.ndarray], np.ndarray]) -> Data:
    """Cut all arrays that there are in the same way."""
    x, *others = arrays
    targets, mask = (None if whole is None else cut(whole) for whole in others)
    return validation.floating("x", cut(x), validation.DATA), targets, mask


def _targets(targets: ArrayLike, x: Array) -> np.ndarray:
    found = validation.of_kind("targets", targets, "fiu", "numbers or classes")
    if found.shape[:2] != x.shape[:2]:
        validation.refuse_shape("targets", (*x.shape[:2], "..."), found.shape)
    return found


def starts_of(name: str, value: int, total: int, drop_last: bool) -> range:
    """Return where the pieces begin."""
    size = validation.between(name, value, 1, total)
    validation.instance("drop_last", drop_last, bool)
    return range(0, total - total % size if drop_last else total, size)
