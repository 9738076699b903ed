"""Every cell, a reader's own too, every way to the gradient, one to three layers: against the complex step.

RTRL does not give ∂C/∂x; all else is held, parameters, initial states and inputs. Half of the settings
are masked, in turn by lengths and by holes anywhere.
"""

import functools
import re
from functools import partial

import numpy as np
import pytest
from closeness import assert_close
from nets import CELLS, EXACT, OWN, Swing, draw, gives

import bptt

pytestmark = pytest.mark.untraced  # others run the same lines, once

MASKS = ("none", "lengths", "none", "holes")
ALL = CELLS | OWN
CASES = [(name, depth) for name in ALL for depth in (1, 2, 3)]
MIXED = [bptt.LSTM(), Swing(), bptt.Diagonal(bptt.tanh), bptt.GRU()]

cases = pytest.mark.parametrize(("name", "depth"), [*CASES, ("mixed", 4)])


@functools.cache
def setting(name, depth):
    cells = MIXED if name == "mixed" else [ALL[name]] * depth
    number = len(ALL) if name == "mixed" else list(ALL).index(name)
    rng = np.random.default_rng([20, number, depth])
    return draw(cells, rng, mask=MASKS[(number + depth) % 4])


@functools.cache
def truth(name, depth):
    given = setting(name, depth)
    return bptt.complex_step(given.total, given.at)


@functools.cache
def full(name, depth):
    return setting(name, depth).by(bptt.full_bptt)


@cases
@pytest.mark.parametrize("way", EXACT)
def test_gradient_is_that_of_the_complex_step(name, depth, way):
    given = setting(name, depth)
    result = given.by(EXACT[way])
    got, want = gives(result, truth(name, depth))
    assert len(got) == 2 + (way != "RTRL")
    assert_close(got, want, 1e-11)
    assert_close(result.outputs, given.run().outputs, 1e-14)
    assert_close(result.final, given.run().final, 1e-14)
    assert result.value == pytest.approx(given.total(given.at), rel=1e-13)


@cases
@pytest.mark.parametrize("way", [way for way in EXACT if way.startswith(("every", "sq", "bin"))])
def test_checkpointed_is_full_to_the_last_digits(name, depth, way):
    """Sums over pieces are added in another order: 1e-14, or bit for bit where nothing is summed."""
    given, want = setting(name, depth), full(name, depth)
    got = given.by(EXACT[way])
    assert_close(got.gradient[:3], want.gradient[:3], 1e-14)
    assert (got.outputs == want.outputs).all() or np.abs(got.outputs - want.outputs).max() < 1e-15


@pytest.mark.parametrize("name", CELLS)
def test_one_piece_is_full_bit_for_bit(name):
    """With k = T there is nothing to add up: every bit is that of the full gradient."""
    given, want = setting(name, 2), full(name, 2)
    got = given.by(partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.every(7)))
    pairs = zip(bptt.tree_leaves(got.gradient), bptt.tree_leaves(want.gradient[:3]), strict=True)
    assert all((a == b).all() for (_, a), (_, b) in pairs)


@pytest.mark.parametrize("name", [*ALL, "mixed"])
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 3), (2, 2), (2, 5), (3, 4), (4, 4), (7, 7)])
def test_truncated_is_the_exact_gradient_of_its_surrogate(name, k1, k2):
    """By the complex step, of the sum of the pieces' costs, each from a state held constant."""
    given = setting(name, 4 if name == "mixed" else 1)
    params, x, initial = given.at
    problem = given.stack, params, x, given.cost, initial, given.mask
    result = bptt.truncated_bptt(*problem, k1=k1, k2=k2)
    frozen = bptt.algorithms.surrogate(*problem, k1=k1, k2=k2)
    assert_close(result.gradient.params, bptt.complex_step(frozen, params), 1e-12)
    assert result.stored == k2
    assert frozen(params) == pytest.approx(result.value, rel=1e-13)


@pytest.mark.parametrize("name", [*ALL, "mixed"])
def test_windows_and_reaches_beyond_the_sequence_are_the_full_gradient(name):
    given, want = setting(name, 3), full(name, 3)
    for k1, k2 in ((7, 7), (9, 12), (3, 7), (1, 8)):
        got = given.by(partial(bptt.truncated_bptt, k1=k1, k2=k2))
        assert_close(got.gradient, want.gradient, 1e-13)
        assert got.stored == 7


def test_windows_are_gradients_of_separate_runs_with_carried_state():
    """k1 = k2: literally, each window by itself, from where the last one ended."""
    given = draw([bptt.LSTM()] * 2, np.random.default_rng(26), steps=9, mask="holes")
    params, x, state = given.at
    total = bptt.tree_map(np.zeros_like, params)
    for a in (0, 3, 6):
        window = slice(a, a + 3)
        trace = bptt.forward(given.stack, params, x[window], state, given.mask[window])
        now = bptt.backward(trace, given.cost(trace.outputs, window).d_outputs)
        total, state = bptt.tree_map(np.add, total, now.params), trace.final
    got = given.by(partial(bptt.truncated_bptt, k1=3, k2=3))
    assert_close(got.gradient.params, total, 1e-14)
    assert_close(got.final, state, 1e-14)


