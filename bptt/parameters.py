"""What a network learns, as records of arrays.

A weight matrix has a row for each unit it comes FROM and a column for each unit it goes TO, so that
a batch of row vectors is multiplied from the left: z = a w + b. A gradient has the type of what it is
the gradient of: that of a `Params` is a `Params`.
"""

from typing import Any, NamedTuple

from bptt import _check
from bptt._typing import Array

__all__ = ["Affine", "Params", "Recurrent"]


class Affine(NamedTuple):
    """The parameters of a layer without a past: z = x w + b.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, n).
    b
        Bias, shape (n,).
    """

    w: Array
    b: Array


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


class Params(NamedTuple):
    """The parameters of a stack of recurrent layers under a readout.

    Attributes
    ----------
    layers
        The parameters of each recurrent layer, the lowest first: `Recurrent`, or what its cell has.
    readout
        The output layer, an `Affine`.
    """

    layers: tuple[Any, ...]
    readout: Affine


def check_affine(name: str, layer: Any, below: int | str) -> Affine:
    """Return a layer whose arrays are finite and fit together and to the layer below."""
    given = _check.instance(name, layer, Affine)
    w = _check.array(f"{name}.w", given.w, (below, "n"), _check.ANALYTIC)
    b = _check.array(f"{name}.b", given.b, (w.shape[1],), _check.ANALYTIC)
    return Affine(w, b)
