"""Nets of every cell, and of a reader's own, with data, masks and costs, and the ways to their gradient: one table for all tests.

A setting is drawn from a seed. Its cost is a function of outputs and the steps they belong to, as all
ways take it, and goes through with complex numbers too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import bptt

CELLS = {
    "Elman": bptt.Elman(),
    "Elman of softplus": bptt.Elman(bptt.softplus),
    "LSTM": bptt.LSTM(),
    "PeepholeLSTM": bptt.PeepholeLSTM(),
    "GRU": bptt.GRU(),
    "ResetBeforeGRU": bptt.ResetBeforeGRU(),
    "Diagonal": bptt.Diagonal(),
    "Diagonal of tanh": bptt.Diagonal(bptt.tanh),
}


class Leaky:
    """a = (1 - s) a⁻ + s tanh(z), where s = sigmoid(r): each unit learns how fast it is."""

    def step(self, z, a, r):
        s, n = bptt.sigmoid(r), np.tanh(z)
        return ((1 - s) * a + s * n,), (n,)

    def step_backward(self, d_a, a, r, n):
        s = bptt.sigmoid(r)
        return (d_a * s * (1 - n**2),), ((1 - s) * d_a,), (d_a * (n - a) * s * (1 - s),)


class Swing:
    """v = 0.9 v⁻ + tanh(z) - a⁻, a = a⁻ + 0.1 v: a state of a place and a speed."""

    def step(self, z, a, v):
        n = np.tanh(z)
        v = 0.9 * v + n - a
        return (a + 0.1 * v, v), (n,)

    def step_backward(self, d_a, d_v, a, v, n):
        d_v = d_v + 0.1 * d_a
        return (d_v * (1 - n**2),), (d_a - d_v, 0.9 * d_v), ()


class Memory:
    """c = f c⁻ + (1 - f) g, a = tanh(c); f = sigmoid(z), g = tanh(x h + x): of x and h the δ differ, as in a GRU."""

    def step(self, z_f, x_g, h_g, a, c):
        f, g = bptt.sigmoid(z_f), np.tanh(x_g * h_g + x_g)
        c = f * c + (1 - f) * g
        return (np.tanh(c), c), (f, g, np.tanh(c), x_g, h_g)

    def step_backward(self, d_a, d_c, a, c, f, g, tanh_c, x_g, h_g):
        d_c = d_c + d_a * (1 - tanh_c**2)
        d_f = d_c * (c - g) * f * (1 - f)
        d_g = d_c * (1 - f) * (1 - g**2)
        return (d_f, d_g * (h_g + 1), d_g * x_g), (0.0, d_c * f), ()


OWN = {"own parameter": Leaky(), "two states": Swing(), "x and h apart": Memory()}
"""A reader's own cells, which inherit nothing."""

EXACT: dict[str, Callable[..., bptt.algorithms.Result]] = {
    "full": bptt.full_bptt,
    "every 3": partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.every(3)),
    "square root": partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.square_root()),
    "binomial 2": partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.binomial(2)),
    "binomial 2, pieces of 2": partial(
        bptt.checkpointed_bptt, schedule=bptt.algorithms.binomial(2, piece=2)
    ),
    "scan, parallel": bptt.scan_bptt,
    "scan, sequential": partial(bptt.scan_bptt, parallel=False),
    "RTRL": bptt.rtrl,
    "truncated beyond T": partial(bptt.truncated_bptt, k1=2, k2=1000),
}


class At(NamedTuple):
    """All that the cost of a run depends on."""

    params: bptt.Params
    x: Any
    initial: tuple


class Setting(NamedTuple):
    """A net, where to run it, and what it is for."""

    stack: bptt.Stack
    at: At
    mask: Any
    targets: Any
    weights: Any  # what each step and sequence counts in the cost; zero where there is no step

    def cost(self, outputs, steps):
        """Ask for the cost of some steps, as a way does."""
        return bptt.squared_error(outputs, self.targets[steps], self.weights[steps])

    def run(self, at=None):
        """Run the net where the setting says, or elsewhere."""
        return bptt.forward(self.stack, *(at or self.at), self.mask)

    def total(self, at):
        """Return the scalar C(params, x, initial), for truths that know nothing of gradients."""
        outputs = self.run(at).outputs
        return self.cost(outputs, slice(0, len(outputs))).value

    def by(self, way):
        """Take the gradient one way, see `EXACT`."""
        params, x, initial = self.at
        return way(self.stack, params, x, self.cost, initial, self.mask)


def draw(cells, rng, *, sizes=None, steps=7, batch=2, mask="none", dtype=np.float64):
    """Draw a setting for some cells; the mask: none, lengths, or holes anywhere."""
    stack = bptt.Stack(tuple(cells), bptt.sigmoid)
    sizes = sizes or (2, *(2 + i % 2 for i in range(len(cells))), 2)
    x = rng.uniform(-1, 1, (steps, batch, sizes[0])).astype(dtype)
    initial = tuple(
        state(cell, rng, batch, n, dtype) for cell, n in zip(cells, sizes[1:-1], strict=True)
    )
    at = At(bptt.initialize(stack, sizes, rng, dtype), x, initial)
    found = draw_mask(rng, mask, steps, batch)
    weights = rng.uniform(0.1, 1, (steps, batch)).astype(dtype)
    weights = weights if found is None else weights * found
    targets = rng.uniform(size=(steps, batch, sizes[-1])).astype(dtype)
    return Setting(stack, at, found, targets, weights)


def state(cell, rng, batch, n, dtype=np.float64):
    """Draw the state of one layer."""
    if isinstance(cell, bptt.Bidirectional):
        both = (state(one, rng, batch, n, dtype) for one in (cell.forward, cell.backward))
        return bptt.BothDirections(*both)
    return tuple(
        rng.uniform(-1, 1, (batch, n)).astype(dtype) for _ in bptt.cells.state_names_of(cell)
    )


def draw_mask(rng, kind, steps, batch):
    """Draw which steps there are."""
    if kind == "lengths":
        return bptt.lengths_to_mask(rng.integers(1, steps + 1, batch), steps)
    return rng.random((steps, batch)) < 0.6 if kind == "holes" else None


def gives(result, at):
    """Return what a way gives of the gradient, and what it is the gradient of."""
    gradient = result.gradient
    got, of = (gradient.params, gradient.initial), (at.params, at.initial)
    return ((*got, gradient.x), (*of, at.x)) if len(gradient.x) else (got, of)
