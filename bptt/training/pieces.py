"""Pieces of arrays that a training loop goes through, cut when they are asked for."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Mask, validation
from bptt.network.states import check_mask

Piece = TypeVar("Piece")
Targets: TypeAlias = Any  # an array of numbers or of classes; None if there are none
Data: TypeAlias = tuple[Array, Targets, Mask | None]  # x, targets and mask


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
