"""Update rules against their formulas, written as loops over single numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from closeness import assert_close

import bptt

RULES = [
    bptt.GradientDescent(0.1),
    bptt.Momentum(0.1),
    bptt.Momentum(0.05, 0.0),
    bptt.Adam(),
    bptt.Adam(0.3, beta1=0.5, beta2=0.7, epsilon=1e-2),
    bptt.Adam(0.3, beta1=0.0, beta2=0.0),
]


def descent(rule, theta, gradients):
    for g in gradients:
        theta -= rule.rate * g
    return theta


def momentum(rule, theta, gradients):
    v = 0.0
    for g in gradients:
        v = rule.momentum * v + g
        theta -= rule.rate * v
    return theta


def adam(rule, theta, gradients):
    m = s = 0.0
    for k, g in enumerate(gradients, start=1):
        m = rule.beta1 * m + (1 - rule.beta1) * g
        s = rule.beta2 * s + (1 - rule.beta2) * g**2
        m_hat, s_hat = m / (1 - rule.beta1**k), s / (1 - rule.beta2**k)
        theta -= rule.rate * m_hat / (math.sqrt(s_hat) + rule.epsilon)
    return theta


LITERAL = {bptt.GradientDescent: descent, bptt.Momentum: momentum, bptt.Adam: adam}


def parameters(dtype=np.float64):
    stack = bptt.Stack((bptt.Elman(), bptt.Elman()))
    return bptt.initialize(stack, (2, 3, 2, 1), np.random.default_rng(8), dtype)


def gradients(params, count):
    rng = np.random.default_rng(9)
    draw = lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype)
    return [bptt.tree_map(draw, params) for _ in range(count)]


def updated(rule, params, each):
    state = rule.init(params)
    for gradient in each:
        params, state = rule.update(params, gradient, state)
    return params, state


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_ten_updates_are_the_literal_formula_entry_by_entry(rule):
    params = parameters()
    each = gradients(params, 10)
    columns = [leaf for _, leaf in bptt.tree_leaves(params)]
    steps = [[leaf for _, leaf in bptt.tree_leaves(gradient)] for gradient in each]
    want = [
        np.vectorize(lambda theta, *g: LITERAL[type(rule)](rule, theta, g))(
            leaf, *(step[i] for step in steps)
        )
        for i, leaf in enumerate(columns)
    ]
    got = [leaf for _, leaf in bptt.tree_leaves(updated(rule, params, each)[0])]
    assert_close(got, want, 1e-14)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_and_dtype_are_kept(rule, dtype):
    params = parameters(dtype)
    new, state = updated(rule, params, gradients(params, 3))
    assert type(new) is bptt.Params
    assert type(new.layers[1]) is bptt.Recurrent
    arrays = [leaf for _, leaf in bptt.tree_leaves((new, *state[1:]) if state else new)]
    assert {leaf.dtype for leaf in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize("number", [np.float64, np.float32, np.int64])
def test_a_setting_that_is_a_number_of_numpy_does_not_change_the_dtype(number):
    """NumPy promotes float32 arrays by its own float64 numbers, though not by Python's."""
    params = parameters(np.float32)
    (gradient,) = gradients(params, 1)
    rules = [bptt.GradientDescent(number(1)), bptt.Momentum(number(1), number(0))]
    rules += [bptt.Adam(number(1), number(0), number(0), number(1))]
    found = [updated(rule, params, [gradient])[0] for rule in rules]
    found += [bptt.clip_by_global_norm(gradient, number(1))[0]]
    assert {leaf.dtype for _, leaf in bptt.tree_leaves(found)} == {np.dtype(np.float32)}


def test_gradient_descent_goes_straight_down():
    """On ½ k θ² each step multiplies θ by 1 - η k: known in closed form."""
    theta, rule = np.array([2.0, -3.0]), bptt.GradientDescent(0.25)
    k = np.array([1.0, 2.0])
    for _ in range(20):
        theta, _ = rule.update(theta, k * theta, ())
    assert theta == pytest.approx(np.array([2.0, -3.0]) * (1 - 0.25 * k) ** 20, rel=1e-14)


def test_a_parameter_without_axes_stays_an_array():
    """NumPy turns the results of such arrays into numbers; the next update must still find an array."""
    for rule in RULES:
        theta, _ = updated(rule, np.array(1.0), [np.array(0.5)] * 3)
        assert theta == pytest.approx(LITERAL[type(rule)](rule, 1.0, [0.5] * 3), rel=1e-14)
        assert isinstance(theta, np.ndarray)


def test_state_is_explicit():
    """The same call twice gives the same: no rule remembers anything by itself."""
    params = parameters()
    (gradient,) = gradients(params, 1)
    for rule in RULES:
        state = rule.init(params)
        assert_close(*(rule.update(params, gradient, state)[0] for _ in range(2)), 1e-300)
    assert bptt.Adam().init(params).updates == 0
    assert updated(bptt.Adam(), params, [gradient] * 3)[1].updates == 3


