"""Records of arrays: what they do under ``print``, ``+``, ``-`` and ``*``, and how they are walked through, as trees.

Parameters, gradients and optimizer states are nested tuples (named ones, mostly) whose leaves are
arrays. `tree_map` applies a function to every array, `tree_leaves` lists them by name; nearly all else builds on these.

Printed a record shows shapes in place of numbers. Its sum with another of its type is taken array by array, and
so are their difference and its product with a number; a tuple's own ``+`` and ``*`` would join and repeat records,
which is never meant.
"""

import numbers
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np

from bptt._core import Array, Scalar, Tree, validation

__all__ = ["array_record", "flatten", "tree_leaves", "tree_map"]

Record = TypeVar("Record")
Kind = TypeVar("Kind", bound=type)
Leaves: TypeAlias = list[tuple[str, Array]]  # arrays, each after its name

SHOWN = 4  # items of a long sequence that are printed


def tree_map(function: Callable[..., Array], record: Record, *others: Record) -> Record:
    """Apply `function` to the arrays of one record, or of several of the same structure.

    Parameters
    ----------
    function
        Takes one array from each record, at the same place, and returns an array.
    record, others
        Nested tuples, lists or mappings whose leaves are arrays, all of one structure.

    Returns
    -------
    Record
        A record of the structure, and of the types, of `record`; mappings become dicts.

    Raises
    ------
    TypeError
        If a leaf is not an array, or `function` cannot be called.
    ValueError
        If not all have arrays at the same places, or two at the same place differ in shape.

    Examples
    --------
    The sum of two gradients, such as those of two halves of a batch:

    >>> import numpy as np, bptt
    >>> one = bptt.Affine(w=np.ones((2, 1)), b=np.zeros(1))
    >>> bptt.tree_map(np.add, one, one).w.tolist()
    [[2.0], [2.0]]
    """
    validation.function("function", function)
    named = ((f"others[{i}]", one) for i, one in enumerate(others))
    return mapped(function, ("record", record), *named)


def mapped(
    function: Callable[..., Array], first: tuple[str, Record], *others: tuple[str, Record]
) -> Record:
    """Apply `function` to the arrays of records, of which errors speak by these names."""
    for other in others:
        check_like(*other, *first)
    each = (arrays_of(*record) for record in (first, *others))
    return refilled(first[1], [function(*twins) for twins in zip(*each, strict=True)])


def refilled(record: Record, leaves: Iterable[Array | Scalar]) -> Record:
    """Return a record like another one, mappings in it included, with other arrays, in their order."""
    filled: Record = _refilled(record, iter(leaves))
    return filled


# No function inside of `refilled`: one that calls itself by its name would hold the arrays until Python looks
# for cycles, and a loop that trains would need several times the memory.
def _refilled(part: Tree, remaining: Iterator[Array | Scalar]) -> Tree:
    if isinstance(part, np.ndarray):
        one = next(remaining)
        # NumPy makes numbers of the results of arrays without axes; here they stay arrays.
        return np.asarray(one) if isinstance(one, np.generic) else one
    if not isinstance(part, (tuple, list)):
        return {key: _refilled(child, remaining) for key, child in part.items()}
    children = [_refilled(child, remaining) for child in part]
    return getattr(type(part), "_make", type(part))(children)  # a named tuple, or a plain one


def check_like(name: str, record: Tree, like: str, other: Tree) -> None:
    """Refuse a record that has not the structure and the shapes of another: errors name both."""
    if not _alike(record, other):
        check_leaves(name, tree_leaves(record, name), like, tree_leaves(other, like))


def check_leaves(name: str, got: Leaves, like: str, want: Leaves) -> None:
    """Refuse arrays of a record, with their names, that are not at the places and of the shapes of another's."""
    if len(got) != len(want):
        arrays = f"{len(want)} array{'s' * (len(want) != 1)}"
        msg = f"{name} must have the {arrays} of {like}, got {len(got)}"
        raise ValueError(msg)
    for (leaf, found), (twin, expected) in zip(got, want, strict=True):
        if leaf.removeprefix(name) != twin.removeprefix(like):
            msg = f"{name} must have the structure of {like}, got {leaf} for {twin}"
            raise ValueError(msg)
        if found.shape != expected.shape:
            msg = f"{leaf} must have shape {expected.shape}, that of {twin}, got {found.shape}"
            raise ValueError(msg)


