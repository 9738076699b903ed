"""Feedforward backpropagation against the literal loops (one step, no past) and the complex step."""

import numpy as np
import pytest
import reference
from closeness import assert_close
from problems import ACTIVATIONS

import bptt

SEEDS = range(60)


def net(seed):
    """Draw layers, input, activations and the cotangent of the outputs."""
    rng = np.random.default_rng([3, seed])
    depth, batch = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    n = rng.integers(1, 6, depth + 1)
    layers = tuple(
        bptt.Affine(rng.normal(size=(n[l], n[l + 1])), rng.normal(size=n[l + 1]))
        for l in range(depth)
    )
    functions = tuple(ACTIVATIONS[i] for i in rng.integers(0, 6, depth))
    x, d_outputs = rng.uniform(-1, 1, (batch, n[0])), rng.normal(size=(batch, n[-1]))
    return layers, x, functions, d_outputs


def literal(layers, x, functions, d_outputs):
    """Run the literal loops over one step, with recurrent weights and states of zero."""
    n = [x.shape[1], *(len(layer.b) for layer in layers)]
    loops = reference.Net(
        w=[None, *(layer.w.tolist() for layer in layers)],
        u=[None, *(np.zeros((k, k)).tolist() for k in n[1:-1]), None],
        b=[None, *(layer.b.tolist() for layer in layers)],
        names=[None, *(function.name for function in functions)],
        n=n,
        L=len(layers),
        T=1,
        B=len(x),
    )
    nothing = [np.zeros((len(x), k)).tolist() for k in n[1:-1]]
    run = reference.forward(loops, [x.tolist()], nothing)
    delta = reference.errors(loops, run, [d_outputs.tolist()], nothing)
    found = reference.gradient(loops, run, delta)

    def rows(quantity, l):
        return np.array([[quantity[l, 1, m, j] for j in range(n[l])] for m in range(len(x))])

    outputs = rows(run.a, len(layers))
    weights = zip(found.w[1:], found.b[1:], strict=True)
    return outputs, bptt.teaching.feedforward.Gradient(
        layers=tuple(bptt.Affine(np.array(w), np.array(b)) for w, b in weights),
        x=np.array(found.x[0]),
        delta=tuple(rows(delta, l) for l in range(1, len(layers) + 1)),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_is_that_of_the_literal_loops(seed):
    layers, x, functions, d_outputs = net(seed)
    outputs, gradient = literal(layers, x, functions, d_outputs)
    trace = bptt.teaching.feedforward.forward(layers, x, functions)
    assert_close(trace.outputs, outputs, 1e-13)
    assert_close(bptt.teaching.feedforward.backward(trace, d_outputs), gradient, 1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_is_that_of_the_complex_step(seed):
    layers, x, functions, d_outputs = net(seed)

    def cost(at):
        return (bptt.teaching.feedforward.forward(*at, functions).outputs * d_outputs).sum()

    gradient = bptt.teaching.feedforward.backward(
        bptt.teaching.feedforward.forward(layers, x, functions), d_outputs
    )
    assert_close((gradient.layers, gradient.x), bptt.complex_step(cost, (layers, x)), 1e-12)


def test_one_activation_serves_all_layers():
    """Against one activation for each layer."""
    layers, x, _, d_outputs = net(3)
    one = bptt.teaching.feedforward.forward(layers, x, bptt.tanh)
    each = bptt.teaching.feedforward.forward(list(layers), x, [bptt.tanh] * len(layers))
    assert_close(one.outputs, each.outputs, 1e-300)
    gradients = (bptt.teaching.feedforward.backward(trace, d_outputs) for trace in (one, each))
    assert_close(*gradients, 1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_has_the_dtype_of_what_it_is_the_gradient_of(dtype):
    layers, x, functions, d_outputs = bptt.tree_map(
        lambda leaf: leaf.astype(dtype), (net(5)[0], net(5)[1], (), net(5)[3])
    )
    trace = bptt.teaching.feedforward.forward(layers, x, net(5)[2])
    gradient = bptt.teaching.feedforward.backward(trace, d_outputs)
    assert {leaf.dtype for _, leaf in bptt.tree_leaves(gradient)} == {np.dtype(dtype)}
    assert {leaf.dtype for _, leaf in bptt.tree_leaves((trace.z, trace.a))} == {np.dtype(dtype)}
    assert functions == ()
