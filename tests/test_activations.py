"""Activations: each derivative against the complex step and central differences, on a grid."""

import decimal
import math

import numpy as np
import pytest
import reference
from problems import ACTIVATIONS, squash

import bptt
from bptt.cells.activations import gate

# From -12 to 12, denser in the middle, and not on the kink of relu.
GRID = np.concatenate([np.linspace(-12, 12, 48), np.linspace(-1, 1, 20), [-1e-8, 1e-8]])

everyone = pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)


def derivative(activation, z):
    return activation.derivative(z, activation(z))


@everyone
def test_function_and_derivative_are_the_literal_ones(activation):
    literal = reference.SCALAR[activation.name]
    for z in GRID:
        assert activation(np.array(z)) == pytest.approx(literal.a(z), rel=1e-13, abs=2e-16)
        found = derivative(activation, np.array(z))
        assert found == pytest.approx(literal.a_prime(z), rel=1e-13, abs=3e-16)


@everyone
def test_derivative_is_that_of_the_complex_step(activation):
    trusted = bptt.complex_step(lambda z: activation(z).sum(), GRID)
    assert derivative(activation, GRID) == pytest.approx(trusted, rel=1e-13, abs=3e-16)


@everyone
def test_derivative_is_that_of_central_differences(activation):
    away = GRID[np.abs(GRID) > 1e-3]
    trusted = bptt.central_difference(lambda z: activation(z).sum(), away)
    assert derivative(activation, away) == pytest.approx(trusted, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("activation", "left", "right", "left_slope", "right_slope"),
    [
        (bptt.identity, -1e4, 1e4, 1, 1),
        (bptt.tanh, -1, 1, 0, 0),
        (bptt.sigmoid, 0, 1, 0, 0),
        (bptt.relu, 0, 1e4, 0, 1),
        (bptt.softplus, 0, 1e4, 0, 1),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_far_out_nothing_overflows(activation, left, right, left_slope, right_slope, dtype):
    """At z = ±10⁴, where e^z has long overflowed; a warning would be an error here."""
    z = np.array([-1e4, 1e4], dtype)
    assert activation(z).tolist() == [left, right]
    assert derivative(activation, z).tolist() == [left_slope, right_slope]
    found = activation(z.astype(complex)).tolist()  # NumPy's complex division rounds twice
    assert found == pytest.approx([left, right], rel=4e-16, abs=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("activation", "low"), [(bptt.identity, -1), (bptt.relu, 0), (bptt.softplus, 0)])  # fmt: skip
def test_at_the_end_of_all_numbers_and_beyond_the_limits_are_taken(activation, low, dtype):
    with np.errstate(all="raise"):
        for z in (np.finfo(dtype).max, dtype(np.inf)):
            assert activation(np.array([-z, z])).tolist() == [low * z if low else 0, z]


@everyone
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_shape_and_dtype_are_kept_and_z_is_not_written_to(activation, dtype):
    z = np.linspace(-2, 2, 12).reshape(2, 2, 3).astype(dtype)
    z.flags.writeable = False
    a = activation(z)
    a.flags.writeable = False
    for found in a, activation.derivative(z, a):
        assert found.dtype == dtype
        assert found.shape == z.shape
        assert not np.shares_memory(found, z)


@everyone
def test_nan_stays_nan(activation):
    z = np.array([np.nan, 1.0])
    assert np.isnan(activation(z)).tolist() == [True, False]


def test_relu_has_slope_zero_at_its_kink():
    """A choice, and a documented one: between the slopes 0 and 1 on either side."""
    z = np.array([-0.0, 0.0, 5e-324, -5e-324])
    assert derivative(bptt.relu, z).tolist() == [0, 0, 1, 0]
    assert bptt.relu(z + 1e-30j).imag.tolist() == [0, 0, 1e-30, 0]  # as the complex step has it
    assert derivative(bptt.relu, z + 1e-30j).tolist() == [0, 0, 1, 0]  # as the R-operator has it


@pytest.mark.parametrize("z", [1.0, 3.0, 6.0, 9.0, 12.0])
def test_what_saturation_costs_is_bounded(z):
    """1 - a² and a (1 - a) take a' from a rounded a: a relative error of up to 2ε / a', and no more."""
    for activation in bptt.tanh, bptt.sigmoid:
        exact = reference.SCALAR[activation.name].a_prime(z)
        found = float(derivative(activation, np.array(z)))
        assert abs(found - exact) / exact <= 2 * np.finfo(float).eps / exact


def test_softmax_is_the_literal_one_and_sums_to_one():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, 2, 5))
    for index in np.ndindex(3, 2):
        e = [math.exp(value) for value in z[index]]
        assert bptt.softmax(z)[index] == pytest.approx([value / sum(e) for value in e], rel=1e-14)
    assert bptt.softmax(z).sum(axis=-1) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_does_not_see_a_shift_and_does_not_overflow(dtype):
    z = np.array([[1.0, 3.0, 2.0]], dtype)
    assert (bptt.softmax(z + dtype(4096)) == bptt.softmax(z)).all()
    huge = np.finfo(dtype).max
    found = bptt.softmax(np.array([huge, -huge, huge], dtype))
    assert found.dtype == dtype
    assert found.tolist() == [0.5, 0, 0.5]