def test_truncation_keeps_what_reaches_the_initial_state_only():
    """∂C/∂(initial state) comes from passes that begin at the first step; here the first window's."""
    given = draw([bptt.GRU()], np.random.default_rng(27))
    params, x, initial = given.at
    trace = bptt.forward(given.stack, params, x[:3], initial)
    first = bptt.backward(trace, given.cost(trace.outputs, slice(0, 3)).d_outputs)
    got = given.by(partial(bptt.truncated_bptt, k1=3, k2=3)).gradient
    assert_close(got.initial, first.initial, 1e-14)
    assert_close(got.x[:3], first.x, 1e-14)


@cases
def test_errors_of_scan_and_truncation_are_those_of_the_full_pass(name, depth):
    given, want = setting(name, depth), full(name, depth).gradient.delta
    for way in ("scan, parallel", "scan, sequential", "truncated beyond T"):
        assert_close(given.by(EXACT[way]).gradient.delta, want, 1e-13)


@pytest.mark.parametrize("way", EXACT)
@pytest.mark.parametrize("name", CELLS)
def test_float32_stays_float32(name, way):
    """A gradient has the precision of what it is the gradient of, and about its digits."""
    rng = np.random.default_rng(21)
    given = draw([CELLS[name]] * 2, rng, mask="lengths", dtype=np.float32)
    result = given.by(EXACT[way])
    got, of = gives(result, given.at)
    arrays = (got, result.outputs, result.final, result.gradient.x)
    assert {leaf.dtype for _, leaf in bptt.tree_leaves(arrays)} == {np.dtype(np.float32)}
    assert [leaf.shape for _, leaf in bptt.tree_leaves(got)] == [
        leaf.shape for _, leaf in bptt.tree_leaves(of)
    ]
    at = bptt.tree_map(lambda leaf: leaf.astype(np.float64), given.at)
    precise = given._replace(
        at=at, targets=given.targets.astype(float), weights=given.weights.astype(float)
    )
    assert_close(got, gives(precise.by(EXACT[way]), at)[0], 1e-4)


@pytest.mark.parametrize("way", EXACT)
@pytest.mark.parametrize("steps", [1, 2, 5, 16, 17])
def test_any_number_of_steps(way, steps):
    """One step, powers of two and their neighbors: where pieces and rounds end."""
    given = draw([bptt.LSTM()], np.random.default_rng([22, steps]), steps=steps, batch=1)
    want = given.by(bptt.full_bptt)
    got, of = gives(given.by(EXACT[way]), want.gradient)
    assert_close(got, of, 1e-12)


def test_segments_are_views_and_begin_where_they_should():
    given = setting("LSTM", 2)
    trace = given.run()
    part = bptt.segment(trace, 2, 5)
    assert np.shares_memory(part.outputs, trace.outputs)
    assert (part.outputs == trace.outputs[2:5]).all()
    for layer, whole in zip(part.layers, trace.layers, strict=True):
        assert all((a[0] == b[2]).all() for a, b in zip(layer.states, whole.states, strict=True))
    assert_close(bptt.segment(trace, 0, 7).final, trace.final, 1e-300)


class Coins:
    """A generator that says what it is told."""

    def __init__(self, faces):
        self.faces = iter(faces)

    def choice(self, _, size):
        return np.full(size, next(self.faces))


def test_uoro_is_unbiased():
    """The mean of many estimates comes as near to the exact gradient as its standard error says."""
    given = draw([bptt.GRU()], np.random.default_rng(23), steps=3, batch=1, sizes=(1, 2, 1))
    exact = bptt.flatten(given.by(bptt.full_bptt).gradient.params)[0]
    rng = np.random.default_rng(24)
    draws = np.array(
        [bptt.flatten(given.by(partial(bptt.uoro, rng=rng)).gradient.params)[0] for _ in range(300)]
    )
    deviation = draws.std(axis=0) / np.sqrt(len(draws))
    noisy = deviation > 1e-12 * np.abs(exact).max()
    assert noisy.sum() > len(exact) / 2  # it is an estimate: most entries vary
    assert_close(draws.mean(axis=0)[~noisy], exact[~noisy], 1e-12)
    score = (draws.mean(axis=0) - exact)[noisy] / deviation[noisy]
    assert np.abs(score).max() < 4.5
    assert 0.3 < np.sqrt((score**2).mean()) < 2


@pytest.mark.parametrize("mask", ["none", "holes"])
def test_uoro_in_expectation_over_all_signs(mask, monkeypatch):
    """Two steps of one linear unit: the mean over all four draws of signs is exact, to rounding."""
    given = draw(
        [bptt.Diagonal()], np.random.default_rng(25), steps=3, batch=1, sizes=(1, 1, 1), mask=mask
    )
    exact = given.by(bptt.full_bptt).gradient.params
    signs = [[1.0 if k >> i & 1 else -1.0 for i in range(3)] for k in range(8)]

    monkeypatch.setattr("numpy.random.Generator", Coins)
    estimates = [given.by(partial(bptt.uoro, rng=Coins(s))).gradient.params for s in signs]
    mean = bptt.tree_map(lambda *each: sum(each) / 8, *estimates)
    assert_close(mean, exact, 1e-13)


