"""The loop over time of a backward pass, taken apart so that it can be put together wrongly.

`trusted` takes the Jacobian of every step of every sequence by itself, by a truth that knows no backward
pass. `sweep` is (BP2) and (BP4) on them, with one place to interfere: what is carried from a step to the
one before. A known bug is then a small change, and its numbers can be compared with those of a layer.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from bptt._core import Array, Arrays, Mask
from bptt.checking.handwritten import Layer, roles
from bptt.checking.jacobian import Truth, jacobian


class Steps(NamedTuple):
    """All that the steps of a run have in them.

    jacobians: of each leaf, (entries, T, B, what a step returns). states: (T + 1, B, n) each. w, u and b
    say which leaves are these, None if none is.
    """

    jacobians: Arrays
    params: Arrays
    x: Array
    states: list[Array]
    w: int | None
    u: int | None
    b: int | None

    @property
    def k(self) -> int:
        """The number of parameter arrays."""
        return len(self.params)

    @property
    def past(self) -> Array:
        """The activation that each step sees, (T, B, n)."""
        return self.states[0][:-1]

    @property
    def point(self) -> Arrays:
        """Parameters, inputs and states of all steps of all sequences, the rows of one batch."""
        of_steps = [self.x, *(s[:-1] for s in self.states)]
        return [*self.params, *(array.reshape(-1, array.shape[2]) for array in of_steps)]

    def pull(self, t: int, cotangents: Arrays) -> Arrays:
        """Go back through a step in the right way, by its Jacobian: contributions (B, entries)."""
        row = np.concatenate(cotangents, axis=1)
        return [np.einsum("pbm,bm->bp", j[:, t], row) for j in self.jacobians]


Pull = Callable[[int, Arrays], Arrays]
Carry = Callable[[int, Arrays, Arrays], Arrays]
# Made on purpose: of each a name, evidence, and the gradients, None for those that it leaves open.
Bugs = Iterator[tuple[str, str, Arrays]]


def trusted(layer: Layer, at: Arrays, truth: Truth, mask: Mask | None = None) -> Steps:
    """Run step by step, and differentiate each step of each sequence by itself."""
    k, x = layer.n_params, at[layer.n_params]
    states = [[s] for s in at[k + 1 :]]
    for t in range(len(x)):
        now = [*at[:k], x[t : t + 1], *(s[-1] for s in states)]
        outs = layer.function(now, None if mask is None else mask[t : t + 1])
        for state, after in zip(states, outs[1:], strict=True):
            state.append(after)
    stacked = [np.stack(s) for s in states]
    found = Steps([], at[:k], x, stacked, *roles(at[:k], x, stacked[0]))

    def all_at_once(p: Arrays) -> Arrays:
        outputs, *states = layer.function([*p[:k], p[k][None], *p[k + 1 :]])
        return [np.concatenate([outputs[0], *states], axis=1)]

    matrices = jacobian(all_at_once, found.point, truth, k)
    return found._replace(jacobians=[m.reshape(len(m), *x.shape[:2], -1) for m in matrices])


class Swept(NamedTuple):
    """What a sweep leaves: of each leaf the contributions of steps, (T, B, entries).

    carried: what comes out of the first step.
    """

    steps: Steps
    contributions: Arrays
    carried: Arrays

    def record(self, pick: Callable[..., Array] = np.asarray, carried: bool = False) -> Arrays:
        """Add up, over those steps and sequences that `pick` leaves."""
        k = self.steps.k
        initial = self.carried if carried else [c[0] for c in self.contributions[k + 1 :]]
        both = zip(self.contributions[:k], self.steps.params, strict=True)
        params = [pick(c).sum(axis=(0, 1)).reshape(p.shape) for c, p in both]
        return [*params, self.contributions[k], *initial]

    def delta(self, i: int | None, left: Array) -> Array | None:
        """Split the contributions to a weight matrix into leftᵀ δ; None if they are not of that form."""
        if i is None:
            return None
        outer, delta = split(left, self.contributions[i])
        rest = outer - left[..., None] * delta[:, :, None]
        return delta if np.abs(rest).max() <= 1e-6 * max(1e-9, np.abs(outer).max()) else None


def split(left: Array, contributions: Array) -> tuple[Array, Array]:
    """Return what should be the outer products of `left` and δ, and that δ, if they are."""
    outer = contributions.reshape(*left.shape, -1)
    size = np.maximum((left**2).sum(axis=-1), 1e-300)
    return outer, np.einsum("...n,...ng->...g", left, outer) / size[..., None]


def sweep(
    steps: Steps, cotangents: Arrays, carry: Carry | None = None, pull: Pull | None = None
) -> Swept:
    """Go back through all steps, in the right way but for what is carried, or in another."""
    d_outputs, *d_state = cotangents
    kept: list[Arrays] = []
    for t in reversed(range(len(d_outputs))):
        found = (pull or steps.pull)(t, [d_outputs[t], *d_state])
        d_state = found[steps.k + 1 :]
        if carry is not None:
            d_state = carry(t, d_state, found)
        kept.insert(0, found)
    return Swept(steps, [np.stack(c) for c in zip(*kept, strict=True)], d_state)


def factors(steps: int, batch: int) -> list[tuple[str, str, float]]:
    """List by what a right tensor may have been multiplied: the bug, the evidence, the factor."""
    of_any = [
        ("factor 2", "twice the true one", 2.0),
        ("factor 2", "half the true one", 0.5),
        ("wrong sign", "minus the true one", -1.0),
        ("mean over the batch", "divided by B", 1 / batch),
    ]
    of_several = [
        ("mean over the steps", "divided by T", 1 / steps),
        ("mean over the batch", "divided by T B", 1 / (steps * batch)),
    ]
    return of_any + of_several if steps > 1 else of_any


def without(arrays: Arrays, which: int | None = None) -> Arrays:
    """Put zeros in the place of one array, or of all."""
    return [np.zeros_like(a) if which in (None, i) else a for i, a in enumerate(arrays)]
