"""What the way back returns: gradients, each of the type of what it is the gradient of."""

from typing import Any, NamedTuple, TypeAlias

from bptt._core.record import array_record
from bptt._core.types import Array, LayerParams, LayerState
from bptt.network.parameters import Params

__all__ = ["Gradient", "LayerGradient"]


Errors: TypeAlias = Any  # of one layer: an array, or a pair of them, or () without a z


@array_record
class LayerGradient(NamedTuple):
    """The gradient of a cost with respect to one recurrent layer.

    Attributes
    ----------
    params
        With respect to w, u and b: (BP4) and (BP3).
    x
        With respect to the layer's input, shape (T, B, n_below).
    initial
        With respect to its initial state, arrays of shape (B, n): (BP0).
    delta
        The errors ∂C/∂z of all steps, shape (T, B, gates n): (BP2). Empty for an unfactored cell,
        which has no z that the engine knows.
    """

    params: LayerParams
    x: Array
    initial: LayerState
    delta: Errors


@array_record
class Gradient(NamedTuple):
    """The gradient of a cost with respect to all that a run of a stack depends on.

    Attributes
    ----------
    params
        With respect to the parameters: (BP3) and (BP4).
    x
        With respect to the input, shape (T, B, n_0): (BP0).
    initial
        With respect to the initial state of each recurrent layer: (BP0).
    delta
        The errors ∂C/∂z of layers 1 to L: (BP2), as in `LayerGradient`; (BP1) for the last, (T, B, n_L).
    """

    params: Params
    x: Array
    initial: tuple[LayerState, ...]
    delta: tuple[Errors, ...]
