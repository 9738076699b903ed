r"""The Elman cell in the fast engine: :math:`a = a(z_x + z_h)` and :math:`\delta = a'(z) \odot \partial C/\partial a`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bptt._core.types import Array
from bptt._fast.kernel import Run, Way, scalar, step_views
from bptt.cells.activations import Activation, tanh
from bptt.cells.elman import ElmanSaved

__all__ = ["ElmanKernel"]

add, multiply, subtract = np.add, np.multiply, np.subtract


class ElmanKernel:
    """What `bptt.Elman` does at a step, into given arrays."""

    fold: tuple[tuple[int, float], ...] = ((0, 1.0),)
    delta_h: tuple[int, ...] = (0,)
    scratch: int = 3

    def __init__(self, activation: Activation) -> None:
        """Keep the activation."""
        self.activation = activation

    def run(self, steps: int, n: int, batch: int, z_h: Array, own: Sequence[Array]) -> Run:
        """Make the arrays of a run forward: z and a."""
        del own
        function: Any = self.activation.function
        into: Any = function if isinstance(function, np.ufunc) else _into(function)
        z = np.empty((steps, n, batch), z_h.dtype)
        a = np.empty((steps + 1, n, batch), z_h.dtype)

        def step(z: Array, a: Array) -> None:
            add(z, z_h, z)  # (FWD)
            into(z, a)

        return Run(z, (a,), (z, a[1:]), step, step_views(z, a[1:]))

    def way(self, slab: int, n: int, batch: int, d_a: Array) -> Way:
        """Make the arrays of the way back: slopes and errors."""
        slope = np.empty((slab, n, batch), d_a.dtype)
        one = scalar(1, d_a.dtype)
        delta = np.empty((slab + 1, n, batch), d_a.dtype)

        def slopes(kept: Sequence[Array], first: int) -> None:
            z, a = kept
            if self.activation is tanh:
                multiply(a, a, slope[first:])
                subtract(one, slope[first:], slope[first:])
            else:
                slope[first:] = self.activation.derivative(z, a)

        def step(slope: Array, delta: Array) -> None:
            multiply(slope, d_a, delta)  # (BP2): a'(z) ⊙

        none: list[None] = [None] * slab
        rows = slice(0, n)
        return Way(delta, rows, rows, slopes, step, step_views(slope, delta), none)

    def record(self, kept: Sequence[Array], t: int) -> ElmanSaved:
        """Return z and a of a step."""
        return ElmanSaved(*(array[t].T for array in kept))


def _into(function: Callable[[Array], Array]) -> Callable[[Array, Array], None]:
    """Return what writes a function into a given array, as NumPy's own do."""

    def into(z: Array, a: Array) -> None:
        a[...] = function(z)

    return into