def test_global_norm_is_the_literal_root_of_the_sum_of_squares():
    params = parameters()
    squares = [value**2 for _, leaf in bptt.tree_leaves(params) for value in leaf.ravel().tolist()]
    assert bptt.global_norm(params) == pytest.approx(math.sqrt(math.fsum(squares)), rel=1e-14)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e200, 3e307])
def test_global_norm_neither_overflows_nor_underflows(scale):
    """3, 4 → 5, at sizes whose squares no float can hold."""
    norm = bptt.global_norm((np.array([0.3 * scale]), np.array([[0.4 * scale]])))
    assert norm == pytest.approx(0.5 * scale, rel=1e-3 if scale < 1e-300 else 1e-15)


def test_norm_of_nothing_and_of_zeros_is_zero():
    assert bptt.global_norm(()) == 0
    assert bptt.global_norm(np.zeros(3)) == 0
    clipped, norm = bptt.clip_by_global_norm(np.zeros(3), 1.0)
    assert (clipped.tolist(), norm) == ([0, 0, 0], 0)


@pytest.mark.parametrize("limit", [1e-3, 0.5, 1.8])
def test_a_long_gradient_is_shortened_to_the_limit(limit):
    """Against g c / ‖g‖, entry by entry; the norm returned is the one before."""
    params = parameters()
    norm = bptt.global_norm(params)
    assert norm > limit
    clipped, before = bptt.clip_by_global_norm(params, limit)
    assert before == norm
    assert bptt.global_norm(clipped) == pytest.approx(limit, rel=1e-14)
    assert_close(clipped, bptt.tree_map(lambda g: g * limit / norm, params), 1e-14)


def test_a_short_gradient_is_left_as_it_is_but_copied():
    params = parameters()
    clipped, norm = bptt.clip_by_global_norm(params, 1e3)
    assert norm < 1e3
    for (_, got), (_, want) in zip(
        bptt.tree_leaves(clipped), bptt.tree_leaves(params), strict=True
    ):
        assert (got == want).all()
        assert not np.shares_memory(got, want)


@pytest.mark.parametrize("rule", [bptt.GradientDescent(1e10), bptt.Momentum(1e10), bptt.Adam()])
def test_an_update_that_overflows_is_no_silent_infinity(rule):
    """For Adam it is the square of the gradient: its step would be zero from then on."""
    theta = np.array([1.0])
    with pytest.raises(FloatingPointError, match=r"must stay finite, got -?inf"):
        rule.update(theta, np.array([1e300]), rule.init(theta))


@pytest.mark.parametrize("name", ["params", "gradient", "state"])
def test_what_is_not_finite_is_refused_by_its_name(name):
    given = {each: (np.ones(2), np.ones(3)) for each in ("params", "gradient", "state")}
    given[name][1][2] = np.nan
    with pytest.raises(ValueError, match=rf"^{name}\[1\] must be finite, got nan at index \(2,\)"):
        bptt.Momentum(0.1).update(**given)


def test_a_norm_beyond_all_numbers_is_no_silent_infinity():
    with pytest.raises(FloatingPointError, match="norm of gradient must stay finite"):
        bptt.clip_by_global_norm(np.full(4, 1.7e308), 1.0)


@pytest.mark.parametrize(
    ("norm", "limit"),
    [(1e300, 1e-300), (1e200, 1e-150), (1e308, 1e-10), (1e-10, 1e-318), (2.0, 1.0)],
)
def test_clipping_keeps_what_a_number_can_hold_though_its_factor_cannot(norm, limit):
    """Against g / ‖g‖ · c in exact fractions."""
    g = np.array([0.6 * norm, -0.8 * norm])
    clipped, before = bptt.clip_by_global_norm(g, limit)
    want = [float(Fraction(one) / Fraction(before) * Fraction(limit)) for one in g.tolist()]
    assert clipped == pytest.approx(np.array(want), rel=1e-15, abs=5e-324)
    assert clipped.all()


def test_a_count_of_updates_may_be_any_integer():
    """Of Python, of NumPy, or an array without axes, as files have it."""
    theta, rule = np.array([1.0]), bptt.Adam()
    state = rule.init(theta)._replace(updates=np.array(3))
    want, _ = rule.update(theta, theta, state)
    for three in (3, np.int32(3), np.uint8(3), np.array(3, np.uint8)):
        found, new = rule.update(theta, theta, state._replace(updates=three))
        assert (found, new.updates) == (want, 4)
    _, late = rule.update(theta, theta, state._replace(updates=np.uint8(255)))
    assert late.updates == 256


def test_numbers_of_adam_that_are_not_given_are_those_of_its_paper():
    """Kingma and Ba (2015), algorithm 1: alpha, beta1, beta2 and epsilon."""
    rule = bptt.Adam()
    assert (rule.rate, rule.beta1, rule.beta2, rule.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
