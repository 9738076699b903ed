"""Cells of a user's own go through the engine: its gradient against the complex step.

Two that the library does not have: a leaky unit, whose past also reaches it along a direct path, and a
cell with two gates and a state of two arrays, much like an LSTM's.
"""

import numpy as np
import pytest
from closeness import assert_close
from problems import Where

import bptt


class Leaky:
    """a = (1 - r) a⁻ + r tanh(z): a fraction of the past stays, without any weight."""

    def __init__(self, rate):
        self.rate = rate

    def step(self, z, a):
        """Return the state, and tanh(z)."""
        new = np.tanh(z)
        return ((1 - self.rate) * a + self.rate * new,), (new,)

    def step_backward(self, d_a, a, new):
        """Return δ, and what goes to the past directly."""
        return (self.rate * (1 - new**2) * d_a,), ((1 - self.rate) * d_a,), ()


class Memory:
    """c = f c⁻ + (1 - f) g, a = tanh(c); f = sigmoid(z), g = tanh(x h + x).

    x and h enter g as a product, so that their two δ differ, as they do in a GRU.
    """

    def step(self, z_f, x_g, h_g, a, c):
        """Return the state (a, c), and what the derivative needs."""
        f, g = bptt.sigmoid(z_f), np.tanh(x_g * h_g + x_g)
        c = f * c + (1 - f) * g
        return (np.tanh(c), c), (f, g, np.tanh(c), x_g, h_g)

    def step_backward(self, d_a, d_c, a, c, f, g, tanh_c, x_g, h_g):
        """Return δ of z, x and h, and the direct path from c to c⁻."""
        d_c = d_c + d_a * (1 - tanh_c**2)
        d_f = d_c * (c - g) * f * (1 - f)
        d_g = d_c * (1 - f) * (1 - g**2)
        return (d_f, d_g * (h_g + 1), d_g * x_g), (0.0, d_c * f), ()


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
        tuple(rng.uniform(-1, 1, (2, n)) for _ in bptt.cells.state_names_of(cell))
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
