"""Costs against the literal sums and the complex step: masks, weights, extremes."""

import decimal
import math

import numpy as np
import pytest
import reference

import bptt

SHAPE = (4, 3, 5)
rng = np.random.default_rng(6)
OUTPUTS = rng.normal(size=SHAPE)
TARGETS = rng.normal(size=SHAPE)
CLASSES = rng.integers(0, 5, SHAPE[:2])
MASKS = {
    "none": None,
    "all": np.ones(SHAPE[:2], bool),
    "some": rng.random(SHAPE[:2]) < 0.5,
    "weights": rng.random(SHAPE[:2]),
    "nothing": np.zeros(SHAPE[:2], bool),
}
COSTS = {
    "squared_error": (bptt.squared_error, TARGETS),
    "softmax_cross_entropy": (bptt.softmax_cross_entropy, CLASSES),
}

both = pytest.mark.parametrize("name", COSTS)
masked = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


@both
@masked
def test_cost_and_derivative_are_the_literal_sums(name, mask):
    cost, truth = COSTS[name]
    value, d_outputs = cost(OUTPUTS, truth, mask)
    weights = np.ones(SHAPE[:2]) if mask is None else mask.astype(float)
    literal = reference.COSTS[name](OUTPUTS.tolist(), truth.tolist(), weights.tolist())
    assert value == pytest.approx(literal[0], rel=1e-14)
    assert d_outputs == pytest.approx(np.array(literal[1]), rel=1e-13, abs=1e-16)


@both
@masked
def test_derivative_is_that_of_the_complex_step(name, mask):
    cost, truth = COSTS[name]
    trusted = bptt.complex_step(lambda outputs: cost(outputs, truth, mask).value, OUTPUTS)
    assert cost(OUTPUTS, truth, mask).d_outputs == pytest.approx(trusted, rel=1e-13, abs=1e-16)


@both
def test_one_step_and_one_sequence_are_parts_of_the_sum(name):
    """A cost of (B, n) outputs is the same sum with one axis less."""
    cost, truth = COSTS[name]
    parts = [cost(OUTPUTS[t], truth[t]) for t in range(len(OUTPUTS))]
    whole = cost(OUTPUTS, truth)
    assert whole.value == pytest.approx(sum(part.value for part in parts), rel=1e-14)
    assert (whole.d_outputs == np.stack([part.d_outputs for part in parts])).all()


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_that_of_the_outputs(name, dtype):
    cost, truth = COSTS[name]
    truth = truth.astype(dtype) if truth.dtype.kind == "f" else truth
    for mask in MASKS.values():
        value, d_outputs = cost(OUTPUTS.astype(dtype), truth, mask)
        assert value.dtype == d_outputs.dtype == dtype


def test_where_the_mask_is_zero_anything_may_stand():
    """NaN targets and classes out of range: the result is that of any other numbers there."""
    some = MASKS["some"]
    holes = np.where(some[..., None], TARGETS, np.nan)
    got, want = bptt.squared_error(OUTPUTS, holes, some), bptt.squared_error(OUTPUTS, TARGETS, some)
    assert got.value == want.value
    assert (got.d_outputs == want.d_outputs).all()
    unknown = np.where(some, CLASSES, -1)
    got = bptt.softmax_cross_entropy(OUTPUTS, unknown, some)
    want = bptt.softmax_cross_entropy(OUTPUTS, CLASSES, some)
    assert got.value == want.value
    assert (got.d_outputs == want.d_outputs).all()
    assert (got.d_outputs[~some] == 0).all()


def test_a_mean_is_a_mask():
    """What the module says of means: weights mask / mask.sum(), against the mean of the literal costs."""
    some = MASKS["some"].astype(float)
    value, _ = bptt.squared_error(OUTPUTS, TARGETS, some / some.sum())
    counted = zip(OUTPUTS[some > 0], TARGETS[some > 0], strict=True)
    each = [0.5 * sum((a_j - y_j) ** 2 for a_j, y_j in zip(a, y, strict=True)) for a, y in counted]
    assert value == pytest.approx(np.mean(each), rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_far_logits_does_not_overflow(dtype):
    """Against -log softmax by hand: the distance to the largest logit, for a wrong class far off."""
    logits = np.array([[1e4, 0.0], [0.0, 1e4]], dtype)
    value, d_logits = bptt.softmax_cross_entropy(logits, [0, 0])
    assert value == 1e4
    assert d_logits.tolist() == [[0, 0], [-1, 1]]


def test_a_masked_step_is_no_nan_however_far_its_logits_are():
    """0 times log 0 is 0 here, as the sum over what counts says."""
    huge = np.finfo(float).max
    value, d_logits = bptt.softmax_cross_entropy(
        [[huge, -huge], [0.0, 0.0]], [1, 0], np.array([False, True])
    )
    assert value == pytest.approx(math.log(2))
    assert d_logits.tolist() == [[0, 0], [-0.5, 0.5]]


@pytest.mark.parametrize(
    "call",
    [
        lambda: bptt.squared_error([[1e200]], [[-1e200]]),
        lambda: bptt.squared_error([[1.7e308]], [[-1.7e308]]),
        lambda: bptt.softmax_cross_entropy([[1.7e308, -1.7e308]], [1]),
    ],
)
def test_a_cost_that_overflows_is_no_silent_infinity(call):
    with pytest.raises(FloatingPointError, match=r"cost must stay finite, got inf"):
        call()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_keeps_its_digits_where_a_class_is_nearly_sure(dtype):
    """Cost and error against 50 decimal digits, a few units in the last place each, whichever class is right."""
    logits = np.array([[9, 0, -1], [-30, 5, 1], [0, 40, -40], [0.5, 0.25, 60]], dtype)
    for row in logits:
        for right in range(3):
            with decimal.localcontext(prec=50):
                e = [decimal.Decimal(float(z)).exp() for z in row]
                want = [x / sum(e) for x in e]
                others = sum(x for k, x in enumerate(e) if k != right)
                value = float((sum(e) / e[right]).ln())
                want[right] = -others / sum(e)
            cost = bptt.softmax_cross_entropy(row, right)
            few = 8 * float(np.finfo(dtype).eps)
            assert cost.value == pytest.approx(value, rel=few, abs=0)
            assert cost.d_outputs == pytest.approx(list(map(float, want)), rel=few, abs=0)
