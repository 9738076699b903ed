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

import numpy as np

from bptt._fast.kernel import Run, Way, blocks, scalar, step_views
from bptt._typing import Array
from bptt.cells.lstm import LSTMSaved

__all__ = ["LSTMKernel"]

add, multiply, subtract, tanh = np.add, np.multiply, np.subtract, np.tanh


class LSTMKernel:
    """What `bptt.LSTM` does at a step, into given arrays."""

    fold: tuple[tuple[int, float], ...] = ((0, 0.5), (1, 0.5), (3, 0.5), (2, 1.0))
    delta_x: tuple[int, ...] = (1, 2, 3, 4)
    delta_own: int | None = None

    def run(self, steps: int, n: int, batch: int, z_h: Array, own: Sequence[Array]) -> Run:
        """Make the arrays of a run forward: i, f, o, g, c, tanh c; and the products, the last of them a."""
        del own
        q = np.empty((steps + 1, 6 * n, batch), z_h.dtype)
        p = np.empty((steps + 1, 3 * n, batch), z_h.dtype)
        half = scalar(0.5, z_h.dtype)

        def step(
            z: Array, gates: Array, i_f: Array, g_c: Array, o: Array, tanh_c: Array,
            both: Array, i_g: Array, f_c: Array, a: Array, c: Array,
        ) -> None:  # fmt: skip
            add(z, z_h, z)
            tanh(z, z)
            multiply(gates, half, gates)  # σ(z) = (1 + tanh(z / 2)) / 2; the inner half is folded
            add(gates, half, gates)
            multiply(i_f, g_c, both)
            add(i_g, f_c, c)  # c = i ⊙ g + f ⊙ c(t-1)
            tanh(c, tanh_c)
            multiply(o, tanh_c, a)  # a = o ⊙ tanh c

        a, c = blocks(p, n, 2, 3), blocks(q, n, 4, 5)
        of_q = (blocks(q, n, *ends) for ends in ((0, 4), (0, 3), (0, 2), (3, 5), (2, 3), (5, 6)))
        of_p = (blocks(p[1:], n, *ends) for ends in ((0, 2), (0, 1), (1, 2), (2, 3)))
        views = step_views(*of_q, *of_p, c[1:])
        return Run(blocks(q, n, 0, 4)[:-1], (a, c), (q[:-1], p[1:], c[1:]), step, views)

    def way(self, slab: int, n: int, batch: int, d_a: Array) -> Way:
        """Make the arrays of the way back: the factors f, k_i, k_f, k_g, k_o, k_a; c, i, f, g, o."""
        k = np.empty((slab, 6 * n, batch), d_a.dtype)
        found = np.empty((slab + 1, 5 * n, batch), d_a.dtype)
        d_c = np.empty((1, n, batch), d_a.dtype)
        (d_c_flat,) = d_c

        def slopes(kept: Sequence[Array], first: int) -> None:
            q, p, _ = kept
            blocks(k[first:], n, 0, 1)[...] = blocks(q, n, 1, 2)
            for into, gate in ((1, 0), (2, 1), (4, 2)):
                here, product = blocks(k[first:], n, into, into + 1), blocks(p, n, gate, gate + 1)
                multiply(product, blocks(q, n, gate, gate + 1), here)
                subtract(product, here, here)  # p (1 - σ)
            g_a, i_o = _two(blocks(k[first:], n, 3, 6), n), _two(blocks(q, n, 0, 3), n)
            multiply(_two(p, n), _two(blocks(q, n, 3, 6), n), g_a)
            subtract(i_o, g_a, g_a)  # i (1 - g²), o (1 - tanh² c)

        def step(
            k_o: Array, k_a: Array, k_c: Array, d_o: Array, future: Array, by_c: Array
        ) -> None:
            multiply(d_a, k_o, d_o)
            multiply(d_a, k_a, d_c_flat)
            add(future, d_c_flat, d_c_flat)  # from the future, through a
            multiply(d_c, k_c, by_c)

        by_block = (slab, -1, n, batch)
        parts = (
            *(blocks(k, n, 4, 5), blocks(k, n, 5, 6), blocks(k, n, 0, 4).reshape(by_block)),
            *(blocks(found, n, 4, 5), blocks(found, n, 0, 1)[1:]),
            blocks(found, n, 0, 4)[:-1].reshape(by_block),
        )
        carried = list(blocks(found, n, 0, 1))
        none: list[None] = [None] * slab
        delta = blocks(found, n, 1, 5)[:-1]
        ways = ((carried[:-1], carried[1:]),)
        return Way(found, delta, slopes, step, step_views(*parts), none, ways)

    def record(self, kept: Sequence[Array], t: int) -> LSTMSaved:
        """Return gates, cell states and tanh c of a step."""
        q, _, c = kept
        i, f, o, g, c_past, tanh_c = np.split(q[t].T, 6, axis=1)
        return LSTMSaved(i, f, g, o, c_past, c[t].T, tanh_c)


def _two(three: Array, n: int) -> Array:
    """Return the first and the last of three blocks."""
    return three.reshape(len(three), 3, n, -1)[:, ::2]
