"""The derivative of a cell's own formula: each wrong number is named, and where it is looked at."""

import numpy as np
import pytest

import bptt
from bptt.checking import own_step
from bptt.checking.cell import FAR_OUT
from bptt.checking.jacobian import Truth
from bptt.checking.known_bugs import best

RNG = np.random.default_rng(0)
# T, B, n_below, n = 3, 4, 2, 5: parameters, input, state.
AT = [RNG.uniform(-0.8, 0.8, shape) for shape in ((2, 15), (5, 15), (15,), (5,), (3, 4, 2), (4, 5))]


class Wrong(bptt.GRU):
    """A GRU, one part of whose derivative is multiplied, by a number or by what `r` gives."""

    def __init__(self, part, place, factor):
        for name, value in (("part", part), ("place", place), ("factor", factor)):
            object.__setattr__(self, name, value)

    def step_backward(self, d_a, a, c, r, not_r, s, not_s, n, reset):
        right = super().step_backward(d_a, a, c, r, not_r, s, not_s, n, reset)
        parts = [list(part) for part in right]
        factor = self.factor(r) if callable(self.factor) else self.factor
        parts[self.part][self.place] = factor * parts[self.part][self.place]
        return tuple(map(tuple, parts))


def step_of(cell):
    return own_step.step_check("step", cell, AT, 4, Truth(True, ""), np.random.default_rng(1))


def named(cell):
    step = step_of(cell)
    return best(step, own_step.own_step_bugs(step))


def test_a_right_step_is_compared_under_the_names_of_its_formula():
    step = step_of(bptt.GRU())
    assert step.names == ["d_z_r", "d_z_s", "d_x_n", "d_h_n", "d_a", "d_c"]
    assert step.checks["step"].ok
    assert [a.shape for a in step.at] == [(4, 5)] * 5 + [(5,)]
    for got, want, at in zip(step.got, step.want, step.at, strict=True):
        assert got.shape == want.shape == at.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)
    assert named(bptt.GRU()) == {}
    np.testing.assert_array_equal(step.at[4], AT[5])


