"""The formula of a cell as statements: what its two methods do to one entry."""

from typing import NamedTuple

import numpy as np

from bptt.cells.layout import Layout
from bptt.cells.protocol import Cell
from bptt.jit.recording import NotElementwiseError, Record, Symbol


class Formula(NamedTuple):
    """What one method of a cell does to each entry: statements, and the names or numbers of its results."""

    statements: tuple[str, ...]
    results: tuple[tuple[str, ...], ...]


def recorded(cell: Cell, layout: Layout, dtype: np.dtype) -> tuple[Formula, Formula]:
    """Run both methods of a cell on symbols; return what they did."""
    weighted, states, own, saved = map(len, layout)
    there = _run(cell, "step", dtype, {"z": weighted, "s": states, "o": own}, (states, saved))
    given = {"d": states, "s": states, "o": own, "k": saved}
    return there, _run(cell, "step_backward", dtype, given, (weighted, states, own))


def _run(
    cell: Cell, method: str, dtype: np.dtype, given: dict[str, int], wanted: tuple[int, ...]
) -> Formula:
    record, name = Record(dtype), f"{type(cell).__name__} cannot be compiled: {method}"
    symbols = [
        Symbol(record, f"{letter}{k}") for letter, count in given.items() for k in range(count)
    ]
    try:
        results = getattr(cell, method)(*symbols)
        shape = [len(part) if isinstance(part, tuple) else part for part in results]
        if shape != list(wanted):
            msg = f"{name} must return tuples of {wanted} arrays, got {shape}"
            raise TypeError(msg)
        found = tuple(tuple(map(record.number, part)) for part in results)
    except NotElementwiseError as reason:
        msg = f"{name} {reason}"
        raise TypeError(msg) from None
    return Formula(tuple(record.statements), found)
