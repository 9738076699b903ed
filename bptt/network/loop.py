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

import numpy as np

from bptt._core import Array, LayerParams, Mask, State
from bptt._core.tree import numbers_in, refuse_overwritten
from bptt._core.validation import called, read_only
from bptt.cells.layout import Layout, check_backward, check_step, layout_of
from bptt.cells.protocol import AnyMask, Cell, Formula
from bptt.network.traces import LayerGradient, LayerTrace

# So many numbers of each array are handled at once where all steps could be: they fit a core's own cache.
CHUNK = 1 << 14


def walk(
    cell: Cell, params: LayerParams, x: Array, state: State, mask: AnyMask
) -> Iterator[tuple[State, tuple[Array, ...]]]:
    """Go forward step by step: yield the state after each, and what the cell saved."""
    layout = layout_of(cell)
    w, u, b, own = layout.split(params)
    (steps, batch, below), n = x.shape, state[0].shape[1]
    count, h = len(layout.weighted), len(layout.weighted) - layout.w_blocks
    z = np.empty((steps, batch, count, n), np.result_type(x, *params, *state))
    z[:, :, :h] = 0
    flat = z.reshape(steps * batch, count * n)[:, h * n :]
    # (FWD), (gate-contributions), of all steps
    np.matmul(x.reshape(steps * batch, below), w, out=flat)
    flat += b
    past = z.reshape(steps, batch, count * n)[:, :, : layout.u_blocks * n]
    u = None if u is None else _turned(u, h * n).astype(z.dtype, copy=False)
    product = np.empty_like(past[0])
    z.flags.writeable = False  # for the cell; `past` was made before, and stays as it is
    state, own = tuple(map(read_only, state)), tuple(map(read_only, own))
    blocks = [z[:, :, k] for k in (*range(h, count), *range(h))]
    other = False
    for t, (z_h, *weighted) in enumerate(zip(past, *blocks, strict=True)):
        if u is not None:
            np.add(z_h, state[0].dot(u, out=product), out=z_h)  # (FWD), (lstm-z)
        if t == 0:
            returned = called(f"{type(cell).__name__}.step", cell.step, *weighted, *state, *own)
            check_step(cell, layout, returned, weighted[0])
            other = any(array.dtype != z.dtype for array in returned[0])
        else:
            returned = cell.step(*weighted, *state, *own)  # (CELL), (rtrl-step)
        stepped, kept = returned
        if other:  # a buffer of the cell's own has another precision
            stepped = tuple(array.astype(z.dtype) for array in stepped)
        state = stepped if mask is None else _where(mask[t, :, None], stepped, state)
        yield state, kept


def _where(there: Mask, stepped: State, state: State) -> State:
    # (mask-step)
    return tuple(np.where(there, new, old) for new, old in zip(stepped, state, strict=True))


def _turned(u: Array, by: int) -> Array:
    """Return u, or its gradient, with the last `by` columns, the blocks of h, in front."""
    return np.concatenate([u[:, -by:], u[:, :-by]], axis=1) if by else u


