r"""Gated recurrent units, both of them. They differ in where the reset gate r acts.

.. math::

   r = \sigma(z_r) , \qquad s = \sigma(z_s) , \qquad
   a^{(t)} = (1 - s) \odot n + s \odot a^{(t-1)}

Reset after the product, as cuDNN and PyTorch do (`GRU`), with a recurrent bias c that the gate can reset:

.. math:: n = \tanh\bigl(z_{x,n} + r \odot (z_{h,n} + c)\bigr)

Reset before the product, as published (`ResetBeforeGRU`):

.. math:: n = \tanh\bigl(x w_n + (r \odot a^{(t-1)}) u_n + b_n\bigr)

The blocks stand in the order r, s, n. (The update gate is called z in the papers, where z is not the
weighted input; here it is s.) The second form puts a product inside a function of another product, so
it does not split into two contributions, and stands on the unfactored level.

Source: Cho et al. (2014), where s keeps and 1 - s renews, as here and in PyTorch. In Chung et al. (2014)
s and 1 - s stand the other way round.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bptt._core import Array, Saved, State, Stepped, SteppedBack
from bptt._core.tree import array_record
from bptt.cells.activations import gate
from bptt.cells.protocol import Recurrent

__all__ = ["GRU", "GRUParams", "ResetBeforeGRU"]


@array_record
class GRUParams(NamedTuple):
    """The parameters of a GRU layer that resets after the product.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, 3 n): blocks r, s, n.
    u
        Recurrent weights, shape (n, 3 n).
    b
        Bias, shape (3 n,).
    c
        The recurrent bias of the block n, shape (n,). (For r and s it would be the same as b.)
    """

    w: Array
    u: Array
    b: Array
    c: Array


@dataclass(frozen=True)
class GRU:
    r"""A gated recurrent unit that resets after the product, as PyTorch and cuDNN; its state is (a,).

    Its parameters are a `GRUParams`.

    See Also
    --------
    bptt.ResetBeforeGRU : the published form.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.GRU(),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 1), rng=np.random.default_rng(0))
    >>> bptt.forward(stack, params, np.ones((5, 2, 1))).layers[0].a.shape
    (6, 2, 4)
    """

    parameters = GRUParams

    def step(self, z_r: Array, z_s: Array, x_n: Array, h_n: Array, a: Array, c: Array) -> Stepped:
        """Return the new a, and what its derivative needs."""
        r, not_r = gate(z_r)  # (gru-after)
        s, not_s = gate(z_s)  # (gru-after)
        reset = h_n + c  # (gru-after)
        n = np.tanh(x_n + r * reset)  # (gru-after)
        return (not_s * n + s * a,), (r, not_r, s, not_s, n, reset)  # (gru-a)

    def step_backward(
        self,
        d_a: Array,
        a: Array,
        c: Array,
        r: Array,
        not_r: Array,
        s: Array,
        not_s: Array,
        n: Array,
        reset: Array,
    ) -> SteppedBack:
        """Return δ of the weighted inputs, ∂C/∂a along the update gate's path, and ∂C/∂c."""
        d_n = d_a * not_s * (1 - n**2)  # (gru-dn)
        d_h = d_n * r  # (gru-dm)
        d_s = d_a * (a - n) * s * not_s  # (gru-ds)
        d_r = d_n * reset * r * not_r  # (gru-dr)
        return (d_r, d_s, d_n, d_h), (d_a * s,), (d_h,)  # (gru-da)


@dataclass(frozen=True)
class ResetBeforeGRU:
    r"""A gated recurrent unit that resets before the product, as published; its state is (a,).

    Its parameters are a `bptt.Recurrent`, with three blocks: r, s, n.

    See Also
    --------
    bptt.GRU : the form of PyTorch and cuDNN.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.ResetBeforeGRU(),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 1), rng=np.random.default_rng(0))
    >>> params.layers[0].u.shape
    (4, 12)
    """

    state_names = ("a",)
    parameters = Recurrent

    def shapes(self, n_below: int, n: int, /) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of w, u and b."""
        return (n_below, 3 * n), (n, 3 * n), (3 * n,)

    def unfactored_step(self, params: Recurrent, x: Array, state: State, /) -> tuple[State, Saved]:
        """Return the next state, ``(a,)``, and what its derivative needs."""
        w, u, b = params
        (a_past,) = state
        n_units = len(u)
        z = x @ w + b
        gates, not_gates = gate(z[:, : 2 * n_units] + a_past @ u[:, : 2 * n_units])
        r, s, not_s = gates[:, :n_units], gates[:, n_units:], not_gates[:, n_units:]
        n = np.tanh(z[:, 2 * n_units :] + (r * a_past) @ u[:, 2 * n_units :])  # (gru-before)
        return (not_s * n + s * a_past,), (x, gates, not_gates, n, a_past)  # (gru-a)

    def unfactored_backward(
        self, params: Recurrent, d_state: State, saved: Saved, /
    ) -> tuple[Recurrent, Array, State]:
        """Return ∂C/∂(w, u, b), ∂C/∂x and ∂C/∂(previous state)."""
        w, u, _ = params
        x, gates, not_gates, n, a_past = saved
        (d_a,) = d_state
        (r, s), (not_r, not_s) = np.split(gates, 2, axis=1), np.split(not_gates, 2, axis=1)
        u_gates, u_n = u[:, : 2 * len(u)], u[:, 2 * len(u) :]
        d_n = d_a * not_s * (1 - n**2)  # (gru-dn)
        d_reset = d_n @ u_n.T  # (gru-dq)
        d_s = d_a * (a_past - n) * s * not_s  # (gru-ds)
        d_r = d_reset * a_past * r * not_r  # (gru-dr-before)
        d_gates = np.concatenate([d_r, d_s], axis=1)
        delta = np.concatenate([d_gates, d_n], axis=1)
        # (gru-du-before)
        d_u = np.concatenate([a_past.T @ d_gates, (r * a_past).T @ d_n], axis=1)
        d_past = d_a * s + d_gates @ u_gates.T + d_reset * r  # (gru-da-before)
        return Recurrent(x.T @ delta, d_u, delta.sum(axis=0)), delta @ w.T, (d_past,)
