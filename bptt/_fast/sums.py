r"""The errors of all steps, side by side, and what they are multiplied with at the end.

.. math::

   \partial C / \partial w^\top = \delta \, x^\top , \quad
   \partial C / \partial u^\top = \delta \, (a^{(\cdot - 1)})^\top , \quad
   \partial C / \partial b = \delta \, 1 , \quad \partial C / \partial x = w \, \delta

with a column of δ for each sequence at each step: (BP4) and its twin, (BP3) and (BP0), in the column form.
"""

from typing import Any

import numpy as np

from bptt._core.types import Array
from bptt._fast.kernel import Kernel, Way, move_blocks
from bptt._fast.products import product

__all__ = ["Sums"]

COLUMNS = 512  # steps times sequences that a product should have at least: fewer sums of products
FEW = 16  # sequences up to which products step by step are slow
GAP = 16  # numbers between rows: those a power of two apart would meet in the same part of a cache


class Sums:
    """Arrays of the products on the way back, made for its sizes.

    Attributes
    ----------
    errors
        Where the errors of all steps go, (T, rows, B).
    delta
        Those of them that meet w, (T, gates n, B).
    sheet
        How many steps to sum over at a time.
    in_order
        Whether the errors that meet u stand in the order of its blocks.
    """

    def __init__(
        self, kernel: Kernel, way: Way, sizes: tuple[int, int, int, int], dtype: Any
    ) -> None:
        steps, batch, below, n = self.sizes = sizes
        g, rows = len(kernel.fold), way.rows.stop - way.rows.start
        self.order, self.in_order = kernel.delta_h, kernel.delta_h == tuple(range(g))
        self.rows_x, self.rows_h = way.within(way.rows_x), way.within(way.rows_h)
        # A column for each sequence at each step, as products take them; of one sequence, step after step.
        if batch > 1:
            self.wide = np.empty((rows, steps * batch + GAP), dtype)[:, : steps * batch]
        else:
            self.wide = np.empty((steps, rows), dtype).T
        self.errors = self.wide.reshape(rows, steps, batch).transpose(1, 0, 2)
        self.delta = self.errors[:, self.rows_x]
        self.sheet = min(steps, -(-max(COLUMNS, 2 * n) // batch))
        self.past = np.empty((self.sheet, batch, n), dtype)
        self.d_w, self.d_u = np.empty((g * n, below), dtype), np.empty((g * n, n), dtype)
        self.d_u_in_order = np.empty((n, 0 if self.in_order else g * n), dtype)
        self.d_b = np.empty(rows, dtype)
        self.d_x = np.empty((steps, below, batch), dtype)
        self.ones = np.ones(self.sheet * batch, dtype)
        self.side = np.empty(below * self.sheet * batch if 1 < batch < FEW else 0, dtype)
        self.part: tuple[Array, ...] = ()
        if self.sheet < steps:
            self.part = tuple(np.empty_like(d) for d in (self.d_w, self.d_u, self.d_b))

    def seen(self) -> list[Array]:
        """Return the arrays of which a caller gets views."""
        return [self.d_w, self.d_u, self.d_b, self.d_x, self.errors, self.d_u_in_order]

    def take(self, w: Array, x: Array, a: Array, start: int, stop: int) -> None:
        """Take what a sheet of steps brings to the gradient of parameters and input: a product each."""
        steps, batch, below, n = self.sizes
        delta = self.wide[:, start * batch : stop * batch]
        x, past = x[start:stop], a[start:stop]
        if batch > 1:
            np.copyto(self.past[: stop - start], past)
            past = self.past[: stop - start]
        d_w, d_u, d_b = whole = (self.d_w, self.d_u, self.d_b) if stop == steps else self.part
        multiply = product if batch > 1 else np.matmul  # of one sequence, pieces gain nothing
        multiply(delta[self.rows_x], x.reshape(-1, below), d_w)  # (BP4), transposed
        multiply(delta[self.rows_h], past.reshape(-1, n), d_u)  # (BP4), its twin
        np.matmul(delta, self.ones[: delta.shape[1]], out=d_b)  # (BP3)
        if stop < steps:
            for total, one in zip((self.d_w, self.d_u, self.d_b), whole, strict=True):
                np.add(total, one, out=total)
        self._to_the_input(w, delta, start, stop)

    def _to_the_input(self, w: Array, delta: Array, start: int, stop: int) -> None:
        """Take what a sheet of steps brings to the gradient of the input."""
        _, batch, below, _ = self.sizes
        d_x = self.d_x[start:stop]
        if batch == 1:
            np.matmul(delta[self.rows_x].T, w.T, out=d_x[:, :, 0])  # (BP0)
        elif batch < FEW:
            side = self.side[: d_x.size].reshape(below, -1)
            product(w, delta[self.rows_x], side)  # (BP0)
            d_x[...] = side.reshape(below, -1, batch).transpose(1, 0, 2)
        else:
            product(w, self.delta[start:stop], d_x)  # (BP0)

    def gradient(self, own: int) -> tuple[Array, ...]:
        """Return the gradient of w, u, b and of an own bias; u's blocks in the order of the parameters."""
        d_u, n = self.d_u.T, self.sizes[-1]
        if not self.in_order:
            back = ((k, i) for i, k in enumerate(self.order))
            move_blocks(d_u, self.d_u_in_order, n, back)
            d_u = self.d_u_in_order
        found = (self.d_w.T, d_u, self.d_b[self.rows_x])
        return (*found, self.d_b[self.rows_h][:n]) if own else found
