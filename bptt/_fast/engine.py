r"""The loops over time of the fast engine, batch last.

.. math::

   z^{(t)} &= w^\top x^{(t)} + b + u^\top a^{(t-1)}                                      && \text{(FWD)}

   \delta^{(t)} &= a'(z^{(t)}) \odot \bigl[ d_a^{(t)} + u \, \delta^{(t+1)} \bigr]         && \text{(BP2)}

Columns are the members of a batch here, so that this is the column form of the derivation as it stands.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bptt._fast.elman import ElmanKernel
from bptt._fast.gru import GRUKernel
from bptt._fast.kernel import Kept, Kernel, scalar
from bptt._fast.lstm import LSTMKernel
from bptt._typing import Array, State
from bptt.cells import GRU, LSTM, Elman
from bptt.workspace import Workspace

__all__ = ["Back", "There", "kernel_of", "run_back", "run_there"]

SLAB_BYTES = 1 << 17  # what the steps of a slab write should stay in a core's own cache
SMALL = 64  # up to so many units


def kernel_of(cell: Any) -> Kernel | None:
    """Return how the fast engine runs a cell; None if it does not: a cell of one's own, or a subclass."""
    if type(cell) is Elman:
        return ElmanKernel(cell.activation)
    return LSTMKernel() if type(cell) is LSTM else GRUKernel() if type(cell) is GRU else None


class There(NamedTuple):
    """What a run forward leaves: states, each (T + 1, B, n), and what each step keeps."""

    states: State
    kept: Kept


class _Forward:
    """Work arrays of a run forward, made for its sizes."""

    def __init__(
        self, kernel: Kernel, steps: int, batch: int, below: int, n: int, dtype: Any
    ) -> None:
        g, one = len(kernel.fold), batch == 1
        self.kernel, self.n = kernel, n
        self.fold = [(k, scalar(scale, dtype)) for k, scale in kernel.fold]
        # Small matrices, and those that meet one column at a time, are read faster by columns.
        self.w_t: Array = _weights(g * n, below, dtype, by_columns=one or n <= SMALL)
        self.u_t: Array = _weights(g * n, n, dtype, by_columns=one)
        self.b, self.c = np.empty((g * n, batch), dtype), np.empty((n, batch), dtype)
        self.z_h = np.empty((g * n, batch), dtype)
        self.run = kernel.run(steps, n, batch, self.z_h, (self.c,))
        self.past = list(self.run.states[0][:-1])
        self.slab = _slab(steps, self.run.z[0].nbytes)

    def take(self, params: Any, state: State) -> None:
        """Take in the parameters, with the halves of logistic gates folded in, and the initial state."""
        w, u, b, *own = params
        for into, p in ((self.w_t, w), (self.u_t, u), (self.b, b[None])):
            target, source = (m.reshape(-1, self.n, m.shape[1]) for m in (into, p.T))
            for block, (k, scale) in zip(target, self.fold, strict=True):
                np.multiply(source[k], scale, out=block)
        for c in own:
            self.c[...] = c[:, None]
        for array, first in zip(self.run.states, state, strict=True):
            array[0] = first.T

    def inputs(self, x: Array, start: int, stop: int) -> None:
        """Multiply the input of some steps with the weights, all at once."""
        z = self.run.z[start:stop]
        if x.shape[1] == 1:
            np.matmul(np.ascontiguousarray(x[start:stop, 0]), self.w_t.T, out=z[:, :, 0])
        else:
            np.matmul(self.w_t, x[start:stop].transpose(0, 2, 1), out=z)
        z += self.b

    def through(self, x: Array, gaps: list[Array] | None) -> None:
        """Go through all steps: the loop over time of (FWD)."""
        step, u_t, z_h = self.run.step, self.u_t.dot, self.z_h
        for start in range(0, len(x), self.slab):
            stop = min(start + self.slab, len(x))
            self.inputs(x, start, stop)
            now = zip(self.past[start:stop], self.run.steps[start:stop], strict=True)
            for t, (a_past, arrays) in enumerate(now, start):
                u_t(a_past, z_h)  # (FWD): the one product that must be inside the loop
                step(*arrays)
                if gaps is not None:
                    for state in self.run.states:
                        np.copyto(state[t + 1], state[t], where=gaps[t])


