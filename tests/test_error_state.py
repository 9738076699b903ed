"""Underflow is no error: a number too small to be held is zero, whatever the caller's NumPy makes of it.

Every public function is called under ``np.errstate(all="raise")`` with weights, inputs and biases whose
products and exponentials vanish. What it must do is nothing: return, as it does without.
"""

import inspect
import types
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from nets import CELLS

import bptt

pytestmark = pytest.mark.untraced  # others run the same lines, once

SIZES = (2, 3, 2)
SHAPES = {np.float32: (1e-25, -95.0), np.float64: (1e-200, -730.0)}  # square, exponential vanish


def vanishing(name, dtype, kind):
    """Return a problem: tiny weights and inputs, or gates that are shut by their biases."""
    tiny, shut = SHAPES[dtype]
    rng = np.random.default_rng(5)
    stack = bptt.Stack((CELLS[name],))
    params = bptt.initialize(stack, SIZES, rng, dtype)
    by = {
        "tiny": lambda p: p * dtype(tiny),
        "shut": lambda p: p + dtype(shut) * (p.ndim == 1),
        "open": lambda p: p - dtype(shut) * (p.ndim == 1),
    }[kind]
    x = rng.normal(size=(4, 1, 2)).astype(dtype) * dtype(tiny if kind == "tiny" else 1)
    params = params._replace(layers=bptt.tree_map(by, params.layers))
    return types.SimpleNamespace(
        stack=stack, params=params, x=x, dtype=dtype, tiny=dtype(tiny), kind=kind
    )


def cost(outputs, steps=None):
    return bptt.squared_error(outputs, np.ones_like(outputs.real))


def at(given):
    return given.stack, given.params, given.x, cost


def traced(given):
    return bptt.forward(given.stack, given.params, given.x)


def small(given):
    """Return cotangents that are tiny, and one that is not."""
    d = np.full((4, 1, 2), given.tiny)
    d[-1] = 1
    return d


def of_a_layer(given):
    (layer,) = traced(given).layers
    if not isinstance(layer.cell, bptt.ResetBeforeGRU):  # which is no formula
        assert layer.intermediates
    return bptt.algorithms.step_jacobians(layer)


def layer_there_and_back(given):
    trace = bptt.layer_forward(given.stack.cells[0], given.params.layers[0], given.x)
    return bptt.layer_backward(trace, np.full_like(trace.outputs, given.tiny))


def norms_of_errors(given):
    if not isinstance(given.stack.cells[0], bptt.ResetBeforeGRU):  # which has no z
        bptt.delta_norms(bptt.backward(traced(given), small(given)))


def of_contributions(given):
    parts = bptt.contributions(traced(given), small(given))
    return parts.norms(), parts.of_cost(3), parts.through_step(0), parts.total(), parts.total(2)


def activations(given):
    z = np.array([0, given.tiny, -90, 90, -800, 800], given.dtype)
    for one in (bptt.identity, bptt.relu, bptt.sigmoid, bptt.softplus, bptt.tanh):
        one.derivative(z, one(z))


def updates(given):
    gradient = bptt.backward(traced(given), small(given)).params
    for rule in (bptt.GradientDescent(1e-30), bptt.Momentum(1e-30), bptt.Adam(1e-30)):
        rule.update(
            given.params, gradient, rule.update(given.params, gradient, rule.init(gradient))[1]
        )


def records(given):
    one = bptt.backward(traced(given), small(given))
    return one * 1e-30, np.float64(1e-30) * one, one + one, one - one, repr(one)


def small_cost(z):
    with np.errstate(all="ignore"):  # the user's own
        return (z**2).sum() * 1e-200


def wrapped(given):
    """Check a layer of its own record, as a user hands it in."""
    stack, rng = given.stack, np.random.default_rng(6)
    params = bptt.initialize(stack, SIZES, rng).layers[0]
    x = rng.normal(size=given.x.shape)
    initial = bptt.layer_forward(stack.cells[0], params, x).final

    def forward(params, x, initial):
        trace = bptt.layer_forward(stack.cells[0], params, x, initial)
        return trace.outputs, trace.final, trace

    def backward(_, saved, d_outputs, d_final):
        found = bptt.layer_backward(saved, d_outputs, d_final)
        return found.params, found.x, found.initial

    return bptt.check_layer(forward, backward, params=params, x=x, initial=initial)


def files(given):
    with TemporaryDirectory() as folder:
        for end in ("npz", "safetensors"):
            bptt.save(f"{folder}/one.{end}", given.params)
            bptt.load(f"{folder}/one.{end}", given.params)
        bptt.save_snapshot(folder, 1, given.params)
        bptt.load_snapshot(folder, given.params)


def elsewhere(given):
    cell, layer = given.stack.cells[0], given.params.layers[0]
    if type(cell) not in {bptt.LSTM, bptt.GRU}:
        return
    bptt.from_torch((cell,), bptt.to_torch((cell,), (layer,)))
    bptt.from_flax(cell, bptt.to_flax(cell, layer))


