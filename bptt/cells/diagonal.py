r"""Independently recurrent units: each sees its own past, and no other's.

.. math:: z^{(t)} = x^{(t)} w + b + v \odot a^{(t-1)} , \qquad a^{(t)} = a(z^{(t)})

The recurrent matrix is the diagonal one of v. With the identity as its activation the layer is linear
in its state, and its backward pass is a scan that can be run in parallel over time.

Source: Li et al. (2018), "Independently recurrent neural network"; Mozer (1989) for the diagonal case.
"""

from dataclasses import dataclass
from typing import NamedTuple

from bptt._core import Array, Stepped, SteppedBack, validation
from bptt._core.tree import array_record
from bptt.cells.activations import Activation, identity

__all__ = ["Diagonal", "DiagonalParams"]


@array_record
class DiagonalParams(NamedTuple):
    """The parameters of a layer of independently recurrent units.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, n).
    b
        Bias, shape (n,).
    v
        Recurrent weights, one a unit, shape (n,).
    """

    w: Array
    b: Array
    v: Array


@dataclass(frozen=True)
class Diagonal:
    """A layer of independently recurrent units; its state is (a,), its parameters `DiagonalParams`.

    Parameters
    ----------
    activation
        The function a; the identity makes the layer linear in its state.

    Raises
    ------
    TypeError
        If `activation` is not an `Activation`.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.Diagonal(),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 1), rng=np.random.default_rng(0))
    >>> params.layers[0].v.shape
    (4,)
    """

    activation: Activation = identity
    parameters = DiagonalParams

    def __post_init__(self) -> None:
        """Refuse what is not an activation."""
        validation.instance("activation", self.activation, Activation)

    def step(self, x: Array, a: Array, v: Array) -> Stepped:
        """Return the new a, and what its derivative needs."""
        z = x + v * a
        a_new = self.activation.function(z)
        return (a_new,), (z, a_new)

    def step_backward(self, d_a: Array, a: Array, v: Array, z: Array, a_new: Array) -> SteppedBack:
        """Return δ, ∂C/∂a of the step before, and ∂C/∂v."""
        delta = d_a * self.activation.derivative(z, a_new)
        return (delta,), (delta * v,), (delta * a,)
