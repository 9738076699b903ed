r"""The loops over time of the fast engine, batch last.

.. math::

   z^{(t)} &= w^\top x^{(t)} + b + u^\top a^{(t-1)}                                      && \text{(FWD)}

   \delta^{(t)} &= a'(z^{(t)}) \odot \bigl[ d_a^{(t)} + u \, \delta^{(t+1)} \bigr]         && \text{(BP2)}

Columns are the members of a batch here, so that this is the column form of the derivation as it stands.
"""

from typing import Any, NamedTuple

import numpy as np

from bptt._core.types import Array, State
from bptt._core.workspace import Workspace
from bptt._fast.elman import ElmanKernel
from bptt._fast.gru import GRUKernel
from bptt._fast.kernel import Kept, Kernel, common, gaps_of, move_blocks, runs_of, scalar
from bptt._fast.lstm import LSTMKernel
from bptt._fast.products import in_pieces, pieces, product
from bptt._fast.spare import borrowed
from bptt._fast.sums import Sums
from bptt.cells import GRU, LSTM, Elman

__all__ = ["Back", "There", "kernel_of", "run_back", "run_there"]

SLAB_BYTES = 1 << 20  # the work arrays of a slab of steps should stay in a core's own cache
SMALL = 128  # up to so many units
UNBUFFERED = 16  # the smallest buffer of NumPy, through which it copies arrays with gaps


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
        fold = [
            (
                slice(into * n, (into + count) * n),
                slice(k * n, (k + count) * n),
                scalar(scale, dtype),
            )
            for into, k, count, scale in runs_of(kernel.fold)
        ]
        # Small matrices, and those that meet one column at a time, are read faster by columns.
        self.w_t: Array = _weights(g * n, below, dtype, by_columns=one or n <= SMALL)
        self.u_t: Array = _weights(g * n, n, dtype, by_columns=one)
        self.b, self.c = np.empty((g * n, batch), dtype), np.empty((n, batch), dtype)
        self.z_h = np.empty((g * n, batch), dtype)
        weights = (self.w_t, self.u_t, self.b)
        self.folded = [[(m[to], source, scale) for to, source, scale in fold] for m in weights]
        self.run = kernel.run(steps, n, batch, self.z_h, (self.c,))
        cut = pieces(
            g * n, n, batch, dtype
        )  # (FWD): of the one product that must be inside the loop
        self.times_u_t = cut.times(self.u_t)
        self.into_z_h = cut.into(self.z_h)
        self.steps = list(zip(map(cut.right, self.run.states[0][:-1]), self.run.steps, strict=True))
        self.slab = _slab(steps, 4 * self.run.z[0].nbytes)
        # Pieces need the input of a step in columns; a whole product reads it as it is.
        self.turn = bool(pieces(g * n, below, batch, dtype).rows)
        self.turned = np.empty((self.slab if self.turn else 0, below, batch), dtype)

    def seen(self) -> list[Array]:
        """Return the arrays of which a caller gets views."""
        return [*self.run.states, *self.run.kept]

    def take(self, params: Any, state: State) -> None:
        """Take in the parameters, with the halves of logistic gates folded in, and the initial state."""
        w, u, b, *own = params
        for p, views in zip((w.T, u.T, b[:, None]), self.folded, strict=True):
            for block, source, scale in views:
                np.multiply(p[source], scale, block)
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
            turned = x[start:stop].transpose(0, 2, 1)
            if self.turn and not turned.flags.c_contiguous:
                np.copyto(self.turned[: stop - start], turned)
                turned = self.turned[: stop - start]
            product(self.w_t, turned, z)
        z += self.b

    def through(self, x: Array, gaps: list[Array] | None) -> None:
        """Go through all steps: the loop over time of (FWD)."""
        step, u_t, z_h = self.run.step, self.times_u_t, self.into_z_h
        for start in range(0, len(x), self.slab):
            stop = min(start + self.slab, len(x))
            self.inputs(x, start, stop)
            for t in range(start, stop):
                a_past, arrays = self.steps[t]
                u_t(a_past, z_h)  # (FWD)
                step(*arrays)
                if gaps is not None:
                    for state in self.run.states:
                        np.copyto(state[t + 1], state[t], where=gaps[t])


