"""Matrix products in pieces, where the library below NumPy multiplies small matrices faster than large ones.

A matrix product copies blocks of both matrices to where they are read in order; for large matrices that pays.
OpenBLAS can also multiply matrices as they stand: up to a million multiplications, on processors with AVX-512.
Larger products, cut into pieces of that size, need no copy either.

Where OpenBLAS has no such kernels, or threads to share a large product among, nothing is cut.

Sources: Goto & van de Geijn (2008) for the copies; OpenBLAS, `sgemm_small_kernel_permit_skylakex.c`, for the limit.
"""

import ctypes
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from bptt._core.types import Array

__all__ = ["Pieces", "in_pieces", "pieces", "product"]

MOST = 1_000_000  # multiplications of a piece
LEAST_ROWS, LEAST_COLUMNS = 4, 16  # with fewer, a piece loses more than a copy costs
DEEPEST = 1024  # rows of a piece of the second matrix, where that is not whole rows of it
CORES = {b"SkylakeX", b"Cooperlake", b"SapphireRapids"}  # OpenBLAS's names of those with AVX-512
NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


def _openblas() -> tuple[bytes, Callable[[], int]]:
    """Return the name of the kernels of NumPy's OpenBLAS, and what counts its threads; no name if there is none."""
    try:
        library = ctypes.CDLL(find_spec("numpy._core._multiarray_umath").origin)  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError):
        return b"", int
    for name in NAMES:
        core = getattr(library, name.format("get_corename"), None)
        threads = getattr(library, name.format("get_num_threads"), None)
        if core and threads:
            core.restype = ctypes.c_char_p
            return core(), threads
    return b"", int


CORE, threads = _openblas()


def in_pieces() -> bool:
    """Say whether products are cut just now."""
    return CORE in CORES and threads() == 1


class Pieces(NamedTuple):
    """How a product is cut: how many rows and columns of it are a piece; zeros if it stays whole.

    The methods return views; all of them leave the axes before the last two as they are.
    """

    rows: int
    columns: int

    def left(self, a: Array) -> Array:
        """Return the first matrix, cut."""
        return a.reshape(*a.shape[:-2], -1, 1, self.rows, a.shape[-1]) if self.rows else a

    def right(self, b: Array) -> Array:
        """Return the second matrix, cut."""
        if not self.rows:
            return b
        return b.reshape(*b.shape[:-2], 1, b.shape[-2], -1, self.columns).swapaxes(-3, -2)

    def into(self, out: Array) -> Array:
        """Return where the product goes, cut."""
        if not self.rows:
            return out
        m, n = out.shape[-2:]
        shape = (m // self.rows, self.rows, n // self.columns, self.columns)
        return out.reshape(*out.shape[:-2], *shape).swapaxes(-3, -2)

    def times(self, a: Array) -> Callable[[Array, Array], Any]:
        """Return what multiplies a matrix with second ones, into products, both as they are cut here."""
        return partial(np.matmul, self.left(a)) if self.rows else a.dot


WHOLE = Pieces(0, 0)


def pieces(m: int, k: int, n: int, dtype: Any) -> Pieces:
    """Return how to cut a product (m, k) @ (k, n) just now."""
    return _pieces(m, k, n) if in_pieces() and dtype.char in "fd" else WHOLE


def product(a: Array, b: Array, out: Array) -> None:
    """Multiply matrices into a third one: ``out = a @ b``, of their last two axes."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    cut = pieces(m, k, n, out.dtype)
    if cut.rows:
        a, b, out = cut.left(a), cut.right(b), cut.into(out)
    np.matmul(a, b, out=out)


@cache
def _pieces(m: int, k: int, n: int) -> Pieces:
    if m * k * n <= MOST or 1 in (m, n):
        return WHOLE
    for columns in _divisors(n, LEAST_COLUMNS):
        deep = columns < n
        for rows in _divisors(m, 2 * LEAST_ROWS if deep else LEAST_ROWS):
            if rows * k * columns <= MOST and not (deep and k > DEEPEST):
                return Pieces(rows, columns)
    return WHOLE


def _divisors(size: int, least: int) -> list[int]:
    """Return by what a size can be divided, the largest first, and not less than some size."""
    return [d for d in range(size, min(least, size) - 1, -1) if size % d == 0]