def test_softmax_lets_the_complex_step_pass():
    """Against its Jacobian a_i (1[i = k] - a_k), written out."""
    z = np.array([0.3, -1.0, 0.8])
    a = bptt.softmax(z)
    for i in range(3):
        row = bptt.complex_step(lambda z, i=i: bptt.softmax(z)[i], z)
        assert row == pytest.approx([a[i] * ((i == k) - a[k]) for k in range(3)], rel=1e-14)


def test_a_pair_of_ones_own_may_have_a_smaller_domain():
    """Construction tries the form of a pair, not its domain: no warning for log of a negative number."""
    log = bptt.Activation("log", np.log, lambda z, _: 1 / z)
    assert derivative(log, np.array([2.0])).tolist() == [0.5]
    assert squash(np.array([0.0])).tolist() == [0.0]


def logistic_in_decimals(z):
    """Return σ(z) and 1 - σ(z) to 50 digits."""
    with decimal.localcontext(prec=50, Emin=-5000, Emax=5000):
        e = decimal.Decimal(float(z)).exp()
        return e / (1 + e), 1 / (1 + e)


def ulps(found, wanted):
    """Return how many units in the last place each number is off."""
    exact = np.array([float(w) for w in wanted], found.dtype)
    off = [abs(decimal.Decimal(float(f)) - w) for f, w in zip(found, wanted, strict=True)]
    return np.array(
        [float(d / decimal.Decimal(float(u))) for d, u in zip(off, np.spacing(exact), strict=True)]
    )


@pytest.mark.parametrize(("dtype", "reach"), [(np.float32, 103), (np.float64, 744)])
def test_the_logistic_function_is_right_to_a_few_units_in_the_last_place(dtype, reach):
    """For every z, down to the smallest numbers there are: σ, 1 - σ and σ' against 50 decimal digits."""
    rng = np.random.default_rng(7)
    z = np.concatenate([rng.uniform(-reach, reach, 400), rng.uniform(-3, 3, 100), [-18, -30, -10]])
    z = z.astype(dtype)
    both = [logistic_in_decimals(x) for x in z]
    a = bptt.sigmoid(z)
    assert ulps(a, [s for s, _ in both]).max() <= 4
    assert ulps(derivative(bptt.sigmoid, z), [s * t for s, t in both]).max() <= 8
    inside = np.abs(z) < (88 if dtype is np.float32 else 708)
    s, t = (part[inside] for part in gate(z))
    wanted = [pair for pair, there in zip(both, inside, strict=True) if there]
    assert ulps(s, [w for w, _ in wanted]).max() <= 4
    assert ulps(t, [w for _, w in wanted]).max() <= 4


@pytest.mark.parametrize("cell", [bptt.LSTM(), bptt.GRU(), bptt.ResetBeforeGRU()])
@pytest.mark.parametrize("bias", [-18, 12])
def test_gates_that_are_nearly_shut_or_open_keep_their_digits_in_float32(cell, bias):
    """Outputs and gradient against float64, each array by its own size: open gates have small slopes."""
    rng = np.random.default_rng(8)
    layer = bptt.initialize(bptt.Stack((cell,)), (3, 4, 1), rng, np.float32).layers[0]
    b = layer.b.copy()
    b[: 2 * 4] = bias  # i and f, or r and s
    x, d_a = rng.normal(size=(2, 5, 2, 3)).astype(np.float32), rng.normal(size=(5, 2, 4))
    given = layer._replace(b=b), x[0], d_a.astype(np.float32)
    runs = []
    for kind in np.float32, np.float64:
        params, inputs, above = bptt.tree_map(lambda part, kind=kind: part.astype(kind), given)
        trace = bptt.layer_forward(cell, params, inputs)
        gradient = bptt.layer_backward(trace, above)
        blocks = [g for p in gradient.params for g in np.split(p, p.shape[-1] // 4, axis=-1)]
        runs.append([trace.outputs, *blocks])
    for found, wanted in zip(*runs, strict=True):
        assert np.abs(found - wanted).max() <= 2e-5 * np.abs(wanted).max()


def test_an_activation_shows_its_name_alone():
    """The two functions would show as addresses, which differ from process to process."""
    assert repr(bptt.Activation("twice", lambda z: 2 * z, lambda z, a: 0 * z + 2)) == (
        "Activation(name='twice')"
    )
