"""Flax, Keras and ONNX Runtime with the same weights, both ways: outputs, final states and, of Flax and Keras, gradients.

The weights travel through the functions of `bptt.interop`, which this holds: from here to there (the other
library runs on what `to_...` made), and from there to here (`from_...` reads what the other library drew, with
all of its biases random). Tolerances are relative to the largest entry of an array: 1e-6, in float32, which is
what these libraries compute in.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_DISABLE_JIT"] = "1"  # to compile a net takes longer than its seven steps

import jax
import jax.numpy as jnp
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from closeness import assert_close
from flax import linen, nnx

import bptt

pytestmark = pytest.mark.peer

STEPS, BATCH, BELOW, WIDTH = 7, 3, 4, 5
TOLERANCE = 1e-6


def drawn(cell, seed=0):
    """Return the parameters of a layer, an input, the cotangent of the outputs: all in float32."""
    rng = np.random.default_rng([90, seed])
    stack = bptt.Stack((cell,))
    layer = bptt.initialize(stack, (BELOW, WIDTH, 1), rng, np.float32).layers[0]
    outputs = WIDTH * (1 + isinstance(cell, bptt.Bidirectional))
    x = rng.normal(size=(STEPS, BATCH, BELOW)).astype(np.float32)
    return layer, x, rng.normal(size=(STEPS, BATCH, outputs)).astype(np.float32)


def without_c(layer):
    """Return a GRU layer whose recurrent bias is zero, as a GRU of nnx has none."""
    return layer._replace(c=np.zeros_like(layer.c)) if hasattr(layer, "c") else layer


def ours(cell, layer, x, d_a):
    """Return outputs, and the gradients of the parameters and of x."""
    trace = bptt.layer_forward(cell, layer, x)
    gradient = bptt.layer_backward(trace, d_a)
    return trace.outputs, gradient.params, gradient.x


def randomized(tree, seed=3):
    """Return arrays of the same shapes, all drawn: what a library draws has biases of zero."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda a: rng.uniform(-0.5, 0.5, a.shape).astype(np.float32), tree)


# Flax


FLAX = {
    "linen.SimpleCell": (bptt.Elman(), "linen", linen.SimpleCell),
    "linen.LSTMCell": (bptt.LSTM(), "linen", linen.LSTMCell),
    "linen.OptimizedLSTMCell": (bptt.LSTM(), "linen", linen.OptimizedLSTMCell),
    "linen.GRUCell": (bptt.GRU(), "linen", linen.GRUCell),
    "nnx.SimpleCell": (bptt.Elman(), "nnx", nnx.SimpleCell),
    "nnx.LSTMCell": (bptt.LSTM(), "nnx", nnx.LSTMCell),
    "nnx.OptimizedLSTMCell": (bptt.LSTM(), "nnx.OptimizedLSTMCell", nnx.OptimizedLSTMCell),
    "nnx.GRUCell": (bptt.GRU(), "nnx", nnx.GRUCell),
}


class Flax:
    """A cell of Flax: the tree that it draws, and its outputs as a function of a tree."""

    def __init__(self, form, module):
        self.start = tuple(jnp.zeros((BATCH, WIDTH)) for _ in range(2))
        self.start = self.start if "LSTM" in module.__name__ else self.start[0]
        if form == "linen":
            cell = module(WIDTH)
            self.drawn = cell.init(jax.random.key(0), self.start, jnp.zeros((BATCH, BELOW)))
            self.step = lambda tree: lambda carry, x: cell.apply({"params": tree}, carry, x)
        else:
            graph, state = nnx.split(module(BELOW, WIDTH, rngs=nnx.Rngs(0)))
            self.drawn = nnx.to_pure_dict(state)

            def step(tree):
                held = jax.tree.map(lambda a: a, state)
                nnx.replace_by_pure_dict(held, tree)
                return nnx.merge(graph, held)

            self.step = step

    def __call__(self, tree, x):
        cell, carry, outputs = self.step(tree), self.start, []
        for now in x:
            carry, output = cell(carry, now)
            outputs.append(output)
        return jnp.stack(outputs)


@pytest.mark.parametrize("name", FLAX)
def test_flax_runs_our_weights_and_returns_our_gradients(name):
    cell, form, module = FLAX[name]
    layer, x, d_a = drawn(cell)
    layer = without_c(layer) if form == "nnx" else layer
    theirs, tree = Flax(form, module), bptt.to_flax(cell, layer, form)
    shapes = jax.tree.map(np.shape, tree)
    assert shapes == jax.tree.map(np.shape, theirs.drawn.get("params", theirs.drawn))
    outputs, pull = jax.vjp(jax.jit(theirs), tree, x)
    d_tree, d_x = pull(jnp.asarray(d_a))
    want, d_layer, want_x = ours(cell, layer, x, d_a)
    assert_close(np.asarray(outputs), want, TOLERANCE)
    assert_close(np.asarray(d_x), want_x, TOLERANCE)
    got = bptt.from_flax(cell, jax.tree.map(np.asarray, d_tree))
    if name == "nnx.GRUCell":  # c is no parameter there
        got, d_layer = got[:3], d_layer[:3]
    assert_close(tuple(got), tuple(d_layer), TOLERANCE)


