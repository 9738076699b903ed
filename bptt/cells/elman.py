r"""The Elman cell, the recurrent layer of the article that this project grew from.

.. math::

   a^{(t)} = a(z^{(t)})                                                 && \text{(FWD)}

   \delta^{(t)} = a'(z^{(t)}) \odot \partial C / \partial a^{(t)}       && \text{(BP2)}

Source: Elman (1990), "Finding structure in time".
"""

from dataclasses import dataclass

from bptt._core import Array, Stepped, SteppedBack, validation
from bptt.cells.activations import Activation, tanh
from bptt.cells.protocol import Recurrent

__all__ = ["Elman"]


@dataclass(frozen=True)
class Elman:
    r"""A recurrent layer with one weighted input: :math:`a^{(t)} = a(z^{(t)})`, as in (FWD).

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
    parameters = Recurrent

    def __post_init__(self) -> None:
        """Refuse what is not an activation."""
        validation.instance("activation", self.activation, Activation)

    def step(self, z: Array, a: Array) -> Stepped:
        """Return the new a, and what its derivative needs."""
        a_new = self.activation.function(z)  # (FWD)
        return (a_new,), (z, a_new)

    def step_backward(self, d_a: Array, a: Array, z: Array, a_new: Array) -> SteppedBack:
        """Return δ; there is no path to the past but through u."""
        delta = d_a * self.activation.derivative(z, a_new)  # (BP2)
        return (delta,), (0.0,), ()
