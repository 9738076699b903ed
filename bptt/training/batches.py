r"""Minibatches: the sequences of a batch, dealt out into smaller batches for one epoch.

A cost is a sum over sequences (see `bptt.training.losses`), and so its gradient is that of all minibatches together:

.. math:: \partial C / \partial \theta = \sum_{m} \partial C_m / \partial \theta

which is (tie), over the batch. A progress bar, ``tqdm(bptt.minibatches(...))``, knows its total, since what
is returned has a length; this library has no bar of its own.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bptt._core import Array, Mask, validation
from bptt._core.tree import array_record
from bptt.training.pieces import Data, Pieces, Targets, checked, each, starts_of

__all__ = ["Minibatch", "minibatches"]


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
        No sequence is in two of them. A `Minibatch` is made when it is asked for; dtypes stay.

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
