"""What the names in a cell's two methods say, and whether what they return fits them (see `bptt.Cell`)."""

import inspect
from collections import namedtuple
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from bptt._core import Array, LayerParams, Tree
from bptt._core.tree import array_record
from bptt._core.validation import plain
from bptt.cells.protocol import Formula, OneDirection, Recurrent, formula_of, is_factored

ParamsType: TypeAlias = Any  # a class of named tuples, that of the parameters of a layer

# The names of the parameters of methods that have been read; it keeps none of the methods alive.
READ: WeakKeyDictionary[Callable[..., object], tuple[str, ...]] = WeakKeyDictionary()

# The types of parameter records by their fields, for good: records of a type may live as long as the process.
RECORD_TYPES: dict[tuple[str, ...], ParamsType] = {}

__all__ = ["Layout", "layout_of", "state_names_of"]


@dataclass(frozen=True)
class Layout:
    """What the names in a cell's formula say.

    Attributes
    ----------
    weighted
        Its weighted inputs, in the order of `step`.
    states
        The arrays of its state, the activation's first.
    own
        Its own parameters.
    saved
        What `step` saves for `step_backward`.
    """

    weighted: tuple[str, ...]
    states: tuple[str, ...]
    own: tuple[str, ...]
    saved: tuple[str, ...]

    @cached_property
    def w_blocks(self) -> int:
        """How many weighted inputs meet w: those named z or x."""
        return sum(name[0] in "zx" for name in self.weighted)

    @cached_property
    def u_blocks(self) -> int:
        """How many weighted inputs meet u: those named z or h."""
        return sum(name[0] in "zh" for name in self.weighted)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of its parameter record."""
        return ("w", *("u" if self.u_blocks else ""), "b", *self.own)

    def shapes(self, n_below: int, n: int) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each parameter of a layer of n units over n_below."""
        u = ((n, self.u_blocks * n),) if self.u_blocks else ()
        across = self.w_blocks * n
        return ((n_below, across), *u, (across,), *((n,) for _ in self.own))

    def split(self, params: LayerParams) -> tuple[Array, Array | None, Array, tuple[Array, ...]]:
        """Return w, u (None if there is none), b and the own parameters."""
        if self.u_blocks:
            w, u, b, *own = params
            return w, u, b, tuple(own)
        w, b, *own = params
        return w, None, b, tuple(own)


def layout_of(cell: Formula) -> Layout:
    """Read what a formula needs off the names of its parameters.

    Parameters
    ----------
    cell
        A cell of the factored level, compiled or not.

    Returns
    -------
    Layout
        The names, in groups.

    Raises
    ------
    TypeError
        If the names do not follow the rules of `bptt.Cell`.

    Examples
    --------
    >>> import bptt
    >>> bptt.cells.layout_of(bptt.GRU()).weighted
    ('z_r', 'z_s', 'x_n', 'h_n')
    """
    formula = formula_of(cell)
    if formula is not cell and isinstance(found := getattr(cell, "layout", None), Layout):
        return found  # read when the cell was compiled
    if isinstance(formula, type) or not is_factored(formula):
        msg = f"cell must be a formula, with step and step_backward, such as bptt.Elman(), got {cell!r:.60}"
        raise TypeError(msg)
    names, back_names = _names(formula, "step"), _names(formula, "step_backward")
    return _layout(type(formula).__name__, names, back_names)


