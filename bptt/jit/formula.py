"""The formula of a cell as statements: what its two methods do to one entry.

A formula can ask what it was given, as by ``isinstance(z, np.ndarray)``, and then do something else to an array than
to the symbol that recorded it. Both run here on the same numbers; their results must be equal up to rounding.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array
from bptt.cells.layout import Layout, check_backward, check_step
from bptt.cells.protocol import Cell
from bptt.jit.recording import SHAPE, NotElementwiseError, Record, Symbol

# Of the rows of the small arrays, in float64: far out, too, a formula may tell arrays apart.
SIZES = 10.0 ** np.arange(SHAPE[0])[:, None]

Returned: TypeAlias = Any  # what a user's method returns, before it is checked

NAMES = {"np": np, "exp": np.exp, "tanh": np.tanh, "inf": np.inf, "nan": np.nan}


class Formula(NamedTuple):
    """What one method of a cell does to each entry: statements, and the names or numbers of its results."""

    statements: tuple[str, ...]
    results: tuple[tuple[str, ...], ...]

    def computed(self, given: dict[str, list[Array]], dtype: np.dtype) -> np.ndarray:
        """Return the results for arrays, which the statements know by letters: a row for each entry."""
        gathered = f"results = [{', '.join(sum(self.results, ()))}]"
        code, real = compile("\n".join((*self.statements, gathered)), "formula", "exec"), dtype.type
        names = NAMES | {"real": real, "zero": real(0), "one": real(1)}
        found = []
        for entry in np.ndindex(SHAPE):
            space = names | {
                f"{letter}{k}": np.broadcast_to(array, SHAPE)[entry]
                for letter, arrays in given.items()
                for k, array in enumerate(arrays)
            }
            exec(code, space)  # noqa: S102 - the text is recording.py's
            found.append(space["results"])
        return np.array(found, dtype)


Both: TypeAlias = tuple[Formula, Formula]  # of step and of step_backward


def recorded(cell: Cell, layout: Layout, dtype: np.dtype) -> Both:
    """Run both methods of a cell on symbols; return what they did, which must be the same each time, and for arrays."""
    found = _both(cell, layout, dtype)
    if _both(cell, layout, dtype) != found:
        msg = f"{type(cell).__name__} cannot be compiled: its formula changes from call to call"
        raise TypeError(msg)
    _compare(cell, dtype, _on_arrays(cell, layout, dtype), found)
    return found


def _both(cell: Cell, layout: Layout, dtype: np.dtype) -> Both:
    groups = layout.weighted, layout.states, layout.own
    weighted, states, own = ([dtype] * len(names) for names in groups)
    given = {"z": weighted, "s": states, "o": own}
    there, found = _run(cell, layout, "step", dtype, given, (len(states), len(layout.saved)))
    given = {"d": states, "s": states, "o": own, "k": found[1]}  # saved truth values stay some
    counts = len(weighted), len(states), len(own)
    back, _ = _run(cell, layout, "step_backward", dtype, given, counts)
    return there, back


def _run(
    cell: Cell,
    layout: Layout,
    method: str,
    dtype: np.dtype,
    given: dict[str, list[np.dtype]],
    wanted: tuple[int, ...],
) -> tuple[Formula, list[list[np.dtype]]]:
    """Return what a method did, and the types of its results."""
    record, name = Record(dtype), f"{type(cell).__name__} cannot be compiled: {method}"
    symbols = [
        Symbol(record, f"({letter}{k} != zero)" if kind == np.bool_ else f"{letter}{k}", kind)
        for letter, kinds in given.items()
        for k, kind in enumerate(kinds)
    ]
    try:
        results = tuple(getattr(cell, method)(*symbols))
        shape = [len(part) if isinstance(part, tuple) else None for part in results]
        if shape != list(wanted):
            msg = f"it returns tuples of {shape} things in place of {wanted}"
            raise TypeError(msg)  # noqa: TRY301
        found = tuple(tuple(map(record.number, part)) for part in results)
    except NotElementwiseError as reason:
        msg = f"{name} {reason}"
        raise TypeError(msg) from None
    except Exception as error:
        _on_arrays(cell, layout, dtype)  # what goes wrong with arrays, too, is told first
        msg = f"{name} does to arrays what it cannot do to the symbols that record it: {error}"
        raise TypeError(msg) from error
    kinds = [
        [item.held if isinstance(item, Symbol) else np.asarray(item).dtype for item in part]
        for part in results
    ]
    return Formula(tuple(record.statements), found), kinds


class Run(NamedTuple):
    """What a method was given, by the letters of a recorded formula, and what it returned."""

    method: str
    given: dict[str, list[Array]]
    returned: Returned


def _on_arrays(cell: Cell, layout: Layout, dtype: np.dtype) -> tuple[Run, Run]:
    """Run both methods on arrays, and refuse what they return if it has not the form that `bptt.Cell` says."""
    draw, scale = np.random.default_rng(0).normal, SIZES if dtype == np.float64 else 1.0
    weighted, states, errors = (
        [draw(0, scale, SHAPE).astype(dtype) for _ in names]
        for names in (layout.weighted, layout.states, layout.states)
    )
    own = [draw(size=SHAPE[1]).astype(dtype) for _ in layout.own]
    given = {"z": weighted, "s": states, "o": own}
    with np.errstate(all="ignore"):
        there = Run("step", given, cell.step(*_copies(given)))
        check_step(cell, layout, there.returned, weighted[0])
        given = {"d": errors, "s": states, "o": own, "k": [*there.returned[1]]}
        back = Run("step_backward", given, cell.step_backward(*_copies(given)))
        check_backward(cell, layout, back.returned, errors[0])
    return there, back


@np.errstate(all="ignore")
def _compare(cell: Cell, dtype: np.dtype, runs: tuple[Run, Run], both: Both) -> None:
    """Refuse a cell if a recorded method gives other numbers than the method itself gave for arrays.

    Digits that are lost where arguments change in their last ones, as those of sin(z**3) far out, are not compared.
    """
    eps = np.finfo(dtype).eps
    for run, formula in zip(runs, both, strict=True):
        parts = [np.broadcast_to(array, SHAPE).ravel() for part in run.returned for array in part]
        want = np.stack(parts, axis=-1)
        found, *near = (
            formula.computed(
                {k: [a * (1 + n * eps) for a in run.given[k]] for k in run.given}, dtype
            )
            for n in (0, 8, -8)
        )
        allowed = np.sqrt(eps) * (1 + abs(want)) + sum(abs(moved - found) for moved in near)
        same = (found == want) | (np.isnan(found) & np.isnan(want))
        wrong = np.argwhere(~(same | (abs(found - want) <= allowed)))
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
