"""What a cell's two methods say of themselves: the layout of its layer, and its formula as statements."""

import inspect
from typing import Any, NamedTuple

import numpy as np

from bptt.jit.recording import NotElementwiseError, Record, Symbol

__all__ = ["Formula", "Layout", "layout_of", "recorded"]


class Layout(NamedTuple):
    """The sizes of a cell in blocks of n units, as its two signatures say them.

    Attributes
    ----------
    weighted
        The kinds of its weighted inputs in order: "z" of both products, "x" of the input's, "h" of the recurrent one.
    states, own
        How many arrays a state has; how many parameters of its own the cell has.
    """

    weighted: tuple[str, ...]
    states: int
    own: int

    def blocks(self, kinds: str) -> tuple[int, ...]:
        """Return which weighted inputs are of some kinds, such as "zx" for those that meet w."""
        return tuple(k for k, kind in enumerate(self.weighted) if kind in kinds)


class Formula(NamedTuple):
    """What one method of a cell does to each entry: statements, and the names or numbers of its results."""

    statements: tuple[str, ...]
    results: tuple[tuple[str, ...], ...]


def layout_of(cell: Any) -> Layout:
    """Read the layout of a cell off its signatures."""
    names, back = (_parameters(cell, method) for method in ("step", "step_backward"))
    weighted = [name for name in names if name[:2] in {"z_", "x_", "h_"} or name in {"z", "x", "h"}]
    states = sum(name.startswith("d_") for name in back)
    if not weighted or not states or names[: len(weighted)] != weighted:
        msg = (
            f"{_name(cell)} cannot be compiled: step must take weighted inputs first (z, x, h, or names that begin "
            f"with z_, x_, h_), step_backward derivatives first (names that begin with d_); they take {names} and {back}"
        )
        raise TypeError(msg)
    return Layout(tuple(name[0] for name in weighted), states, len(names) - len(weighted) - states)


def recorded(cell: Any, layout: Layout, dtype: np.dtype[Any]) -> tuple[Formula, Formula]:
    """Run both methods of a cell on symbols; return what they did."""
    record = Record(dtype)
    z, state, own = (
        [Symbol(record, f"{letter}{k}") for k in range(count)]
        for letter, count in zip("zso", (len(layout.weighted), layout.states, layout.own), strict=True)
    )
    new, saved = _run(cell, "step", record, (*z, *state, *own), (layout.states, None))
    there = Formula(tuple(record.statements), (new, saved))
    record = Record(dtype)
    d_state, state, own, kept = (
        [Symbol(record, f"{letter}{k}") for k in range(count)]
        for letter, count in zip("dsok", (layout.states, layout.states, layout.own, len(saved)), strict=True)
    )
    expected = (len(layout.weighted), layout.states, layout.own)
    results = _run(cell, "step_backward", record, (*d_state, *state, *own, *kept), expected)
    return there, Formula(tuple(record.statements), results)


def _run(
    cell: Any, method: str, record: Record, symbols: Any, sizes: tuple[int | None, ...]
) -> tuple[tuple[str, ...], ...]:
    try:
        found = getattr(cell, method)(*symbols)
        if not isinstance(found, tuple) or len(found) != len(sizes) or not all(
            isinstance(part, tuple) and size in {None, len(part)} for part, size in zip(found, sizes, strict=True)
        ):
            shape = ", ".join("any number" if size is None else str(size) for size in sizes)
            msg = f"must return {len(sizes)} tuples, of {shape} arrays, got {found!r:.80}"
            raise NotElementwiseError(msg)  # noqa: TRY301
        return tuple(tuple(record.number(value) for value in part) for part in found)
    except NotElementwiseError as reason:
        msg = f"{_name(cell)} cannot be compiled: {method} {reason}"
        raise TypeError(msg) from None
    except Exception as reason:
        msg = f"{_name(cell)} cannot be compiled: {method} raised {type(reason).__name__}: {reason}"
        raise TypeError(msg) from reason


def _parameters(cell: Any, method: str) -> list[str]:
    return list(inspect.signature(getattr(cell, method)).parameters)


def _name(cell: Any) -> str:
    return type(cell).__name__