@lru_cache(maxsize=128)
def _layout(name: str, names: tuple[str, ...], back_names: tuple[str, ...]) -> Layout:
    kinds = [n[0] if n[0] in "zxh" and n[1:2] in ("", "_") else "" for n in names]
    weighted = kinds.index("") if "" in kinds else len(kinds)
    states = next((k for k, n in enumerate(back_names) if not n.startswith("d_")), len(back_names))
    layout = Layout(
        names[:weighted],
        names[weighted : weighted + states],
        names[weighted + states :],
        back_names[states + len(names) - weighted :],
    )
    order = "".join(kinds[:weighted])
    if not layout.w_blocks or order != "".join(sorted(order, key="zxh".index)):
        msg = (
            f"the parameters of {name}.step must begin with weighted inputs, named z or z_..., then x or "
            f"x_..., then h or h_..., one of z and x at least; got {', '.join(names) or 'none'}"
        )
        raise TypeError(msg)
    want = layout.states + layout.own
    if len(layout.states) < max(states, 1) or back_names[states : states + len(want)] != want:
        msg = (
            f"the parameters of {name}.step_backward must be d_... for each array of the state, then "
            f"{', '.join(names[weighted:]) or 'a state, which step lacks'}, as in step after the weighted inputs "
            f"{', '.join(names[:weighted])}, then what step saves; got {', '.join(back_names) or 'none'}"
        )
        raise TypeError(msg)
    return layout


def _names(cell: Formula, what: str) -> tuple[str, ...]:
    """Return the names of the parameters of a method, without self."""
    method = getattr(cell, what)
    function = getattr(method, "__func__", method)
    first = int(function is not method)  # after self
    try:
        return READ[function][first:]
    except (KeyError, TypeError):  # not read yet, or nothing that a weak reference can be made of
        name = f"{type(cell).__name__}.{what}"
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as error:
            msg = f"{name} must be a function whose parameters have names: {error}"
            raise TypeError(msg) from None
    given = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    if free := [p for p in parameters if p.kind not in given or p.default is not p.empty]:
        star = "*, " if free[0].kind is free[0].KEYWORD_ONLY else ""
        msg = f"{name} must name its parameters one by one, without default values, got {star}{free[0]}"
        raise TypeError(msg)
    names = tuple(p.name for p in parameters)
    with suppress(TypeError):
        READ[function] = names
    return names[first:]


def state_names_of(cell: OneDirection) -> tuple[str, ...]:
    """Return the names of the arrays of a state, the activation's first.

    Parameters
    ----------
    cell
        A cell of any level that reads in one direction.

    Returns
    -------
    tuple of str
        One for each array.

    Raises
    ------
    TypeError
        If `cell` is no such cell, or does not name the arrays as the protocol says.

    Examples
    --------
    >>> import bptt
    >>> bptt.cells.state_names_of(bptt.LSTM())
    ('a', 'c')
    """
    formula = formula_of(cell)
    if is_factored(formula):
        return layout_of(cell).states
    names = getattr(formula, "state_names", None)
    if not isinstance(names, (tuple, list)) or not names:
        msg = f"{type(formula).__name__}.state_names must be a tuple of one name or more, got {names!r:.40}"
        raise TypeError(msg)
    return tuple(names)


def parameters_of(cell: object) -> ParamsType:
    """Return the type of a cell's parameter record: the one it names, or one made from the names."""
    formula = formula_of(cell)
    named = getattr(formula, "parameters", None)
    own = getattr(named, "_fields", ())
    fields = layout_of(cell).fields if is_factored(formula) else own
    if named is None and fields:
        try:
            return Recurrent if fields == Recurrent._fields else record_type(fields)
        except ValueError as error:
            msg = f"{type(formula).__name__}.step must name its own parameters as fields beside w, u and b: {error}"
            raise TypeError(msg) from None
    if not fields or len(own) != len(fields):
        wanted = f"named tuple of {', '.join(fields)}" if fields else "named tuple"
        msg = f"{type(formula).__name__}.parameters must be a {wanted}, got {own or named!r:.60}"
        raise TypeError(msg)
    return named


def record_type(fields: tuple[str, ...]) -> ParamsType:
    """Return a named tuple for the parameters of a cell that names no type; its records can be pickled."""
    if fields not in RECORD_TYPES:
        made: ParamsType = array_record(namedtuple("Parameters", fields))  # noqa: PYI024
        made.__reduce__ = lambda record: (_record, (fields, *record))
        made.__doc__ = f"The parameters of a layer: {', '.join(fields)}."
        RECORD_TYPES.setdefault(fields, made)  # another thread may have been faster
    return RECORD_TYPES[fields]


