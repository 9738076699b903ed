r"""What a cell is: a formula, written once, and what the names in it say.

A cell owns what happens at one step between the matrix products, entry by entry; an engine owns time,
layers and products. A cell is any object with two methods,

.. code-block:: python

   def step(self, *weighted, *state, *own): ...  # returns (new_state, saved)
   def step_backward(self, *d_state, *state, *own, *saved): ...  # returns (d_weighted, d_state, d_own)

which read like formulas: each argument has a name, and each returned item is a tuple. All else follows from
the names. The first parameters of `step` are weighted inputs, one for each block of n columns:

- ``z`` or ``z_...`` is :math:`a^{l-1(t)} w + a^{l(t-1)} u + b`, then
- ``x`` or ``x_...`` is :math:`a^{l-1(t)} w + b` alone, then
- ``h`` or ``h_...`` is :math:`a^{l(t-1)} u` alone.

The blocks of w and b are those of z and x, the blocks of u those of z and h, in this order. The first
parameters of `step_backward` that begin with ``d_`` say how many arrays a state has; the first of them is
the activation a, which the layer above and u see. What is left are the cell's own parameters, vectors of
shape (n,) that enter entry by entry.

Some cells put a product inside another function. For those there is a second, unfactored level, which
gets the parameters, the input and the state, and does its own products. And a cell may bring an engine of its
own (`OwnEngine`), as `bptt.compiled` does.
"""

import inspect
from collections import namedtuple
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from bptt._core.types import Array, State

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = [
    "Cell",
    "Layout",
    "OwnEngine",
    "Recurrent",
    "UnfactoredCell",
    "layout_of",
    "state_names_of",
]


class Recurrent(NamedTuple):
    """The parameters of a recurrent layer: z = x w + a u + b, where a is its own past.

    For a cell with g gates, the last axis holds the g blocks of n columns one after the other.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, g n).
    u
        Recurrent weights, from the layer at t - 1 to itself at t, shape (n, g n).
    b
        Bias, shape (g n,).
    """

    w: Array
    u: Array
    b: Array


@runtime_checkable
class Cell(Protocol):
    """The elementwise mathematics of one step of a recurrent layer, with its derivative.

    Any object with these two methods is a cell; nothing is inherited. The names of their parameters say
    what the cell needs: see `bptt.cells.protocol`.

    The formulas get arrays of one shape, (rows, n), own parameters (n,), and must act entry by entry, so
    that an engine may hand them many steps at once, complex numbers, or, compiled, single numbers.

    See Also
    --------
    bptt.Elman : the smallest cell there is.
    bptt.cells.UnfactoredCell : for a cell that is not elementwise between its products.

    Examples
    --------
    A unit that forgets at a rate of its own, k:

    >>> import numpy as np, bptt
    >>> class Leaky:
    ...     def step(self, z, a, k):
    ...         n = np.tanh(z)
    ...         return (k * a + (1 - k) * n,), (n,)
    ...
    ...     def step_backward(self, d_a, a, k, n):
    ...         return (d_a * (1 - k) * (1 - n**2),), (d_a * k,), (d_a * (a - n),)
    >>> bptt.check_cell(Leaky()).ok
    True
    """

    @property
    def step(self) -> Callable[..., tuple[Any, Any]]:
        """The formula: ``step(*weighted, *state, *own)`` returns ``(new_state, saved)``, two tuples."""
        ...

    @property
    def step_backward(self) -> Callable[..., tuple[Any, Any, Any]]:
        """Its derivative: ``step_backward(*d_state, *state, *own, *saved)`` returns three tuples.

        ``d_state`` is ∂C/∂(new state), all paths to the cost included; the other arguments are the state
        before the step, the own parameters, and what `step` saved. The three tuples are ∂C/∂ the weighted
        inputs; ∂C/∂(state before the step) along the paths that do not pass through u, where the number
        0.0 may stand for a path that does not exist; and ∂C/∂ the own parameters, for each row by itself.
        """
        ...