def run_there(
    kernel: Kernel, params: Any, x: Array, state: State, mask: Any, space: Workspace | None
) -> There:
    """Run one layer forward: (FWD)."""
    (steps, batch, below), n = x.shape, state[0].shape[1]
    dtype = np.result_type(x, *params, *state)

    def make() -> _Forward:
        return _Forward(kernel, steps, batch, below, n, dtype)

    key = (type(kernel), steps, batch, below, n, dtype, getattr(kernel, "activation", None))
    work = make() if space is None else space.hold("there", key, make)
    work.take(params, state)
    work.through(x, _gaps(mask))
    states = tuple(array.transpose(0, 2, 1) for array in work.run.states)
    return There(states, Kept(kernel, work.run.kept))


class Back(NamedTuple):
    """What the way back finds: ∂C/∂ w, u, b and own parameters; x; the initial state; and the errors."""

    params: tuple[Array, ...]
    x: Array
    initial: State
    delta: Array


class _Backward:
    """Work arrays of the way back, made for its sizes."""

    def __init__(
        self, kernel: Kernel, steps: int, batch: int, below: int, n: int, dtype: Any
    ) -> None:
        g = len(kernel.fold)
        rows = g + (kernel.delta_own is not None)
        self.kernel, self.n, self.batch = kernel, n, batch
        self.d_a, self.future = np.empty((2, n, batch), dtype)
        self.slab = _slab(steps, 12 * self.d_a.nbytes)
        self.way = kernel.way(self.slab, n, batch, self.d_a)
        self.delta_h = list(self.way.delta_h)
        # The errors of all steps and sequences side by side, for the products of (BP4).
        columns = (steps, rows * n, batch) if batch == 1 else (rows * n, steps, batch)
        self.delta = np.empty(columns, dtype)
        if batch == 1:
            self.delta = self.delta.transpose(1, 0, 2)
        self.free = Workspace()  # where an array must be laid out anew for a product
        self.d_x = np.empty((steps * batch, below), dtype)
        self.d_w, self.d_u = np.empty((g * n, below), dtype), np.empty((g * n, n), dtype)
        self.d_b, self.d_c = np.empty(g * n, dtype), np.empty(n, dtype)

    def through(
        self, kept: Kept, u: Array, d_above: Array, d_state: State, gaps: list[Array] | None
    ) -> State:
        """Go back through all steps: the loop over time of (BP2)."""
        way, add, u_dot, d_a, future = self.way, np.add, u.dot, self.d_a, self.future
        future[...] = d_state[0].T
        for (_, before), d in zip(way.carried, d_state[1:], strict=True):
            before[-1][...] = d.T
        for stop in range(len(kept), 0, -self.slab):
            start = max(0, stop - self.slab)
            first = self.slab - (stop - start)
            way.slopes(kept[start:stop].arrays, first)  # a' of all steps of the slab
            above = list(d_above[start:stop].transpose(0, 2, 1))
            for k in range(self.slab - 1, first - 1, -1):
                add(above[k - first], future, d_a)  # (BP2): from above, from the future
                way.step(*way.steps[k])  # (BP2): a' ⊙
                if gaps is not None:
                    _pass_by(way, k, gaps[start + k - first])
                u_dot(self.delta_h[k], future)  # (BP2): u δ, for the step before
                if (direct := way.direct[k]) is not None:
                    add(future, direct, future)
                if gaps is not None:
                    np.copyto(future, d_a, where=gaps[start + k - first])
            self.gather(first, start, stop)
            for after, before in way.carried:
                before[-1][...] = after[first]
        return (future.T, *(before[-1].T for _, before in way.carried))

    def gather(self, first: int, start: int, stop: int) -> None:
        """Put the errors of a slab beside those of the others."""
        own = self.kernel.delta_own
        order = (*self.kernel.delta_x, *(() if own is None else (own,)))
        runs = _runs(order)
        for into, source, count in runs:
            rows = slice(source * self.n, (source + count) * self.n)
            found = self.way.found[first:-1, rows]
            to = slice(into * self.n, (into + count) * self.n)
            self.delta[to, start:stop] = found.transpose(1, 0, 2)

    def products(self, params: Any, x: Array, a: Array) -> tuple[tuple[Array, ...], Array, Array]:
        """Take the gradient of parameters and input from the errors: a product each, over all steps."""
        w, _, _, *own = params
        rows = w.shape[1]
        delta = self.delta.reshape(len(self.delta), -1)
        delta_x, past = delta[:rows], _columns(a, "a", self.free)
        np.matmul(delta_x, _columns(x, "x", self.free).T, out=self.d_w)  # (BP4), transposed
        shared = rows - self.n if own else rows
        np.matmul(delta[:shared], past.T, out=self.d_u[:shared])  # (BP4), its twin
        np.add.reduce(delta_x, axis=1, out=self.d_b)  # (BP3)
        np.matmul(delta_x.T, w.T, out=self.d_x)  # (BP0)
        found: tuple[Array, ...] = (self.d_w.T, self.d_u.T, self.d_b)
        if own:
            np.matmul(delta[rows:], past.T, out=self.d_u[shared:])
            np.add.reduce(delta[rows:], axis=1, out=self.d_c)
            found = (*found, self.d_c)
        return found, self.d_x.reshape(x.shape), self.delta[:rows].transpose(1, 2, 0)


