r"""The GRU cell (reset after the product) in the fast engine.

Forward, the blocks stand in the order r, s, n, with m, what r resets, as a fourth:

.. math:: m = z_{h,n} + c , \qquad n = \tanh(z_{x,n} + r \odot m) , \qquad
   a^{(t)} = n + s \odot (a^{(t-1)} - n)

Backward, every error is :math:`d_a = \partial C / \partial a` times a factor that does not depend on it,
and the factors are made for many steps at a time:

.. math:: (\delta_m, \delta_r, \delta_s, \delta_n, d) = d_a \odot (k_m, k_r, k_s, k_n, s)

where d is what goes to the past through the update gate.
"""

from collections.abc import Sequence

import numpy as np

from bptt._core.types import Array
from bptt._fast.kernel import Run, Way, blocks, by_blocks, scalar, spread, step_views
from bptt.cells.gru import GRUSaved

__all__ = ["GRUKernel"]

add, multiply, subtract, tanh = np.add, np.multiply, np.subtract, np.tanh


class GRUKernel:
    """What `bptt.GRU` does at a step, into given arrays."""

    fold: tuple[tuple[int, float], ...] = ((0, 0.5), (1, 0.5), (2, 1.0))
    delta_h: tuple[int, ...] = (2, 0, 1)
    scratch: int = 13

    def run(self, steps: int, n: int, batch: int, z_h: Array, own: Sequence[Array]) -> Run:
        """Make the arrays of a run forward: r, s, n, m; and a."""
        (c,) = own
        q = np.empty((steps, 4 * n, batch), z_h.dtype)
        a = np.empty((steps + 1, n, batch), z_h.dtype)
        free = np.empty((n, batch), z_h.dtype)
        zh_rs, zh_n = z_h[: 2 * n], z_h[2 * n :]
        half = scalar(0.5, z_h.dtype)

        def step(
            gates: Array, r: Array, s: Array, new: Array, m: Array, past: Array, a: Array
        ) -> None:
            add(gates, zh_rs, gates)
            tanh(gates, gates)
            multiply(gates, half, gates)  # σ(z) = (1 + tanh(z / 2)) / 2; the inner half is folded
            add(gates, half, gates)
            add(zh_n, c, m)
            multiply(r, m, free)
            add(new, free, new)
            tanh(new, new)  # n = tanh(z_x + r ⊙ m)
            subtract(past, new, free)
            multiply(s, free, free)
            add(new, free, a)  # a = n + s ⊙ (a(t-1) - n)

        each = (blocks(q, n, j, j + 1) for j in range(4))
        parts = (blocks(q, n, 0, 2), *each, a[:-1], a[1:])
        return Run(blocks(q, n, 0, 3), (a,), (q, a[:-1]), step, step_views(*parts))

    def way(self, slab: int, n: int, batch: int, d_a: Array) -> Way:
        """Make the arrays of the way back: factors, and the errors m, r, s, n with d."""
        k = np.empty((slab, 5 * n, batch), d_a.dtype)
        found = np.empty((slab + 1, 5 * n, batch), d_a.dtype)
        scratch, not_s = np.empty((2, slab, n, batch), d_a.dtype)
        one = scalar(1, d_a.dtype)

        def slopes(kept: Sequence[Array], first: int) -> None:
            q, past = kept
            r, s, new, m = (blocks(q, n, j, j + 1) for j in range(4))
            k_m, k_r, k_s, k_n, k_d = (blocks(k[first:], n, j, j + 1) for j in range(5))
            free, other = scratch[first:], not_s[first:]
            subtract(one, s, other)
            multiply(new, new, free)
            subtract(one, free, free)
            multiply(free, other, k_n)  # (1 - s) (1 - n²)
            multiply(k_n, r, k_m)
            subtract(one, r, free)
            multiply(free, m, free)
            multiply(k_m, free, k_r)  # k_n m r (1 - r)
            subtract(past, new, free)
            multiply(free, s, free)
            multiply(free, other, k_s)  # (a(t-1) - n) s (1 - s)
            k_d[...] = s

        steps = list(zip(by_blocks(k, n), by_blocks(found[:-1], n), strict=True))
        direct = list(blocks(found, n, 4, 5)[:-1])
        rows_x, rows_h = slice(n, 4 * n), slice(0, 3 * n)
        return Way(found, rows_x, rows_h, slopes, spread(d_a, 5), steps, direct)

    def record(self, kept: Sequence[Array], t: int) -> GRUSaved:
        """Return gates, what r resets, and the past of a step."""
        q, past = kept
        r, s, new, m = np.split(q[t].T, 4, axis=1)
        return GRUSaved(r, s, new, m, past[t].T)