@runtime_checkable
class UnfactoredCell(Protocol):
    """One step of a recurrent layer, products included, with its derivative.

    See Also
    --------
    bptt.Cell : the factored level, which is faster wherever it fits.
    """

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the arrays of a state, the activation's first."""
        ...

    @property
    def parameters(self) -> type[tuple[Array, ...]]:
        """The type of its parameter record, a named tuple."""
        ...

    def shapes(self, n_below: int, n: int, /) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each parameter of a layer of n units over n_below."""
        ...

    def unfactored_step(self, params: Any, x: Array, state: State, /) -> tuple[State, Any]:
        """Return the next state, arrays of shape (B, n), and what the derivative will need."""
        ...

    def unfactored_backward(
        self, params: Any, d_state: State, saved: Any, /
    ) -> tuple[Any, Array, State]:
        """Return ∂C/∂ the parameters (summed over the batch), the input and the previous state."""
        ...


@runtime_checkable
class OwnEngine(Protocol):
    """A cell that runs its formula by an engine of its own, as what `bptt.compiled` returns."""

    @property
    def cell(self) -> Cell:
        """The formula."""
        ...

    def run_layer(self, params: Any, x: Array, state: State, mask: Any, /) -> Any:
        """Run a layer forward on checked arguments; return its `LayerTrace`, whose cell is this one."""
        ...

    def run_layer_backward(self, trace: Any, d_a: Array, d_state: State, /) -> Any:
        """Go back through a layer on checked arguments; return its `LayerGradient`."""
        ...


class Layout(NamedTuple):
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

    def count(self, letters: str) -> int:
        """Return how many weighted inputs begin with one of some letters."""
        return sum(name[0] in letters for name in self.weighted)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of its parameter record."""
        return ("w", *("u" if self.count("zh") else ""), "b", *self.own)

    def shapes(self, n_below: int, n: int) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each parameter of a layer of n units over n_below."""
        g, h = self.count("zx"), self.count("zh")
        u = ((n, h * n),) if h else ()
        return ((n_below, g * n), *u, (g * n,), *((n,) for _ in self.own))

    def split(self, params: Any) -> tuple[Array, Array | None, Array, tuple[Array, ...]]:
        """Return w, u (None if there is none), b and the own parameters."""
        if self.count("zh"):
            w, u, b, *own = params
            return w, u, b, tuple(own)
        w, b, *own = params
        return w, None, b, tuple(own)


def layout_of(cell: Any) -> Layout:
    """Read what a formula needs off the names of its parameters.

    Parameters
    ----------
    cell
        A cell of the factored level.

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
    methods = (getattr(method, "__func__", method) for method in (cell.step, cell.step_backward))
    bound = hasattr(cell.step, "__func__"), hasattr(cell.step_backward, "__func__")
    return _layout(type(cell).__name__, *methods, *bound)


@lru_cache(maxsize=128)
def _layout(name: str, step: Any, back: Any, step_bound: bool, back_bound: bool) -> Layout:
    names = _names(f"{name}.step", step)[step_bound:]
    back_names = _names(f"{name}.step_backward", back)[back_bound:]
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
    if not layout.count("zx") or order != "".join(sorted(order, key="zxh".index)):
        msg = (
            f"the parameters of {name}.step must begin with weighted inputs, named z or z_..., then x or "
            f"x_..., then h or h_..., one of z and x at least; got {', '.join(names) or 'none'}"
        )
        raise TypeError(msg)
    want = layout.states + layout.own
    got = back_names[states : states + len(want)]
    if len(layout.states) < max(states, 1) or got != want:
        msg = (
            f"the parameters of {name}.step_backward must be d_... for each array of the state, then "
            f"those of step after the weighted inputs ({', '.join(names[weighted:]) or 'none, but a state is needed'}), "
            f"then what step saves; got {', '.join(back_names) or 'none'}"
        )
        raise TypeError(msg)
    return layout


def _names(what: str, method: Any) -> tuple[str, ...]:
    parameters = inspect.signature(method).parameters.values()
    free = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if free:
        msg = f"{what} must name its parameters one by one, got *{free[0]}"
        raise TypeError(msg)
    return tuple(p.name for p in parameters)


def is_factored(cell: object) -> "TypeIs[Cell]":
    """Say whether a cell is a formula, of the factored level."""
    return hasattr(cell, "step") and hasattr(cell, "step_backward")


