"""What must hold for nets of any shape, by Hypothesis; `--hypothesis-profile=nightly` looks longer."""

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from problems import ACTIVATIONS, Where

import bptt


@st.composite
def nets(draw, dtypes=(np.float64,)):
    """Draw a stack, where to run it, and cotangents of its outputs and final states."""
    width = st.integers(1, 5)
    sizes = tuple(draw(st.lists(width, min_size=3, max_size=5)))
    steps, batch = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    function = st.sampled_from(ACTIVATIONS)
    stack = bptt.Stack(tuple(bptt.Elman(draw(function)) for _ in sizes[1:-1]), draw(function))

    def states():
        return tuple((rng.uniform(-1, 1, (batch, n)).astype(dtype),) for n in sizes[1:-1])

    def cotangents():
        return rng.normal(size=(steps, batch, sizes[-1])).astype(dtype), states()

    x = rng.uniform(-1, 1, (steps, batch, sizes[0])).astype(dtype)
    at = Where(bptt.initialize(stack, sizes, rng, dtype), x, states())
    return stack, at, cotangents(), cotangents()


@given(nets(dtypes=(np.float32, np.float64)))
@pytest.mark.filterwarnings("error")
def test_shapes_and_dtypes(net):
    """Each against what the formulas say of its shape."""
    stack, at, (d_outputs, d_final), _ = net
    steps, batch, n_0 = at.x.shape
    widths = [len(layer.u) for layer in at.params.layers]
    trace = bptt.forward(stack, *at)
    assert trace.outputs.shape == trace.z.shape == (steps, batch, len(at.params.readout.b))
    assert [layer.a.shape for layer in trace.layers] == [(steps + 1, batch, n) for n in widths]
    assert [state[0].shape for state in trace.final] == [(batch, n) for n in widths]
    gradient = bptt.backward(trace, d_outputs, d_final)
    assert gradient.x.shape == (steps, batch, n_0)
    assert [state[0].shape for state in gradient.initial] == [(batch, n) for n in widths]
    assert [d.shape for d in gradient.delta[:-1]] == [(steps, batch, n) for n in widths]
    assert gradient.delta[-1].shape == trace.outputs.shape
    for (_, got), (_, of) in zip(
        bptt.tree_leaves(gradient.params), bptt.tree_leaves(at.params), strict=True
    ):
        assert got.shape == of.shape
    arrays = (gradient, trace.z, trace.outputs, trace.final)
    assert {leaf.dtype for _, leaf in bptt.tree_leaves(arrays)} == {at.x.dtype}


# Eighths, not any floats: a factor of 1e-313 would take the products out of the range of full precision.
EIGHTHS = st.integers(-24, 24).map(lambda k: k / 8)


@given(nets(), EIGHTHS, EIGHTHS)
def test_backward_is_linear_in_its_cotangents(net, alpha, beta):
    """VJP(α v + β w) = α VJP(v) + β VJP(w), cotangents of outputs and final states together."""
    stack, at, first, second = net
    trace = bptt.forward(stack, *at)
    mixed = bptt.tree_map(lambda v, w: alpha * v + beta * w, first, second)
    one, two = bptt.backward(trace, *first), bptt.backward(trace, *second)
    want = bptt.tree_map(lambda v, w: alpha * v + beta * w, one, two)
    scale = largest((one, two)) * (abs(alpha) + abs(beta)) or 1
    difference = bptt.tree_map(np.subtract, bptt.backward(trace, *mixed), want)
    assert largest(difference) <= 1e-13 * scale


@given(nets())
def test_the_gradient_of_a_batch_is_the_sum_over_its_sequences(net):
    """Sequences one by one; inputs and states side by side, parameters added."""
    stack, at, cotangents, _ = net
    whole = bptt.backward(bptt.forward(stack, *at), *cotangents)
    parts = []
    for m in range(at.x.shape[1]):
        x, initial, (d_outputs, d_final) = only(at.x, m), only(at.initial, m), only(cotangents, m)
        parts.append(bptt.backward(bptt.forward(stack, at.params, x, initial), d_outputs, d_final))
    total = bptt.tree_map(lambda *each: sum(each), *(part.params for part in parts))
    scale = max(largest([part.params for part in parts]), 1e-300)
    difference = bptt.tree_map(np.subtract, whole.params, total)
    assert largest(difference) <= 1e-13 * len(parts) * scale
    rows = bptt.tree_map(lambda *each: np.concatenate(each, axis=-2), *(p[1:3] for p in parts))
    assert_close(whole[1:3], rows, 1e-13)


@given(nets(), st.randoms(use_true_random=False))
def test_the_order_of_a_batch_does_not_matter(net, random):
    """Permuted sequences give the same parameters' gradient, and permuted inputs' and states'."""
    stack, at, cotangents, _ = net
    order = list(range(at.x.shape[1]))
    random.shuffle(order)
    gradient = bptt.backward(bptt.forward(stack, *at), *cotangents)
    x, initial, moved = (
        bptt.tree_map(lambda leaf: leaf[..., order, :], part)
        for part in (at.x, at.initial, cotangents)
    )
    permuted = bptt.backward(bptt.forward(stack, at.params, x, initial), *moved)
    scale = max(largest(gradient.params), 1e-300)
    difference = bptt.tree_map(np.subtract, permuted.params, gradient.params)
    assert largest(difference) <= 1e-12 * scale
    want = bptt.tree_map(lambda leaf: leaf[..., order, :], gradient[1:3])
    assert_close(permuted[1:3], want, 1e-13)


@given(nets(), st.data())
def test_the_past_does_not_see_the_future(net, data):
    """Outputs up to t do not change with inputs after t; errors after t not with costs up to t."""
    stack, at, (d_outputs, d_final), (other, _) = net
    t = data.draw(st.integers(0, len(at.x)))
    trace = bptt.forward(stack, *at)
    changed = np.concatenate([at.x[:t], 1 - at.x[t:]])
    later = bptt.forward(stack, at.params, changed, at.initial)
    assert (later.outputs[:t] == trace.outputs[:t]).all()
    earlier_costs = np.concatenate([other[:t], d_outputs[t:]])
    one = bptt.backward(trace, d_outputs, d_final)
    two = bptt.backward(trace, earlier_costs, d_final)
    for a, b in zip(one.delta, two.delta, strict=True):
        assert (a[t:] == b[t:]).all()


def only(record, m):
    """Return one member of the batch, as a batch of one."""
    return bptt.tree_map(lambda leaf: leaf[..., m : m + 1, :], record)


def largest(record):
    return max(float(np.abs(leaf).max()) for _, leaf in bptt.tree_leaves(record))
