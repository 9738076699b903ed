"""What the fast engine asks of a cell: the same pointwise mathematics, written into given arrays."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from bptt._core.types import Array

__all__ = [
    "Kept",
    "Kernel",
    "Run",
    "Way",
    "blocks",
    "by_blocks",
    "common",
    "gaps_of",
    "move_blocks",
    "runs_of",
    "scalar",
    "spread",
    "step_views",
]


class Run(NamedTuple):
    """The arrays of a run forward, batch last, with what each step writes to.

    Attributes
    ----------
    z
        Where the products with the input go, (T, gates n, B).
    states
        The arrays of the state, each (T + 1, n, B).
    kept
        What the way back needs, arrays of T steps each.
    step
        The pointwise way forward.
    steps
        Its arguments, for each step.
    """

    z: Array
    states: tuple[Array, ...]
    kept: tuple[Array, ...]
    step: Callable[..., None]
    steps: list[tuple[Array, ...]]


class Way(NamedTuple):
    """The arrays of the way back through a slab of S steps, batch last.

    Attributes
    ----------
    found
        What the steps write, (S + 1, blocks n, B): errors, and what is carried beside them.
    rows_x, rows_h
        Where the errors that meet the input weights, and the recurrent ones, stand in `found`.
    slopes
        Takes the kept arrays of a slab and fills in a' of all its steps.
    step
        The pointwise way back: from ∂C/∂a to the errors.
    steps
        Its arguments, for each step of the slab.
    direct
        What reaches the past beside the recurrent weights, for each step; None where nothing does.
    carried
        For each further array of the state, where its cotangent stands after and before each step.
    """

    found: Array
    rows_x: slice
    rows_h: slice
    slopes: Callable[[Sequence[Array], int], None]
    step: Callable[..., None]
    steps: list[tuple[Any, ...]]
    direct: Sequence[Array | None]
    carried: tuple[tuple[list[Array], list[Array]], ...] = ()

    @property
    def rows(self) -> slice:
        """Where all errors stand in `found`."""
        x, h = self.rows_x, self.rows_h
        return slice(min(x.start, h.start), max(x.stop, h.stop))

    def within(self, rows: slice) -> slice:
        """Return where rows of `found` stand within those of all errors."""
        return slice(rows.start - self.rows.start, rows.stop - self.rows.start)

    @property
    def delta_h(self) -> Array:
        """The errors that meet u, (S, gates n, B)."""
        return self.found[:-1, self.rows_h]


class Kernel(Protocol):
    """A cell of the library, for the fast engine.

    Attributes
    ----------
    fold
        For each block of the weights inside the engine: which block of the parameters it is, times what.
    delta_h
        For each block of ∂C/∂z_h on the way back, which block of the parameters it is.
    scratch
        How many arrays (n, B) the way back needs for each step of a slab, those of the engine included.
    """

    fold: tuple[tuple[int, float], ...]
    delta_h: tuple[int, ...]
    scratch: int

    def run(self, steps: int, n: int, batch: int, z_h: Array, own: Sequence[Array]) -> Run:
        """Make the arrays of a run forward."""
        ...

    def way(self, slab: int, n: int, batch: int, d_a: Array) -> Way:
        """Make the arrays of the way back."""
        ...

    def record(self, kept: Sequence[Array], t: int) -> Any:
        """Return what a step left, as the record that the cell's own step returns."""
        ...


class Kept(Sequence[Any]):
    """What each step left for its derivative, made into the cell's own records when it is looked at."""

    def __init__(self, kernel: Kernel, arrays: tuple[Array, ...]) -> None:
        """Keep the arrays, of T steps each."""
        self.kernel, self.arrays = kernel, arrays

    def __len__(self) -> int:
        """Return T."""
        return len(self.arrays[0])

    def __getitem__(self, t: Any) -> Any:
        """Return the record of a step, or what some consecutive steps left."""
        if isinstance(t, slice):
            return Kept(self.kernel, tuple(array[t] for array in self.arrays))
        return self.kernel.record(self.arrays, range(len(self))[t])


def blocks(array: Array, n: int, first: int, last: int) -> Array:
    """Return some blocks of n rows of every step, of an array (T, rows, B)."""
    return array[:, first * n : last * n]


def move_blocks(source: Array, out: Array, n: int, order: Iterable[tuple[int, int]]) -> None:
    """Copy blocks of n columns: for each pair where one goes, and where it comes from."""
    for to, k in order:
        out[:, to * n : (to + 1) * n] = source[:, k * n : (k + 1) * n]


def step_views(*arrays: Any) -> list[tuple[Any, ...]]:
    """Return for each step its part of each array: views, made once."""
    return list(zip(*(list(array) for array in arrays), strict=False))


def by_blocks(array: Array, n: int) -> list[Any]:
    """Return for each step its blocks of n rows, as `spread` takes them."""
    parts = array.reshape(len(array), -1, n, array.shape[2])
    return list(parts) if array.shape[2] == 1 else [tuple(step) for step in parts]


def spread(d: Array, count: int) -> Callable[[Any, Any], None]:
    """Return what multiplies one array with each of some blocks, into others.

    NumPy's own broadcasting of so few numbers takes longer than either form.
    """
    if d.shape[1] > 1:

        def each(blocks: Sequence[Array], products: Sequence[Array]) -> None:
            for block, product in zip(blocks, products, strict=True):
                np.multiply(d, block, product)

        return each
    many = np.empty((count, *d.shape), d.dtype)

    def at_once(blocks: Array, products: Array) -> None:
        np.copyto(many, d)
        np.multiply(many, blocks, products)

    return at_once


def runs_of(fold: tuple[tuple[int, float], ...]) -> list[tuple[int, int, int, float]]:
    """Group consecutive blocks of one scale: where they go, where they come from, how many, the scale."""
    runs: list[tuple[int, int, int, float]] = []
    for into, (k, scale) in enumerate(fold):
        to, first, count, same = runs[-1] if runs else (0, -1, 0, 0.0)
        if first + count == k and scale == same:
            runs[-1] = (to, first, count + 1, scale)
        else:
            runs.append((into, k, 1, scale))
    return runs


def scalar(value: float, dtype: Any) -> Array:
    """Return a number as an array without axes, which NumPy takes faster than a Python number."""
    return np.array(value, dtype)


def common(first: Array, *rest: Array) -> Any:
    """Return the dtype of all of them: one, but for the complex step, which NumPy takes longer to find."""
    same = all(array.dtype is first.dtype for array in rest)
    return first.dtype if same else np.result_type(first, *rest)


def gaps_of(mask: Any) -> list[Array] | None:
    """Say for each step in which sequences it is not there, a row."""
    return None if mask is None else list(~mask[:, None, :])