def formula_of(cell: Any) -> Any:
    """Return the cell itself, or the one that its own engine runs."""
    return cell.cell if hasattr(cell, "run_layer_backward") else cell


def state_names_of(cell: Any) -> tuple[str, ...]:
    """Return the names of the arrays of a state, the activation's first.

    Parameters
    ----------
    cell
        A cell of any level that reads in one direction.

    Returns
    -------
    tuple of str
        One for each array.

    Examples
    --------
    >>> import bptt
    >>> bptt.cells.state_names_of(bptt.LSTM())
    ('a', 'c')
    """
    formula = formula_of(cell)
    return layout_of(formula).states if is_factored(formula) else tuple(formula.state_names)


def parameters_of(cell: Any) -> Any:
    """Return the type of a cell's parameter record: the one it names, or one made from the names."""
    formula = formula_of(cell)
    named = getattr(formula, "parameters", None)
    if not is_factored(formula):
        return named
    fields = layout_of(formula).fields
    if named is None:
        return Recurrent if fields == Recurrent._fields else record_type(fields)
    if len(getattr(named, "_fields", ())) != len(fields):
        msg = (
            f"{type(formula).__name__}.parameters must be a named tuple of {', '.join(fields)}, "
            f"got {getattr(named, '_fields', named)!r:.60}"
        )
        raise TypeError(msg)
    return named


@lru_cache(maxsize=128)
def record_type(fields: tuple[str, ...]) -> Any:
    """Return a named tuple for the parameters of a cell that names no type; its records can be pickled."""

    def reduce(record: Any) -> Any:
        return _record, (fields, *record)

    made = namedtuple("Parameters", fields)  # type: ignore[misc]  # noqa: PYI024
    made.__reduce__ = reduce  # type: ignore[assignment, method-assign]
    made.__doc__ = f"The parameters of a layer: {', '.join(fields)}."
    return made


def _record(fields: tuple[str, ...], *arrays: Array) -> Any:
    return record_type(fields)(*arrays)


def check_step(cell: Any, layout: Layout, returned: Any, shape: tuple[int, ...]) -> None:
    """Refuse what a `step` returned if it is not a state and what is saved, two tuples of arrays."""
    name = f"{type(cell).__name__}.step"
    state, saved = _tuples(name, returned, ("new_state", "saved"))
    for what, part, names in (("new_state", state, layout.states), ("saved", saved, layout.saved)):
        _items(f"{name}: {what}", part, names, shape, number=False)


def check_backward(cell: Any, layout: Layout, returned: Any, shape: tuple[int, ...]) -> None:
    """Refuse what a `step_backward` returned if it is not three tuples of arrays, of the right lengths."""
    name = f"{type(cell).__name__}.step_backward"
    parts = ("d_weighted", "d_state", "d_own")
    names = (layout.weighted, layout.states, layout.own)
    for what, part, each in zip(parts, _tuples(name, returned, parts), names, strict=True):
        _items(f"{name}: {what}", part, tuple(f"d_{n}" for n in each), shape, number=True)


def _tuples(name: str, returned: Any, parts: tuple[str, ...]) -> Any:
    if (
        not isinstance(returned, tuple)
        or len(returned) != len(parts)
        or not all(isinstance(part, tuple) for part in returned)
    ):
        msg = f"{name} must return {len(parts)} tuples, {', '.join(parts)}, got {_shown(returned)}"
        raise TypeError(msg)
    return returned


def _items(
    what: str, part: Any, names: tuple[str, ...], shape: tuple[int, ...], *, number: bool
) -> None:
    if len(part) != len(names):
        wanted = f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        msg = f"{what} must be the tuple {wanted}, got {_shown(part)}"
        raise TypeError(msg)
    for name, item in zip(names, part, strict=True):
        got = getattr(item, "shape", None)
        if got != shape and not (number and isinstance(item, (int, float, np.number))):
            msg = (
                f"{what}: {name} must have the shape of the arguments, {shape}, got {_shown(item)}"
            )
            raise TypeError(msg)


def _shown(value: Any) -> str:
    if not isinstance(value, tuple):
        return f"{type(value).__name__}" + (f" {value.shape}" if hasattr(value, "shape") else "")
    return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
