"""The fast engine against the literal one, and what a workspace promises.

A subclass of a cell of the library takes the literal path of `bptt.forward` and `bptt.backward`, step by
step with the cell's own `step` and `step_backward`, whose truths are the triple loop and the complex step
(test_backward, test_ways). The fast form rounds in another order: 1e-12 of the largest entry, in float64.
"""

import tracemalloc

import numpy as np
import pytest
from closeness import assert_close
from nets import draw

import bptt
from bptt._fast import products, spare
from bptt._fast.engine import UNBUFFERED, _Forward
from bptt._fast.kernel import Kept
from bptt.network.backward import run_any_layer_backward
from bptt.network.forward import run_any_layer


class LiteralElman(bptt.Elman):
    """The same cell, run step by step."""


class LiteralLSTM(bptt.LSTM):
    """The same cell, run step by step."""


class LiteralGRU(bptt.GRU):
    """The same cell, run step by step."""


PAIRS = {
    "Elman": (bptt.Elman(), LiteralElman()),
    "Elman of softplus": (bptt.Elman(bptt.softplus), LiteralElman(bptt.softplus)),
    "LSTM": (bptt.LSTM(), LiteralLSTM()),
    "GRU": (bptt.GRU(), LiteralGRU()),
}
# T, B, n_0 and n: one step; one sequence; slabs and sheets that do not divide T; a matrix read by rows
SHAPES = [(1, 1, 1, 1), (9, 1, 3, 4), (7, 3, 2, 5), (80, 8, 3, 30), (7, 5, 40, 130)]
pytestmark = pytest.mark.parametrize("name", PAIRS)


def setting(name, shape=(7, 3, 2, 5), mask="none", dtype=np.float64, depth=1):
    steps, batch, n_0, n = shape
    fast, literal = PAIRS[name]
    sizes = (n_0, *(n,) * depth, 2)
    rng = np.random.default_rng(77)
    net = draw((fast,) * depth, rng, sizes=sizes, steps=steps, batch=batch, mask=mask, dtype=dtype)
    twin = net._replace(stack=bptt.Stack((literal,) * depth, net.stack.output))
    return net, twin


def both_ways(net, workspace=None):
    given = {} if workspace is None else {"workspace": workspace}
    params, x, initial = net.at
    trace = bptt.forward(net.stack, params, x, initial, net.mask, **given)
    d_outputs = net.cost(trace.outputs, slice(0, len(x))).d_outputs
    return trace, bptt.backward(trace, d_outputs, trace.final, **given)


@pytest.mark.parametrize("mask", ["none", "lengths", "holes"])
@pytest.mark.parametrize("shape", SHAPES)
def test_states_and_gradients_of_both_engines(name, shape, mask):
    net, twin = setting(name, shape, mask, depth=2)
    (got, found), (want, truth) = both_ways(net), both_ways(twin)
    assert isinstance(got.layers[0].saved, Kept)
    assert not isinstance(want.layers[0].saved, Kept)
    assert_close(got.outputs, want.outputs, 1e-12)
    for one, other in zip(got.layers, want.layers, strict=True):
        assert_close(one.states, other.states, 1e-12)
    assert_close(found, truth, 1e-12)


@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize("shape", [(4, 4, 6, 20), (3, 16, 30, 20)])
def test_products_in_pieces(name, shape, mask, monkeypatch):
    """As large ones are cut where that is sooner: here small ones, whatever library is below NumPy."""
    monkeypatch.setattr(products, "in_pieces", lambda: True)
    monkeypatch.setattr("bptt._fast.engine.in_pieces", lambda: True)
    monkeypatch.setattr(products, "MOST", 350 * shape[1])
    products._pieces.cache_clear()
    net, twin = setting(name, shape, mask, depth=2)
    try:
        (got, found), (want, truth) = both_ways(net), both_ways(twin)
        assert products.WHOLE not in cuts(net, shape)
    finally:
        products._pieces.cache_clear()
    assert_close(got.outputs, want.outputs, 1e-12)
    assert_close(found, truth, 1e-12)