PLACES = {"d_z_r": (0, 0), "d_h_n": (0, 3), "d_a": (1, 0), "d_c": (2, 0)}
FACTORS = {
    2.0: ("factor 2", "twice the true one"),
    0.5: ("factor 2", "half the true one"),
    -1.0: ("wrong sign", "minus the true one"),
    0.0: ("gradient missing", "zeros"),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("factor", FACTORS)
def test_a_tensor_times_a_number_is_named(name, factor):
    cell = Wrong(*PLACES[name], factor)
    bug, evidence = FACTORS[factor]
    bug = "direct path missing" if (name, factor) == ("d_a", 0.0) else bug
    assert step_of(cell).checks["step"].faulty == (name,)
    assert named(cell) == {bug: f"{name}: {evidence}"}


def test_means_over_the_batch_and_a_reset_that_is_left_out_are_named():
    mean, opened = Wrong(2, 0, 1 / 4), Wrong(0, 3, lambda r: 1 / r)
    assert named(mean) == {"mean over the batch": "d_c: divided by B"}
    assert named(opened) == {"reset gate left out": "d_h_n: it is d_x_n, but the two differ"}
    assert named(Wrong(0, 3, lambda r: 1.1 / r)) == {}


SLOPES = {
    "a' missing": lambda _, a: 1 / (a * (1 - a)),
    "a' at a instead of z": lambda _, a: bptt.sigmoid(a) * bptt.sigmoid(-a) / (a * (1 - a)),
    "a in place of a'": lambda _, a: bptt.sigmoid(a) / (a * (1 - a)),
    "a' formula of a, given z": lambda z, a: z * (1 - z) / (a * (1 - a)),
}


@pytest.mark.parametrize("bug", SLOPES)
def test_a_wrong_slope_of_a_gate_is_named(bug):
    cell = Wrong(0, 0, lambda r: SLOPES[bug](np.log(r / (1 - r)), r))
    assert named(cell) == {bug: "d_z_r: if it goes through sigmoid"}


class NoSlope(bptt.Elman):
    """A tanh whose own derivative is left out."""

    def step_backward(self, d_a, a, z, a_new):
        return (d_a,), (0.0,), ()


@pytest.mark.parametrize("scale", [1, 20, 60])
def test_a_wrong_slope_is_named_where_some_units_are_flat(scale):
    """Beyond 18 the slope of tanh is zero to all digits: nothing may be divided by it."""
    at = [AT[0][:, :5], AT[1][:, :5], AT[2][:5], scale * AT[4], AT[5]]
    step = own_step.step_check("step", NoSlope(), at, 3, Truth(True, ""), np.random.default_rng(1))
    assert best(step, own_step.own_step_bugs(step)) == {
        "a' missing": "d_z: if it goes through tanh"
    }


class Gate:
    """A sigmoid without its derivative beside a tanh, which is right."""

    def step(self, z_g, z_n, a):
        g, n = bptt.sigmoid(z_g), np.tanh(z_n)
        return (g * a + (1 - g) * n,), (g, n)

    def step_backward(self, d_a, a, g, n):
        return (d_a * (a - n), d_a * (1 - g) * (1 - n**2)), (d_a * g,), ()


def test_a_slope_that_is_named_is_that_of_the_right_activation():
    """Where the other gate is flat, no guess at it makes all others look right."""
    at = [0.1 * AT[0][:, :10], 0.1 * AT[1][:, :10], 20.0 * (np.arange(10) > 4), *AT[4:]]
    step = own_step.step_check("step", Gate(), at, 3, Truth(True, ""), np.random.default_rng(1))
    told = best(step, own_step.own_step_bugs(step))
    assert told == {"a' missing": "d_z_g: if it goes through sigmoid"}


class Flickers(bptt.Elman):
    """A tanh whose derivative is twice the true one at every other call."""

    def __init__(self, calls):
        super().__init__()
        object.__setattr__(self, "calls", [calls])

    def step_backward(self, d_a, a, z, a_new):
        self.calls[0] += 1
        (delta,), *others = super().step_backward(d_a, a, z, a_new)
        return ((1 + self.calls[0] % 2) * delta,), *others


@pytest.mark.parametrize("calls", [0, 1])
def test_of_a_step_that_is_no_function_nothing_else_is_said(calls):
    assert bptt.check_cell(Flickers(calls)).likely == ("not a function of its arguments",)


class Drops(bptt.Elman):
    """A tanh whose derivative is now and then that of another entry, as with little dropout."""

    def step_backward(self, d_a, a, z, a_new):
        (delta,), *others = super().step_backward(d_a, a, z, a_new)
        return (np.where(RNG.random(z.shape) < 0.03, 0.0, delta),), *others


def test_what_is_random_now_and_then_is_not_taken_for_memory():
    for seed in range(20):
        assert not bptt.check_cell(Drops(), sizes=(4, 3, 2, 5), seed=seed).ok


def mean(a, axis):
    return np.broadcast_to(a.mean(axis, keepdims=True), a.shape)


class Mixes(bptt.Elman):
    """A tanh of what is left of z without its mean along an axis, with the right derivative."""

    def __init__(self, axis):
        super().__init__()
        object.__setattr__(self, "axis", axis)

    def step(self, z, a):
        return super().step(z - mean(z, self.axis), a)

    def step_backward(self, d_a, a, z, a_new):
        (delta,), *others = super().step_backward(d_a, a, z, a_new)
        return (delta - mean(delta, self.axis),), *others


class MixesBack(bptt.Diagonal):
    """Adds up the gradient of its own parameter over the batch itself."""

    def step_backward(self, d_a, a, v, z, a_new):
        *others, (d_v,) = super().step_backward(d_a, a, v, z, a_new)
        return *others, (mean(d_v, 0),)


@pytest.mark.parametrize("cell", [Mixes(0), Mixes(1), MixesBack()])
@pytest.mark.parametrize("n", [2, 3])  # of two entries with one mean, errors of one are zero
def test_a_formula_that_mixes_entries_is_named(cell, n):
    report = bptt.check_cell(cell, sizes=(4, 3, 5, n))
    assert (report.ok, report.likely) == (False, ("not elementwise",))
    assert ("step: an entry alone" in str(report)) == isinstance(cell, Mixes)


class WrongBetween(bptt.Elman):
    """A tanh without a slope where it is nearly one, and not yet flat."""

    def step_backward(self, d_a, a, z, a_new):
        return (d_a * np.where((abs(z) > 1) & (abs(z) < 7), 0.0, 1 - a_new**2),), (0.0,), ()


def test_a_derivative_that_is_wrong_between_near_and_far_is_found():
    for seed in range(5):
        assert bptt.check_cell(WrongBetween(), seed=seed).faulty == ("d_z",)


class Clips(bptt.Elman):
    """A tanh whose gradient is clipped, of errors far above those of a check."""

    def step_backward(self, d_a, a, z, a_new):
        return (np.clip(d_a * (1 - a_new**2), -100.0, 100.0),), (0.0,), ()


def test_clipping_within_a_step_is_named():
    """The plain loop, which gives unit errors, does not see it; the compiled one would clip."""
    report = bptt.check_cell(Clips())
    assert [check.name for check in report.checks if not check.ok] == [
        "the cell's own step, linear"
    ]
    assert (report.faulty, report.likely) == (("d_z",), ("clipped entry by entry",))
    assert "no entry of d_z is above 100, whatever the cost" in str(report)


class KeepsInItself(bptt.Elman):
    """Its derivative reads what the last step left in the cell."""

    def step(self, z, a):
        object.__setattr__(self, "last", np.tanh(z))
        return (self.last,), ()

    def step_backward(self, d_a, a):
        return (d_a * (1 - self.last**2),), (0.0,), ()


class KeepsInItselfUnfactored(bptt.ResetBeforeGRU):
    """The same on the unfactored level."""

    def unfactored_step(self, params, x, state):
        new, saved = super().unfactored_step(params, x, state)
        object.__setattr__(self, "last", saved)
        return new, None

    def unfactored_backward(self, params, d_state, saved):
        return super().unfactored_backward(params, d_state, self.last)


@pytest.mark.parametrize("cell", [KeepsInItself(), KeepsInItselfUnfactored()])
@pytest.mark.parametrize("sizes", [None, (3, 1, 2, 4)])  # of one sequence the shapes would fit
def test_what_a_step_keeps_elsewhere_than_in_saved_is_named(cell, sizes):
    with pytest.raises(
        TypeError, match=r"_backward must be a function of its arguments, got anoth"
    ):
        bptt.check_cell(cell, sizes=sizes)


class Sees(bptt.Elman):
    """Keeps what its step is given."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "seen", [])

    def step(self, z, a):
        self.seen.append((z.copy(), a.copy()))
        return super().step(z, a)


class FarAway(bptt.Elman):
    """Is no number at any of the 32 and 8 weighted inputs that are looked at far out."""

    def step(self, z, a):
        (new,), saved = super().step(z, a)
        return (np.where(len(z) in (8, 32), np.nan, new),), saved


class Limited:
    """Limits a weighted input, a state and an own parameter, and gives no derivative of that."""

    def __init__(self, **limits):
        self.limits = limits

    def held(self, name, value):
        return np.clip(value, *self.limits.get(name, (-np.inf, np.inf)))

    def step(self, z, a, k):
        return (self.held("z", z) * self.held("k", k) + self.held("a", a),), (self.held("z", z),)

    def step_backward(self, d_a, a, k, z):
        return (d_a * self.held("k", k),), (d_a,), (d_a * z,)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["z", "a", "k"])
def test_what_is_wrong_only_at_the_ends_of_one_sign_is_found_with_every_seed(name, seed):
    end = 3.9 if name == "k" else 14.6
    for limits in ((-np.inf, end), (-end, np.inf)):
        report = bptt.check_cell(Limited(**{name: limits}), seed=seed)
        assert report.faulty == (f"d_{name}",)
    assert bptt.check_cell(Limited(), seed=seed).ok


class Difference:
    """Limits how far one gate is above another, as exponential gates do, and gives no derivative of that."""

    def __init__(self, sign):
        self.sign = sign

    def step(self, z_i, z_f, a):
        return (np.minimum(z_i + self.sign * z_f, 12) / 10,), ()

    def step_backward(self, d_a, a):
        return (d_a / 10, d_a * self.sign / 10), (0.0,), ()


@pytest.mark.parametrize("sign", [-1, 1])
def test_two_gates_are_looked_at_far_out_with_one_sign_and_with_two(sign):
    for seed in range(8):
        assert not bptt.check_cell(Difference(sign), seed=seed).ok


class HardGates:
    """Two gates of straight lines; the slope of each is cut off where a weighted input says that it is flat."""

    def __init__(self, of_g=0, of_n=1):
        self.of_g, self.of_n = of_g, of_n

    def step(self, z_g, z_n, a):
        g, n = np.clip(0.2 * z_g + 0.5, 0, 1), np.clip(z_n, -3, 3)
        return (g * a + (1 - g) * n,), (g, n, z_g, z_n)

    def step_backward(self, d_a, a, g, n, z_g, z_n):
        z = z_g, z_n
        d_g = d_a * (a - n) * 0.2 * (np.abs(z[self.of_g]) < 2.5)
        return (d_g, d_a * (1 - g) * (np.abs(z[self.of_n]) < 3)), (d_a * g,), ()


@pytest.mark.parametrize("seed", range(8))
def test_a_gate_that_is_flat_where_another_should_be_is_found(seed):
    """In no row of equal sizes are the two told apart for sure."""
    assert bptt.check_cell(HardGates(), seed=seed).ok
    assert bptt.check_cell(HardGates(of_g=1), seed=seed).faulty == ("d_z_g",)
    assert bptt.check_cell(HardGates(of_n=0), seed=seed).faulty == ("d_z_n",)


class Overflows(bptt.Elman):
    """The slope of a sigmoid, as a quotient of two infinities far out."""

    def __init__(self):
        super().__init__(bptt.sigmoid)

    def step_backward(self, d_a, a, z, a_new):
        e = np.exp(z)
        return (d_a * e / (1 + e) ** 2,), (0.0,), ()


@pytest.mark.parametrize("seed", range(5))
def test_a_slope_that_is_no_number_past_the_range_of_exp_is_found(seed):
    report = bptt.check_cell(Overflows(), seed=seed)
    assert [c.name for c in report.checks if not c.ok] == [FAR_OUT]
    found = "not finite, or of another shape, in d_z (no number at |z| = 800)"
    assert str(report[FAR_OUT]) == f"WRONG {FAR_OUT}: {found}"
    assert "800" not in str(bptt.check_cell(HardGates(of_g=1), seed=seed))


class Spikes(bptt.Elman):
    """Returns truth values, forward and back: a threshold, whose slope is zero."""

    def step(self, z, a):
        return (z > 0.5,), (z,)

    def step_backward(self, d_a, a, z):
        return (np.zeros(z.shape, bool),), (False,), ()


class Slopes(Spikes):
    """That of a relu, not times the error."""

    def step(self, z, a):
        return (np.maximum(z, 0),), (z,)

    def step_backward(self, d_a, a, z):
        return (z > 0,), (False,), ()


def test_truth_values_are_numbers():
    assert bptt.check_cell(Spikes()).ok
    assert bptt.check_cell(Slopes()).faulty == ("d_z",)


def test_where_a_step_is_not_a_number_nothing_is_compared():
    at, rng = [AT[0][:, :5], AT[1][:, :5], *AT[3:]], np.random.default_rng(2)
    step = own_step.step_check("step", FarAway(), at, 3, Truth(True, ""), rng)
    assert own_step.far_check("far", step, rng).errors == {}


def test_far_out_means_both_signs_of_eight_sizes_up_to_15_with_small_states_and_large_ones():
    cell, rng = Sees(), np.random.default_rng(2)
    at = [AT[0][:, :5], AT[1][:, :5], *AT[3:]]
    step = own_step.step_check("step", cell, at, 3, Truth(True, ""), rng)
    cell.seen.clear()
    check = own_step.far_check("far", step, rng)
    assert (check.name, check.tolerance, check.ok) == ("far", 1e-6, True)
    assert set(check.errors) == {"d_z", "d_a"}
    z, a = cell.seen[0]
    assert z.shape == a.shape == (32, 5)
    np.testing.assert_array_equal(np.abs(z[1::2]), np.abs(z[::2]))
    for row in (0, 1):
        np.testing.assert_array_equal(z[row + 2 :: 4], -z[row::4])
    relative = np.abs(z[::4]) / [[0.01], [1], [2.4], [3], [4], [6], [8], [15]]
    assert relative.min() >= 0.5
    assert np.ptp(relative) > 0.2
    states = np.abs(a) / np.tile([[0.8], [15]], (16, 1))
    for shares in (relative, states):
        assert (shares.max(axis=1) > 0.98).all()
        assert shares.max() < 1  # no round number, where a kink may be
    for rows in (a[::2], a[1::2]):
        assert rows.min() < -0.98 * rows.max() < 0 < rows.max()
