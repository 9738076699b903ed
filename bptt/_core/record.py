"""What records do under ``print``, ``+``, ``-`` and ``*``.

A record is a named tuple of arrays, and of records. Printed it shows shapes in place of numbers. Its sum
with another of its type is taken array by array, and so are their difference and its product with a
number; a tuple's own ``+`` and ``*`` would join and repeat records, which is never meant.
"""

import numbers
import operator
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from bptt._core.tree import arrays_in, mapped
from bptt._core.types import Array, Tree

__all__ = ["array_record"]

Kind = TypeVar("Kind", bound=type)
SHOWN = 4  # items of a long sequence


def array_record(kind: Kind) -> Kind:
    """Give a class of named tuples the printed form and the arithmetic of records."""
    methods = {
        "__array_ufunc__": None,  # so that a NumPy number leaves the product to the record
        "__repr__": _text,
        "__add__": lambda one, other: _combined(operator.add, "+", one, other),
        "__radd__": _added_to,
        "__sub__": lambda one, other: _combined(operator.sub, "-", one, other),
        "__mul__": _scaled,
        "__rmul__": _scaled,
    }
    for name, method in methods.items():
        setattr(kind, name, method)
    return kind


def _text(one: Tree) -> str:
    count = sum(array.size for array in arrays_in(one))
    return f"{_form(one)}  # {count:,} numbers"


def _form(value: object) -> str:
    if isinstance(value, np.ndarray):
        return str(value.shape) if value.ndim else str(value)
    if not isinstance(value, (tuple, list)):
        return str(value) if isinstance(value, np.generic) else repr(value)
    fields = getattr(value, "_fields", None)
    if fields:
        inner = ", ".join(f"{f}={_form(part)}" for f, part in zip(fields, value, strict=True))
        return f"{type(value).__name__}({inner})"
    parts = [_form(part) for part in value[:SHOWN]]
    if len(value) > SHOWN:
        parts.append(f"... {len(value)} in all")
    return f"({', '.join(parts)}{',' if len(value) == 1 else ''})"


def _combined(function: Callable[[Array, Array], Array], sign: str, one: Tree, other: Tree) -> Tree:
    if type(one) is not type(other):
        name, got = type(one).__name__, type(other).__name__
        msg = f"{name} {sign} must have a {name} on both sides, got {got}"
        raise TypeError(msg)
    return _mapped(sign, function, ("left side", one), ("right side", other))


def _added_to(one: Tree, other: Tree) -> Tree:
    """Return ``other + one``; `sum` begins with the number 0."""
    begins = isinstance(other, int) and other == 0
    return one if begins else _combined(operator.add, "+", one, other)


def _scaled(one: Tree, factor: object) -> Tree:
    if isinstance(factor, bool) or not isinstance(factor, numbers.Real):
        name, got = type(one).__name__, type(factor).__name__
        msg = f"{name} * must have a real number on the other side, got {got}"
        raise TypeError(msg)
    with np.errstate(under="ignore"):  # what is too small to be held is zero
        return _mapped("*", lambda array: array * float(factor), ("record", one))


def _mapped(sign: str, function: Callable[..., Array], *sides: tuple[str, Tree]) -> Tree:
    """Apply a function to all arrays; refuse what holds more than arrays, such as a trace."""
    try:
        return mapped(function, *sides)
    except TypeError as error:
        msg = f"{type(sides[0][1]).__name__} {sign} is not defined: {error}"
        raise TypeError(msg) from None
