"""The checks of a layer, each by itself: tolerances, masks and directions against what the docstrings say."""

import importlib
from itertools import permutations, product

import handwritten
import numpy as np
import pytest
from handwritten import ELMAN, LSTM

import bptt
from bptt.checking import suite
from bptt.checking.handwritten import Layer
from bptt.checking.jacobian import Truth, along, choose, jacobian
from bptt.checking.report import CellReport

HELD, ITSELF = (1e-10, False), (1e-12, True)
CHECKS = {
    "called twice": ITSELF,
    "arguments left alone": (0.0, False),
    "one step": HELD,
    "two steps": HELD,
    "outputs only": HELD,
    "last output only": HELD,
    "final state only": HELD,
    "all 5 steps": HELD,
    "adjoint": HELD,
    "linear": (1e-12, False),
    "batch forward": ITSELF,
    "batch backward": ITSELF,
    "finite from a zero state": ITSELF,
    "right from a zero state": (1e-7, False),
    "initial state: resumed forward": ITSELF,
    "final state: resumed backward": ITSELF,
    "mask forward": ITSELF,
    "mask backward": ITSELF,
}


@pytest.mark.parametrize(
    ("source", "longest", "condition"), [(ELMAN, 3, 7), (LSTM, 8, 9)], ids=["elman", "lstm"]
)
def test_a_right_layer_meets_every_check_to_its_tolerance(source, longest, condition):
    """In float32 that of the docstring: T = 5, B = 4, and inner products of `longest` terms."""
    report = handwritten.check(source)
    want = {k: v for k, v in CHECKS.items() if source == ELMAN or not k.startswith("mask")}
    *others, single = report.checks
    assert {c.name: (c.tolerance, c.itself) for c in others} == want
    assert single.tolerance == 2.0**-24 * (2 * 5 * (longest + 10) + 5 * 4)
    assert (single.itself, single.note) == (False, f"condition {condition}")
    assert all(check.note == "" for check in others)
    assert all(list(check.errors) == list(single.errors) for check in others[4:10])


def test_what_a_layer_is_called_with():
    """Numbers moved by 2^-20 of themselves at random, and costs 2^20 times as large, as the docstring says."""
    inputs, costs = [], []

    def forward(_, x, h):
        inputs.append(x.copy())
        return h + np.cumsum(x, axis=0), h + x.sum(axis=0), None

    def backward(_params, _saved, d_outputs, d_final):
        costs.append(d_final.copy())
        d_x = np.cumsum(d_outputs[::-1], axis=0)[::-1] + d_final
        return (), d_x, d_x[0]

    x = np.random.default_rng(0).normal(size=(7, 3, 5))
    assert bptt.check_layer(forward, backward, (), x, np.ones((3, 5))).ok
    assert {len(a) for a in inputs} == {1, 2, 3, 4, 7}  # of seven steps the first, two, both halves
    assert {a.shape[1] for a in inputs} == {1, 3}
    changes = [a / x - 1 for a in inputs if a.shape == x.shape and a.dtype == x.dtype]
    moved = [c for c in changes if 1e-12 < np.abs(c).max() < 1e-5]
    nudged = [c for c in moved if np.allclose(np.abs(c), 2.0**-20, rtol=1e-9, atol=0)]
    assert len(nudged) == 3
    assert all({-1, 1} == set(np.sign(c).ravel()) for c in nudged)
    whole = [c for c in costs if c.shape == (3, 5) and c.dtype == float]
    assert (
        max(np.abs(c).max() for c in whole) == 2.0**20 * np.abs(whole[1]).max()
    )  # after that of ones


def test_without_parameters_an_inner_product_has_one_term():
    x, ones = np.random.default_rng(0).normal(size=(4, 3, 5)), np.ones((3, 5))
    report = bptt.check_layer(
        lambda _, x, h: (h + np.cumsum(x, axis=0), h + x.sum(axis=0), None),
        lambda *given: ((), np.cumsum(given[2][::-1], axis=0)[::-1] + given[3], given[2].sum(axis=0) + given[3]),
        (), x, ones,
    )  # fmt: skip
    assert report.ok
    assert report["float32"].tolerance == 2.0**-24 * (2 * 4 * (1 + 10) + 4 * 3)


def test_a_mask_has_gaps_at_the_end_in_the_middle_and_at_the_start_and_a_single_step():
    shown = ["".join("x" if there else "." for there in row) for row in suite.mask_of(5, 4).T]
    assert shown == ["xxxxx", "xxx..", "x...x", "....x"]
    assert suite.mask_of(3, 5).sum(axis=0).tolist() == [3, 2, 2, 1, 1]
    assert suite.mask_of(3, 2).tolist() == [[True, True], [True, False], [True, False]]