@pytest.mark.parametrize("name", FLAX)
def test_weights_that_flax_drew_give_its_outputs_here(name):
    cell, form, module = FLAX[name]
    _, x, d_a = drawn(cell)
    theirs = Flax(form, module)
    tree = randomized(theirs.drawn)  # of linen with the outer "params", as init returns it
    got, *_ = ours(cell, bptt.from_flax(cell, tree), x, d_a)
    assert_close(got, np.asarray(theirs(tree.get("params", tree), x)), TOLERANCE)


# Keras


def both(cell):
    return bptt.Bidirectional(cell, cell)


KERAS = {
    "SimpleRNN": (bptt.Elman(), keras.layers.SimpleRNN, {}),
    "SimpleRNN of relu": (bptt.Elman(bptt.relu), keras.layers.SimpleRNN, {"activation": "relu"}),
    "LSTM": (bptt.LSTM(), keras.layers.LSTM, {}),
    "GRU": (bptt.GRU(), keras.layers.GRU, {}),
    "GRU, reset before": (bptt.ResetBeforeGRU(), keras.layers.GRU, {"reset_after": False}),
}
SIDES = ("forward_layer", "backward_layer")


def keras_layer(module, options, two, use_bias=True):
    one = module(WIDTH, return_sequences=True, use_bias=use_bias, **options)
    layer = keras.layers.Bidirectional(one) if two else one
    layer.build((BATCH, STEPS, BELOW))
    return layer


def keras_arrays(layer, two, arrays=None):
    """Return the weights of a layer by name, or other arrays in their places."""
    values = iter(arrays or layer.weights)
    if two:
        return {
            side: {w.name: np.asarray(next(values)) for w in getattr(layer, side).weights}
            for side in SIDES
        }
    return {w.name: np.asarray(next(values)) for w in layer.weights}


def flat(named):
    return [a for v in named.values() for a in (v.values() if isinstance(v, dict) else [v])]


def run_keras(layer):
    """Return a function of weights and an input, time first, as JAX wants it."""

    def run(arrays, x):
        outputs, _ = layer.stateless_call(arrays, layer.non_trainable_variables, x.swapaxes(0, 1))
        return outputs.swapaxes(0, 1)

    return run


@pytest.mark.parametrize("two", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", KERAS)
def test_keras_runs_our_weights_and_returns_our_gradients(name, use_bias, two):
    one, module, options = KERAS[name]
    cell = both(one) if two else one
    layer, x, d_a = drawn(cell)
    if not use_bias:
        layer = bptt.interop.from_keras(cell, no_bias(bptt.interop.to_keras(cell, layer)))
    theirs = keras_layer(module, options, two, use_bias)
    named = bptt.interop.to_keras(cell, layer, bias=use_bias)
    theirs.set_weights(flat(named))
    assert_close(flat(keras_arrays(theirs, two)), flat(named), 0)
    held = [w.value for w in theirs.trainable_variables]
    outputs, pull = jax.vjp(run_keras(theirs), held, jnp.asarray(x))
    d_weights, d_x = pull(jnp.asarray(d_a))
    want, d_layer, want_x = ours(cell, layer, x, d_a)
    assert_close(np.asarray(outputs), want, TOLERANCE)
    assert_close(np.asarray(d_x), want_x, TOLERANCE)
    # Each of two biases has the gradient of their sum: the second one is left out where it is not c.
    got = keras_arrays(theirs, two, d_weights)
    for side in (got.values() if two else [got]) if use_bias and name == "GRU" else []:
        side["bias"] = side["bias"] * [[1], [0]] + side["bias"] * [[0], [1]] * (
            np.arange(3 * WIDTH) >= 2 * WIDTH
        )
        side["bias"] = side["bias"].astype(np.float32)
    read = bptt.tree_leaves(bptt.interop.from_keras(cell, got))
    for (path, found), (_, wanted) in zip(read, bptt.tree_leaves(d_layer), strict=True):
        if use_bias or path.rpartition(".")[2] in {"w", "u"}:
            assert_close(found, wanted, TOLERANCE)


def no_bias(named):
    """Leave the biases out, in both directions."""
    return {
        key: no_bias(value) if isinstance(value, dict) else value
        for key, value in named.items()
        if key != "bias"
    }


@pytest.mark.parametrize("two", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("name", KERAS)
def test_weights_that_keras_drew_give_its_outputs_here(name, two):
    one, module, options = KERAS[name]
    cell = both(one) if two else one
    _, x, d_a = drawn(cell)
    theirs = keras_layer(module, options, two)
    theirs.set_weights(randomized([np.asarray(w) for w in theirs.weights]))
    layer = bptt.interop.from_keras(cell, keras_arrays(theirs, two))
    got, *_ = ours(cell, layer, x, d_a)
    want = theirs(jnp.asarray(x.swapaxes(0, 1)))
    assert_close(got, np.asarray(want).swapaxes(0, 1), TOLERANCE)


# ONNX


ONNX = {
    "RNN": (bptt.Elman(), "RNN"),
    "RNN of relu": (bptt.Elman(bptt.relu), "RNN"),
    "RNN of sigmoid": (bptt.Elman(bptt.sigmoid), "RNN"),
    "RNN of softplus": (bptt.Elman(bptt.softplus), "RNN"),
    "LSTM": (bptt.LSTM(), "LSTM"),
    "LSTM with peepholes": (bptt.PeepholeLSTM(), "LSTM"),
    "GRU, linear_before_reset=1": (bptt.GRU(), "GRU"),
    "GRU, linear_before_reset=0": (bptt.ResetBeforeGRU(), "GRU"),
}
PLACES = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def node_of(operator, inputs, attributes):
    """Build the node, its inputs in the operator's own places."""
    given = ["X", *inputs]
    last = max(PLACES.index(name) for name in given)
    names = [name if name in given else "" for name in PLACES[: last + 1]]
    return onnx.helper.make_node(operator, names, ["Y"], **attributes)


def run_onnx(node, inputs, x):
    """Run a model of this one node with ONNX Runtime; return outputs as (T, B, directions n)."""
    described = onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, x.shape)
    output = onnx.helper.make_tensor_value_info("Y", onnx.TensorProto.FLOAT, ["T", "D", "B", "n"])
    initializers = [onnx.numpy_helper.from_array(a, name) for name, a in inputs.items()]
    graph = onnx.helper.make_graph([node], "layer", [described], [output], initializers)
    opset = [onnx.helper.make_opsetid("", 22)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"X": x})  # (T, directions, B, n)
    return np.concatenate(list(y.swapaxes(0, 1)), axis=-1)


