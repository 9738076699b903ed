r"""Run a stack of recurrent layers over a sequence, and keep what the backward pass will need.

.. math::

   z^{l(t)} = a^{l-1(t)} w^l + a^{l(t-1)} u^l + b^l , \qquad a^{l(t)} = a(z^{l(t)})   && \text{(FWD)}

Arrays are time-major: (T, B, n) for T steps, B sequences side by side and n units. The input product
of all steps is one matrix product before the loop over time; only the recurrent product must be inside it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bptt import _check
from bptt._typing import Array, State
from bptt.cells import Cell
from bptt.parameters import Params, Recurrent, check_params, check_recurrent
from bptt.stack import Stack
from bptt.tree import tree_leaves

__all__ = ["LayerTrace", "Trace", "forward", "layer_forward"]


class LayerTrace(NamedTuple):
    """What a run leaves behind in one recurrent layer.

    Attributes
    ----------
    cell
        What was run.
    params
        With which parameters.
    x
        Its input, shape (T, B, n_below).
    states
        The arrays of its state, the activation's first, each (T + 1, B, n): index 0 is the initial
        state, index t the state after step t.
    saved
        For each step, what the cell's derivative needs.
    """

    cell: Cell
    params: Recurrent
    x: Array
    states: tuple[Array, ...]
    saved: tuple[Any, ...]

    @property
    def a(self) -> Array:
        """The activations, initial state included, shape (T + 1, B, n): ``a[t]`` is a^(t)."""
        return self.states[0]

    @property
    def final(self) -> State:
        """The state after the last step, arrays of shape (B, n)."""
        return tuple(array[-1] for array in self.states)


class Trace(NamedTuple):
    """What a run of a stack leaves behind: all that `bptt.backward` needs.

    Attributes
    ----------
    stack
        What was run.
    params
        With which parameters.
    x
        On which input, shape (T, B, n_0).
    layers
        A `LayerTrace` for each recurrent layer, the lowest first.
    z
        The weighted inputs of the readout, z^L, shape (T, B, n_L).
    outputs
        The activations of the readout, a^L, shape (T, B, n_L).
    """

    stack: Stack
    params: Params
    x: Array
    layers: tuple[LayerTrace, ...]
    z: Array
    outputs: Array

    @property
    def final(self) -> tuple[State, ...]:
        """The final state of each recurrent layer: what a next window starts from."""
        return tuple(layer.final for layer in self.layers)


def forward(
    stack: Stack, params: Params, x: ArrayLike, initial: Sequence[State | ArrayLike] | None = None
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
        array where it is only one. Zero if not given.

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
    _check.instance("stack", stack, Stack)
    params = check_params(params, [cell.gates for cell in stack.cells])
    a = x = _check.array("x", x, ("T", "B", params.layers[0].w.shape[0]), _check.ANALYTIC)
    states = _initial_states(stack.cells, params, x, initial)
    _check.one_precision(
        [*tree_leaves(params, "params"), ("x", x), *tree_leaves(states, "initial")]
    )
    layers: list[LayerTrace] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for cell, layer, state in zip(stack.cells, params.layers, states, strict=True):
            layers.append(run_layer(cell, layer, a, state))
            a = layers[-1].a[1:]
        w, b = params.readout
        z = a @ w + b
        outputs = stack.output(z)
    for i, trace in enumerate(layers):
        _refuse_overflow(f"layers[{i}].", trace)
    _check.computed("outputs", outputs)
    return Trace(stack, params, x, tuple(layers), z, outputs)


def layer_forward(
    cell: Cell, params: Recurrent, x: ArrayLike, initial: State | ArrayLike | None = None
) -> LayerTrace:
    """Run one recurrent layer over a batch of sequences: (FWD).

    Parameters
    ----------
    cell
        The pointwise mathematics of a step.
    params
        w, u and b of the layer.
    x
        Its input, shape (T, B, n_below).
    initial
        Its state before the first step: a tuple of arrays (B, n), or the array where it is only one.
        Zero if not given.

    Returns
    -------
    LayerTrace
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
    if isinstance(cell, type) or not isinstance(cell, Cell):
        msg = f"cell must be a cell, such as bptt.Elman(), got {cell!r:.60}"
        raise TypeError(msg)
    params = check_recurrent("params", params, "n_below", cell.gates)
    x = _check.array("x", x, ("T", "B", params.w.shape[0]), _check.ANALYTIC)
    state = _initial_state("initial", cell, params, x, initial)
    _check.one_precision([*tree_leaves(params, "params"), ("x", x), *tree_leaves(state, "initial")])
    with np.errstate(over="ignore", invalid="ignore"):
        trace = run_layer(cell, params, x, state)
    _refuse_overflow("", trace)
    return trace


def run_layer(cell: Cell, params: Recurrent, x: Array, state: State) -> LayerTrace:
    """Run one layer on arguments that have been checked: the loop over time of (FWD)."""
    w, u, b = params
    steps, batch, n = len(x), x.shape[1], len(u)
    z_x = x @ w + b  # of all steps at once
    dtype = np.result_type(z_x, u, *state)
    states = tuple(np.empty((steps + 1, batch, n), dtype) for _ in state)
    saved: list[Any] = []
    _store(states, 0, state)
    for t in range(steps):
        z_h = state[0] @ u
        state, kept = cell.step(z_x[t], z_h, state)
        _store(states, t + 1, state)
        saved.append(kept)
    return LayerTrace(cell, params, x, states, tuple(saved))


def _store(states: State, t: int, state: State) -> None:
    for array, now in zip(states, state, strict=True):
        array[t] = now


def _initial_states(
    cells: Sequence[Cell], params: Params, x: Array, initial: Sequence[State | ArrayLike] | None
) -> tuple[State, ...]:
    each = (None,) * len(cells)
    if initial is not None:
        each = _check.sequence("initial", initial, len(cells), "states, one a recurrent layer")
    return tuple(
        _initial_state(f"initial[{i}]", cell, layer, x, state)
        for i, (cell, layer, state) in enumerate(zip(cells, params.layers, each, strict=True))
    )


def _initial_state(
    name: str, cell: Cell, params: Recurrent, x: Array, initial: State | ArrayLike | None
) -> State:
    batch, n = x.shape[1], len(params.u)
    if initial is None:
        return tuple(np.zeros((batch, n), params.u.real.dtype) for _ in cell.state_names)
    if isinstance(initial, np.ndarray):
        initial = (initial,)
    arrays = _check.sequence(
        name, initial, len(cell.state_names), "arrays, " + ", ".join(cell.state_names)
    )
    return tuple(
        _check.array(f"{name}.{part}", array, (batch, n), _check.ANALYTIC)
        for part, array in zip(cell.state_names, arrays, strict=True)
    )


def _refuse_overflow(prefix: str, trace: LayerTrace) -> None:
    for name, array in zip(trace.cell.state_names, trace.states, strict=True):
        _check.computed(f"{prefix}{name}", array)
