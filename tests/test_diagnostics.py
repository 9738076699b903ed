"""Contributions, norms, spectra, truncation bias and curvature, each against what it must equal."""

from functools import partial

import numpy as np
import pytest
from closeness import assert_close
from nets import CELLS, draw

import bptt

cells = pytest.mark.parametrize("name", CELLS)


def setting(name, **kinds):
    return draw([CELLS[name]] * 2, np.random.default_rng([60, *map(ord, name)]), **kinds)


def parts_of(given):
    trace = given.run()
    d_outputs = given.cost(trace.outputs, slice(0, len(trace.x))).d_outputs
    return bptt.contributions(trace, d_outputs), trace, d_outputs


@cells
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_rows_columns_and_all_of_the_contributions(name, mask):
    """A row is the gradient of one cost, a column what flows through one step, all the full gradient."""
    given = setting(name, mask=mask)
    parts, trace, d_outputs = parts_of(given)
    full = bptt.backward(trace, d_outputs).params
    assert_close(parts.total(), full, 1e-12)
    assert not parts.matrix[np.triu_indices(7, 1)].any()
    params, x, initial = given.at
    for t in range(7):

        def cost_of_t(outputs, steps, t=t):
            here = given.weights * (np.arange(7)[:, None] == t)
            return bptt.squared_error(outputs, given.targets[steps], here[steps])

        way = bptt.rtrl if t == 3 else bptt.full_bptt
        row = way(given.stack, params, x, cost_of_t, initial, given.mask).gradient.params
        assert_close(parts.of_cost(t), row, 1e-11)
    columns = [parts.through_step(s) for s in range(7)]
    assert_close(bptt.tree_map(lambda *each: sum(each), *columns), full, 1e-12)
    norms = parts.norms()
    assert norms.shape == (7, 7)
    flat = bptt.flatten(bptt.tree_map(np.asarray, parts.of_cost(0)))[0]
    assert norms[0, 0] == pytest.approx(np.linalg.norm(flat), rel=1e-12)


def test_columns_are_the_gradients_of_the_copies():
    """The unrolled net's copies, whose sum is the gradient: what flows through each step."""
    given = draw([bptt.Elman()] * 2, np.random.default_rng(61))
    parts, trace, d_outputs = parts_of(given)
    unrolled = bptt.teaching.unroll(trace)
    run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    plain = bptt.teaching.feedforward.backward(run, unrolled.cotangent(d_outputs))
    for s, copy in enumerate(bptt.teaching.copies(unrolled, plain)):
        assert_close(parts.through_step(s), copy, 1e-12)


