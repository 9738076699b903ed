"""Cells of a user's own go through the engine: its gradient against the complex step.

Two that the library does not have: a leaky unit, whose past also reaches it along a direct path, and a
cell with two gates and a state of two arrays, much like an LSTM's.
"""

from typing import NamedTuple

import numpy as np
import pytest
from closeness import assert_close
from problems import Where

import bptt


class Leaky:
    """a = (1 - r) a⁻ + r tanh(z): a fraction of the past stays, without any weight."""

    gates, state_names = 1, ("a",)
    own_blocks, parameters = (), bptt.Recurrent

    def __init__(self, rate):
        self.rate = rate

    def step(self, z_x, z_h, state):
        """Return the state, and tanh(z)."""
        new = np.tanh(z_x + z_h)
        return ((1 - self.rate) * state[0] + self.rate * new,), new

    def step_backward(self, d_state, new):
        """Return δ twice, and what goes to the past directly."""
        (d_a,) = d_state
        delta = self.rate * (1 - new**2) * d_a
        return delta, delta, ((1 - self.rate) * d_a,)


class Kept(NamedTuple):
    """Gate, candidate, previous and next memory, its tanh, and the candidate's own z_h."""

    f: np.ndarray
    g: np.ndarray
    past: np.ndarray
    tanh_c: np.ndarray
    z_h: np.ndarray


class Memory:
    """c = f c⁻ + (1 - f) g, a = tanh(c); f = sigmoid(z_x + z_h), g = tanh(z_x z_h) of their own columns.

    z_x and z_h enter g as a product, so that the two δ differ, as they do in a GRU.
    """

    gates, state_names = 2, ("a", "c")
    own_blocks, parameters = (), bptt.Recurrent

    def step(self, z_x, z_h, state):
        """Return the state (a, c), and what the derivative needs."""
        _, past = state
        n = past.shape[1]
        f = bptt.sigmoid(z_x[:, :n] + z_h[:, :n])
        g = np.tanh(z_x[:, n:] * z_h[:, n:] + z_x[:, n:])
        c = f * past + (1 - f) * g
        kept = (Kept(f, g, past, np.tanh(c), z_h[:, n:]), z_x[:, n:])
        return (np.tanh(c), c), kept

    def step_backward(self, d_state, saved):
        """Return δ_x, δ_h, and the direct path from c to c⁻."""
        (f, g, past, tanh_c, z_h), z_x = saved
        d_a, d_c = d_state
        d_c = d_c + d_a * (1 - tanh_c**2)
        d_f = d_c * (past - g) * f * (1 - f)
        d_g = d_c * (1 - f) * (1 - g**2)
        delta_x = np.concatenate([d_f, d_g * (z_h + 1)], axis=1)
        delta_h = np.concatenate([d_f, d_g * z_x], axis=1)
        return delta_x, delta_h, (np.zeros_like(past), d_c * f)


STACKS = {
    "leaky": (Leaky(0.3),),
    "two leaky": (Leaky(0.3), Leaky(0.8)),
    "memory": (Memory(),),
    "mixed": (bptt.Elman(bptt.softplus), Memory(), Leaky(0.5)),
}


def setting(name, seed=0):
    """Draw parameters, input, states, and cotangents of outputs and final states."""
    rng = np.random.default_rng([5, seed])
    stack = bptt.Stack(STACKS[name], bptt.sigmoid)
    sizes = (2, *(3 + i for i in range(len(stack.cells))), 2)
    at = Where(
        bptt.initialize(stack, sizes, rng), rng.normal(size=(6, 2, 2)), states(stack, sizes, rng)
    )
    return stack, at, rng.normal(size=(6, 2, 2)), states(stack, sizes, rng)


def states(stack, sizes, rng):
    return tuple(
        tuple(rng.uniform(-1, 1, (2, n)) for _ in cell.state_names)
        for cell, n in zip(stack.cells, sizes[1:-1], strict=True)
    )


@pytest.mark.parametrize("name", STACKS)
def test_gradient_is_that_of_the_complex_step(name):
    stack, at, d_outputs, d_final = setting(name)

    def cost(at):
        trace = bptt.forward(stack, *at)
        arrays = zip(bptt.tree_leaves(trace.final), bptt.tree_leaves(d_final), strict=True)
        return (trace.outputs * d_outputs).sum() + sum((a * d).sum() for (_, a), (_, d) in arrays)

    gradient = bptt.backward(bptt.forward(stack, *at), d_outputs, d_final)
    trusted = bptt.complex_step(cost, at)
    assert_close(Where(gradient.params, gradient.x, gradient.initial), trusted, 1e-12)


@pytest.mark.parametrize("name", STACKS)
def test_two_segments_compose_to_the_whole(name):
    """All arrays of a state carry the cotangent from segment to segment."""
    stack, (params, x, initial), d_outputs, d_final = setting(name)
    whole = bptt.backward(bptt.forward(stack, params, x, initial), d_outputs, d_final)
    first = bptt.forward(stack, params, x[:4], initial)
    second = bptt.forward(stack, params, x[4:], first.final)
    late = bptt.backward(second, d_outputs[4:], d_final)
    early = bptt.backward(first, d_outputs[:4], late.initial)
    assert_close(bptt.tree_map(np.add, early.params, late.params), whole.params, 1e-13)
    assert_close(early.initial, whole.initial, 1e-13)


def test_a_leaky_cell_that_forgets_all_is_elman():
    """At rate 1 nothing goes the direct way: against the library's own cell."""
    _, at, d_outputs, d_final = setting("leaky")
    runs = [
        bptt.backward(bptt.forward(bptt.Stack((cell,), bptt.sigmoid), *at), d_outputs, d_final)
        for cell in (Leaky(1.0), bptt.Elman())
    ]
    assert_close(*runs, 1e-14)


def test_states_not_given_are_zero_arrays_for_each_name():
    stack, (params, x, initial), _, _ = setting("memory")
    zeros = bptt.tree_map(np.zeros_like, initial)
    ran = bptt.forward(stack, params, x), bptt.forward(stack, params, x, zeros)
    assert_close(ran[0].outputs, ran[1].outputs, 1e-300)
    alone = bptt.layer_forward(Memory(), params.layers[0], x)
    assert_close(alone.final, ran[1].final[0], 1e-300)