def _alike(one: Tree, other: Tree) -> bool:
    """Say whether two records are tuples of the same types and arrays of the same shapes, which is seen fast."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return type(one) is np.ndarray and one.shape == other.shape


def tree_leaves(record: Tree, name: str = "") -> Leaves:
    """List the arrays of a record, each with the expression that reaches it.

    Parameters
    ----------
    record
        Nested tuples, lists or mappings whose leaves are arrays.
    name
        What the expressions start with.

    Returns
    -------
    list of (str, Array)
        In the order in which `tree_map` visits them.

    Raises
    ------
    TypeError
        If a leaf is not an array, or `name` is not a string.
    ValueError
        If the keys of a mapping give two arrays one name.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> layer = bptt.Affine(w=np.ones((2, 1)), b=np.zeros(1))
    >>> [name for name, _ in bptt.tree_leaves((layer,), "layers")]
    ['layers[0].w', 'layers[0].b']
    """
    return _named(validation.instance("name", name, str), record)


def _named(name: str, record: Tree) -> Leaves:
    called = name or "record"
    if isinstance(record, np.ndarray):
        validation.plain(called, record)
        return [(name, record)]
    if not isinstance(record, (tuple, list, Mapping)):
        msg = f"{called} must be an array, or a tuple, list or mapping of arrays, got {type(record).__name__}"
        raise TypeError(msg)
    leaves: Leaves = []
    for key, part in parts(record):
        leaves += _named(name + key if name else key.removeprefix("."), part)
    if isinstance(record, Mapping) and len(dict(leaves)) < len(leaves):
        msg = f"{called} must have keys by which its arrays get different names, got {[*record]}"
        raise ValueError(msg)
    return leaves


def arrays_of(name: str, record: Tree) -> list[Array]:
    """List the arrays of a record, as `tree_leaves` does; names are made for errors alone."""
    arrays: list[Array] = []
    return arrays if _gather(record, arrays) else [leaf for _, leaf in tree_leaves(record, name)]


def _gather(record: Tree, arrays: list[Array]) -> bool:
    """Append the arrays of nested tuples to a list; say whether there is nothing else."""
    if type(record) is np.ndarray:
        arrays.append(record)
        return True
    return isinstance(record, tuple) and all(_gather(part, arrays) for part in record)


def parts(record: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield what a record consists of, each part with the end of the expression that reaches it."""
    if isinstance(record, (tuple, list)):
        fields = getattr(record, "_fields", None)
        places = (f"[{i}]" for i in range(len(record)))
        return zip((f".{field}" for field in fields) if fields else places, record, strict=True)
    return ((f".{key}", part) for key, part in record.items())


