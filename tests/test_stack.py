"""Architectures and their initial parameters: shapes, bounds, dtype, and the same for one seed."""

import numpy as np
import pytest

import bptt
from bptt.teaching import examples


class TwoGates:
    """As much of a cell as `initialize` looks at."""

    def step(self, z_p, z_q, a):
        """Never called."""

    def step_backward(self, d_a, a):
        """Never called."""


STACK = bptt.Stack((bptt.Elman(), TwoGates()), bptt.sigmoid)
SIZES = (3, 40, 50, 2)


def draw(seed=0, dtype=np.float64):
    return bptt.initialize(STACK, SIZES, np.random.default_rng(seed), dtype)


def test_shapes_follow_sizes_and_gates():
    shapes = {name: leaf.shape for name, leaf in bptt.tree_leaves(draw())}
    assert shapes == {
        "layers[0].w": (3, 40),
        "layers[0].u": (40, 40),
        "layers[0].b": (40,),
        "layers[1].w": (40, 100),
        "layers[1].u": (50, 100),
        "layers[1].b": (100,),
        "readout.w": (50, 2),
        "readout.b": (2,),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_fill_the_bounds_evenly(dtype):
    """±1/√n_in, n_in of a recurrent layer being its own n: not one beyond, and close to both ends."""
    for (name, leaf), n_in in zip(
        bptt.tree_leaves(draw(dtype=dtype)), [40, 40, 40, 50, 50, 50, 50, 50], strict=True
    ):
        bound = dtype(1 / np.sqrt(n_in))
        assert leaf.dtype == dtype
        assert np.abs(leaf).max() <= bound, name
        if leaf.size > 1000:
            assert leaf.max() > 0.99 * bound
            assert leaf.min() < -0.99 * bound
            # The variance of a uniform distribution between ±c is c²/3.
            assert leaf.var() == pytest.approx(bound**2 / 3, rel=0.1)


def test_one_seed_gives_one_draw():
    for (_, a), (_, b), (_, c) in zip(
        *(bptt.tree_leaves(draw(seed)) for seed in (1, 1, 2)), strict=True
    ):
        assert (a == b).all()
        assert (a != c).any()


def test_no_global_generator_is_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_the_tiny_example_is_fresh_each_time_and_nothing_in_it_is_symmetric():
    """An index or a matrix the wrong way round must give a wrong number on it."""
    one, two = examples.tiny(), bptt.teaching.tiny()
    one.params.layers[0].u[:] = 0
    assert two.params.layers[0].u.any()
    for layer in two.params.layers:
        assert (layer.u != layer.u.T).any()
    upper = two.params.layers[1].w
    assert (upper != upper.T).any()
    trace = bptt.forward(two.stack, two.params, two.x)
    assert trace.outputs.shape == two.targets.shape == (3, 1, 1)
    outputs = [
        1.5773326268748016,
        0.9013658573036891,
        1.4796498597164358,
    ]  # by (FWD) in plain Python, once
    np.testing.assert_allclose(trace.outputs.ravel(), outputs, rtol=1e-12)
    cost = bptt.squared_error(trace.outputs, two.targets).value
    assert cost == pytest.approx(2.5928216249261586, rel=1e-12)
    entries = np.abs(np.concatenate([bptt.flatten(two.params)[0], two.x.ravel()]))
    assert (entries.min(), entries.max(), len(set(entries))) == (0, 1.2, 12)


def test_an_example_is_a_problem_for_every_way_to_the_gradient():
    net = bptt.teaching.random_net((bptt.LSTM(), bptt.Elman()), (2, 3, 4, 1), steps=7, batch=2)
    trace = bptt.forward(net.stack, net.params, net.x)
    whole = bptt.squared_error(trace.outputs, net.targets)
    late = net.cost(trace.outputs[4:], slice(4, 7))
    assert late.value == pytest.approx(bptt.squared_error(trace.outputs[4:], net.targets[4:]).value)
    found = bptt.full_bptt(*net.problem)
    assert found.value == whole.value
    want = bptt.backward(trace, whole.d_outputs).params
    assert bptt.compare(found.gradient.params, want, tolerance=1e-14).ok


def test_copies_of_the_parameters_are_those_of_the_unrolled_net():
    net = bptt.teaching.random_net((bptt.Elman(), bptt.Elman()), (2, 3, 4, 1), steps=4)
    copies = (net.params,) * 4
    trace = bptt.forward(net.stack, net.params, net.x)
    whole = bptt.squared_error(trace.outputs, net.targets)
    assert sum(net.costs_of_copies(copies)) == pytest.approx(whole.value, rel=1e-13)
    found = bptt.complex_step(lambda copies: sum(net.costs_of_copies(copies)), copies)
    unrolled = bptt.teaching.unroll(trace)
    run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    plain = bptt.teaching.feedforward.backward(run, unrolled.cotangent(whole.d_outputs))
    assert bptt.compare(bptt.teaching.copies(unrolled, plain), found, tolerance=1e-12).ok


def test_a_random_net_is_that_of_its_seed():
    one, same, other = (
        bptt.teaching.random_net((bptt.GRU(),), (1, 2, 1), rng=k) for k in (3, 3, 4)
    )
    for (name, a), (_, b), (_, c) in zip(
        *(bptt.tree_leaves(net[1:]) for net in (one, same, other)), strict=True
    ):
        assert (a == b).all(), name
        assert (a != c).any(), name


NET = bptt.teaching.random_net((bptt.Elman(),), (1, 2, 1), steps=4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cells": bptt.Elman()}, TypeError, r"cells must be a tuple, got Elman"),
        ({"sizes": ()}, ValueError, r"sizes must have 3 numbers, n_0 to n_L, got 0"),
        ({"sizes": 3}, TypeError, r"sizes must be a tuple of 3 numbers, n_0 to n_L, got int"),
        ({"sizes": (-1, 2, 1)}, ValueError, r"sizes\[0\] must be >= 1, got -1"),
        ({"steps": 0}, ValueError, r"steps must be >= 1, got 0"),
        ({"steps": 2.0}, TypeError, r"steps must be an integer, got float"),
        ({"batch": 0}, ValueError, r"batch must be >= 1, got 0"),
        (
            {"rng": None},
            TypeError,
            r"rng must be a numpy\.random\.Generator or a seed >= 0, got None",
        ),
        ({"rng": -1}, TypeError, r"rng must be a numpy\.random\.Generator or a seed >= 0, got int"),
    ],
)
def test_a_random_net_is_of_cells_and_of_sizes(arguments, error, message):
    with pytest.raises(error, match=message):
        bptt.teaching.random_net(**{"cells": (bptt.Elman(),), "sizes": (1, 2, 1)} | arguments)


def test_what_is_refused_takes_no_number_from_a_generator():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="sizes"):
        bptt.teaching.random_net((bptt.Elman(),), (1, 2, 0), rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("count", [0, 3, 5])
def test_every_step_has_a_copy_of_the_parameters(count):
    with pytest.raises(
        ValueError, match=f"copies must have 4 Params, one for each step, got {count}"
    ):
        NET.costs_of_copies((NET.params,) * count)


def test_copies_are_for_a_net_that_runs_step_by_step():
    both = bptt.Bidirectional(bptt.Elman(), bptt.Elman())
    net = bptt.teaching.random_net((both,), (1, 2, 1), steps=4)
    with pytest.raises(TypeError, match=r"stack\.cells\[0\] must read in one direction"):
        net.costs_of_copies((net.params,) * 4)
    with pytest.raises(TypeError, match=r"copies must be a tuple of 4 Params.*got int"):
        NET.costs_of_copies(3)


def test_defaults_are_tanh_and_a_linear_readout():
    assert bptt.Elman().activation is bptt.tanh
    assert bptt.Stack((bptt.Elman(),)).output is bptt.identity
