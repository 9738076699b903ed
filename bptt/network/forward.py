r"""Run a stack of recurrent layers over a sequence, and keep what the backward pass will need.

.. math::

   z^{l(t)} = a^{l-1(t)} w^l + a^{l(t-1)} u^l + b^l , \qquad a^{l(t)} = a(z^{l(t)})   && \text{(FWD)}

Arrays are time-major: (T, B, n) for T steps, B sequences side by side and n units. The input product
of all steps is one matrix product before the loop over time; only the recurrent product must be inside it.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import validation
from bptt._core.tree import tree_leaves, tree_map
from bptt._core.types import Array, State
from bptt._core.workspace import Workspace, check_workspace
from bptt._fast.engine import kernel_of, run_there
from bptt.cells import Bidirectional, BothDirections
from bptt.cells.protocol import is_factored
from bptt.network.parameters import Params
from bptt.network.stack import (
    AnyCell,
    OneDirection,
    Stack,
    check_cell_type,
    check_layer,
    check_params,
)
from bptt.network.states import Initial, check_mask, initial_state, initial_states
from bptt.network.traces import BidirectionalTrace, LayerTrace, Trace

__all__ = ["forward", "layer_forward"]

PIECE = 4  # steps whose memory is used again where nothing but the last state is kept


def forward(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    initial: Initial = None,
    mask: ArrayLike | None = None,
    *,
    workspace: Workspace | None = None,
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
        Input, shape (T, B, n_0), of the same precision. Kept in the trace likewise.
    initial
        The state of each recurrent layer before the first step: a tuple of arrays (B, n_l), or the
        array where it is only one. Zero if not given. For a bidirectional layer, a pair of those.
    mask
        Which steps of which sequences there are, booleans of shape (T, B), such as
        `bptt.lengths_to_mask` makes; all of them if not given. Where there is no step the state stays
        as it was, and what stands in `x` does not matter (but must be finite).
    workspace
        Memory to use again: the trace then holds until the next call with it. See `bptt.Workspace`.

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
    params, x, states, found = check_run(stack, params, x, initial, mask)
    return run_forward(stack, params, x, states, found, check_workspace(workspace))


def check_run(
    stack: Stack, params: Params, x: ArrayLike, initial: Initial, mask: ArrayLike | None
) -> tuple[Params, Array, tuple[Any, ...], Any]:
    """Return parameters, input, initial states and mask, checked against the stack and one another."""
    validation.instance("stack", stack, Stack)
    params = check_params(stack, params)
    x = validation.array("x", x, ("T", "B", _inputs(params.layers[0])), validation.ANALYTIC)
    states = initial_states(stack.cells, params, x, initial)
    found = check_mask(mask, x)
    validation.one_precision(
        [*tree_leaves(params, "params"), ("x", x), *tree_leaves(states, "initial")]
    )
    return params, x, states, found


def run_forward(
    stack: Stack, params: Params, x: Array, states: Any, mask: Any, space: Workspace | None = None
) -> Trace:
    """Run a stack on arguments that have been checked: from the lowest layer up."""
    layers: list[LayerTrace | BidirectionalTrace] = []
    a = x
    with np.errstate(over="ignore", invalid="ignore"):
        each = zip(stack.cells, params.layers, states, strict=True)
        for i, (cell, layer, state) in enumerate(each):
            own = space and space.part(i)
            layers.append(run_any_layer(cell, layer, a, state, mask, own))
            a = layers[-1].outputs
        w, b = params.readout
        z = a @ w + b
        outputs = stack.output(z)
    for i, trace in enumerate(layers):
        _refuse_overflow(f"layers[{i}].", trace)
    validation.computed("outputs", outputs)
    return Trace(stack, params, x, tuple(layers), z, outputs)


def run_to_final(stack: Stack, params: Params, x: Array, states: Any, mask: Any) -> Any:
    """Run layers of one direction on checked arguments; keep nothing but the state they end in."""
    final: list[State] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for cell, layer, state in zip(stack.cells, params.layers, states, strict=True):
            x, last = _run_and_forget(cell, layer, x, state, mask)
            final.append(last)
    for name, array in tree_leaves(tuple(final), "final"):
        validation.computed(name, array)
    return tuple(final)


def _run_and_forget(cell: Any, params: Any, x: Array, state: State, mask: Any) -> tuple[Any, State]:
    """Run one layer; return what the layer above sees, and the last state."""
    outputs = np.empty((len(x), *state[0].shape), np.result_type(x, *params, *state))
    if kernel_of(cell):
        return outputs, _run_in_pieces(cell, params, x, state, mask, outputs)
    step = _stepper(cell, params, x)
    for t in range(len(x)):
        stepped, _ = step(t, state)
        state = stepped if mask is None else _where_there_is_a_step(mask[t], stepped, state)
        outputs[t] = state[0]
    return outputs, state


def _run_in_pieces(
    cell: Any, params: Any, x: Array, state: State, mask: Any, outputs: Array
) -> State:
    """Run one layer a few steps at a time, in the same memory; fill in its outputs."""
    space = Workspace()
    for t in range(0, len(x), PIECE):
        steps = slice(t, t + PIECE)
        there = None if mask is None else mask[steps]
        trace = run_any_layer(cell, params, x[steps], state, there, space)
        outputs[steps] = trace.outputs
        state = tree_map(np.copy, trace.final)  # the next piece writes over it
    return state


def layer_forward(
    cell: AnyCell,
    params: Any,
    x: ArrayLike,
    initial: Any = None,
    mask: ArrayLike | None = None,
    *,
    workspace: Workspace | None = None,
) -> Any:
    """Run one recurrent layer over a batch of sequences: (FWD).

    Parameters
    ----------
    cell
        The pointwise mathematics of a step.
    params
        The parameters of the layer: w, u and b, or what its cell has.
    x
        Its input, shape (T, B, n_below).
    initial
        Its state before the first step: a tuple of arrays (B, n), or the array where it is only one.
        Zero if not given. For a bidirectional layer, a pair of those.
    mask
        Which steps of which sequences there are, booleans of shape (T, B); all if not given.
    workspace
        Memory to use again: the trace then holds until the next call with it. See `bptt.Workspace`.

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
    check_cell_type("cell", cell)
    params, _ = check_layer("params", cell, params, None)
    x = validation.array("x", x, ("T", "B", _inputs(params)), validation.ANALYTIC)
    state = initial_state("initial", cell, params, x, initial)
    found = check_mask(mask, x)
    validation.one_precision(
        [*tree_leaves(params, "params"), ("x", x), *tree_leaves(state, "initial")]
    )
    with np.errstate(over="ignore", invalid="ignore"):
        trace = run_any_layer(cell, params, x, state, found, check_workspace(workspace))
    _refuse_overflow("", trace)
    return trace