def test_uoro_mixes_by_the_factors_of_least_variance(monkeypatch):
    """Truth: the recursion of Tallec and Ollivier written out for one linear unit, with both factors balanced."""
    T, w, u, b, v = 4, 0.7, -1.3, 0.2, 0.9
    xs, targets, signs = [0.5, -1.0, 2.0, 0.3], [1.0, 0.0, -1.0, 2.0], [1.0, -1.0, -1.0, 1.0]
    a, s, theta, total = 0.0, 0.0, np.zeros(3), np.zeros(3)
    for t in range(T):
        before, a = a, w * xs[t] + u * a + b
        own = np.array([xs[t], before, 1.0])  # how w, u and b move this step's state
        d_a = (v * a - targets[t]) * v
        total += d_a * own + d_a * u * s * theta
        moved, new = u * s, signs[t] * own
        old_factor = np.sqrt(np.linalg.norm(theta) / abs(moved)) if t else 1.0
        new_factor = np.sqrt(np.linalg.norm(new))
        s = old_factor * moved + new_factor * signs[t]
        theta = theta / old_factor + new / new_factor
    one = np.ones((1, 1))
    layer = bptt.Recurrent(w * one, u * one, np.array([b]))
    params = bptt.Params((layer,), bptt.Affine(v * one, np.zeros(1)))
    x, wanted = np.reshape(xs, (T, 1, 1)), np.reshape(targets, (T, 1, 1))
    monkeypatch.setattr("numpy.random.Generator", Coins)
    found = bptt.uoro(
        bptt.Stack((bptt.Elman(bptt.identity),)), params, x,
        lambda outputs, steps: bptt.squared_error(outputs, wanted[steps]), rng=Coins(signs),
    )  # fmt: skip
    np.testing.assert_allclose(bptt.flatten(found.gradient.params.layers[0])[0], total, rtol=1e-12)


class Softsign(bptt.Elman):
    """z / (1 + |z|), written with np.abs: right on real numbers, not analytic."""

    def step(self, z, a):
        return (z / (1 + np.abs(z)),), (z,)

    def step_backward(self, d_a, a, z):
        return (d_a / (1 + np.abs(z)) ** 2,), (0.0,), ()


@pytest.mark.parametrize("n", [1, 3])
def test_uoro_refuses_a_cell_that_is_not_analytic(n):
    """Its mean was 0.5528 ± 0.0002 where the gradient is 0.5508."""
    stack = bptt.Stack((Softsign(),))
    params = bptt.tree_map(np.ones_like, bptt.initialize(stack, (1, n, 1), 0))
    x, cost = 2 * np.ones((3, 1, 1)), lambda outputs, _: bptt.squared_error(outputs, 0 * outputs)
    assert bptt.check_cell(Softsign()).ok
    for seed in range(5):
        with pytest.raises(TypeError, match=r"^cells must be analytic.*np\.abs") as refused:
            bptt.uoro(stack, params, x, cost, rng=seed)
        found = re.search(r"step finds (\S+) along .* product finds (\S+):", str(refused.value))
        # With |z| taken for a constant the slope is 1 / (1 + |z|), larger than the true one, its square.
        assert abs(float(found[1])) > abs(float(found[2])) > 0


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("name", ALL)
def test_uoro_takes_every_cell_however_saturated(name, scale):
    """No estimate is refused for rounding: slopes near zero are right to 1e-16 of one, not of themselves."""
    given = draw([ALL[name]] * 2, np.random.default_rng(28), batch=1)
    params = bptt.tree_map(lambda p: scale * p, given.at.params)
    given = given._replace(at=given.at._replace(params=params))
    for seed in range(5):
        try:
            given.by(partial(bptt.uoro, rng=seed))
        except FloatingPointError:
            assert scale > 1  # a linear or relu cell explodes


def test_uoro_along_errors_of_any_size():
    """A linear unit with u = 1e20: s̃ grows past the size at which a step of 1e-30 times it is tiny."""
    one = np.ones((1, 1))
    layer = bptt.Recurrent(one, 1e20 * one, np.zeros(1))
    stack = bptt.Stack((bptt.Elman(bptt.tanh),))
    params = bptt.Params((layer,), bptt.Affine(one, np.zeros(1)))
    x, cost = np.zeros((6, 1, 1)), lambda outputs, _: bptt.Cost(0.0, np.ones_like(outputs))
    exact = bptt.full_bptt(stack, params, x, cost).gradient.params.layers[0].b
    draws = [bptt.uoro(stack, params, x, cost, rng=k).gradient.params.layers[0].b for k in range(8)]
    assert all(np.isfinite(d).all() for d in draws)
    assert min(abs(d - exact)[0] for d in draws) < 1e-6 * exact[0]
