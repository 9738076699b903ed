"""The formula of a cell as statements: what its two methods do to one entry."""

from typing import NamedTuple

import numpy as np

from bptt.cells.layout import Layout
from bptt.cells.protocol import Cell
from bptt.jit import trial
from bptt.jit.recording import NotElementwiseError, Record, Symbol


class Formula(NamedTuple):
    """What one method of a cell does to each entry: statements, and the names or numbers of its results."""

    statements: tuple[str, ...]
    results: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """The statements as text, and a last one that gathers all results."""
        results = ", ".join(sum(self.results, ()))
        return "\n".join((*self.statements, f"results = [{results}]"))


def recorded(cell: Cell, layout: Layout, dtype: np.dtype) -> tuple[Formula, Formula]:
    """Run both methods of a cell on symbols; return what they did, which must be the same each time, and for arrays."""
    found = _both(cell, layout, dtype)
    if _both(cell, layout, dtype) != found:
        msg = f"{type(cell).__name__} cannot be compiled: its formula changes from call to call"
        raise TypeError(msg)
    runs = trial.on_arrays(cell, layout, dtype)
    trial.compare(cell, dtype, runs, (found[0].text, found[1].text))
    return found


def _both(cell: Cell, layout: Layout, dtype: np.dtype) -> tuple[Formula, Formula]:
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
        results = getattr(cell, method)(*symbols)
        shape = [len(part) if isinstance(part, tuple) else None for part in results]
        if shape != list(wanted):
            msg = f"it returns tuples of {shape} things in place of {wanted}"
            raise TypeError(msg)  # noqa: TRY301
        found = tuple(tuple(map(record.number, part)) for part in results)
    except NotElementwiseError as reason:
        msg = f"{name} {reason}"
        raise TypeError(msg) from None
    except Exception as error:
        trial.on_arrays(cell, layout, dtype)  # what goes wrong with arrays, too, is told first
        msg = f"{name} does to arrays what it cannot do to the symbols that record it: {error}"
        raise TypeError(msg) from error
    kinds = [
        [item.dtype if isinstance(item, Symbol) else np.asarray(item).dtype for item in part]
        for part in results
    ]
    return Formula(tuple(record.statements), found), kinds