def arrays_in(value: object) -> list[Array]:
    """List the arrays in nested tuples, lists and mappings, whatever else is in them."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in arrays_in(part)]
    return arrays_in([*value.values()]) if isinstance(value, Mapping) else []


def numbers_in(value: object) -> list[bytes]:
    """Return the numbers of all arrays in nested tuples, lists and mappings, as they are now."""
    return [array.tobytes() for array in arrays_in(value)]


def refuse_overwritten(name: str, returned: object, before: list[bytes]) -> None:
    """Refuse what a function returned if a later call has written over it, as one with a buffer does."""
    if numbers_in(returned) != before:
        msg = f"{name} must return arrays of its own, got one that a later call has overwritten"
        raise TypeError(msg)


def one_precision(*named: tuple[str, Tree]) -> None:
    """Refuse records that mix float32 and float64: one of the two was not meant."""
    if len({array.dtype.char == "f" for _, record in named for array in arrays_in(record)}) < 2:
        return  # names are made for those who need them
    leaves = (leaf for name, record in named for leaf in tree_leaves(record, name))
    first_name, first = next(leaves)
    single = first.dtype.char == "f"
    name, other = next(leaf for leaf in leaves if (leaf[1].dtype.char == "f") != single)
    msg = f"{name} must have the precision of {first_name}, {first.dtype}, got {other.dtype}"
    raise TypeError(msg)


def check_floats(name: str, record: Tree) -> None:
    """Refuse a record in which an array is not float32 or float64, or a number is not finite."""
    if not all(a.dtype.char in "fd" and validation.all_finite(a) for a in arrays_of(name, record)):
        for leaf_name, leaf in tree_leaves(record, name):
            validation.finite(leaf_name, validation.floating(leaf_name, leaf))


def check_twins(params: Tree, **records: Tree) -> None:
    """Refuse records that are not made like the parameters, array by array, in one precision."""
    every, arrays = (params, *records.values()), list[Array]()
    alike = all(_alike(record, params) and _gather(record, arrays) for record in every)
    one = alike and {a.dtype.char for a in arrays} in ({"f"}, {"d"})
    if one and all(map(validation.all_finite, arrays)):
        return  # all is right, seen in one pass; what is not, and its name, is looked for below
    check_floats("params", params)
    for name, record in records.items():
        check_floats(name, record)
        check_like(name, record, "params", params)
        one_precision(("params", params), (name, record))


def refuse_overflow(**records: Tree) -> None:
    """Refuse to return records in which a number is not finite."""
    for name, record in records.items():
        if not all(map(validation.all_finite, arrays_of(name, record))):
            for leaf in tree_leaves(record, name):
                validation.computed(*leaf)


def flatten(record: Record) -> tuple[Array, Callable[[Array], Record]]:
    """Lay the arrays of a record out in one vector, as general optimizers want them.

    Parameters
    ----------
    record
        Nested tuples, lists or mappings whose leaves are arrays.

    Returns
    -------
    vector, restore
        All entries in the order of `tree_leaves`, and a function that turns such a vector into a
        record of the same structure and shapes, a copy; it can be pickled.

    Raises
    ------
    TypeError
        If a leaf is not an array, or the vector given to ``restore`` is not a plain one.
    ValueError
        If the vector given to ``restore`` has another length.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> vector, restore = bptt.flatten(bptt.Affine(w=np.ones((2, 1)), b=np.zeros(1)))
    >>> vector
    array([1., 1., 0.])
    >>> restore(2 * vector).w.tolist()
    [[2.0], [2.0]]
    """
    leaves = [leaf.ravel() for _, leaf in tree_leaves(record, "record")]
    vector = np.concatenate(leaves) if leaves else np.zeros(0)
    return vector, partial(_restore, record)


def _restore(like: Record, vector: Array) -> Record:
    """Return copies of a vector's entries, as a record like another one."""
    sizes = [leaf.size for leaf in arrays_of("like", like)]
    vector = validation.as_array("vector", vector)
    if vector.shape != (sum(sizes),):
        validation.refuse_shape("vector", (sum(sizes),), vector.shape)
    pieces = iter(np.split(vector, np.cumsum(sizes)[:-1]))
    return tree_map(lambda leaf: next(pieces).reshape(leaf.shape).copy(), like)


def euclidean_norm(array: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return the Euclidean norm over some axes.

    Entries are divided by the largest before they are squared, so that no square overflows or vanishes.
    """
    size = np.abs(array)
    largest = size.max(axis=axis, keepdims=True, initial=0.0)
    with np.errstate(all="ignore"):
        ratio = size / np.where(largest > 0, largest, 1)
        norm: Array = np.sqrt((ratio**2).sum(axis=axis)) * largest.squeeze(axis)
    return norm


def array_record(kind: Kind) -> Kind:
    """Give a class of named tuples the printed form, the equality and the arithmetic of records."""
    methods = {
        "__array_ufunc__": None,  # so that a NumPy number leaves the product to the record
        "__repr__": _text,
        "__eq__": _equal,
        "__ne__": lambda one, other: not _equal(one, other),
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
    return f"{_form(one)}  # {sum(array.size for array in arrays_in(one)):,} numbers"


def _equal(one: object, other: object) -> bool:
    """Say whether two records have equal parts, arrays by their numbers, of which a tuple's == makes an error."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        one, other = ([*record.items()] for record in (one, other))
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return np.array_equal(one, other)  # type: ignore[arg-type]


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