def run_layer_backward(trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
    """Go back through one layer on arguments that have been checked: (BP2), then (BP3), (BP4), (BP0)."""
    layout = layout_of(trace.cell)
    w, u, _, own = layout.split(trace.params)
    (steps, batch, below), n = trace.x.shape, d_a.shape[2]
    count, g = len(layout.weighted), layout.u_blocks * n
    h = (count - layout.w_blocks) * n
    dtype = d_a.dtype
    delta = np.empty((steps, batch, count * n), dtype)
    d_own = np.zeros((len(own), n), dtype)
    u_t = None if u is None else np.ascontiguousarray(_turned(u, h).T, dtype)
    chunk = max(1, CHUNK // (batch * n))
    for stop in range(steps, 0, -chunk):
        now = slice(max(0, stop - chunk), stop)
        factors, reaches_a = _factors(trace, layout, now, dtype)
        errors, d_state = _back(factors, reaches_a, d_a[now], d_state, u_t, g)
        delta[now] = errors[:, :, :count].reshape(-1, batch, count * n)
        d_own += errors[:, :, count : count + len(own)].sum(axis=(0, 1))
    x, past = trace.x.reshape(steps * batch, below), trace.a[:-1].reshape(steps * batch, n)
    flat = delta.reshape(steps * batch, count * n)
    delta_x, delta_h = flat[:, h:], flat[:, :g]
    d_w = x.T @ delta_x  # (BP4), (CELL-BP4)
    d_u = () if u is None else (_turned(past.T @ delta_h, -h),)  # (BP4), (CELL-BP4)
    d_b = delta_x.sum(axis=0)  # (BP3)
    d_x = (delta_x @ w.T).reshape(trace.x.shape)  # (BP0)
    params = type(trace.params)(d_w, *d_u, d_b, *d_own)
    return LayerGradient(params, d_x, tuple(d.copy() for d in d_state), delta[:, :, h:])


def _factors(
    trace: LayerTrace, layout: Layout, now: slice, dtype: np.dtype
) -> tuple[list[Array], bool]:
    """Return what a unit error gives at some steps: for each array of the state an array (steps, B, columns, n).

    The columns are weighted inputs, own parameters, and the arrays of the state before the step, a last;
    without a if no path leads to it but through u. The second result says whether a has a column.
    """
    cell: Formula = trace.cell
    _, u, _, own = layout.split(trace.params)
    past = [array[now] for array in trace.states]
    steps, batch, n = past[0].shape
    shape = (steps * batch, n)
    kept = trace.saved[now]
    saved = kept[0] if steps == 1 else [np.concatenate(each) for each in zip(*kept, strict=True)]
    given = [read_only(a) for a in (*(array.reshape(shape) for array in past), *own, *saved)]
    one, zero = read_only(np.ones(shape, dtype)), read_only(np.zeros(shape, dtype))
    found = []
    for k in range(len(past)):
        unit = [one if j == k else zero for j in range(len(past))]
        # (CELL-DELTA), (gate-direct)
        returned = called(f"{type(cell).__name__}.step_backward", cell.step_backward, *unit, *given)
        check_backward(cell, layout, returned, one)
        d_weighted, (d_a, *d_further), d_own = returned
        x_and_z, h = d_weighted[: layout.w_blocks], d_weighted[layout.w_blocks :]
        found.append((*h, *x_and_z, *d_own, *d_further, d_a))
    if len(found) > 1 and any(map(np.may_share_memory, *found[:2])):  # a buffer, or a constant
        before = numbers_in(found[0])
        cell.step_backward(one, *[zero] * (len(past) - 1), *given)
        refuse_overwritten(f"{type(cell).__name__}.step_backward", found[0], before)
    reaches_a = u is None or trace.mask is not None or any(np.ndim(each[-1]) for each in found)
    columns = len(found[0]) - (not reaches_a)
    arrays = [np.empty((*shape[:1], columns, n), dtype) for _ in found]
    for k, (array, each) in enumerate(zip(arrays, found, strict=True)):
        for i in range(columns):
            array[:, i] = each[i]
        if trace.mask is not None:  # (mask-bp): where there is no step, what arrives passes by
            gap = ~trace.mask[now].reshape(-1)
            array[gap] = 0
            array[gap, columns - len(past) + (k - 1) % len(past)] = 1
    return [array.reshape(steps, batch, columns, n) for array in arrays], reaches_a


def _back(
    factors: list[Array], reaches_a: bool, d_a: Array, d_state: State, u_t: Array | None, g: int
) -> tuple[Array, State]:
    """Go back through some steps, the recursion (BP2): return all errors, and ∂C/∂(state before)."""
    errors = np.empty_like(factors[0])
    steps, batch, columns, n = errors.shape
    meet_u = errors.reshape(steps, batch, columns * n)[:, :, :g]
    total, future = np.empty((2, batch, n), errors.dtype)
    future[...] = d_state[0]
    further = [d[:, None] for d in d_state[1:]]
    places = range(columns - len(further) - reaches_a, columns - reaches_a)
    # One column is taken as an array of two axes: NumPy is slow to repeat small arrays along an axis.
    spread, each = total[:, None], [errors, *factors]
    if columns == 1:
        spread, each = total, [array[:, :, 0] for array in each]
    part = np.empty_like(each[0][0])
    rows = zip(*(array[::-1] for array in (d_a, meet_u, *each)), strict=True)
    for above, delta_h, error, factor, *others in rows:
        np.add(above, future, out=total)  # (BP2), (bp2-final): from above, and from the future
        np.multiply(factor, spread, out=error)  # (BP2): a' ⊙, or what a gate has in its place
        for other, d in zip(others, further, strict=True):
            np.add(error, np.multiply(other, d, out=part), out=error)
        further = [error[:, k : k + 1] for k in places]
        if u_t is not None:
            # (BP2), (CELL-BP2), (lstm-da), (gru-da): u δ, to the past
            delta_h.dot(u_t, out=future)
            if reaches_a:
                np.add(future, error[:, -1], out=future)
        else:
            future[...] = error[:, -1]  # the only path to the past: a column of its own
    return errors, (future, *(d[:, 0] for d in further))
