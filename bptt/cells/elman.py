r"""The Elman cell, the recurrent layer of the seed article.

.. math::

   z^{(t)} &= z_x + z_h , \qquad a^{(t)} = a(z^{(t)})                   && \text{(FWD)}

   \delta^{(t)} &= a'(z^{(t)}) \odot \partial C / \partial a^{(t)}      && \text{(BP2)}

Source: Elman (1990), "Finding structure in time".
"""

from dataclasses import dataclass
from typing import NamedTuple

from bptt._core import validation
from bptt._core.types import Array, State
from bptt.cells.activations import Activation, tanh
from bptt.cells.protocol import Recurrent

__all__ = ["Elman", "ElmanSaved"]


class ElmanSaved(NamedTuple):
    """What an Elman step keeps for its derivative: z and a, each (B, n)."""

    z: Array
    a: Array


@dataclass(frozen=True)
class Elman:
    r"""A recurrent layer with one gate: :math:`a^{(t)} = a(z_x + z_h)`, as in (FWD).

    Parameters
    ----------
    activation
        The function a, applied to each unit by itself.

    Raises
    ------
    TypeError
        If `activation` is not an `Activation`.

    Examples
    --------
    >>> import bptt
    >>> bptt.Elman(bptt.relu).activation.name
    'relu'
    """

    activation: Activation = tanh
    gates = 1
    own_blocks = ()
    state_names = ("a",)
    parameters = Recurrent

    def __post_init__(self) -> None:
        """Refuse what is not an activation."""
        validation.instance("activation", self.activation, Activation)

    def step(self, z_x: Array, z_h: Array, state: State, /) -> tuple[State, ElmanSaved]:
        """Return the next state, ``(a,)``, and z with a: (FWD)."""
        del state  # an Elman step sees its past through z_h alone
        z = z_x + z_h  # (FWD)
        a = self.activation.function(z)  # (FWD)
        return (a,), ElmanSaved(z, a)

    def step_backward(self, d_state: State, saved: ElmanSaved, /) -> tuple[Array, Array, None]:
        """Return δ for both contributions, which only ever appear as their sum: (BP2)."""
        (d_a,) = d_state
        delta = self.activation.derivative(*saved) * d_a  # (BP2)
        return delta, delta, None