def run_there(
    kernel: Kernel, params: Any, x: Array, state: State, mask: Any, space: Workspace | None
) -> There:
    """Run one layer forward: (FWD)."""
    (steps, batch, below), n = x.shape, state[0].shape[1]
    dtype = common(x, *params, *state)

    def make() -> _Forward:
        return _Forward(kernel, steps, batch, below, n, dtype)

    def use(work: _Forward) -> There:
        work.take(params, state)
        buffer = np.setbufsize(UNBUFFERED)  # if interrupted, the caller's np.errstate restores it
        work.through(x, gaps_of(mask))
        np.setbufsize(buffer)
        states = tuple(array.transpose(0, 2, 1) for array in work.run.states)
        return There(states, Kept(kernel, tuple(array[:] for array in work.run.kept)))

    own = getattr(kernel, "activation", None)
    key = ("there", type(kernel), steps, batch, below, n, dtype, own, in_pieces())
    return borrowed(key, make, use, space)


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
        self.kernel, self.n = kernel, n
        self.d_a, self.future = np.empty((2, n, batch), dtype)
        self.slab = _slab(steps, kernel.scratch * self.d_a.nbytes)
        self.way = way = kernel.way(self.slab, n, batch, self.d_a)
        self.above = np.empty((self.slab, n, batch), dtype)
        self.cut = pieces(n, g * n, batch, dtype)
        self.into_future = self.cut.into(self.future)
        delta_h = map(self.cut.right, way.delta_h)
        self.steps = list(zip(self.above, way.steps, delta_h, way.direct, strict=True))
        self.sums = Sums(kernel, way, (steps, batch, below, n), dtype)
        self.u = np.empty((n, 0 if self.sums.in_order else g * n), dtype)

    def seen(self) -> list[Array]:
        """Return the arrays of which a caller gets views."""
        return [*self.sums.seen(), self.future]

    def through(
        self, kept: Kept, params: Any, x: Array, a: Array, d_above: Array, d_state: State, gaps: Any
    ) -> State:
        """Go back through all steps, a slab at a time; sum over a sheet of them, which is several slabs."""
        way, sums = self.way, self.sums
        np.copyto(self.future, d_state[0].T)
        for (_, before), d in zip(way.carried, d_state[1:], strict=True):
            np.copyto(before[-1], d.T)
        u = self.recurrent(params[1])
        for top in range(len(x), 0, -sums.sheet):
            bottom = max(0, top - sums.sheet)
            for stop in range(top, bottom, -self.slab):
                start = max(bottom, stop - self.slab)
                first, now = self.slab - (stop - start), slice(start, stop)
                way.slopes(kept[now].arrays, first)  # a' of all steps of the slab
                np.copyto(self.above[first:], d_above[now].transpose(0, 2, 1))
                self.errors(u, first, None if gaps is None else gaps[now])
                np.copyto(sums.errors[now], way.found[first:-1, way.rows])
                for after, before in way.carried:
                    before[-1][...] = after[first]
            sums.take(params[0], x, a, bottom, top)
        return (self.future.T, *(before[-1].T.copy() for _, before in way.carried))

    def errors(self, u: Array, first: int, gaps: list[Array] | None) -> None:
        """Go back through the steps of a slab: the loop over time of (BP2)."""
        add, d_a, future, step = np.add, self.d_a, self.future, self.way.step
        times_u, into_future = self.cut.times(u), self.into_future
        for k in range(self.slab - 1, first - 1, -1):
            above, arrays, delta_h, direct = self.steps[k]
            add(above, future, d_a)  # (BP2): from above, from the future
            step(*arrays)  # (BP2): a' ⊙
            if gaps is not None:
                _pass_by(self.way, k, gaps[k - first])
            times_u(delta_h, into_future)  # (BP2): u δ, for the step before
            if direct is not None:
                add(future, direct, future)
            if gaps is not None:
                np.copyto(future, d_a, where=gaps[k - first])

    def recurrent(self, u: Array) -> Array:
        """Return u with its blocks in the order in which its errors stand."""
        if self.sums.in_order:
            return u
        move_blocks(u, self.u, self.n, enumerate(self.kernel.delta_h))
        return self.u


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
    dtype = common(d_above, x, a, *params)

    def make() -> _Backward:
        return _Backward(kept.kernel, steps, batch, below, n, dtype)

    def use(work: _Backward) -> Back:
        buffer = np.setbufsize(UNBUFFERED)
        initial = work.through(kept, params, x, a, d_above, d_state, gaps_of(mask))
        np.setbufsize(buffer)
        sums = work.sums
        found = sums.gradient(len(params) - 3)
        return Back(found, sums.d_x.transpose(0, 2, 1), initial, sums.delta.transpose(0, 2, 1))

    own = getattr(kept.kernel, "activation", None)
    key = ("back", type(kept.kernel), steps, batch, below, n, dtype, own, in_pieces())
    return borrowed(key, make, use, space)


def _pass_by(way: Any, k: int, gap: Array) -> None:
    """Where there is no step, no error; what the further states carry passes by."""
    np.copyto(way.found[k], 0, where=gap)
    for after, before in way.carried:
        np.copyto(after[k], before[k], where=gap)


def _weights(rows: int, columns: int, dtype: Any, *, by_columns: bool) -> Array:
    return np.empty((columns, rows), dtype).T if by_columns else np.empty((rows, columns), dtype)


def _slab(steps: int, nbytes: int) -> int:
    return max(1, min(steps, SLAB_BYTES // nbytes))
