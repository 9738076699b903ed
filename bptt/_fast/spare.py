"""Work arrays that a plain call leaves to a later one of the same sizes, once nobody can see them any more.

Making and filling in work arrays, and the views of each of their steps, takes as long as small nets take to
run; for large ones the system hands out fresh pages. What a plain call returns are views of its work arrays.
Python counts the references to an array, and a view is one of them. So when an array has as many as it had
when it was made, no view of it is left anywhere, and to write to it again can be seen by no one.

A few works of limited size are kept, the latest ones. Where Python does not count in this way (without its
global lock, or another Python than CPython), none is.
"""

import sys
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Protocol, TypeVar

from bptt._core.types import Array
from bptt._core.workspace import Workspace

__all__ = ["Work", "borrowed", "clear"]

MOST = 8  # works
MOST_BYTES = 1 << 28  # of all of them: the pages of large works are the dearest to ask for again

COUNTS = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()


class Work(Protocol):
    """Work arrays, made for some sizes."""

    def seen(self) -> list[Array]:
        """Return the arrays of which a caller gets views."""
        ...


AnyWork = TypeVar("AnyWork", bound=Work)
Result = TypeVar("Result")


class _Spare:
    """A work, with how many references each of its arrays had when it was made."""

    def __init__(self, key: Hashable, work: Work) -> None:
        self.key, self.work = key, work
        owners = map(_owner, work.seen())
        self.arrays = list({id(array): array for array in owners}.values())  # each counts once
        self.nbytes = sum(array.nbytes for array in self.arrays)
        self.counts = self.references()

    def references(self) -> list[int]:
        """Return how many references there are to each array."""
        return list(map(sys.getrefcount, self.arrays))


_spares: list[_Spare] = []
_lock = Lock()


def borrowed(
    key: Hashable,
    make: Callable[[], AnyWork],
    use: Callable[[AnyWork], Result],
    space: Workspace | None,
) -> Result:
    """Use the work that a workspace holds; without one, a work that nobody sees, or a new one."""
    if space is not None:
        return use(space.hold(key[0], key, make))  # type: ignore[index]
    if not COUNTS:
        return use(make())
    spare = _unseen(key) or _Spare(key, make())
    result = use(spare.work)  # type: ignore[arg-type]
    _keep(spare)
    return result


def _unseen(key: Hashable) -> _Spare | None:
    """Take out a work of these sizes of which no view is left beside its own."""
    with _lock:
        for i in range(len(_spares) - 1, -1, -1):
            if _spares[i].key == key and _spares[i].references() == _spares[i].counts:
                return _spares.pop(i)
    return None


def _keep(spare: _Spare) -> None:
    """Keep a work for later, in place of the oldest ones."""
    if spare.nbytes > MOST_BYTES:
        return
    with _lock:
        _spares.append(spare)
        while len(_spares) > MOST or sum(one.nbytes for one in _spares) > MOST_BYTES:
            del _spares[0]


def clear() -> None:
    """Let go of all works."""
    with _lock:
        _spares.clear()


def _owner(array: Array) -> Array:
    """Return the array whose memory this one shows: the one that all views of it refer to."""
    return array if array.base is None else _owner(array.base)