@cells
def test_bands_of_the_contributions_are_truncated_gradients(name):
    """Those with t - s < k2, for k1 = 1; and for any k1 the steps of a pass: e - k2 <= s."""
    given = setting(name)
    parts, _, _ = parts_of(given)
    for k in range(1, 9):
        found = given.by(partial(bptt.truncated_bptt, k1=1, k2=k))
        assert_close(parts.total(band=k), found.gradient.params, 1e-12)
    restore = bptt.flatten(given.at.params)[1]
    t, s = np.indices((7, 7))
    for k1, k2 in ((2, 3), (3, 3), (3, 5), (5, 6), (4, 4)):
        end = np.minimum((t // k1 + 1) * k1, 7)
        want = restore(parts.matrix[(s >= end - k2) & (s <= t)].sum(axis=0))
        found = given.by(partial(bptt.truncated_bptt, k1=k1, k2=k2))
        assert_close(found.gradient.params, want, 1e-12)


def test_delta_norms_are_the_norms_of_the_errors():
    given = setting("LSTM")
    trace = given.run()
    gradient = bptt.backward(trace, given.cost(trace.outputs, slice(0, 7)).d_outputs)
    found = bptt.delta_norms(gradient)
    assert found.shape == (3, 7)
    for l, t in np.ndindex(found.shape):
        assert found[l, t] == pytest.approx(np.linalg.norm(gradient.delta[l][t]), rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_spectrum_beyond_all_numbers_is_refused(dtype):
    """A matrix of four equal entries has twice an entry for its norm and its radius."""
    most = np.finfo(dtype).max
    for entry in (most / 4, most):
        u = np.full((2, 2), entry, dtype)
        params = bptt.Recurrent(np.zeros((1, 2), dtype), u, np.zeros(2, dtype))
        trace = bptt.layer_forward(bptt.Elman(bptt.identity), params, np.zeros((2, 1, 1), dtype))
        if entry == most:
            with pytest.raises(
                FloatingPointError, match="singular_values must stay finite, got inf"
            ):
                bptt.jacobian_spectrum(trace)
        else:
            found = bptt.jacobian_spectrum(trace)
            np.testing.assert_allclose(found.spectral_radius, most / 2, rtol=1e-6)


@pytest.mark.parametrize("activation", [bptt.tanh, bptt.softplus, bptt.identity])
def test_spectra_of_an_elman_layer_are_those_of_u_and_the_slopes(activation):
    """J = diag(a') uᵀ, written out; for the identity, uᵀ itself at every step."""
    rng = np.random.default_rng(62)
    given = draw([bptt.Elman(activation)], rng, sizes=(2, 4, 1), mask="holes")
    layer = given.run().layers[0]
    jacobians = bptt.algorithms.step_jacobians(layer)
    found = bptt.jacobian_spectrum(layer)
    assert jacobians.shape == (7, 2, 4, 4)
    for t, m in np.ndindex(7, 2):
        z = layer.intermediates["z"][t, m]
        want = activation.derivative(z, activation(z))[:, None] * layer.params.u.T
        want = want if given.mask[t, m] else np.eye(4)
        assert_close(jacobians[t, m], want, 1e-14)
        assert_close(found.singular_values[t, m], np.linalg.svd(want, compute_uv=False), 1e-13)
        radius = np.abs(np.linalg.eigvals(want)).max()
        assert found.spectral_radius[t, m] == pytest.approx(radius, rel=1e-12)


@cells
def test_jacobians_are_those_of_the_complex_step(name):
    """Of one step, for every cell and for all arrays of its state: row by row."""
    given = draw([CELLS[name]], np.random.default_rng(63), sizes=(2, 3, 1), steps=3, batch=1)
    layer = given.run().layers[0]
    jacobians = bptt.algorithms.step_jacobians(layer)
    arrays = len(layer.states)
    for t in range(3):
        before = np.concatenate([array[t, 0] for array in layer.states])
        for j in range(3 * arrays):
            moved = before.astype(complex)
            moved[j] += 1e-30j
            state = tuple(part[None] for part in np.split(moved, arrays))
            after = bptt.layer_forward(layer.cell, layer.params, layer.x[t : t + 1], state).final
            column = np.concatenate([array[0] for array in after]).imag / 1e-30
            assert np.abs(jacobians[t, 0, :, j] - column).max() < 1e-14


def test_an_orthogonal_linear_layer_stretches_nothing():
    rng = np.random.default_rng(64)
    stack = bptt.Stack((bptt.Elman(bptt.identity),))
    params = bptt.orthogonal_recurrent(stack, bptt.initialize(stack, (2, 5, 1), rng), rng, 0.9)
    layer = bptt.forward(stack, params, rng.normal(size=(4, 2, 2))).layers[0]
    found = bptt.jacobian_spectrum(layer)
    assert np.abs(found.singular_values - 0.9).max() < 1e-14
    assert np.abs(found.spectral_radius - 0.9).max() < 1e-14


def test_truncation_bias_is_angle_and_length_of_the_truncated_gradient():
    given = draw([bptt.Elman()], np.random.default_rng(65))
    params, x, _ = given.at
    problem = given.stack, params, x, given.cost
    full = bptt.flatten(bptt.full_bptt(*problem).gradient.params)[0]
    for windowed in (False, True):
        found = bptt.truncation_bias(*problem, ks=[1, 3, 7, 20], windowed=windowed)
        assert found.k.tolist() == [1, 3, 7, 20]
        for i, k in enumerate(found.k):
            part = bptt.truncated_bptt(*problem, k1=int(k) if windowed else 1, k2=int(k))
            flat = bptt.flatten(part.gradient.params)[0]
            norms = np.linalg.norm(flat), np.linalg.norm(full)
            assert found.norm[i] == pytest.approx(norms[0] / norms[1], rel=1e-13)
            assert found.cosine[i] == pytest.approx(flat @ full / (norms[0] * norms[1]), rel=1e-12)
        assert found.cosine[2:] == pytest.approx([1, 1], abs=1e-13)
        assert found.norm[2:] == pytest.approx([1, 1], abs=1e-13)


def test_a_truncated_gradient_of_zero_has_no_angle():
    """A cost at the last step only, and a window that holds none of it: cosine 0, norm 0."""
    line = bptt.Recurrent(np.zeros((1, 1)), np.ones((1, 1)), np.zeros(1))
    stack = bptt.Stack((bptt.Elman(bptt.identity),))
    params = bptt.Params((line,), bptt.Affine(np.ones((1, 1)), np.zeros(1)))

    def cost(outputs, steps):
        d = np.zeros_like(outputs)  # as if it were no cost of these steps when asked step by step
        if steps == slice(0, 3):
            d[:] = 1
        return bptt.Cost(outputs.sum(), d)

    found = bptt.truncation_bias(stack, params, np.ones((3, 1, 1)), cost, ks=[1])
    assert (found.cosine.tolist(), found.norm.tolist()) == ([0.0], [0.0])


@pytest.mark.parametrize("sizes", [(1e308, 1.0), (1.0, 1e308)], ids=["full", "truncated"])
def test_a_gradient_whose_norm_overflows_has_no_bias_of_truncation(sizes):
    """Four numbers of 1e308 have the norm 2e308, more than any float64."""
    stack = bptt.Stack((bptt.Elman(bptt.identity),))
    params = bptt.tree_map(np.zeros_like, bptt.initialize(stack, (1, 1, 4), 0))

    def cost(outputs, steps):
        d = np.zeros_like(outputs)
        if steps.start == 0:
            d[0] = sizes[0] if steps.stop == 2 else sizes[1]
        return bptt.Cost(0.0, d)

    with pytest.raises(FloatingPointError, match=r"^norm of the gradient must stay finite"):
        bptt.truncation_bias(stack, params, np.zeros((2, 1, 1)), cost, ks=[1])


@cells
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_hessian_is_the_derivative_of_the_gradient(name, mask):
    """H v against differences of gradients along v."""
    given = setting(name, mask=mask)
    params, x, initial = given.at
    rng = np.random.default_rng(66)
    vector = bptt.tree_map(lambda p: rng.normal(size=p.shape), params)
    product = bptt.hessian_vector_product(
        given.stack, params, x, given.cost, vector, initial, given.mask
    )

    def gradient(h):
        moved = bptt.tree_map(lambda p, v: p + h * v, params, vector)
        return given._replace(at=given.at._replace(params=moved)).by(bptt.full_bptt).gradient.params

    h = 1e-5
    want = bptt.tree_map(lambda a, b: (a - b) / (2 * h), gradient(h), gradient(-h))
    assert_close(product, want, 1e-6)


@pytest.mark.parametrize("name", ["Elman", "GRU", "Diagonal of tanh"])
def test_hessian_is_symmetric_and_linear(name):
    """All its columns, one by one: H equals its transpose to rounding, and H (a v + w) = a H v + H w."""
    given = draw([CELLS[name]], np.random.default_rng(67), sizes=(1, 2, 1), steps=4)
    params, x, initial = given.at
    flat, restore = bptt.flatten(params)

    def column(vector):
        found = bptt.hessian_vector_product(
            given.stack, params, x, given.cost, restore(vector), initial
        )
        return bptt.flatten(found)[0]

    hessian = np.array([column(unit) for unit in np.eye(len(flat))])
    assert np.abs(hessian - hessian.T).max() < 1e-14 * np.abs(hessian).max() * 10
    v = np.random.default_rng(68).normal(size=len(flat))
    assert column(v) == pytest.approx(hessian @ v, rel=1e-11, abs=1e-13)


def test_hessian_of_a_cross_entropy():
    """A cost with a curvature of its own: by the complex step of the gradient, entry by entry."""
    stack = bptt.Stack((bptt.LSTM(),))
    rng = np.random.default_rng(69)
    params = bptt.initialize(stack, (1, 2, 3), rng)
    x, classes = rng.normal(size=(3, 2, 1)), rng.integers(0, 3, (3, 2))

    def cost(outputs, steps):
        return bptt.softmax_cross_entropy(outputs, classes[steps])

    vector = bptt.tree_map(lambda p: rng.normal(size=p.shape), params)
    product = bptt.hessian_vector_product(stack, params, x, cost, vector)
    flat, along = bptt.flatten(product)[0], bptt.flatten(vector)[0]

    def slope(h):
        moved = bptt.tree_map(lambda p, v: p + h * v, params, vector)
        return bptt.flatten(bptt.full_bptt(stack, moved, x, cost).gradient.params)[0] @ along

    assert flat @ along == pytest.approx((slope(1e-5) - slope(-1e-5)) / 2e-5, rel=1e-7)


SOFTSIGN = bptt.Activation(
    "softsign", lambda z: z / (1 + np.abs(z)), lambda z, _: 1 / (1 + np.abs(z)) ** 2
)


def squared(error):
    return bptt.Cost((error**2).sum() / 2, error)


def huber(error):
    near = np.abs(error) < 1
    value = np.where(near, error**2 / 2, np.abs(error) - 0.5).sum()
    return bptt.Cost(value, np.where(near, error, np.sign(error)))


def absolute(error):
    return bptt.Cost(np.abs(error).sum(), np.sign(error))


@pytest.mark.parametrize(
    ("activation", "of_error"),
    [(SOFTSIGN, squared), (bptt.tanh, huber), (bptt.tanh, absolute)],
    ids=["softsign", "Huber", "absolute"],
)
def test_curvature_is_refused_where_code_is_not_analytic(activation, of_error):
    """Differences of gradients show it: the products were 62, 5 and 40 percent off."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 1, 2)), 3 * rng.normal(size=(5, 1, 1))
    stack = bptt.Stack((bptt.Elman(activation),))
    params = bptt.initialize(stack, (2, 3, 1), 0)
    cost = lambda outputs, steps: of_error(outputs - y[steps])

    def scaled(record, by):
        return record._replace(layers=(record.layers[0]._replace(w=by * record.layers[0].w),))

    # Of any size, and in any unit of the input.
    for size, unit in (1e-200, 1), (1.0, 1), (1e200, 1), (1.0, 1e9):
        vector = bptt.tree_map(lambda p, s=size: s * rng.normal(size=p.shape), params)
        with pytest.raises(
            TypeError, match=r"must be analytic for the R-operator.*np\.abs, np\.sign"
        ):
            bptt.hessian_vector_product(
                stack, scaled(params, unit), x / unit, cost, scaled(vector, unit)
            )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bias", [0.0, 1e-7, 3e-6])
def test_curvature_at_the_kink_of_relu_is_not_refused(bias, seed):
    """There differences of gradients are no truth: a first input of zeros, and biases of zero or nearly."""
    rng = np.random.default_rng(seed)
    stack = bptt.Stack((bptt.Elman(bptt.relu),))
    params = bptt.initialize(stack, (2, 3, 1), rng)
    params.layers[0].b[:] = bias
    x, y = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 5, 1))
    x[0] = 0
    cost = lambda outputs, steps: bptt.squared_error(outputs, y[steps])
    vector = bptt.tree_map(lambda p: rng.normal(size=p.shape), params)
    product = bptt.hessian_vector_product(stack, params, x, cost, vector)
    assert np.isfinite(bptt.flatten(product)[0]).all()


@pytest.mark.parametrize("size", [0.0, 1e-290, 1e-100, 1e100, 1e290])
def test_curvature_along_a_vector_of_any_size(size):
    """H (s v) = s H v."""
    given = draw([CELLS["GRU"]], np.random.default_rng(70))
    params, x, initial = given.at
    vector = bptt.tree_map(np.cos, params)

    def product(s):
        along = bptt.tree_map(lambda v: s * v, vector)
        return bptt.hessian_vector_product(given.stack, params, x, given.cost, along, initial)

    assert_close(product(size), bptt.tree_map(lambda p: size * p, product(1.0)), 1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e3, 1e6])
def test_curvature_at_zero_of_saturated_units_and_of_large_parameters_is_not_refused(scale):
    for seed in range(5):
        given = draw([CELLS["LSTM"]], np.random.default_rng([71, seed]))
        params, x, initial = given.at
        params = bptt.tree_map(lambda p: scale * p, params)
        vector = bptt.tree_map(np.cos, params)
        bptt.hessian_vector_product(given.stack, params, x, given.cost, vector, initial)


def test_curvature_that_overflows_is_no_silent_infinity():
    stack = bptt.Stack((bptt.Elman(bptt.identity),))
    params = bptt.initialize(stack, (1, 1, 1), 0)
    x, cost = np.full((3, 1, 1), 1e3), lambda outputs, _: squared(outputs)
    vector = bptt.tree_map(lambda p: p * 0 + 1e308, params)
    with pytest.raises(FloatingPointError, match=r"^product.* must stay finite"):
        bptt.hessian_vector_product(stack, params, x, cost, vector)