def run_back(
    params: Any,
    x: Array,
    a: Array,
    kept: Kept,
    mask: Any,
    d_above: Array,
    d_state: State,
    space: Workspace | None,
) -> Back:
    """Go back through one layer: (BP2), then (BP3), (BP4) and (BP0); `a` are its activations before steps."""
    (steps, batch, below), n = x.shape, a.shape[2]
    dtype = np.result_type(d_above, x, a, *params)

    def make() -> _Backward:
        return _Backward(kept.kernel, steps, batch, below, n, dtype)

    key = (
        type(kept.kernel),
        steps,
        batch,
        below,
        n,
        dtype,
        getattr(kept.kernel, "activation", None),
    )
    work = make() if space is None else space.hold("back", key, make)
    initial = work.through(kept, params[1], d_above, d_state, _gaps(mask))
    found, d_x, delta = work.products(params, x, a)
    return Back(found, d_x, initial, delta)


def _pass_by(way: Any, k: int, gap: Array) -> None:
    """Where there is no step, no error; what the further states carry passes by."""
    np.copyto(way.found[k], 0, where=gap)
    for after, before in way.carried:
        np.copyto(after[k], before[k], where=gap)


def _weights(rows: int, columns: int, dtype: Any, *, by_columns: bool) -> Array:
    return np.empty((columns, rows), dtype).T if by_columns else np.empty((rows, columns), dtype)


def _slab(steps: int, nbytes: int) -> int:
    return max(1, min(steps, SLAB_BYTES // nbytes))


def _gaps(mask: Any) -> list[Array] | None:
    """Say for each step in which sequences it is not there, a row."""
    return None if mask is None else list(~mask[:, None, :])


def _columns(array: Array, name: str, free: Workspace) -> Array:
    """Return an array (T, B, n) as (n, T B): a view where its memory allows, else laid out anew."""
    if array.flags.c_contiguous or (array.shape[1] == 1 and array[:, 0].flags.c_contiguous):
        return array.reshape(-1, array.shape[2]).T
    turned = array.transpose(2, 0, 1)
    found: Array = free.hold(name, turned.shape, lambda: np.empty(turned.shape, array.dtype))
    np.copyto(found, turned)
    return found.reshape(len(found), -1)


def _runs(order: Sequence[int]) -> list[tuple[int, int, int]]:
    """Group consecutive blocks: where they go, where they stand, how many they are."""
    runs: list[tuple[int, int, int]] = []
    for into, source in enumerate(order):
        if runs and runs[-1][1] + runs[-1][2] == source:
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((into, source, 1))
    return runs
