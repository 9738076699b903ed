r"""Long short-term memory: a cell state c that is added to, and gates that say how much.

.. math::

   i &= \sigma(z_i + p_i \odot c^{(t-1)}) , \quad f = \sigma(z_f + p_f \odot c^{(t-1)}) , \quad
   g = \tanh z_g

   c^{(t)} &= f \odot c^{(t-1)} + i \odot g , \qquad o = \sigma(z_o + p_o \odot c^{(t)}) , \qquad
   a^{(t)} = o \odot \tanh c^{(t)}

with the blocks of z in the order i, f, g, o. Without peepholes p = 0. `gate` returns
:math:`\sigma(z)` with :math:`1 - \sigma(z)`, of which the derivative :math:`\sigma' = \sigma (1 - \sigma)` is made;
a subtraction would lose the digits of :math:`1 - \sigma` where the gate is open.

Sources: Hochreiter & Schmidhuber (1997); the forget gate is that of Gers, Schmidhuber & Cummins (2000),
the peepholes those of Gers, Schraudolph & Schmidhuber (2002). The order of the blocks is PyTorch's.

The derivative stands here once.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bptt._core import Array, Stepped, SteppedBack
from bptt._core.tree import array_record
from bptt.cells.activations import gate
from bptt.cells.protocol import Recurrent

__all__ = ["LSTM", "PeepholeLSTM", "PeepholeLSTMParams"]


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
    p_i
        Peephole weights from the cell state to the gate i, shape (n,).
    p_f
        The same to the gate f.
    p_o
        The same to the gate o.
    """

    w: Array
    u: Array
    b: Array
    p_i: Array
    p_f: Array
    p_o: Array


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

    parameters = Recurrent

    def step(self, z_i: Array, z_f: Array, z_g: Array, z_o: Array, a: Array, c: Array) -> Stepped:
        """Return the new a and c, and what their derivative needs."""
        c_new, gates = _cell(z_i, z_f, z_g, c)
        a_new, output = _output(z_o, c_new)
        return (a_new, c_new), (*gates, *output)

    def step_backward(
        self,
        d_a: Array,
        d_c: Array,
        a: Array,
        c: Array,
        i: Array,
        not_i: Array,
        f: Array,
        not_f: Array,
        g: Array,
        o: Array,
        not_o: Array,
        tanh_c: Array,
    ) -> SteppedBack:
        """Return δ of the blocks, and ∂C/∂c along the cell state's own path to the past."""
        d_o, through_a = _output_backward(d_a, o, not_o, tanh_c)
        d_c = d_c + through_a  # (lstm-dc)
        d_i, d_f, d_g, d_c_past = _cell_backward(d_c, c, i, not_i, f, not_f, g)
        return (d_i, d_f, d_g, d_o), (0.0, d_c_past), ()


@dataclass(frozen=True)
class PeepholeLSTM:
    r"""A long short-term memory layer whose gates see the cell state; its state is (a, c).

    Its parameters are a `PeepholeLSTMParams`. The formula is that of `LSTM` at weighted inputs to which
    the peepholes have been added.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.PeepholeLSTM(),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 1), rng=np.random.default_rng(0))
    >>> params.layers[0].p_o.shape
    (4,)
    """

    parameters = PeepholeLSTMParams

    def step(
        self,
        z_i: Array,
        z_f: Array,
        z_g: Array,
        z_o: Array,
        a: Array,
        c: Array,
        p_i: Array,
        p_f: Array,
        p_o: Array,
    ) -> Stepped:
        """Return the new a and c, and what their derivative needs."""
        c_new, gates = _cell(z_i + p_i * c, z_f + p_f * c, z_g, c)  # (lstm-peep)
        a_new, output = _output(z_o + p_o * c_new, c_new)  # (lstm-peep)
        return (a_new, c_new), (*gates, *output, c_new)

    def step_backward(
        self,
        d_a: Array,
        d_c: Array,
        a: Array,
        c: Array,
        p_i: Array,
        p_f: Array,
        p_o: Array,
        i: Array,
        not_i: Array,
        f: Array,
        not_f: Array,
        g: Array,
        o: Array,
        not_o: Array,
        tanh_c: Array,
        c_new: Array,
    ) -> SteppedBack:
        """Return δ of the blocks, ∂C/∂c along its own paths to the past, and ∂C/∂ the peepholes."""
        d_o, through_a = _output_backward(d_a, o, not_o, tanh_c)
        d_c = d_c + through_a + d_o * p_o  # (lstm-peep-dc)
        d_i, d_f, d_g, d_c_past = _cell_backward(d_c, c, i, not_i, f, not_f, g)
        d_c_past = d_c_past + d_i * p_i + d_f * p_f  # (lstm-peep-dc)
        peeks = (d_i * c, d_f * c, d_o * c_new)  # (lstm-peep-dp)
        return (d_i, d_f, d_g, d_o), (0.0, d_c_past), peeks


def _cell(z_i: Array, z_f: Array, z_g: Array, c: Array) -> tuple[Array, tuple[Array, ...]]:
    """Return the new cell state, and the gates that made it, each with what it keeps out."""
    i, not_i = gate(z_i)  # (lstm-gates)
    f, not_f = gate(z_f)  # (lstm-gates)
    g = np.tanh(z_g)  # (lstm-gates)
    return f * c + i * g, (i, not_i, f, not_f, g)  # (lstm-c)


def _cell_backward(
    d_c: Array, c: Array, i: Array, not_i: Array, f: Array, not_f: Array, g: Array
) -> tuple[Array, Array, Array, Array]:
    """Return δ of i, f and g, and what reaches the cell state before."""
    d_i = d_c * g * i * not_i  # (lstm-di)
    d_f = d_c * c * f * not_f  # (lstm-df)
    d_g = d_c * i * (1 - g**2)  # (lstm-dg)
    return d_i, d_f, d_g, d_c * f  # (lstm-highway)


def _output(z_o: Array, c: Array) -> tuple[Array, tuple[Array, ...]]:
    """Return the activation, and what its derivative needs."""
    o, not_o = gate(z_o)  # (lstm-gates)
    tanh_c = np.tanh(c)
    return o * tanh_c, (o, not_o, tanh_c)  # (lstm-a)


def _output_backward(d_a: Array, o: Array, not_o: Array, tanh_c: Array) -> tuple[Array, Array]:
    """Return δ of o, and what reaches the cell state through a."""
    d_o = d_a * tanh_c * o * not_o  # (lstm-do)
    return d_o, d_a * o * (1 - tanh_c**2)  # (lstm-dc)
