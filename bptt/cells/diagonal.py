r"""Independently recurrent units: each sees its own past, and no other's.

.. math:: z^{(t)} = x^{(t)} w + v \odot a^{(t-1)} + b , \qquad a^{(t)} = a(z^{(t)})

The recurrent matrix is the diagonal one of v. With the identity as its activation the layer is linear
in its state, and its backward pass is a scan that can be run in parallel over time.

Source: Li et al. (2018), "Independently recurrent neural network"; Mozer (1989) for the diagonal case.
"""

from dataclasses import dataclass
from typing import NamedTuple

from bptt._core import validation
from bptt._core.record import array_record
from bptt._core.types import Array, State
from bptt.cells.activations import Activation, identity

__all__ = ["Diagonal", "DiagonalParams", "DiagonalSaved"]


@array_record
class DiagonalParams(NamedTuple):
    """The parameters of a layer of independently recurrent units.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, n).
    v
        Recurrent weights, one a unit, shape (n,).
    b
        Bias, shape (n,).
    """

    w: Array
    v: Array
    b: Array


class DiagonalSaved(NamedTuple):
    """What a diagonal step keeps for its derivative: input, past, weighted input and activation."""

    x: Array
    a_past: Array
    z: Array
    a: Array


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
    state_names = ("a",)
    parameters = DiagonalParams

    def __post_init__(self) -> None:
        """Refuse what is not an activation."""
        validation.instance("activation", self.activation, Activation)

    def shapes(self, n_below: int, n: int, /) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of w, v and b."""
        return (n_below, n), (n,), (n,)

    def unfactored_step(
        self, params: DiagonalParams, x: Array, state: State, /
    ) -> tuple[State, DiagonalSaved]:
        """Return the next state, ``(a,)``, and what its derivative needs."""
        w, v, b = params
        (a_past,) = state
        z = x @ w + v * a_past + b
        a = self.activation.function(z)
        return (a,), DiagonalSaved(x, a_past, z, a)

    def unfactored_backward(
        self, params: DiagonalParams, d_state: State, saved: DiagonalSaved, /
    ) -> tuple[DiagonalParams, Array, State]:
        """Return ∂C/∂(w, v, b), ∂C/∂x and ∂C/∂(previous state)."""
        delta = d_state[0] * self.activation.derivative(saved.z, saved.a)
        gradient = DiagonalParams(
            saved.x.T @ delta, (delta * saved.a_past).sum(axis=0), delta.sum(axis=0)
        )
        return gradient, delta @ params.w.T, (delta * params.v,)
