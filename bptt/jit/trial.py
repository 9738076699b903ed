"""Hold a recorded formula against the formula itself, on small arrays.

A formula can ask what it was given, as by ``isinstance(z, np.ndarray)``, and then do something else to an array than
to the symbol that recorded it. Both run here on the same numbers; their results must be equal up to rounding.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bptt._core.types import Array
from bptt.cells.layout import Layout, check_backward, check_step
from bptt.cells.protocol import Cell
from bptt.jit.recording import SHAPE

Returned: TypeAlias = Any  # what a user's method returns, before it is checked

NAMES = {"np": np, "exp": np.exp, "tanh": np.tanh, "inf": np.inf, "nan": np.nan}


class Run(NamedTuple):
    """What a method was given, by the letters of a recorded formula, and what it returned."""

    method: str
    given: dict[str, list[Array]]
    returned: Returned


def on_arrays(cell: Cell, layout: Layout, dtype: np.dtype) -> tuple[Run, Run]:
    """Run both methods on arrays, and refuse what they return if it has not the form that `bptt.Cell` says."""
    draw = np.random.default_rng(0).normal
    weighted, states, own, errors = (
        [draw(size=SHAPE).astype(dtype) for _ in names]
        for names in (layout.weighted, layout.states, layout.own, layout.states)
    )
    given = {"z": weighted, "s": states, "o": own}
    with np.errstate(all="ignore"):
        there = Run("step", given, cell.step(*_copies(given)))
        check_step(cell, layout, there.returned, weighted[0])
        saved = [np.array(array) for array in there.returned[1]]
        given = {"d": errors, "s": states, "o": own, "k": saved}
        back = Run("step_backward", given, cell.step_backward(*_copies(given)))
        check_backward(cell, layout, back.returned, errors[0])
    return there, back


@np.errstate(all="ignore")
def compare(cell: Cell, dtype: np.dtype, runs: tuple[Run, Run], texts: tuple[str, str]) -> None:
    """Refuse a cell if a recorded method gives other numbers than the method itself gave for arrays.

    `texts` are those of `step` and of `step_backward`: statements, the last of which defines ``results``.
    """
    close = np.sqrt(np.finfo(dtype).eps)
    for run, text in zip(runs, texts, strict=True):
        parts = [np.broadcast_to(array, SHAPE).ravel() for part in run.returned for array in part]
        want, found = np.stack(parts, axis=-1), _computed(text, dtype, run.given)
        wrong = np.argwhere(~np.isclose(found, want, rtol=close, atol=close, equal_nan=True))
        if len(wrong):
            entry = tuple(wrong[0])
            msg = (
                f"{type(cell).__name__} cannot be compiled: {run.method} must do to arrays what it does to the symbols "
                "that record it, but a branch, as on isinstance(z, np.ndarray), tells them apart, or "
                f"{found.dtype} does not hold its numbers: got {want[entry]:.6g} for an entry of an array, "
                f"{found[entry]:.6g} by the recorded formula"
            )
            raise TypeError(msg)


def _copies(given: dict[str, list[Array]]) -> list[Array]:
    return [array.copy() for arrays in given.values() for array in arrays]


def _computed(text: str, dtype: np.dtype, given: dict[str, list[Array]]) -> np.ndarray:
    """Return what the statements compute, a row for each entry."""
    code, real = compile(text, "formula", "exec"), dtype.type
    names = NAMES | {"real": real, "zero": real(0), "one": real(1)}
    found = []
    for entry in np.ndindex(SHAPE):
        space = names | {
            f"{letter}{k}": array[entry]
            for letter, arrays in given.items()
            for k, array in enumerate(arrays)
        }
        exec(code, space)  # noqa: S102 - the text is formula.py's
        found.append(space["results"])
    return np.array(found, dtype)
