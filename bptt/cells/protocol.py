r"""What a recurrent cell must know, and what it need not.

The engine owns time, layers and every matrix product. A cell owns what happens at one step between
them, entry by entry. It gets the two affine contributions of a step,

.. math:: z_x = a^{l-1(t)} w^l + b^l , \qquad z_h = a^{l(t-1)} u^l ,

and the previous state, and returns the next state with what its derivative will need. Its backward
half gets the derivative of the cost with respect to the state, and returns that with respect to
:math:`z_x`, :math:`z_h` and, for what does not pass through them, the previous state.
"""

from typing import Any, Protocol, runtime_checkable

from bptt._typing import Array, State

__all__ = ["Cell"]


@runtime_checkable
class Cell(Protocol):
    """The pointwise mathematics of one step of a recurrent layer, with its derivative.

    Any object with these two attributes and two methods is a cell; nothing is inherited. The first
    array of a state is the layer's activation a: what the layer above, and the recurrent weights, see.

    See Also
    --------
    Elman : the smallest cell there is.
    """

    @property
    def gates(self) -> int:
        """How many blocks of n columns w, u and b have."""
        ...

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the arrays of a state, the activation's first."""
        ...

    def step(self, z_x: Array, z_h: Array, state: State) -> tuple[State, Any]:
        """Return the next state and what `step_backward` will need.

        Parameters
        ----------
        z_x, z_h
            Contributions from the layer below and from the layer's own past, shape (B, gates n).
        state
            The previous state, arrays of shape (B, n).

        Returns
        -------
        state, saved
            The next state, arrays of shape (B, n), and anything at all.
        """
        ...

    def step_backward(self, d_state: State, saved: Any) -> tuple[Array, Array, State | None]:
        """Return the derivative of the cost with respect to z_x, z_h and the previous state.

        Parameters
        ----------
        d_state
            ∂C/∂state, arrays of shape (B, n), all paths from the state to the cost included.
        saved
            What `step` returned beside the state.

        Returns
        -------
        delta_x, delta_h, direct
            ∂C/∂z_x and ∂C/∂z_h, shape (B, gates n); and ∂C/∂(previous state) along the paths that
            do not pass through z_h, arrays of shape (B, n), or None where there are none.
        """
        ...
