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

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from bptt._core import Array, LayerParams, Mask, Saved, State
from bptt._core.tree import array_record

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["Cell", "OwnEngine", "Recurrent", "UnfactoredCell"]


# A cell comes before the records of the network, and so cannot name them: a `LayerTrace` and a `LayerGradient`.
RunTrace: TypeAlias = Any
RunGradient: TypeAlias = Any
AnyMask: TypeAlias = Mask | None  # None where all steps are there
Formula: TypeAlias = Any  # a cell that reads in one direction: `is_factored` tells of which level


@array_record
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

    def unfactored_step(
        self, params: LayerParams, x: Array, state: State, /
    ) -> tuple[State, Saved]:
        """Return the next state, arrays of shape (B, n), and what the derivative will need."""
        ...

    def unfactored_backward(
        self, params: LayerParams, d_state: State, saved: Saved, /
    ) -> tuple[LayerParams, Array, State]:
        """Return ∂C/∂ the parameters (summed over the batch), the input and the previous state."""
        ...


@runtime_checkable
class OwnEngine(Protocol):
    """A cell that runs its formula by an engine of its own, as what `bptt.compiled` returns."""

    @property
    def cell(self) -> Cell:
        """The formula."""
        ...

    def run_layer(self, params: LayerParams, x: Array, state: State, mask: AnyMask, /) -> RunTrace:
        """Run a layer forward on checked arguments; return its `LayerTrace`, whose cell is this one."""
        ...

    def run_layer_backward(self, trace: RunTrace, d_a: Array, d_state: State, /) -> RunGradient:
        """Go back through a layer on checked arguments; return its `LayerGradient`."""
        ...


OneDirection: TypeAlias = Cell | UnfactoredCell | OwnEngine


def check_one_direction(name: str, cell: object) -> None:
    """Refuse what is no cell that reads in one direction."""
    known = is_factored(formula_of(cell)) or isinstance(cell, UnfactoredCell)
    if isinstance(cell, type) or not known:
        msg = f"{name} must be a cell, such as bptt.Elman(), got {cell!r:.60}"
        raise TypeError(msg)


def is_factored(cell: object) -> "TypeIs[Cell]":
    """Say whether a cell is a formula, of the factored level."""
    return hasattr(cell, "step") and hasattr(cell, "step_backward")


def formula_of(cell: Any) -> Formula:
    """Return the cell itself, or the one that its own engine runs."""
    runs = hasattr(cell, "run_layer_backward") and hasattr(cell, "run_layer")
    return getattr(cell, "cell", cell) if runs else cell