GAPS = {
    "before the first step": "d_h * ~there * (t > 0)",
    "between two steps": "d_h * ~there * (1 + 0.1 * (mask[:t].any(0) & mask[t:].any(0))[:, None])",
    "after the last step": "d_h * ~there * mask[t:].any(0)[:, None]",
    "of one step alone": "d_h * ~there + 0.1 * (mask.shape == (1, 1))",
    "of all sequences": "d_h * ~there * mask[t].any()",
    "that is a whole sequence": "d_h * ~there * mask.any(0)[:, None]",
}


@pytest.mark.parametrize("place", GAPS)
@pytest.mark.parametrize("sizes", [(5, 4, 3, 2), (4, 6, 3, 2), (6, 4, 3, 2)])
def test_an_error_that_gets_lost_in_a_gap_anywhere_is_found(place, sizes):
    steps, batch, below, n = sizes
    rng = np.random.default_rng(0)
    params = tuple(rng.uniform(-0.6, 0.6, shape) for shape in ((below, n), (n, n), (n,)))
    at = params, rng.normal(size=(steps, batch, below)), rng.normal(size=(batch, n))
    assert bptt.check_layer(*handwritten.functions(ELMAN), *at, masked=True).ok
    wrong = handwritten.replaced(ELMAN, ("d_h * ~there", GAPS[place]))
    report = bptt.check_layer(*handwritten.functions(wrong), *at, masked=True)
    assert not report["mask backward"].ok


def test_each_way_in_which_a_cost_enters_stands_alone():
    outputs, h, c = np.arange(1.0, 7).reshape(3, 2, 1), np.full((2, 1), 7.0), np.full((2, 1), 8.0)
    found = suite._each_alone([outputs, h, c], 3)
    last = [[[0], [0]], [[0], [0]], [[5], [6]]]
    zero = [[0], [0]]
    assert {name: [a.tolist() for a in parts] for name, parts in found} == {
        "outputs only": [outputs.tolist(), zero, zero],
        "last output only": [last, zero, zero],
        "final state only": [[zero] * 3, h.tolist(), c.tolist()],
        "all 3 steps": [outputs.tolist(), h.tolist(), c.tolist()],
    }


def test_errors_are_relative_to_the_largest_entry_or_to_a_thousandth_of_all():
    def off(got, want):
        return list(
            suite.errors("ab", [np.array(g) for g in got], [np.array(w) for w in want]).values()
        )

    assert off([[3.0, -4.5], [1.0]], [[3.0, -4.0], [2.0]]) == [0.125, 0.5]
    assert off([[1000.0], [0.5]], [[1000.0], [0.25]]) == [0, 0.25]
    assert off([[0.5], [0.0]], [[0.0], [0.0]]) == [500, 0]
    assert off([[1.0, 1.0], [np.nan]], [[1.0], [2.0]]) == [np.inf, np.inf]
    # an array without entries has no error, and no size
    assert off([[], [0.5]], [[], [0.25]]) == [0, 1]
    assert off([[1e-3, 0.0], [1e-6]], [[1e-3, 0.0], [0.0]]) == pytest.approx([0, 1])
    assert off([[], [1.0]], [[1.0], []]) == [np.inf, np.inf]
    assert off([[], []], [[], []]) == [0, 0]


def lines(forward, backward=lambda *_: ((), None, None)):
    return Layer(forward, backward, (), np.ones((3, 5)), False)


@pytest.mark.parametrize(("more", "said"), [(1.0, None), (2.0, "not a function of its arguments")])
def test_two_answers_are_two_if_they_differ_by_more_than_rounding(more, said):
    """Of 1e12, 1 is exactly the tolerance of 1e-12."""
    calls = []

    def forward(_, x, h):
        calls.append(1)
        return 1e12 + (len(calls) == 2) * more + 0 * x, h, None

    found = suite.unsound("layer", lines(forward), [np.ones((4, 3, 5)), np.ones((3, 5))])
    assert (found and found.likely) == (said and (said,))


def test_where_nothing_moves_the_adjoint_check_takes_what_came_as_it_is():
    """An input that the layer does not read, of which a gradient comes: <v, gradient> is not divided."""
    at = [np.ones((4, 3, 5)), np.ones((3, 5))]
    layer = lines(lambda _, x, h: (np.zeros((4, 3, 5), x.dtype), 0 * h, None))
    got = [np.full((4, 3, 5), 2.0), np.zeros((3, 5))]
    w = [np.ones((4, 3, 5)), np.ones((3, 5))]
    found = suite._adjoint(layer, at, w, got, Truth(True, ""), np.random.default_rng(0))
    v = np.random.default_rng(0).normal(size=(4, 3, 5))
    assert found.errors == {"x": pytest.approx(abs(2 * v.sum()), rel=1e-12), "initial": 0}


