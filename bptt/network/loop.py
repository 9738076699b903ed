r"""The two loops over time that every factored cell runs through, NumPy alone.

.. math::

   z^{(t)} &= x^{(t)} w + a^{(t-1)} u + b , \qquad s^{(t)} = \mathrm{step}(z^{(t)}, s^{(t-1)})     && \text{(FWD)}

   \delta^{(t)} &= \frac{\partial s^{(t)}}{\partial z^{(t)}} \odot \bigl[ d_a^{(t)} + \delta^{(t+1)} u^\top + \cdots \bigr]   && \text{(BP2)}

Rows are the members of a batch. All inputs are multiplied with w before the loop forward, all errors with
x, a and w after the loop backward; what must be inside is the recurrent product, and the cell's own step.

A step's derivative is linear in the error that it is given. So the way back first gives `step_backward` unit errors, one
array of the state at a time, for many steps at once: the states are known. What it returns are the factors of the
error. In the loop a step back is then a multiplication for each array of the state, and one product. Where a mask says
that there is no step, the factors are those of the identity.

The blocks of weighted inputs stand in the order h, z, x: those that meet w side by side, and those that meet u.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from bptt._core.types import Array, State
from bptt.cells.protocol import Layout, check_backward, check_step, layout_of
from bptt.network.gradients import LayerGradient
from bptt.network.traces import LayerTrace

__all__ = ["run_layer", "run_layer_backward", "walk"]

CHUNK = (
    1 << 14
)  # numbers in each array of coefficients that are made at once: they fit a core's own cache


def run_layer(cell: Any, params: Any, x: Array, state: State, mask: Any) -> LayerTrace:
    """Run one layer forward on arguments that have been checked: (FWD)."""
    dtype = np.result_type(x, *params, *state)
    states = tuple(np.empty((len(x) + 1, *array.shape), dtype) for array in state)
    for array, first in zip(states, state, strict=True):
        array[0] = first
    saved = []
    rows = zip(*(array[1:] for array in states), strict=True)
    for row, (stepped, kept) in zip(rows, walk(cell, params, x, state, mask), strict=True):
        for array, now in zip(row, stepped, strict=True):
            array[...] = now
        saved.append(kept)
    return LayerTrace(cell, params, x, states, saved, mask)


def walk(
    cell: Any, params: Any, x: Array, state: State, mask: Any
) -> Iterator[tuple[State, tuple[Array, ...]]]:
    """Go forward step by step: yield the state after each, and what the cell saved."""
    layout = layout_of(cell)
    w, u, b, own = layout.split(params)
    (steps, batch, below), n = x.shape, state[0].shape[1]
    h, count = layout.count("h"), len(layout.weighted)
    z = np.empty((steps, batch, count, n), np.result_type(x, *params, *state))
    z[:, :, :h] = 0
    flat = z.reshape(steps * batch, count * n)[:, h * n :]
    np.matmul(
        x.reshape(steps * batch, below), w, out=flat
    )  # (FWD), (gate-contributions), of all steps
    flat += b
    past = z.reshape(steps, batch, count * n)[:, :, : layout.count("zh") * n]
    u = _turned(u, h * n)
    blocks = [z[:, :, k] for k in (*range(h, count), *range(h))]
    for t, (z_h, *weighted) in enumerate(zip(past, *blocks, strict=True)):
        if u is not None:
            np.add(z_h, state[0] @ u, out=z_h)  # (FWD), (gate-contributions)
        returned = cell.step(*weighted, *state, *own)  # (CELL), (rtrl-step)
        if t == 0:
            check_step(cell, layout, returned, (batch, n))
        stepped, kept = returned
        state = stepped if mask is None else _where(mask[t, :, None], stepped, state)
        yield state, kept


def _where(there: Array, stepped: State, state: State) -> State:
    # (mask-step)
    return tuple(np.where(there, new, old) for new, old in zip(stepped, state, strict=True))


def _turned(u: Any, by: int) -> Any:
    """Return u, or its gradient, with the last `by` columns, the blocks of h, in front."""
    return u if u is None or not by else np.roll(u, by, axis=1)


def run_layer_backward(trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
    """Go back through one layer on arguments that have been checked: (BP2), then (BP3), (BP4), (BP0)."""
    layout = layout_of(trace.cell)
    w, u, _, own = layout.split(trace.params)
    (steps, batch, below), n = trace.x.shape, d_a.shape[2]
    h, g, count = layout.count("h") * n, layout.count("zh") * n, len(layout.weighted)
    dtype = np.result_type(d_a, *trace.states, *trace.params)
    delta = np.empty((steps, batch, count * n), dtype)
    d_own = np.zeros((len(own), n), dtype)
    u_t = None if u is None else np.ascontiguousarray(_turned(u, h).T)
    chunk = max(1, CHUNK // (batch * n))
    for stop in range(steps, 0, -chunk):
        now = slice(max(0, stop - chunk), stop)
        factors = _factors(trace, layout, now, dtype)
        errors, d_state = _back(factors, d_a[now], d_state, u_t, g)
        delta[now] = errors[:, :, :count].reshape(-1, batch, count * n)
        d_own += errors[:, :, count : count + len(own)].sum(axis=(0, 1))  # (gate-own)
    x, past = trace.x.reshape(steps * batch, below), trace.a[:-1].reshape(steps * batch, n)
    flat = delta.reshape(steps * batch, count * n)
    delta_x, delta_h = flat[:, h:], flat[:, :g]
    d_w = x.T @ delta_x  # (BP4), (CELL-BP4)
    d_u = () if u is None else (_turned(past.T @ delta_h, -h),)  # (BP4), (CELL-BP4), its twin
    d_b = delta_x.sum(axis=0)  # (BP3)
    d_x = (delta_x @ w.T).reshape(trace.x.shape)  # (BP0)
    params = type(trace.params)(d_w, *d_u, d_b, *d_own)
    return LayerGradient(params, d_x, tuple(d.copy() for d in d_state), delta[:, :, h:])


class _Factors(NamedTuple):
    """What each unit error gives, an array (steps, B, columns, n) for each array of the state.

    The columns are weighted inputs, own parameters, and those states before the step that a path leads to
    directly; `direct` says in which column each state is, None if in none.
    """

    arrays: list[Array]
    direct: list[int | None]


def _factors(trace: LayerTrace, layout: Layout, now: slice, dtype: Any) -> _Factors:
    """Return the factors of the error for some steps, all at once."""
    cell: Any = trace.cell
    *_, own = layout.split(trace.params)
    past = [array[now] for array in trace.states]
    steps, batch, n = past[0].shape
    shape, h, states = (steps * batch, n), layout.count("h"), len(past)
    past = [array.reshape(shape) for array in past]
    kept = trace.saved[now]
    saved = kept[0] if steps == 1 else [np.concatenate(each) for each in zip(*kept, strict=True)]
    one, zero = np.ones(shape, dtype), np.zeros(shape, dtype)
    found = []
    for k in range(states):
        unit = [one if j == k else zero for j in range(states)]
        returned = cell.step_backward(*unit, *past, *own, *saved)  # (CELL-DELTA), (gate-direct)
        check_backward(cell, layout, returned, shape)
        d_weighted, d_past, d_own = returned
        cut = len(d_weighted) - h
        found.append(((*d_weighted[cut:], *d_weighted[:cut], *d_own), d_past))
    is_path = [
        trace.mask is not None or any(np.ndim(p[j]) for _, p in found) for j in range(states)
    ]
    first = len(found[0][0])
    direct = [first + sum(is_path[:j]) if is_path[j] else None for j in range(states)]
    arrays = []
    for k, (columns, paths) in enumerate(found):
        filled = (*columns, *(p for p, there in zip(paths, is_path, strict=True) if there))
        array = np.empty((steps * batch, len(filled), n), dtype)
        for i, column in enumerate(filled):
            array[:, i] = column
        if trace.mask is not None:  # (mask-bp): where there is no step, what arrives passes by
            gap = ~trace.mask[now].reshape(-1)
            array[gap] = 0
            array[gap, direct[k]] = 1
        arrays.append(array.reshape(steps, batch, len(filled), n))
    return _Factors(arrays, direct)


def _back(
    factors: _Factors, d_a: Array, d_state: State, u_t: Array | None, g: int
) -> tuple[Array, State]:
    """Go back through some steps, the recursion (BP2): return all errors, and ∂C/∂(state before)."""
    errors = np.empty_like(factors.arrays[0])
    part = np.empty_like(errors[0])
    steps, batch, _, _ = errors.shape
    meet_u = errors.reshape(steps, batch, -1)[:, :, :g]
    back = [array[::-1] for array in (d_a, errors, meet_u, *factors.arrays)]
    for above, error, delta_h, factor, *others in zip(*back, strict=True):
        d_new, *further = d_state
        np.multiply(
            factor, (above + d_new)[:, None], out=error
        )  # (BP2), (bp2-final): above, and future
        for other, d in zip(others, further, strict=True):
            np.add(error, np.multiply(other, d[:, None], out=part), out=error)
        d_state = tuple(
            np.zeros_like(d) if k is None else error[:, k]
            for k, d in zip(factors.direct, d_state, strict=True)
        )
        if u_t is not None:
            through_u = delta_h @ u_t  # (lstm-da), (gru-da)
            if factors.direct[0] is not None:
                through_u += d_state[0]
            d_state = (through_u, *d_state[1:])  # (CELL-BP2)
    return errors, d_state
