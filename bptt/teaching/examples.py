"""The networks of the derivation: the tiny one of all its pages, and random ones.

The tiny network has two recurrent layers of two units under a linear readout, one input, three steps, one
sequence. It is small enough to be computed by hand, and nothing in it is symmetric: an index or a matrix
the wrong way round gives a wrong number.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bptt._core import Array, Scalar, validation
from bptt._core.tree import array_record
from bptt.algorithms.calls import CostOfSteps, one_direction
from bptt.cells import Elman, Recurrent
from bptt.network.forward import forward
from bptt.network.stack import Affine, Cells, Params, Seed, Stack, initialize
from bptt.training.losses import Cost, squared_error

__all__ = ["Example", "random_net", "tiny"]


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

    Examples
    --------
    >>> import bptt
    >>> bptt.full_bptt(*bptt.teaching.tiny().problem).gradient.params.readout.b.round(4)
    array([3.6583])
    """

    stack: Stack
    params: Params
    x: Array
    targets: Array

    def cost(self, outputs: Array, steps: slice) -> Cost:
        """Return half the squared error of the outputs of some consecutive steps, with its derivative.

        Parameters
        ----------
        outputs
            The outputs of these steps, shape (t, B, n_L).
        steps
            Which of all steps these are.

        Returns
        -------
        Cost
            A number, and its derivative by the outputs, shape (t, B, n_L).

        Raises
        ------
        TypeError
            If `outputs` have a wrong dtype, or `steps` is not a slice.
        ValueError
            If there are not as many outputs as targets.
        """
        return squared_error(outputs, self.targets[validation.instance("steps", steps, slice)])

    def costs_of_copies(self, copies: Sequence[Params]) -> list[Scalar]:
        """Return the cost of each step of a run whose steps have parameters of their own.

        Parameters
        ----------
        copies
            The parameters of each step, T of them; real, or complex for the complex step.

        Returns
        -------
        list of Scalar
            The costs of the steps, in their order; where all copies are equal, they add up to the cost.

        Raises
        ------
        TypeError
            If a layer reads from the end, so that there is no run step by step, or a copy is no Params.
        ValueError
            If there are not T copies.
        """
        one_direction(self.stack)
        each_step = validation.sequence("copies", copies, len(self.x), "Params, one for each step")
        costs, state = [], None
        for t, params in enumerate(each_step):
            now = slice(t, t + 1)
            run = forward(self.stack, params, self.x[now], state)
            costs.append(self.cost(run.outputs, now).value)
            state = run.final
        return costs

    @property
    def problem(self) -> tuple[Stack, Params, Array, CostOfSteps]:
        """What every way to the gradient takes: the architecture, the parameters, the input, `cost`."""
        return self.stack, self.params, self.x, self.cost


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
    # w, u and b of both layers; w and b of the readout.
    lower = [[0.8, -0.6]], [[0.5, -0.3], [0.2, 0.4]], [0.1, -0.2]
    upper = [[0.7, -0.4], [-0.5, 0.9]], [[0.3, 0.6], [-0.2, 0.5]], [0.0, 0.1]
    readout = [[1.2], [-0.7]], [0.3]
    layers = tuple(Recurrent(*map(np.array, layer)) for layer in (lower, upper))
    return Example(
        stack=Stack(cells=(Elman(), Elman())),
        params=Params(layers, Affine(*map(np.array, readout))),
        x=np.array([1.0, -0.5, 0.8]).reshape(3, 1, 1),
        targets=np.array([0.5, 0.2, -0.4]).reshape(3, 1, 1),
    )


def random_net(
    cells: Cells, sizes: Sequence[int], steps: int = 5, batch: int = 3, rng: Seed = 0
) -> Example:
    """Return a network with the usual initial parameters, and random inputs and targets for it.

    Parameters
    ----------
    cells
        One for each recurrent layer.
    sizes
        The numbers of units n_0 to n_L, a tuple or list, two more than there are cells.
    steps, batch
        The number of steps and of sequences.
    rng
        Where the numbers come from, a generator or a seed.

    Returns
    -------
    Example
        Its architecture and parameters, as `bptt.initialize` draws them, and normal random numbers for the
        input, shape (T, B, n_0), and the targets, shape (T, B, n_L), all in float64.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If there is no cell, `sizes` does not hold two more numbers than there are cells, or a number is
        not positive.

    Examples
    --------
    >>> import bptt
    >>> net = bptt.teaching.random_net((bptt.LSTM(),), (2, 3, 1), steps=7)
    >>> net.x.shape, net.targets.shape
    ((7, 3, 2), (7, 3, 1))
    """
    rng = validation.generator("rng", rng)
    stack = Stack(cells=cells)
    given = validation.sequence("sizes", sizes, len(stack.cells) + 2, "numbers, n_0 to n_L")
    sizes = [validation.size(f"sizes[{i}]", size) for i, size in enumerate(given)]
    rows = validation.size("steps", steps), validation.size("batch", batch)
    x, targets = (rng.normal(size=(*rows, n)) for n in (sizes[0], sizes[-1]))
    return Example(stack, initialize(stack, sizes, rng), x, targets)