SHAPES = {
    "x by sequences": ("), d_x, d_next", "), d_x.swapaxes(0, 1), d_next", "x"),
    "no axes of a state": ("d_x, d_next\n", "d_x, d_next.sum()\n", "initial"),
    "a bias for each step": ("(d_w, d_u, d_b)", "(d_w, d_u, np.array([d_b] * len(x)))", "[2]"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_gradient_whose_shape_is_wrong_only_for_some_steps_is_reported(name):
    """Sequences are checked whole, one by one and in two parts, which have other shapes than the whole."""
    old, new, faulty = SHAPES[name]
    rng = np.random.default_rng(0)
    params = tuple(rng.uniform(-0.6, 0.6, shape) for shape in ((2, 4), (4, 4), (4,)))
    at = params, rng.normal(size=(5, 3, 2)), rng.normal(size=(3, 4))
    wrong = handwritten.functions(handwritten.replaced(ELMAN, (old, new)))
    report = bptt.check_layer(*wrong, *at, masked=True)
    assert report.faulty == (faulty,)


class Sinc:
    """Multiplies a by sin(c) / c; at c = 0, where a run starts, this is 1, and its slope, as written, NaN."""

    def step(self, z, a, c):
        return (np.tanh(z) + a * np.sinc(c / np.pi), np.tanh(z)), (np.tanh(z),)

    def step_backward(self, d_a, d_c, a, c, tanh):
        d_past = d_a * a * (np.cos(c) - np.sin(c) / c) / c
        return ((d_a + d_c) * (1 - tanh**2),), (d_a * np.sinc(c / np.pi), d_past), ()


class GuardedSinc(Sinc):
    """Says what the slope at 0 is."""

    def step_backward(self, d_a, d_c, a, c, tanh):
        d_weighted, (d_past, d_c_past), _ = super().step_backward(d_a, d_c, a, c, tanh)
        return d_weighted, (d_past, np.where(c == 0, 0.0, d_c_past)), ()


class StartsElsewhere(bptt.Elman):
    """Has no value where a is 0."""

    def step(self, z, a):
        return (np.tanh(z) + np.sin(a) / a,), (np.tanh(z),)

    def step_backward(self, d_a, a, tanh):
        return (d_a * (1 - tanh**2),), (d_a * (np.cos(a) - np.sin(a) / a) / a,), ()


def test_a_derivative_that_is_not_finite_where_a_run_starts_is_wrong():
    report = bptt.check_cell(Sinc())
    assert [c.name for c in report.checks if not c.ok] == ["finite from a zero state"]
    assert (report.faulty, report.likely) == (("initial.c",), ("not finite",))
    assert bptt.check_cell(GuardedSinc()).ok
    assert bptt.check_cell(StartsElsewhere()).ok


class Keeps(bptt.Diagonal):
    """Loses what reaches a state that is zero, as by a division that is guarded with the wrong value."""

    def step_backward(self, d_a, a, v, z, a_new):
        delta, (d_past,), d_v = super().step_backward(d_a, a, v, z, a_new)
        return delta, (np.where(a == 0, 0.0, d_past),), d_v


class Kinked(bptt.Diagonal):
    """Has a kink where a is 0, at which its derivative may be any between those of the two sides."""

    def step(self, x, a, v):
        return super().step(x, np.where(a.real > 0, a, 0.5 * a), v)

    def step_backward(self, d_a, a, v, z, a_new):
        seen, slope = np.where(a > 0, a, 0.5 * a), np.where(a > 0, 1.0, 0.5)
        delta, (d_past,), d_v = super().step_backward(d_a, seen, v, z, a_new)
        return delta, (d_past * slope,), d_v


@pytest.mark.parametrize("seed", range(3))
def test_a_derivative_that_is_wrong_where_a_run_starts_is_found(seed):
    report = bptt.check_cell(Keeps(bptt.tanh), seed=seed)
    assert [c.name for c in report.checks if not c.ok] == ["right from a zero state"]
    assert (report.faulty, report.likely) == (("initial.a",), ())
    assert bptt.check_cell(Kinked(bptt.tanh), seed=seed).ok


def test_the_sizes_of_a_check_are_drawn_anew_by_each_seed_and_no_two_are_equal(monkeypatch):
    """T and B from 4 to 6, so that neither is 2; n is 3, and n_below less or more: each of the twelve is drawn."""
    drawn = set()

    def collect(name, _layer, at):
        (steps, batch, n_below), n = at[3].shape, at[4].shape[1]
        drawn.add((steps, batch, n_below, n))
        return CellReport(name, ())

    monkeypatch.setattr(importlib.import_module("bptt.checking.cell"), "unsound", collect)
    for seed in range(100):
        bptt.check_cell(bptt.Elman(), seed=seed)
    orders = product(permutations((4, 5, 6)), (False, True))
    assert drawn == {
        (steps, batch, left if more else 2, 3) for (steps, batch, left), more in orders
    }


# The truth: functions whose derivatives are known.


def power(at):
    x, y = at
    return [x**3 + y[0], x * y[1]]


@pytest.mark.parametrize("analytic", [True, False])
def test_jacobians_of_a_polynomial(analytic):
    """Differences of the wide step keep nine digits; where there is no kink the narrow one would lose two of them."""
    at = [np.array([2.0, -1.0]), np.array([3.0, 5.0, 7.0])]
    truth = Truth(analytic, "")
    by_x = np.array([[12, 0, 5, 0], [0, 3, 0, 5]])
    by_y = np.array([[1, 1, 0, 0], [0, 0, 2, -1], [0, 0, 0, 0]])
    for found, want in zip(jacobian(power, at, truth), (by_x, by_y), strict=True):
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-14 if analytic else 1e-9)
    for i, way, want in (0, [1.0, 2.0], [12, 6, 5, 10]), (1, [0.5, 1.0, 0.0], [0.5, 0.5, 2, -1]):
        found = along(power, at, i, np.array(way), truth)
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-14 if analytic else 1e-9)


