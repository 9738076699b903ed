r"""Long short-term memory: a cell state c that is added to, and gates that say how much.

.. math::

   i &= \sigma(z_i + p_i \odot c^{(t-1)}) , \quad f = \sigma(z_f + p_f \odot c^{(t-1)}) , \quad
   g = \tanh z_g

   c^{(t)} &= f \odot c^{(t-1)} + i \odot g , \qquad o = \sigma(z_o + p_o \odot c^{(t)}) , \qquad
   a^{(t)} = o \odot \tanh c^{(t)}

with :math:`z = z_x + z_h` in four blocks, in the order i, f, g, o. Without peepholes p = 0.

Sources: Hochreiter & Schmidhuber (1997); the forget gate is that of Gers, Schmidhuber & Cummins (2000),
the peepholes those of Gers, Schraudolph & Schmidhuber (2002). The order of the blocks is PyTorch's.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bptt._core.record import array_record
from bptt._core.types import Array, State
from bptt.cells.activations import sigmoid
from bptt.cells.protocol import Recurrent

__all__ = ["LSTM", "LSTMSaved", "PeepholeLSTM", "PeepholeLSTMParams"]


class LSTMSaved(NamedTuple):
    """What an LSTM step keeps for its derivative: gates, cell states and tanh c, each (B, n)."""

    i: Array
    f: Array
    g: Array
    o: Array
    c_past: Array
    c: Array
    tanh_c: Array


@array_record
class PeepholeLSTMParams(NamedTuple):
    """The parameters of an LSTM layer with peepholes.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, 4 n): blocks i, f, g, o.
    u
        Recurrent weights, shape (n, 4 n).
    b
        Bias, shape (4 n,).
    p
        Peephole weights from the cell state to the gates i, f and o, shape (3 n,).
    """

    w: Array
    u: Array
    b: Array
    p: Array


@dataclass(frozen=True)
class LSTM:
    r"""A long short-term memory layer, without peepholes; its state is (a, c).

    See Also
    --------
    bptt.PeepholeLSTM : gates that see the cell state.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 1), rng=np.random.default_rng(0))
    >>> trace = bptt.forward(stack, params, np.ones((5, 2, 1)))
    >>> a, c = trace.final[0]
    >>> a.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    own_blocks = ()
    state_names = ("a", "c")
    parameters = Recurrent

    def step(self, z_x: Array, z_h: Array, state: State, /) -> tuple[State, LSTMSaved]:
        """Return the next state, ``(a, c)``, and what its derivative needs."""
        return _step(z_x + z_h, state[1], None)  # (lstm-z)

    def step_backward(
        self, d_state: State, saved: LSTMSaved, /
    ) -> tuple[Array, Array, tuple[Array, Array]]:
        """Return δ for both contributions, and ∂C/∂c along the cell state's own way back."""
        delta, d_c_past = _step_backward(d_state, saved, (0.0, 0.0, 0.0))
        return delta, delta, (np.zeros_like(d_c_past), d_c_past)


@dataclass(frozen=True)
class PeepholeLSTM:
    r"""A long short-term memory layer whose gates see the cell state; its state is (a, c).

    Its parameters are a `PeepholeLSTMParams`.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.PeepholeLSTM(),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 1), rng=np.random.default_rng(0))
    >>> params.layers[0].p.shape
    (12,)
    """

    gates = 4
    own_blocks = (3,)
    state_names = ("a", "c")
    parameters = PeepholeLSTMParams

    def step(self, z_x: Array, z_h: Array, state: State, p: Array, /) -> tuple[State, LSTMSaved]:
        """Return the next state, ``(a, c)``, and what its derivative needs."""
        return _step(z_x + z_h, state[1], tuple(np.split(p, 3)))

    def step_backward(
        self, d_state: State, saved: LSTMSaved, p: Array, /
    ) -> tuple[Array, Array, tuple[Array, Array], Array]:
        """Return δ for both contributions, ∂C/∂c along its own way back, and ∂C/∂p."""
        delta, d_c_past = _step_backward(d_state, saved, tuple(np.split(p, 3)))
        d_i, d_f, _, d_o = np.split(delta, 4, axis=1)
        peeks = (d_i * saved.c_past, d_f * saved.c_past, d_o * saved.c)  # (lstm-peep-dp)
        d_p = np.concatenate([peek.sum(axis=0) for peek in peeks])
        return delta, delta, (np.zeros_like(d_c_past), d_c_past), d_p


def _step(z: Array, c_past: Array, p: State | None) -> tuple[State, LSTMSaved]:
    z_i, z_f, z_g, z_o = z.reshape(len(z), 4, -1).swapaxes(0, 1)  # views; np.split is slow
    if p is not None:
        z_i, z_f = z_i + p[0] * c_past, z_f + p[1] * c_past  # (lstm-peep)
    i, f, g = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g)  # (lstm-gates)
    c = f * c_past + i * g  # (lstm-c)
    if p is not None:
        z_o = z_o + p[2] * c  # (lstm-peep)
    o = sigmoid(z_o)  # (lstm-gates)
    tanh_c = np.tanh(c)
    return (o * tanh_c, c), LSTMSaved(i, f, g, o, c_past, c, tanh_c)  # (lstm-a)


def _step_backward(
    d_state: State, saved: LSTMSaved, p: tuple[Array | float, ...]
) -> tuple[Array, Array]:
    i, f, g, o, c_past, _, tanh_c = saved
    p_i, p_f, p_o = p
    d_a, d_c = d_state
    d_o = d_a * tanh_c * o * (1 - o)  # (lstm-do)
    d_c = d_c + d_a * o * (1 - tanh_c**2) + d_o * p_o  # (lstm-dc), (lstm-peep-dc)
    d_i = d_c * g * i * (1 - i)  # (lstm-di)
    d_f = d_c * c_past * f * (1 - f)  # (lstm-df)
    d_g = d_c * i * (1 - g**2)  # (lstm-dg)
    # (lstm-highway), (lstm-peep-dc): what c hands to its past
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f + d_i * p_i + d_f * p_f