def cuts(net, shape):
    """Return how the products of the upper layer are cut: inside the loops, and after a sheet."""
    steps, batch, _, n = shape
    g = net.at.params.layers[1].u.shape[1] // n
    dtype = np.dtype(float)
    each = [(g * n, n, batch), (n, g * n, batch), (g * n, steps * batch, n)]
    return [products.pieces(*sizes, dtype) for sizes in each]


def test_what_each_step_left_is_the_cells_own_record(name):
    net, twin = setting(name)
    got, want = both_ways(net)[0].layers[0].saved, both_ways(twin)[0].layers[0].saved
    assert len(got) == len(want)
    assert len(got[2:5]) == 3
    for one, other in zip(got, want, strict=True):
        assert type(one) is type(other)
        assert_close(one, other, 1e-13)
    with pytest.raises(IndexError):
        got[len(got)]


def test_complex_numbers_pass_backward_too(name):
    """The R-operator's way: a complex trace, a complex cotangent."""
    net, twin = setting(name)
    vector = bptt.tree_map(np.ones_like, net.at.params)

    def curvature(one):
        at = one.at
        return bptt.hessian_vector_product(one.stack, at.params, at.x, one.cost, vector, at.initial)

    assert_close(curvature(net), curvature(twin), 1e-11)


def test_float32_stays_float32(name):
    net, _ = setting(name, (23, 5, 3, 7), "lengths", np.float32)
    trace, gradient = both_ways(net)
    leaves = bptt.tree_leaves((trace.outputs, trace.final, tuple(gradient)))
    assert {leaf.dtype for _, leaf in leaves} == {np.dtype(np.float32)}


def test_plain_calls_share_no_memory(name):
    net, _ = setting(name)
    first, second = both_ways(net), both_ways(net)
    one = [leaf for _, leaf in bptt.tree_leaves((first[0].layers[0].states, tuple(first[1])))]
    other = [leaf for _, leaf in bptt.tree_leaves((second[0].layers[0].states, tuple(second[1])))]
    assert not any(np.shares_memory(a, b) for a in one for b in other)


def test_a_plain_call_uses_memory_again_that_nobody_sees(name):
    net, _ = setting(name)
    spare.clear()

    def address(trace):
        return trace.layers[0].a.__array_interface__["data"][0]

    first = address(both_ways(net)[0])
    assert address(both_ways(net)[0]) == first  # nothing is left of the first call


@pytest.mark.parametrize(
    "view",
    [
        lambda trace, _: trace.layers[0].a[-1],
        lambda trace, _: trace.layers[0].saved,
        lambda trace, _: trace.layers[0].saved[2],
        lambda trace, _: memoryview(trace.layers[0].outputs),
        lambda _, gradient: gradient.params.layers[0].u[0],
        lambda _, gradient: gradient.initial[0],
        lambda _, gradient: gradient.delta[0][1:],
        lambda _, gradient: gradient.x.T,
    ],
)
def test_what_somebody_sees_is_not_written_to(name, view):
    net, _ = setting(name)
    spare.clear()
    seen = view(*both_ways(net))
    kept = [np.array(leaf) for leaf in leaves_of(seen)]
    other = net._replace(at=net.at._replace(x=-2 * net.at.x))
    for _ in range(3):
        both_ways(other)
    for leaf, before in zip(leaves_of(seen), kept, strict=True):
        assert np.array_equal(leaf, before)


def leaves_of(seen):
    if isinstance(seen, Kept):
        return list(seen.arrays)
    if isinstance(seen, memoryview):
        return [seen]
    return [leaf for _, leaf in bptt.tree_leaves((seen,))]


def test_few_works_of_limited_size_are_kept(name):
    spare.clear()
    for steps in range(1, 2 * spare.MOST):
        both_ways(setting(name, (steps, 3, 2, 5))[0])
    assert len(spare._spares) == spare.MOST
    assert sum(one.nbytes for one in spare._spares) <= spare.MOST_BYTES


