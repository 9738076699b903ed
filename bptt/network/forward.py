r"""Run a stack of recurrent layers over a sequence, and keep what the backward pass will need.

.. math::

   z^{l(t)} = a^{l-1(t)} w^l + a^{l(t-1)} u^l + b^l , \qquad a^{l(t)} = a(z^{l(t)})   && \text{(FWD)}

Arrays are time-major: (T, B, n) for T steps, B sequences side by side and n units. The input product
of all steps is one matrix product before the loop over time; only the recurrent product must be inside it.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, LayerParams, LayerState, validation
from bptt._core.tree import one_precision, refuse_overflow
from bptt.cells import Bidirectional, state_names_of
from bptt.cells.protocol import AnyMask, check_one_direction
from bptt.network import engines
from bptt.network.stack import AnyCell, Params, Stack, check_layer, check_params
from bptt.network.states import check_mask, check_state, check_states, empty_state
from bptt.network.traces import AnyTrace, BidirectionalTrace, LayerTrace, States, Trace

__all__ = ["forward", "layer_forward"]

Initial: TypeAlias = Sequence[LayerState] | None
"""The states of the layers before the first step; where a state is one array, it may stand bare."""

MaskLike: TypeAlias = ArrayLike | None
"""Which steps of which sequences there are, booleans of shape (T, B); None if all."""


def forward(
    stack: Stack, params: Params, x: ArrayLike, initial: Initial = None, mask: MaskLike = None
) -> Trace:
    """Run a stack over a batch of sequences: (FWD), layer by layer.

    Parameters
    ----------
    stack
        The architecture.
    params
        Its parameters, float32 or float64. (Complex numbers pass too, for the complex step.) Kept in
        the trace, not copied: do not write to them before `bptt.backward` has used it.
    x
        Input, shape (T, B, n_0), of the same precision, or integers. Kept in the trace likewise.
    initial
        The state of each recurrent layer before the first step: a tuple of arrays (B, n_l), or the
        array where it is only one. Zero if not given. For a bidirectional layer, a pair of those.
    mask
        Which steps of which sequences there are, booleans of shape (T, B), such as
        `bptt.lengths_to_mask` makes; all of them if not given. Where there is no step the state stays
        as it was, and what stands in `x` does not matter (but must be finite). Kept in the trace likewise.

    Returns
    -------
    Trace
        Outputs, final states, and all between.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype, or float32 meets float64.
    ValueError
        If shapes do not match, a number is not finite, or there is no step or no sequence.
    FloatingPointError
        If an activation overflows.

    See Also
    --------
    bptt.backward : the way back.

    Examples
    --------
    One linear unit that adds up what it is given:

    >>> import numpy as np, bptt
    >>> one, zero = np.ones((1, 1)), np.zeros(1)
    >>> adder = bptt.Params((bptt.Recurrent(w=one, u=one, b=zero),), bptt.Affine(w=one, b=zero))
    >>> stack = bptt.Stack(cells=(bptt.Elman(bptt.identity),))
    >>> bptt.forward(stack, adder, np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)).outputs.ravel()
    array([1., 3., 6.])
    """
    return run_forward(stack, *check_run(stack, params, x, initial, mask))


def check_run(
    stack: Stack, params: Params, x: ArrayLike, initial: Initial, mask: MaskLike
) -> tuple[Params, Array, States, AnyMask]:
    """Return parameters, input, initial states and mask, checked against the stack and one another."""
    validation.instance("stack", stack, Stack)
    params = check_params(stack, params)
    x = _input(x, params.layers[0])
    like = [empty_state(*layer, x) for layer in zip(stack.cells, params.layers, strict=True)]
    states = check_states("initial", initial, stack.cells, like, validation.ANALYTIC)
    one_precision(("params", params), ("x", x), ("initial", states))
    return params, x, states, check_mask(mask, x)


def run_forward(stack: Stack, params: Params, x: Array, states: States, mask: AnyMask) -> Trace:
    """Run a stack on arguments that have been checked: from the lowest layer up."""
    layers: list[LayerTrace | BidirectionalTrace] = []
    a = x
    for cell, layer, state in zip(stack.cells, params.layers, states, strict=True):
        layers.append(run_any_layer(cell, layer, a, state, mask))
        a = layers[-1].outputs
    w, b = params.readout
    with np.errstate(all="ignore"):
        z = a @ w + b
        outputs = stack.output(z)
    for i, trace in enumerate(layers):
        _refuse_overflow(f"layers[{i}].", trace)
    return Trace(stack, params, x, tuple(layers), z, validation.computed("outputs", outputs))


def run_to_final(stack: Stack, params: Params, x: Array, states: States, mask: AnyMask) -> States:
    """Run layers of one direction on checked arguments; keep nothing but the state they end in."""
    final: list[LayerState] = []
    with np.errstate(all="ignore"):
        for cell, layer, state in zip(stack.cells, params.layers, states, strict=True):
            last = state
            outputs = np.empty((len(x), *state[0].shape), np.result_type(x, *layer, *state))
            for t, (last, _) in enumerate(engines.walk(cell, layer, x, state, mask)):
                outputs[t] = last[0]
            final.append(tuple(array.copy() for array in last))  # it may be a buffer of the cell
            x = outputs
    refuse_overflow(final=final)
    return tuple(final)


def layer_forward(
    cell: AnyCell,
    params: LayerParams,
    x: ArrayLike,
    initial: LayerState | None = None,
    mask: MaskLike = None,
) -> AnyTrace:
    """Run one recurrent layer over a batch of sequences: (FWD).

    Parameters
    ----------
    cell
        A cell, or a `bptt.Bidirectional` of two.
    params
        The parameters of the layer: w, u and b, or what its cell has.
    x
        Its input, shape (T, B, n_below), of the precision of `params`, or integers.
    initial
        Its state before the first step: a tuple of arrays (B, n), or the array where it is only one.
        Zero if not given. For a bidirectional layer, a pair of those.
    mask
        Which steps of which sequences there are, booleans of shape (T, B); all if not given.

    Returns
    -------
    LayerTrace or BidirectionalTrace
        The states of all steps, and what the derivative needs.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype, or float32 meets float64.
    ValueError
        If shapes do not match, a number is not finite, or there is no step or no sequence.
    FloatingPointError
        If an activation overflows.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> one = bptt.Recurrent(w=np.ones((1, 1)), u=np.ones((1, 1)), b=np.zeros(1))
    >>> bptt.layer_forward(bptt.Elman(bptt.identity), one, np.ones((3, 1, 1))).a.ravel()
    array([0., 1., 2., 3.])
    """
    if not isinstance(cell, Bidirectional):
        check_one_direction("cell", cell)
    params, _ = check_layer("params", cell, params, None)
    x = _input(x, params)
    like = empty_state(cell, params, x)
    state = check_state("initial", initial, cell, like, validation.ANALYTIC)
    one_precision(("params", params), ("x", x), ("initial", state))
    trace = run_any_layer(cell, params, x, state, check_mask(mask, x))
    _refuse_overflow("", trace)
    return trace


@np.errstate(all="ignore")
def run_any_layer(
    cell: AnyCell, params: LayerParams, x: Array, state: LayerState, mask: AnyMask
) -> LayerTrace | BidirectionalTrace:
    """Run one layer, of one direction or both, on arguments that have been checked."""
    if isinstance(cell, Bidirectional):
        turned = None if mask is None else mask[::-1]
        there = run_any_layer(cell.forward, params.forward, x, state[0], mask)
        # (bi-fwd): what it reads first is the last step
        back = run_any_layer(cell.backward, params.backward, x[::-1], state[1], turned)
        return BidirectionalTrace(there, back)  # type: ignore[arg-type]
    return engines.run_layer(cell, params, x, state, mask)


def _input(x: ArrayLike, params: LayerParams) -> Array:
    """Return the input of a layer, checked; the rows of the layer's first parameter are n_below."""
    first = params
    while isinstance(first, tuple):
        first = first[0]
    given = validation.whole_as("x", x, first)
    return validation.array("x", given, ("T", "B", len(first)), validation.ANALYTIC)


def _refuse_overflow(prefix: str, trace: LayerTrace | BidirectionalTrace) -> None:
    if isinstance(trace, BidirectionalTrace):
        _refuse_overflow(f"{prefix}forward.", trace.forward)
        _refuse_overflow(f"{prefix}backward.", trace.backward)
    elif not all(map(validation.all_finite, trace.states)):
        for name, array in zip(state_names_of(trace.cell), trace.states, strict=True):
            validation.computed(f"{prefix}{name}", array)