def _record(fields: tuple[str, ...], *arrays: Array) -> LayerParams:
    return record_type(fields)(*arrays)


def check_step(cell: object, layout: Layout, returned: object, like: Array) -> None:
    """Refuse what a `step` returned if it is not a state and what is saved, two tuples of arrays."""
    wanted = {"new_state": layout.states, "saved": layout.saved}
    _check_tuples(f"{type(cell).__name__}.step", returned, wanted, like)


def check_backward(cell: object, layout: Layout, returned: object, like: Array) -> None:
    """Refuse what a `step_backward` returned if it is not three tuples of arrays, of the right lengths."""
    wanted = {"d_weighted": layout.weighted, "d_state": layout.states, "d_own": layout.own}
    _check_tuples(f"{type(cell).__name__}.step_backward", returned, wanted, like, prefix="d_")


def _check_tuples(
    name: str, returned: Tree, wanted: dict[str, tuple[str, ...]], like: Array, prefix: str = ""
) -> None:
    """Refuse what are not tuples of arrays of these names and of one shape; with the prefix of derivatives, 0.0 may stand for one."""
    count, given = len(wanted), returned if isinstance(returned, tuple) else ()
    if len(given) != count or not all(isinstance(part, tuple) for part in given):
        msg = f"{name} must return {count} tuples, {', '.join(wanted)}, got {_shown(returned)}"
        raise TypeError(msg)
    for (what, names), part in zip(wanted.items(), given, strict=True):
        if len(part) != len(names):
            tuple_of = f"({', '.join(prefix + n for n in names)}{',' if len(names) == 1 else ''})"
            msg = f"{name}: {what} must be the tuple {tuple_of}, got {_shown(part)}"
            raise TypeError(msg)
        for i, item in enumerate(part):
            fits = getattr(item, "shape", None) == like.shape
            if not fits and not (prefix and np.ndim(item) == 0 and item == 0):
                msg = (
                    f"{name}: {what}: {prefix}{names[i]} must have the shape of the arguments, {like.shape}, "
                    f"got {_shown(item)}"
                )
                raise TypeError(msg)
        if what == "saved":
            plain(f"{name}: {what}", part)
        else:
            _numbers(f"{name}: {what}", part, like)


def _numbers(name: str, part: Tree, like: Array) -> None:
    """Refuse subclasses of arrays, and what holds no real numbers; complex ones too, if `like` is not complex."""
    plain(name, part)
    kinds = "fiubc" if like.dtype.kind == "c" else "fiub"
    for i, item in enumerate(part if isinstance(part, tuple) else (part,)):
        dtype = np.asarray(item).dtype
        if dtype.kind not in kinds:
            msg = f"{name}[{i}] must hold real numbers, as the arguments do, got {dtype}"
            raise TypeError(msg)


def check_unfactored(name: str, returned: object, like: Mapping[str, Tree], of: Array) -> None:
    """Refuse what a method of an unfactored cell returned if its parts have not the shapes of `like`."""
    given = returned if isinstance(returned, tuple) else (returned,)
    parts = [each for each in zip(like, given, like.values(), strict=False) if each[2] is not None]
    if len(given) != len(like) or any(_shapes(part) != _shapes(twin) for _, part, twin in parts):
        wanted = ", ".join(
            what if twin is None else f"{what} {_shapes(twin)}" for what, twin in like.items()
        )
        msg = f"{name} must return the tuple ({wanted}), got {_shown(returned)}"
        raise TypeError(msg)
    for what, part, _ in parts:
        _numbers(f"{name}: {what}", part, of)


def _shapes(part: Tree) -> object:
    return tuple(map(_shapes, part)) if isinstance(part, tuple) else getattr(part, "shape", None)


def _shown(value: Tree) -> str:
    if not isinstance(value, tuple):
        return f"{type(value).__name__}" + (f" {value.shape}" if hasattr(value, "shape") else "")
    return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
