"""The architecture of a recurrent network: what computes, without the numbers it computes with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from bptt import _check
from bptt._typing import Array
from bptt.activations import Activation, identity
from bptt.cells import Cell
from bptt.parameters import Affine, Params, Recurrent

__all__ = ["Stack", "initialize"]


@dataclass(frozen=True)
class Stack:
    """Recurrent layers, one upon the other, under a readout that is not recurrent.

    Parameters
    ----------
    cells
        The cell of each recurrent layer, the lowest first.
    output
        The activation of the readout, layer L.

    Raises
    ------
    TypeError
        If `cells` is not a tuple of cells, or `output` is not an `Activation`.
    ValueError
        If there is no cell.

    Examples
    --------
    Two recurrent layers with different activations, and a linear readout:

    >>> import bptt
    >>> stack = bptt.Stack(cells=(bptt.Elman(bptt.tanh), bptt.Elman(bptt.relu)))
    >>> stack.output.name
    'identity'
    """

    cells: tuple[Cell, ...]
    output: Activation = identity

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        _check.instance("cells", self.cells, tuple)
        if not self.cells:
            msg = "cells must hold one cell or more, got ()"
            raise ValueError(msg)
        for i, cell in enumerate(self.cells):
            if isinstance(cell, type) or not isinstance(cell, Cell):
                msg = f"cells[{i}] must be a cell, such as bptt.Elman(), got {cell!r:.60}"
                raise TypeError(msg)
        _check.instance("output", self.output, Activation)


def initialize(
    stack: Stack,
    sizes: Sequence[int],
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
) -> Params:
    r"""Draw the parameters of a stack, uniform between :math:`\pm 1/\sqrt{n_{in}}`.

    For a recurrent layer of n units :math:`n_{in}` is n, as in PyTorch's recurrent layers; for the
    readout it is the number of units below.

    Parameters
    ----------
    stack
        The architecture.
    sizes
        Units of each layer, :math:`n_0` (the input) to :math:`n_L` (the readout).
    rng
        Where the numbers come from.
    dtype
        float64 or float32.

    Returns
    -------
    Params
        w, u and b of each layer.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If `sizes` does not hold two more numbers than there are cells, or one is not positive.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.Elman(),))
    >>> params = bptt.initialize(stack, sizes=(1, 8, 2), rng=np.random.default_rng(0))
    >>> [(name, p.shape) for name, p in bptt.tree_leaves(params)][:2]
    [('layers[0].w', (1, 8)), ('layers[0].u', (8, 8))]
    """
    _check.instance("stack", stack, Stack)
    _check.instance("rng", rng, np.random.Generator)
    _check.real_dtype("dtype", dtype)
    given = _check.sequence("sizes", sizes, len(stack.cells) + 2, "numbers, n_0 to n_L")
    n = [_check.size(f"sizes[{i}]", size) for i, size in enumerate(given)]

    def uniform(n_in: int, *shape: int) -> Array:
        bound = 1 / math.sqrt(n_in)
        return rng.uniform(-bound, bound, shape).astype(dtype)

    layers = tuple(
        Recurrent(
            w=uniform(n[l], n[l - 1], cell.gates * n[l]),
            u=uniform(n[l], n[l], cell.gates * n[l]),
            b=uniform(n[l], cell.gates * n[l]),
        )
        for l, cell in enumerate(stack.cells, start=1)
    )
    return Params(layers, Affine(w=uniform(n[-2], n[-2], n[-1]), b=uniform(n[-2], n[-1])))
