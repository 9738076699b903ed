r"""The LSTM cell in the fast engine.

Forward, a step has six blocks, in the order i, f, o, g, c of the step before, tanh c. The three gates are
then one block, and stand over against what they gate, :math:`r = (g, c^{(t-1)}, \tanh c)`:

.. math:: p = (i, f, o) \odot r , \qquad c^{(t)} = p_1 + p_2 , \qquad a^{(t)} = p_3

Backward, all that does not depend on the error is made for many steps at a time: with
:math:`d_a = \partial C / \partial a` and :math:`d_c = \partial C / \partial c`, each of which has all its
paths in it,

.. math::

   \delta_o = d_a \odot k_o , \qquad d_c \mathrel{+}= d_a \odot k_a , \qquad
   (\delta_i, \delta_f, \delta_g) = d_c \odot (k_i, k_f, k_g) , \qquad d_{c^{(t-1)}} = d_c \odot f

   (k_i, k_f, k_o) = p - p \odot (i, f, o) , \qquad (k_g, k_a) = (i, o) - (p_1, p_3) \odot (g, \tanh c)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bptt._core.types import Array
from bptt._fast.kernel import Run, Way, blocks, by_blocks, scalar, spread, step_views
from bptt.cells.lstm import LSTMSaved

__all__ = ["LSTMKernel"]

add, multiply, subtract, tanh = np.add, np.multiply, np.subtract, np.tanh


class LSTMKernel:
    """What `bptt.LSTM` does at a step, into given arrays."""

    fold: tuple[tuple[int, float], ...] = ((0, 0.5), (1, 0.5), (3, 0.5), (2, 1.0))
    delta_h: tuple[int, ...] = (0, 1, 2, 3)
    scratch: int = 15

    def run(self, steps: int, n: int, batch: int, z_h: Array, own: Sequence[Array]) -> Run:
        """Make the arrays of a run forward: i, f, o, g, c, tanh c; and the products, the last of them a."""
        del own
        q = np.empty((steps + 1, 6 * n, batch), z_h.dtype)
        a = np.empty((steps + 1, n, batch), z_h.dtype)
        half = scalar(0.5, z_h.dtype)
        both = np.empty((2 * n, batch), z_h.dtype)
        i_g, f_c = both[:n], both[n:]

        def step(
            z: Array,
            gates: Array,
            i_f: Array,
            g_c: Array,
            o: Array,
            tanh_c: Array,
            a: Array,
            c: Array,
        ) -> None:
            add(z, z_h, z)
            tanh(z, z)
            multiply(gates, half, gates)  # σ(z) = (1 + tanh(z / 2)) / 2; the inner half is folded
            add(gates, half, gates)
            multiply(i_f, g_c, both)
            add(i_g, f_c, c)  # c = i ⊙ g + f ⊙ c(t-1)
            tanh(c, tanh_c)
            multiply(o, tanh_c, a)  # a = o ⊙ tanh c

        c = blocks(q, n, 4, 5)
        of_q = (blocks(q, n, *ends) for ends in ((0, 4), (0, 3), (0, 2), (3, 5), (2, 3), (5, 6)))
        views = step_views(*of_q, a[1:], c[1:])
        return Run(blocks(q, n, 0, 4)[:-1], (a, c), (q[:-1], a[1:], c[1:]), step, views)

    def way(self, slab: int, n: int, batch: int, d_a: Array) -> Way:
        """Make the arrays of the way back: the factors f, k_i, k_f, k_g, k_o, k_a; c, i, f, g, o."""
        k = np.empty((slab, 6 * n, batch), d_a.dtype)
        found = np.empty((slab + 1, 6 * n, batch), d_a.dtype)
        d_c = np.empty((n, batch), d_a.dtype)
        times_d_c = spread(d_c, 4)
        free = np.empty((slab, 2 * n, batch), d_a.dtype)

        def slopes(kept: Sequence[Array], first: int) -> None:
            q, a, _ = kept
            i_f, g_c, i, f, o, g, tanh_c = (
                blocks(q, n, *ends)
                for ends in ((0, 2), (3, 5), (0, 1), (1, 2), (2, 3), (3, 4), (5, 6))
            )
            k_c, k_if, k_i, k_g, k_o, k_a = (
                blocks(k[first:], n, *ends)
                for ends in ((0, 1), (1, 3), (1, 2), (3, 4), (4, 5), (5, 6))
            )
            np.copyto(k_c, f)
            multiply(i_f, g_c, k_if)
            multiply(k_i, g, k_g)
            subtract(i, k_g, k_g)  # i (1 - g²)
            multiply(k_if, i_f, free[first:])
            subtract(k_if, free[first:], k_if)  # g i (1 - i), c(t-1) f (1 - f)
            multiply(a, o, k_o)
            subtract(a, k_o, k_o)  # tanh c · o (1 - o)
            multiply(a, tanh_c, k_a)
            subtract(o, k_a, k_a)  # o (1 - tanh² c)

        def step(
            k_o: Array, k_a: Array, d_o: Array, through_a: Array, future: Array, k_c: Any, by_c: Any
        ) -> None:
            multiply(d_a, k_o, d_o)
            multiply(d_a, k_a, through_a)
            add(future, through_a, d_c)  # from the future, through a
            times_d_c(k_c, by_c)

        parts = (
            *(blocks(of[:slab], n, j, j + 1) for of in (k, found) for j in (4, 5)),
            *(blocks(found, n, 0, 1)[1:], by_blocks(blocks(k, n, 0, 4), n)),
            by_blocks(blocks(found[:-1], n, 0, 4), n),
        )
        carried = list(blocks(found, n, 0, 1))
        none: list[None] = [None] * slab
        rows, ways = slice(n, 5 * n), ((carried[:-1], carried[1:]),)
        return Way(found, rows, rows, slopes, step, step_views(*parts), none, ways)

    def record(self, kept: Sequence[Array], t: int) -> LSTMSaved:
        """Return gates, cell states and tanh c of a step."""
        q, _, c = kept
        i, f, o, g, c_past, tanh_c = np.split(q[t].T, 6, axis=1)
        return LSTMSaved(i, f, g, o, c_past, c[t].T, tanh_c)