def numbers(given):
    """Call what makes no net of its numbers."""
    z = np.array([[0, given.tiny, -90], [-800, 0, 800]], given.dtype)
    for low in (
        -87,
        -95,
        -708,
        -730,
    ):  # where the exponential is the smallest, and where it is none
        bptt.softmax(np.array([0, 0.3, low], given.dtype))
    bptt.softmax_cross_entropy(z, [0, 1])
    bptt.squared_error(np.full_like(z, given.tiny), 0 * z)
    for weights in np.array([1e-60, 5e-324]), np.array([0.1, 1e-38]):
        bptt.squared_error(z, 0 * z, weights)
        bptt.softmax_cross_entropy(z, [0, 1], weights)
        bptt.softmax_cross_entropy(z * 0 + np.array([0, -708, -87.3]), [0, 0], weights)
    bptt.clip_by_global_norm(np.full_like(z, given.tiny), 1e-30)
    bptt.clip_by_global_norm(z, 1e-40)
    bptt.global_norm(z)
    bptt.compare(z, 0 * z)
    bptt.compare(given.params, given.params * 0.5)
    bptt.tree_map(np.negative, bptt.tree_leaves(z)[0][1])
    bptt.flatten(given.params)[1](bptt.flatten(given.params)[0])


def drawn(given):
    for gain in (1e-30, 1e-44, 1e-320):
        bptt.orthogonal_recurrent(given.stack, given.params, 0, gain)
    bptt.forget_bias(given.stack, given.params, 1e-30)
    bptt.initialize(given.stack, SIZES, 0, given.dtype)


def pieces(given):
    x = np.concatenate([given.x] * 2, axis=1)
    mask = bptt.lengths_to_mask([4, 2])
    for each in bptt.windows(x, x, mask, length=2), bptt.minibatches(x, x, mask, size=1, rng=0):
        for piece in each:
            bptt.carry_state(bptt.forward(given.stack, given.params, piece.x, None, piece.mask))
    bptt.parallel_streams(x[:, 0], 2)


def once(given):
    """Say whether it is the first setting, for a call that draws its own numbers."""
    return given.dtype is np.float64 and given.kind == "tiny"


def on_float64(call):
    """Those that take the complex step."""
    return lambda given: call(given) if given.dtype is np.float64 else None


def vectors(params):
    """Return vectors of ordinary size, all tiny, and with one tiny entry in each array."""

    def one_tiny(array):
        array = np.ones_like(array)
        array.flat[0] = 1e-305
        return array

    return params, params * 1e-290, bptt.tree_map(one_tiny, params)


# By the names of what is called, as `bptt.__all__` has them.
CALLS = {
    "forward, backward, segment": lambda g: bptt.backward(bptt.segment(traced(g), 0, 4), small(g)),
    "layer_forward, layer_backward": layer_there_and_back,
    "value_and_grad": lambda g: bptt.value_and_grad(*at(g)),
    "full_bptt": lambda g: bptt.full_bptt(*at(g)),
    "checkpointed_bptt": lambda g: bptt.checkpointed_bptt(*at(g)),
    "truncated_bptt": lambda g: bptt.truncated_bptt(*at(g), k1=1, k2=2),
    "scan_bptt": lambda g: (bptt.scan_bptt(*at(g)), bptt.scan_bptt(*at(g), parallel=False)),
    "rtrl": lambda g: bptt.rtrl(*at(g)),
    "uoro": on_float64(lambda g: bptt.uoro(*at(g), rng=0)),
    "hessian_vector_product": on_float64(
        lambda g: [bptt.hessian_vector_product(*at(g), vector) for vector in vectors(g.params)]
    ),
    "contributions": of_contributions,
    "delta_norms": norms_of_errors,
    "jacobian_spectrum": lambda g: bptt.jacobian_spectrum(traced(g).layers[0]),
    "truncation_bias": lambda g: bptt.truncation_bias(*at(g), [1, 2]),
    "intermediates, step_jacobians": of_a_layer,
    "identity, relu, sigmoid, softplus, tanh": activations,
    "GradientDescent, Momentum, Adam": updates,
    "records": records,
    "check_gradient, central_difference, complex_step": on_float64(
        lambda g: bptt.check_gradient(small_cost, g.x, bptt.complex_step(small_cost, g.x))
    ),
    "check_cell": lambda g: once(g) and bptt.check_cell(g.stack.cells[0]),
    "check_layer": lambda g: once(g) and wrapped(g),
    "save, load, save_snapshot, load_snapshot": files,
    "to_torch, from_torch, to_flax, from_flax": elsewhere,
    "softmax, softmax_cross_entropy, squared_error, clip_by_global_norm, global_norm, compare, "
    "tree_map, tree_leaves, flatten": numbers,
    "initialize, orthogonal_recurrent, forget_bias": drawn,
    "windows, minibatches, lengths_to_mask, carry_state, parallel_streams": pieces,
}
ELSEWHERE = {"compiled"}  # its loops are no ufuncs: tests/test_compiled.py


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("cell", CELLS)
def test_underflow_is_no_error_whoever_calls(cell, call):
    for dtype in SHAPES:
        for kind in ("tiny", "shut", "open"):
            given = vanishing(cell, dtype, kind)
            with np.errstate(all="raise"):
                call(given)


def test_every_public_function_is_in_the_table():
    named = {name for names in CALLS for name in names.split(", ")}
    public = {
        name
        for name in bptt.__all__
        if inspect.isroutine(getattr(bptt, name))
        or isinstance(getattr(bptt, name), bptt.Activation)
    }
    assert public - named == ELSEWHERE
