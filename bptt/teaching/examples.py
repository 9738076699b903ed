"""The tiny network that the derivation carries along, from its first page to its last.

Two recurrent layers of two units under a linear readout, one input, three steps, one sequence. It is
small enough to be computed by hand, and nothing in it is symmetric: an index or a matrix the wrong
way round gives a wrong number.
"""

from typing import NamedTuple

import numpy as np

from bptt._core.record import array_record
from bptt._core.types import Array
from bptt.cells import Elman
from bptt.cells.protocol import Recurrent
from bptt.network.parameters import Affine, Params
from bptt.network.stack import Stack

__all__ = ["Example", "tiny"]


@array_record
class Example(NamedTuple):
    """A network with something to do.

    Attributes
    ----------
    stack
        Its architecture.
    params
        Its parameters.
    x
        An input, shape (T, B, n_0).
    targets
        What its outputs should be, shape (T, B, n_L).
    """

    stack: Stack
    params: Params
    x: Array
    targets: Array


def tiny() -> Example:
    """Return the tiny network of the derivation: sizes 1, 2, 2, 1; T = 3; B = 1; tanh.

    Returns
    -------
    Example
        Its architecture, parameters, input and targets, in float64.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> tiny.params.layers[0].u
    array([[ 0.5, -0.3],
           [ 0.2,  0.4]])
    """
    lower = Recurrent(
        w=np.array([[0.8, -0.6]]),
        u=np.array([[0.5, -0.3], [0.2, 0.4]]),
        b=np.array([0.1, -0.2]),
    )
    upper = Recurrent(
        w=np.array([[0.7, -0.4], [-0.5, 0.9]]),
        u=np.array([[0.3, 0.6], [-0.2, 0.5]]),
        b=np.array([0.0, 0.1]),
    )
    readout = Affine(w=np.array([[1.2], [-0.7]]), b=np.array([0.3]))
    return Example(
        stack=Stack(cells=(Elman(), Elman())),
        params=Params((lower, upper), readout),
        x=np.array([1.0, -0.5, 0.8]).reshape(3, 1, 1),
        targets=np.array([0.5, 0.2, -0.4]).reshape(3, 1, 1),
    )