def test_an_array_that_is_seen_in_parts_counts_once(name):
    """An LSTM's kept arrays are views of one: counted each, a work of 70 MB was too large to keep."""
    spare.clear()
    both_ways(setting(name)[0])
    for one in spare._spares:
        assert len({id(array) for array in one.arrays}) == len(one.arrays)
        assert one.nbytes == sum(array.nbytes for array in one.arrays)


def test_a_workspace_changes_no_number_and_is_used_again(name):
    net, _ = setting(name, mask="lengths", depth=2)
    workspace = bptt.Workspace()
    want = both_ways(net)[1]
    first = both_ways(net, workspace)
    kept = bptt.tree_map(np.copy, first[1])
    assert_close(kept, want, 1e-300)
    shorter = net._replace(
        at=net.at._replace(x=net.at.x[:5]),
        mask=net.mask[:5],
        targets=net.targets[:5],
        weights=net.weights[:5],
    )
    assert_close(both_ways(shorter, workspace)[1], both_ways(shorter)[1], 1e-300)
    again, second = both_ways(net, workspace), both_ways(net, workspace)
    assert_close(second[1], want, 1e-300)
    assert np.shares_memory(again[0].layers[1].a, second[0].layers[1].a)


def test_both_directions_have_memory_of_their_own(name):
    cell = PAIRS[name][0]
    net = draw((bptt.Bidirectional(cell, cell),), np.random.default_rng(5), mask="lengths")
    assert_close(both_ways(net, bptt.Workspace())[1], both_ways(net)[1], 1e-300)


def test_a_workspace_must_be_one(name):
    net, _ = setting(name)
    with pytest.raises(TypeError, match=r"workspace must be a Workspace, got dict"):
        bptt.forward(net.stack, net.at.params, net.at.x, workspace={})


def test_no_step_allocates_with_a_workspace(name):
    """Twice the steps, not one more byte: after the first call the loops over time make nothing.

    (A softplus makes its own arrays, and so does its slope: they are there for a step, or a slab.)
    """
    if name == "Elman of softplus":
        return
    peaks = []
    for steps in (200, 400):
        net, _ = setting(name, (steps, 4, 3, 16))
        params = net.at.params.layers[0]
        cell, workspace, d_a = net.stack.cells[0], bptt.Workspace(), np.ones((steps, 4, 16))

        def gradient(cell=cell, params=params, x=net.at.x, d_a=d_a, workspace=workspace):
            trace = bptt.layer_forward(cell, params, x, workspace=workspace)
            return bptt.layer_backward(trace, d_a, workspace=workspace)

        for _ in range(3):
            gradient()
        tracemalloc.start()
        try:
            gradient()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    step = 4 * 16 * 8  # bytes of one array of one step
    assert peaks[1] - peaks[0] < 200 * step / 20


def test_the_buffer_of_numpy_is_as_it_was(name):
    """Whatever the caller has set it to, and without any np.errstate around, which would restore it."""
    net, _ = setting(name)
    x = net.at.x
    layer, (cell,) = net.at.params.layers[0], net.stack.cells
    state = tuple(np.zeros((x.shape[1], len(layer.u))) for _ in cell.state_names)
    before = np.setbufsize(1024)
    try:
        trace = run_any_layer(cell, layer, x, state, None)
        assert np.getbufsize() == 1024
        run_any_layer_backward(trace, np.ones_like(trace.outputs), state)
        assert np.getbufsize() == 1024
    finally:
        np.setbufsize(before)


def test_the_buffer_of_numpy_is_as_it_was_after_an_interruption(name, monkeypatch):
    """What breaks off the loop over time leaves by the caller's np.errstate, which restores it."""

    def broken_off(*_):
        assert np.getbufsize() == UNBUFFERED
        raise KeyboardInterrupt

    monkeypatch.setattr(_Forward, "through", broken_off)
    net, _ = setting(name)
    before = np.getbufsize()
    with pytest.raises(KeyboardInterrupt):
        both_ways(net)
    assert np.getbufsize() == before
