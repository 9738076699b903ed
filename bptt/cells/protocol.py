r"""What a recurrent cell must know, and what it need not.

The engine owns time, layers and every matrix product. A cell owns what happens at one step between
them, entry by entry. It gets the two affine contributions of a step,

.. math:: z_x = a^{l-1(t)} w^l + b^l , \qquad z_h = a^{l(t-1)} u^l ,

and the previous state, and returns the next state with what its derivative will need. Its backward
half gets the derivative of the cost with respect to the state, and returns that with respect to
:math:`z_x`, :math:`z_h` and, for what does not pass through them, the previous state.

Some cells do not split that way: they put a product inside another function. For those there is a
second, unfactored level, which gets the parameters, the input and the state, and does its own products.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from bptt._core.record import array_record
from bptt._core.types import Array, State

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["Cell", "Recurrent", "UnfactoredCell"]


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
    """The pointwise mathematics of one step of a recurrent layer, with its derivative.

    Any object with these four attributes and two methods is a cell; nothing is inherited. The first array
    of a state is the layer's activation a: what the layer above, and the recurrent weights, see.

    A cell may have parameters of its own beside w, u and b: vectors that enter entry by entry, such
    as peephole weights or a recurrent bias. They follow b in its parameter record, are handed to both
    methods after the other arguments, and `step_backward` returns their derivatives after the others.

    See Also
    --------
    bptt.Elman : the smallest cell there is.
    bptt.cells.UnfactoredCell : for a cell that does not split.
    """

    @property
    def gates(self) -> int:
        """How many blocks of n columns w, u and b have."""
        ...

    @property
    def own_blocks(self) -> tuple[int, ...]:
        """For each parameter of its own, how many blocks of n entries it has."""
        ...

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the arrays of a state, the activation's first."""
        ...

    @property
    def parameters(self) -> type[tuple[Array, ...]]:
        """The type of its parameter record: a named tuple that begins with w, u and b."""
        ...

    @property
    def step(self) -> Callable[..., tuple[State, Any]]:
        """The way forward: ``step(z_x, z_h, state, *own)`` returns ``(state, saved)``.

        ``z_x`` and ``z_h`` are the contributions from the layer below and from the layer's own past,
        shape (B, gates n); a state is a tuple of arrays of shape (B, n); ``own`` are the cell's own
        parameters. ``saved`` is anything that `step_backward` will need.
        """
        ...

    @property
    def step_backward(self) -> Callable[..., tuple[Any, ...]]:
        """The way back: ``step_backward(d_state, saved, *own)`` returns derivatives of the cost.

        ``d_state`` is ∂C/∂state, all paths from the state to the cost included. What is returned is
        ``(delta_x, delta_h, direct, *d_own)``: ∂C/∂z_x and ∂C/∂z_h, shape (B, gates n);
        ∂C/∂(previous state) along the paths that do not pass through z_h, a tuple of arrays of shape
        (B, n), or None where there are none; and ∂C/∂ each own parameter, summed over the batch.
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


_FACTORED: dict[type, bool] = {}


def is_factored(cell: object) -> "TypeIs[Cell]":
    """Say whether a cell is of the factored level; asked of each type once, since asking is slow."""
    kind = type(cell)
    if kind not in _FACTORED:
        _FACTORED[kind] = isinstance(cell, Cell)
    return _FACTORED[kind]
