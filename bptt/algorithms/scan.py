r"""The backward pass as a scan: linear in the error, even where the network is not.

With the states of a forward run given, the derivative of the cost with respect to the state of one
layer, :math:`D^{(t)} = \partial C / \partial S^{(t)}`, obeys an affine recursion,

.. math:: D^{(t)} = \beta^{(t)} + (J^{(t+1)})^\top D^{(t+1)} , \qquad
   J^{(t)} = \frac{\partial S^{(t)}}{\partial S^{(t-1)}}                                && \text{(SCAN)}

where :math:`\beta` is what arrives from above. Composition of affine maps is associative,

.. math:: (\beta_1, J_1) \circ (\beta_2, J_2) = (\beta_1 + J_1^\top \beta_2 , \; J_2 J_1) ,

so the recursion can be run in log2 T rounds, each of which does all steps at once. It pays where
composing two maps is cheap: for diagonal layers, whose J is a vector. For dense ones a round costs n³.

Sources: Hillis & Steele (1986), scans by doubling; Martin & Cundy (2018) and Gu & Dao (2023), for linear
recurrences; Wang et al. (2020), "BPPSA", for backpropagation.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, State, validation
from bptt._core.tree import tree_map
from bptt.algorithms.calls import CostOfSteps, Result, checked, cost_of, final_of, one_direction
from bptt.cells.layout import layout_of
from bptt.cells.protocol import formula_of, is_factored
from bptt.network.backward import LayerGradient, layer_backward, run_backward
from bptt.network.forward import Initial, MaskLike, forward, layer_forward
from bptt.network.stack import Params, Stack
from bptt.network.traces import LayerTrace

__all__ = ["scan_bptt", "step_jacobians"]


def scan_bptt(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
    *,
    parallel: bool = True,
) -> Result:
    """Take the exact gradient with the backward pass run as a scan: (SCAN).

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`; layers of one direction.
    cost
        A function of outputs and the steps they belong to, see `bptt.algorithms.CostOfSteps`.
    parallel
        Whether the scan runs in log2 T rounds, each over all steps at once, or step by step.

    Returns
    -------
    Result
        With the exact gradient.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.forward` and `bptt.backward` do; also if a layer reads in both directions.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> bptt.scan_bptt(tiny.stack, tiny.params, tiny.x, cost).gradient.params.readout.b.round(4)
    array([3.6583])
    """
    one_direction(stack)
    validation.instance("parallel", parallel, bool)
    trace = forward(stack, params, x, initial, mask)
    value, d_outputs = cost_of(cost, trace.outputs, slice(0, len(trace.x)))
    none = (None,) * len(trace.layers)
    gradient = run_backward(trace, d_outputs, none, partial(_layer, parallel))
    return checked(Result(value, gradient, trace.outputs, final_of(trace), len(trace.x)))


def step_jacobians(trace: LayerTrace) -> Array:
    """Return ∂state/∂(previous state) for every step of every sequence of one layer.

    Parameters
    ----------
    trace
        What a layer left behind: of `bptt.layer_forward`, or from ``Trace.layers``.

    Returns
    -------
    Array
        Shape (T, B, S, S), where S is n times the number of arrays of a state: a row for each number
        of the state after the step, a column for each of the state before it.

    Raises
    ------
    TypeError
        If `trace` is not the trace of a layer of one direction.
    FloatingPointError
        If an entry overflows.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> layer = bptt.forward(tiny.stack, tiny.params, tiny.x).layers[0]
    >>> slope = 1 - layer.a[1, 0] ** 2
    >>> jacobian = bptt.algorithms.step_jacobians(layer)[0, 0]
    >>> bool(abs(jacobian - slope[:, None] * layer.params.u.T).max() < 1e-15)
    True
    """
    validation.instance("trace", trace, LayerTrace)
    steps, batch, n = trace.outputs.shape
    count = n * len(trace.states)
    units = np.tile(np.eye(count, dtype=trace.a.dtype), (steps * batch, 1))
    # (step-jacobian): one step back for each unit of the state
    found = _all_steps_back(trace, units, copies=count)
    return np.concatenate(found.initial, axis=1).reshape(steps, batch, count, count)


def _layer(parallel: bool, trace: LayerTrace, d_a: Array, _: None) -> LayerGradient:
    """Go back through one layer: the scan for D, then all its steps' own derivatives at once."""
    steps, batch, n = d_a.shape
    arrivals = np.concatenate([d_a, *(np.zeros_like(d_a) for _ in trace.states[1:])], axis=2)
    cell = formula_of(trace.cell)
    if is_factored(cell) and not layout_of(cell).u_blocks and len(trace.states) == 1:
        # Each unit sees its own past alone: one in all units at once gives the diagonals of all step Jacobians.
        ones = np.ones((steps * batch, n), trace.a.dtype)
        diagonals = _all_steps_back(trace, ones).initial[0].reshape(d_a.shape)
        totals = _scan(arrivals, diagonals, np.multiply, parallel)
    else:
        totals = _scan(arrivals, step_jacobians(trace), _row_times_matrix, parallel)
    validation.computed("the derivative with respect to the states", totals)
    found = _all_steps_back(trace, totals.reshape(steps * batch, -1))
    return LayerGradient(
        found.params,
        x=found.x.reshape(trace.x.shape),
        initial=tuple(array.reshape(steps, batch, n)[0] for array in found.initial),
        delta=tree_map(lambda d: d.reshape(steps, batch, -1), found.delta),
    )


def _scan(
    arrivals: Array, jacobians: Array, apply: Callable[[Array, Array], np.ndarray], parallel: bool
) -> Array:
    """Return D of all steps, from what arrives at each and the Jacobian that leads to it."""
    totals = arrivals.copy()
    if not parallel:
        for t in reversed(range(len(arrivals) - 1)):
            totals[t] += apply(totals[t + 1], jacobians[t + 1])  # (SCAN)
        return totals
    compose = apply if jacobians.ndim == arrivals.ndim else np.matmul
    reach, maps = 1, jacobians[1:]
    while reach < len(totals):  # (scan-rounds): totals[t] holds the costs up to t + reach - 1
        totals[:-reach] += apply(totals[reach:], maps)  # (scan-double), (scan-compose)
        maps = compose(maps[reach:], maps[:-reach])  # (scan-double), (scan-compose)
        reach *= 2
    return totals


def _row_times_matrix(row: Array, matrix: Array) -> Array:
    product: Array = (row[..., None, :] @ matrix)[..., 0, :]
    return product


def _all_steps_back(trace: LayerTrace, errors: Array, copies: int = 1) -> LayerGradient:
    """Go back through each step of a layer by itself: T B sequences of one step, each with an error of its state."""

    def flat(array: np.ndarray) -> np.ndarray:
        return np.repeat(array.reshape(-1, *array.shape[2:]), copies, axis=0)

    states: State = tuple(flat(array[:-1]) for array in trace.states)
    mask = None if trace.mask is None else flat(trace.mask)[None]
    again = layer_forward(trace.cell, trace.params, flat(trace.x)[None], states, mask)
    d_states = tuple(np.split(errors, len(states), axis=1))
    return layer_backward(again, np.zeros_like(again.outputs), d_states)
