"""The truth that a hand-written backward pass is held to: Jacobians, by a way that is known to work.

A function here takes a list of arrays and returns a list of arrays. Its Jacobian is taken by the complex
step if that agrees, along random directions, with central differences; if not, by central differences.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array, Arrays
from bptt.checking.gradcheck import NOT_ANALYTIC, STEP, TINY, VAGUE

Function: TypeAlias = Callable[[Arrays], Sequence[Array]]

AGREE = 1e-5  # two derivatives, one of them by central differences, that differ by more disagree


class Truth(NamedTuple):
    """How derivatives are taken, how right they are, and why not by the complex step."""

    analytic: bool
    trap: str

    @property
    def name(self) -> str:
        """What a report calls it."""
        return "complex step" if self.analytic else "central differences"

    @property
    def tolerance(self) -> float:
        """1e-10 where only rounding is between; 1e-6, far above the differences' own 1e-9, else."""
        return 1e-10 if self.analytic else 1e-6


def joined(arrays: Sequence[Array]) -> Array:
    """Return all entries of some arrays in one row, truth values as numbers."""
    return np.concatenate([np.ravel(array) for array in arrays]) + 0.0


def along(function: Function, at: Arrays, i: int, way: Array, truth: Truth) -> Array:
    """Return the derivative of all outputs, in one row, as array i moves along a direction."""
    if truth.analytic:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return moved_outputs(function, at, i, way, 1j * TINY).imag / TINY
    wide, narrow = _central(function, at, i, way)
    scale = max(1e-3, float(np.abs(narrow).max()))
    kink = np.abs(wide - narrow) > AGREE * scale  # between the points of the wide one
    return np.where(kink, narrow, wide)


def _central(function: Function, at: Arrays, i: int, way: Array) -> tuple[Array, Array]:
    """Return central differences of a wide step, and of a narrow one."""
    move = partial(moved_outputs, function, at, i, way)
    wide, narrow = ((move(h) - move(-h)) / (2 * h) for h in (STEP, STEP / 64))
    return wide, narrow


def moved_outputs(function: Function, at: Arrays, i: int, way: Array, step: complex) -> Array:
    """Return all outputs where one array has moved; all arrays are complex if the step is."""
    return joined(function([a + step * (way if j == i else 0) for j, a in enumerate(at)]))


def jacobian(function: Function, at: Arrays, truth: Truth, k: int | None = None) -> Arrays:
    """Return, for each input, the derivative of all outputs, shape (entries, outputs).

    Of those from the k-th on all rows are moved at once, where none sees another: an entry is a column.
    """
    found = []
    for i, array in enumerate(at):
        rows = []
        for entry in np.ndindex(array.shape if k is None or i < k else array.shape[-1:]):
            way = np.zeros_like(array)
            way[..., *entry] = 1
            rows.append(along(function, at, i, way, truth))
        found.append(np.array(rows))
    return found


def choose(function: Function, at: Arrays, rng: np.random.Generator) -> Truth:
    """Find out whether the complex step may be trusted here, and if not, what is in its way."""
    analytic = Truth(True, "")
    for i in range(len(at)):
        way = rng.normal(size=at[i].shape)
        want, narrow = _central(function, at, i, way)
        try:
            got = along(function, at, i, way, analytic)
        except Exception as error:  # noqa: BLE001 - a user's function may refuse complex numbers anyhow
            return Truth(False, f"{type(error).__name__}: {error}")
        # Near a kink, and where a derivative grows too fast with the steps, differences contradict one another.
        unsure = np.abs(want - narrow)
        sure = unsure <= VAGUE * np.abs(want)
        scale = max(1e-3, float(np.abs(want).max()))
        if not (np.abs(got - want) <= AGREE * scale + 4 * unsure)[sure].all():
            return Truth(False, NOT_ANALYTIC)
    return analytic
