r"""Backpropagation through time: the error of a cost, carried down the layers and back through time.

.. math::

   \delta^{L(t)} &= \nabla_a C^{(t)} \odot a'(z^{L(t)})                                 && \text{(BP1)}

   \delta^{l(t)} &= a'(z^{l(t)}) \odot
      \bigl[ \delta^{l+1(t)} (w^{l+1})^\top + \delta^{l(t+1)} (u^l)^\top \bigr] ,
      \quad \delta^{l(T+1)} = 0                                                         && \text{(BP2)}

   \partial C / \partial b^l &= \textstyle\sum_t \delta^{l(t)}                          && \text{(BP3)}

   \partial C / \partial w^l &= \textstyle\sum_t (a^{l-1(t)})^\top \delta^{l(t)} , \quad
   \partial C / \partial u^l  = \textstyle\sum_t (a^{l(t-1)})^\top \delta^{l(t)}        && \text{(BP4)}

   \partial C / \partial a^{l(0)} &= \delta^{l(1)} (u^l)^\top , \quad
   \partial C / \partial x^{(t)}   = \delta^{1(t)} (w^1)^\top                           && \text{(BP0)}

Rows are the members of a batch, arrays time-major, (T, B, n), and δ is the total derivative ∂C/∂z.
The way back is a vector-Jacobian product: it takes the cotangents (derivatives of a cost) of the
outputs and of the final state, and returns those of the parameters, the inputs and the initial state.
The gradient over a long sequence is therefore composed from its segments, last one first.

Sources: Werbos (1990); Williams & Peng (1990). The labels are those of the derivation on this site.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, LayerState, validation
from bptt._core.tree import arrays_in, one_precision, tree_leaves
from bptt.cells import BothDirections
from bptt.network import engines
from bptt.network.stack import Affine, Params
from bptt.network.states import check_state, check_states
from bptt.network.traces import BidirectionalTrace, Gradient, LayerGradient, LayerTrace, Trace

__all__ = ["Gradient", "LayerGradient", "backward", "layer_backward"]

LayerWay: TypeAlias = Callable[[LayerTrace, Array, LayerState], LayerGradient]


def backward(
    trace: Trace, d_outputs: ArrayLike, d_final: Sequence[LayerState] | None = None
) -> Gradient:
    r"""Carry the gradient of a cost back through a stack and through time: (BP0) to (BP4).

    Parameters
    ----------
    trace
        What `bptt.forward` returned.
    d_outputs
        :math:`\nabla_a C^{(t)}` of all steps, shape (T, B, n_L); zero where a step has no cost.
    d_final
        ∂C/∂(final state) of each recurrent layer, for a cost that goes on after the last step: a
        tuple of arrays (B, n_l), or the array where it is only one. Zero if not given.

    Returns
    -------
    Gradient
        With respect to parameters, input and initial states, and the errors of all layers.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype.
    ValueError
        If shapes do not match those of the trace, or a number is not finite.
    FloatingPointError
        If the gradient overflows: it has exploded.

    See Also
    --------
    bptt.forward : the way there.
    bptt.check_gradient : is it right?

    Examples
    --------
    A linear unit with recurrent weight 1/2, and a cost that is its state after three steps:

    >>> import numpy as np, bptt
    >>> one, half, zero = np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros(1)
    >>> params = bptt.Params((bptt.Recurrent(w=one, u=half, b=zero),), bptt.Affine(w=one, b=zero))
    >>> stack = bptt.Stack(cells=(bptt.Elman(bptt.identity),))
    >>> trace = bptt.forward(stack, params, np.ones((3, 1, 1)))
    >>> d_outputs = np.array([0.0, 0.0, 1.0]).reshape(3, 1, 1)
    >>> bptt.backward(trace, d_outputs).x.ravel()
    array([0.25, 0.5 , 1.  ])
    """
    validation.instance("trace", trace, Trace)
    validation.real("trace.outputs", trace.outputs)
    d_a: Array = validation.array("d_outputs", d_outputs, trace.outputs.shape)
    cells, final = trace.stack.cells, trace.final
    d_states = check_states("d_final", d_final, cells, final, validation.REAL)
    one_precision(("trace.outputs", trace.outputs), ("d_outputs", d_a), ("d_final", d_states))
    gradient = run_backward(trace, d_a, d_states)
    _refuse_overflow(gradient)
    return gradient


def run_backward(
    trace: Trace, d_outputs: Array, d_states: Sequence[LayerState], through: LayerWay | None = None
) -> Gradient:
    """Go back through a stack on arguments that have been checked: from the readout down."""
    through = through or run_any_layer_backward
    layers: list[LayerGradient] = []
    with np.errstate(all="ignore"):
        delta = d_outputs * trace.stack.output.derivative(trace.z, trace.outputs)  # (BP1)
        readout = Affine(w=outer_sum(trace.layers[-1].outputs, delta), b=delta.sum(axis=(0, 1)))
        d_a: Array = delta @ trace.params.readout.w.T  # from above: δ(l+1) wᵀ
        for i in reversed(range(len(trace.layers))):
            layers.insert(0, through(trace.layers[i], d_a, d_states[i]))
            d_a = layers[0].x
    return Gradient(
        params=Params(tuple(layer.params for layer in layers), readout),
        x=d_a,
        initial=tuple(layer.initial for layer in layers),
        delta=(*(layer.delta for layer in layers), delta),
    )


def layer_backward(
    trace: LayerTrace | BidirectionalTrace, d_a: ArrayLike, d_final: LayerState | None = None
) -> LayerGradient:
    """Carry the gradient of a cost back through one recurrent layer: (BP2), (BP3), (BP4), (BP0).

    Parameters
    ----------
    trace
        What `bptt.layer_forward` returned.
    d_a
        From above: ∂C/∂a of all steps, shape (T, B, n), without the paths through the layer's own
        future.
    d_final
        ∂C/∂(final state): a tuple of arrays (B, n), or the array where it is only one. Zero if not
        given.

    Returns
    -------
    LayerGradient
        With respect to w, u, b, the input and the initial state, and the errors.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype.
    ValueError
        If shapes do not match those of the trace, or a number is not finite.
    FloatingPointError
        If the gradient overflows: it has exploded.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> half = bptt.Recurrent(w=np.ones((1, 1)), u=np.full((1, 1), 0.5), b=np.zeros(1))
    >>> trace = bptt.layer_forward(bptt.Elman(bptt.identity), half, np.ones((3, 1, 1)))
    >>> bptt.layer_backward(trace, np.ones((3, 1, 1))).delta.ravel()
    array([1.75, 1.5 , 1.  ])
    """
    if not isinstance(trace, BidirectionalTrace):
        validation.instance("trace", trace, LayerTrace)
    outputs = trace.outputs
    validation.real("trace.outputs", outputs)
    d_above = validation.array("d_a", d_a, outputs.shape)
    d_state = check_state("d_final", d_final, trace.cell, trace.final, validation.REAL)
    one_precision(("trace.outputs", outputs), ("d_a", d_above), ("d_final", d_state))
    gradient = run_any_layer_backward(trace, d_above, d_state)
    _refuse_overflow(gradient)
    return gradient


@np.errstate(all="ignore")
def run_any_layer_backward(
    trace: LayerTrace | BidirectionalTrace, d_a: Array, d_state: LayerState
) -> LayerGradient:
    """Go back through one layer, of one direction or both, on arguments that have been checked."""
    if isinstance(trace, LayerTrace):
        return engines.run_layer_backward(trace, d_a, d_state)
    n = trace.forward.outputs.shape[2]
    there = run_any_layer_backward(trace.forward, d_a[:, :, :n], d_state[0])
    # (bi-bp2): the last step comes first
    back = run_any_layer_backward(trace.backward, d_a[::-1, :, n:], d_state[1])
    return LayerGradient(
        BothDirections(there.params, back.params),
        x=there.x + back.x[::-1],  # (bi-bp0)
        initial=BothDirections(there.initial, back.initial),
        delta=BothDirections(there.delta, back.delta),
    )


def outer_sum(a: Array, delta: Array) -> Array:
    """Return the sum over steps and sequences of aᵀ δ: one matrix product."""
    rows, errors = (array.reshape(-1, array.shape[-1]) for array in (a, delta))
    found: Array = rows.T.dot(errors)  # for small matrices `@` takes twice as long
    return found


def _refuse_overflow(gradient: Gradient | LayerGradient) -> None:
    """Look at δ first: it is where an explosion begins. (BP3) has all of it: finite if ∂C/∂b is."""
    if not all(map(validation.all_finite, arrays_in(gradient[:3]))):  # params, x and initial
        leaves = tree_leaves(gradient, "gradient")
        for leaf in sorted(leaves, key=lambda named: "delta" not in named[0]):
            validation.computed(*leaf)