def onnx_case(name, two):
    one, operator = ONNX[name]
    cell = both(one) if two else one
    return cell, operator, *drawn(cell)


@pytest.mark.parametrize("two", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("name", ONNX)
def test_onnx_runtime_runs_our_weights(name, two):
    cell, operator, layer, x, d_a = onnx_case(name, two)
    inputs, attributes = bptt.interop.to_onnx(cell, layer)
    want, *_ = ours(cell, layer, x, d_a)
    got = run_onnx(node_of(operator, inputs, attributes), inputs, x)
    assert_close(got, want, TOLERANCE)


@pytest.mark.parametrize("two", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("name", ONNX)
def test_a_node_of_an_onnx_model_gives_its_outputs_here(name, two):
    """All inputs of the node are drawn; attributes are read off the node, as a model file has them."""
    cell, operator, layer, x, d_a = onnx_case(name, two)
    inputs, attributes = bptt.interop.to_onnx(cell, layer)
    inputs = randomized(inputs)
    node = node_of(operator, inputs, attributes)
    read = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    got, *_ = ours(cell, bptt.interop.from_onnx(cell, inputs, read), x, d_a)
    assert_close(got, run_onnx(node, inputs, x), TOLERANCE)


# PyTorch: what test_torch_cells.py does not hold


TORCH = {
    "RNN": (torch.nn.RNN, bptt.Elman()),
    "LSTM": (torch.nn.LSTM, bptt.LSTM()),
    "GRU": (torch.nn.GRU, bptt.GRU()),
}


@pytest.mark.parametrize("two", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("kind", TORCH)
def test_pytorch_without_biases(kind, two):
    module, one = TORCH[kind]
    cells = (both(one) if two else one,) * 2
    theirs = module(BELOW, WIDTH, 2, bias=False, bidirectional=two)
    state = {name: t.numpy() for name, t in theirs.state_dict().items()}
    layers = bptt.from_torch(cells, state)
    again = bptt.to_torch(cells, layers, bias=False)
    assert {k: v.tobytes() for k, v in again.items()} == {k: v.tobytes() for k, v in state.items()}
    below = x = np.random.default_rng(91).normal(size=(STEPS, BATCH, BELOW)).astype(np.float32)
    for cell, layer in zip(cells, layers, strict=True):
        below = bptt.layer_forward(cell, layer, below).outputs
    assert_close(below, theirs(torch.from_numpy(x))[0].detach().numpy(), TOLERANCE)


def test_pytorch_with_a_projection_is_refused_by_name():
    theirs = torch.nn.LSTM(BELOW, WIDTH, proj_size=2)
    state = {name: t.numpy() for name, t in theirs.state_dict().items()}
    with pytest.raises(ValueError, match=r"without proj_size, .*weight_hr_l0"):
        bptt.from_torch((bptt.LSTM(),), state)