def run_any_layer(
    cell: AnyCell, params: Any, x: Array, state: Any, mask: Any, space: Workspace | None = None
) -> LayerTrace | BidirectionalTrace:
    """Run one layer, of one direction or both, on arguments that have been checked."""
    if isinstance(cell, Bidirectional):
        own, other = (space and space.part(way) for way in ("forward", "backward"))
        turned = None if mask is None else mask[::-1]
        there = run_any_layer(cell.forward, params.forward, x, state[0], mask, own)
        # (bi-fwd): what it reads first is the last step
        back = run_any_layer(cell.backward, params.backward, x[::-1], state[1], turned, other)
        return BidirectionalTrace(there, back)  # type: ignore[arg-type]
    kernel = kernel_of(cell)
    if kernel is None:
        return run_layer(cell, params, x, state, mask)
    states, kept = run_there(kernel, params, x, state, mask, space)
    return LayerTrace(cell, params, x, states, kept, mask)


def run_layer(cell: OneDirection, params: Any, x: Array, state: State, mask: Any) -> LayerTrace:
    """Run one layer of any cell on arguments that have been checked: the loop over time of (FWD)."""
    steps = len(x)
    step = _stepper(cell, params, x)
    dtype = np.result_type(x, *params, *state)
    states = tuple(np.empty((steps + 1, *array.shape), dtype) for array in state)
    saved: list[Any] = []
    _store(states, 0, state)
    for t in range(steps):
        stepped, kept = step(t, state)  # (CELL), (rtrl-step)
        state = stepped if mask is None else _where_there_is_a_step(mask[t], stepped, state)
        _store(states, t + 1, state)
        saved.append(kept)
    return LayerTrace(cell, params, x, states, tuple(saved), mask)


def _stepper(cell: OneDirection, params: Any, x: Array) -> Any:
    """Return what goes one step forward, with all that can be done before the loop done."""
    if not is_factored(cell):
        by_hand: Any = cell
        return lambda t, state: by_hand.unfactored_step(params, x[t], state)
    w, u, b, *own = params
    z_x = x @ w  # (FWD), (gate-contributions), of all steps at once
    z_x = np.add(z_x, b, out=z_x if np.result_type(z_x, b) == z_x.dtype else None)
    # (FWD), (gate-contributions)
    return lambda t, state: cell.step(z_x[t], state[0] @ u, state, *own)


def _where_there_is_a_step(mask: Any, stepped: State, state: State) -> State:
    # (mask-step)
    return tuple(np.where(mask[:, None], new, old) for new, old in zip(stepped, state, strict=True))


def _store(states: State, t: int, state: State) -> None:
    for array, now in zip(states, state, strict=True):
        array[t] = now


def _inputs(params: Any) -> int:
    """Return n_below: the rows of a layer's first parameter."""
    first = params.forward if isinstance(params, BothDirections) else params
    return len(first[0])


def _refuse_overflow(prefix: str, trace: LayerTrace | BidirectionalTrace) -> None:
    if isinstance(trace, BidirectionalTrace):
        _refuse_overflow(f"{prefix}forward.", trace.forward)
        _refuse_overflow(f"{prefix}backward.", trace.backward)
        return
    for name, array in zip(trace.cell.state_names, trace.states, strict=True):
        # Once an LSTM's c is not finite, it stays so: its last value tells.
        if not (name == "c" and kernel_of(trace.cell) and validation.all_finite(array[-1])):
            validation.computed(f"{prefix}{name}", array)