@pytest.mark.parametrize("analytic", [True, False])
def test_jacobians_of_rows_that_do_not_see_one_another_are_taken_at_once(analytic):
    """Of x u, of each row of x: an entry of x is a column, whatever its row; u is moved entry by entry."""
    u, x = np.arange(1.0, 7).reshape(2, 3), np.array([[2.0, -1.0], [3.0, 5.0]])
    of_u, of_x = jacobian(lambda at: [at[1] @ at[0]], [u, x], Truth(analytic, ""), 1)
    rows = np.array([np.einsum("b,j->bj", x[:, i], e).ravel() for i in (0, 1) for e in np.eye(3)])
    np.testing.assert_allclose(of_u, rows, rtol=0, atol=1e-14 if analytic else 1e-7)
    np.testing.assert_allclose(of_x, np.tile(u, 2), rtol=0, atol=1e-14 if analytic else 1e-7)


class Ones:
    """Draws nothing but 1."""

    def normal(self, size):
        return np.ones(size)


def test_a_trap_is_found_however_large_the_derivatives_are():
    """Between 1e6 and 1e8 rounding alone is more than a thousandth."""
    at = [np.array([0.3, 1.1, 1.7])]
    for size in (1e6, 1e8):
        found = choose(lambda at, size=size: [size * np.abs(at[0])], at, Ones())
        assert not found.analytic


@pytest.mark.parametrize(
    ("w", "out", "at", "least"), [(1, 0.5, 100, 5e-4), (2, 7, 0.1, 2e-5), (1, 1e-9, 1, 1e-14)]
)
def test_units_are_saturated_below_a_part_of_what_moves_forward(w, out, at, least):
    """A hundred thousandth of the cotangents, of outputs up to 1, and of arguments from 1 on."""
    arrays = [[np.array([0, -size])] for size in (w, out, at)]
    suite._refuse_saturated(1.01 * least, suite._size(*arrays))
    with pytest.raises(ValueError, match=f"derivatives of at most {0.99 * least:.1e} in the first"):
        suite._refuse_saturated(0.99 * least, suite._size(*arrays))


@pytest.mark.parametrize(("off", "analytic"), [(0.9e-5, True), (1.1e-5, False)])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-4])
def test_two_derivatives_disagree_from_a_hundred_thousandth_on(off, analytic, size):
    """Relative to the derivative, or to a thousandth: of one of 1e-4, ten times as much may be off."""
    off *= max(1, 1e-3 / size)

    def function(at):
        (x,) = at
        return [size * (x.real + 1j * (1 + off) * x.imag if np.iscomplexobj(x) else x)]

    found = choose(function, [np.ones(3)], Ones())
    assert found.analytic == analytic
    assert found.name == ("complex step" if analytic else "central differences")
    assert found.tolerance == (1e-10 if analytic else 1e-6)


@pytest.mark.parametrize("k", [3e3, 1e4])
def test_a_difference_that_its_step_makes_coarse_is_no_contradiction(k):
    """From the derivative of sin k z, which is analytic, a central difference is off by a part (k h)² / 6."""
    found = choose(lambda at: [np.sin(k * at[0])], [np.array([0.3, 1.1, 1.7])], Ones())
    assert found.analytic
