"""The two sides of an equation, leaf by leaf: numbers, arrays, records of them, SymPy's expressions.

SymPy is never imported here: whoever hands one of its expressions over has it loaded.
"""

import math
import sys
from collections.abc import Iterator
from numbers import Rational
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array, validation
from bptt._core.tree import check_leaves, parts

Leaf: TypeAlias = Any  # a number, an array of them, or an expression of SymPy
Side: TypeAlias = Any  # a leaf, a record of leaves, or a list of such: one item a case
Names: TypeAlias = tuple[str, str]  # of both sides, as the caller's arguments are called

NAMES = ("left", "right")


class Gap(NamedTuple):
    """How far the left leaf is from the right one, and in which entry most.

    The error is relative to the largest entry of both leaves. Between expressions it is infinite if they
    are known to differ, and NaN if nothing is known. `exact` says that no rounding was involved.
    """

    error: float
    exact: bool
    place: str
    left: Leaf
    right: Leaf


def cases(left: Side, right: Side, named: Names = NAMES) -> list[tuple[Side, Side]]:
    """Pair the cases of both sides: a list holds one case an item, anything else is one case."""
    both = " and ".join(named)
    if isinstance(left, list) != isinstance(right, list):
        kinds = " and ".join(type(side).__name__ for side in (left, right))
        msg = f"{both} must both be lists of cases, or neither, got {kinds}"
        raise TypeError(msg)
    if not isinstance(left, list):
        return [(left, right)]
    if len(left) != len(right):
        msg = f"{both} must have as many cases, got {len(left)} and {len(right)}"
        raise ValueError(msg)
    if not left:
        msg = f"{both} must hold one case or more, got none: nothing would be checked"
        raise ValueError(msg)
    return list(zip(left, right, strict=True))


def leaves(left: Side, right: Side, named: Names = NAMES) -> list[tuple[str, Array, Array]]:
    """Pair the leaves of one case, as arrays of one shape, each with the expression that reaches it."""
    one, other = named
    ours, theirs = list(_leaves(one, left)), list(_leaves(other, right))
    check_leaves(one, ours, other, theirs)  # nothing is ever broadcast
    both = zip(ours, theirs, strict=True)
    filled = [(name.removeprefix(one), a, b) for (name, a), (_, b) in both if a.size]
    if not filled:
        msg = f"{' and '.join(named)} must hold one number or more, got none: nothing would be checked"
        raise ValueError(msg)
    if all(_is_one(a, b) for _, a, b in filled):
        msg = f"{' and '.join(named)} must be two arrays, got one twice: it would be compared with itself"
        raise ValueError(msg)
    return filled


def _is_one(left: Array, right: Array) -> bool:
    """Say whether two arrays of one shape are the same memory, entry by entry; a matrix and its transpose are not."""
    where = [(a.__array_interface__["data"], a.strides, a.dtype) for a in (left, right)]
    return where[0] == where[1]


def _leaves(name: str, value: Side) -> Iterator[tuple[str, Array]]:
    """Walk through a side: yield each leaf as an array, with the expression that reaches it."""
    if isinstance(value, (tuple, list, dict)):
        in_order = parts(value)
        if isinstance(value, dict):
            in_order = ((f"[{key!r}]", value[key]) for key in sorted(value, key=repr))
        for end, part in in_order:
            yield from _leaves(name + end, part)
    elif value is not None:  # a part that a record does without
        yield name, _array(name, value)


def _array(name: str, value: Leaf) -> Array:
    found = validation.as_array(name, value)
    known = found.dtype.kind in "biufc"
    if not known and not (found.dtype.kind == "O" and all(map(_is_exact, found.flat))):
        msg = (
            f"{name} must be a number, an array or an expression, got {validation.describe(value)}"
        )
        raise TypeError(msg)
    return found


def _is_exact(value: Leaf) -> bool:
    """Say whether a thing is a whole number, a fraction or an expression of SymPy without decimals."""
    sympy = sys.modules.get("sympy")
    if sympy is not None and isinstance(value, sympy.Expr):
        return not value.has(sympy.Float)
    return isinstance(value, Rational)


def is_symbolic(value: Array) -> bool:
    """Say whether a leaf holds an expression of SymPy."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and any(isinstance(v, sympy.Expr) for v in value.flat)


def gap(left: Array, right: Array) -> Gap:
    """Return how far two leaves of one shape are from each other."""
    exact = left.dtype.kind in "biuO" and right.dtype.kind in "biuO"
    if is_symbolic(left) or is_symbolic(right):
        errors = np.array([_unequal(a, b) for a, b in zip(left.flat, right.flat, strict=True)])
        errors = errors.reshape(left.shape)
    elif exact:  # Python's own numbers, which do not overflow
        a, b = left.astype(object), right.astype(object)
        errors = np.asarray(np.abs(a - b) / (largest(a, b) or 1), dtype=np.float64)
    else:
        with np.errstate(all="ignore"):  # infinity less infinity is NaN, and does not pass
            errors = np.abs(left - right) / (largest(left, right) or 1.0)
    at = first_largest(errors)
    return Gap(float(errors[at]), exact, index(at), left[at], right[at])


def margin(name: str, smaller: Array, larger: Array) -> Gap:
    """Return how far below the larger leaf the smaller one stays, where it comes nearest."""
    for side, leaf in (("smaller", smaller), ("larger", larger)):
        if leaf.dtype.kind not in "biuf":
            msg = f"{side}{name} must hold real numbers, got {validation.describe(leaf.flat[0])}"
            raise TypeError(msg)
    a, b = smaller.astype(np.float64), larger.astype(np.float64)
    with np.errstate(all="ignore"):
        margins = (b - a) / (largest(a, b) or 1.0)
    at = first_largest(-margins)
    return Gap(float(margins[at]), False, index(at), smaller[at], larger[at])


def largest(left: Array, right: Array) -> Leaf:
    """Return the largest entry of two leaves but NaN: what their errors are relative to."""
    return max(np.fmax.reduce(np.abs(side), axis=None) for side in (left, right))


def first_largest(errors: Array) -> tuple[np.intp, ...]:
    """Return the index of the largest entry; of the first NaN, if there is one."""
    return np.unravel_index(int(np.argmax(errors)), errors.shape)


def index(at: tuple[np.intp, ...]) -> str:
    """Return an index as Python writes it; nothing for a number."""
    return f"[{', '.join(str(int(i)) for i in at)}]" if at else ""


def _unequal(left: Leaf, right: Leaf) -> float:
    """Return 0 for equal expressions, infinity for unequal ones, NaN where SymPy cannot tell."""
    sympy = sys.modules["sympy"]
    difference = sympy.expand(sympy.sympify(left) - sympy.sympify(right))
    if difference.has(sympy.Derivative):
        difference = sympy.expand(difference.doit())
    if difference == 0:
        return 0.0
    answer = None if difference.has(sympy.nan) else difference.equals(0)
    if answer is None:
        return math.nan
    return 0.0 if answer else math.inf
