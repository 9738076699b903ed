"""Where check_cell and check_layer look: in the domain of a cell, at zero, far out, for large errors and for tiny ones.

The truth is the cells themselves: each is right by a derivative from a table, or wrong in one known place.
"""

from typing import NamedTuple

import handwritten
import numpy as np
import planted
import pytest

import bptt


class Rate:
    """Moves by a function of a parameter of its own, which is defined for some numbers alone."""

    def __init__(self, function, slope, wrong=1.0):
        self.function, self.slope, self.wrong = function, slope, wrong

    def step(self, z, a, k):
        n = np.tanh(z)
        return (a + self.function(k) * (n - a),), (n,)

    def step_backward(self, d_a, a, k, n):
        r = self.function(k)
        d_k = d_a * (n - a) * self.slope(k) * self.wrong
        return (d_a * r * (1 - n**2),), (d_a * (1 - r),), (d_k,)


class Own(NamedTuple):
    """Weights, and a parameter of a cell's own."""

    w: np.ndarray
    k: np.ndarray


class UnfactoredRate:
    """The same on the unfactored level, without u."""

    state_names, parameters = ("a",), Own

    def __init__(self, *functions):
        self.rate = Rate(*functions)

    def shapes(self, n_below, n):
        return (n_below, n), (n,)

    def unfactored_step(self, params, x, state):
        new, saved = self.rate.step(x @ params.w, *state, params.k)
        return new, (x, *state, *saved)

    def unfactored_backward(self, params, d_state, saved):
        x, a, n = saved
        (d_z,), d_past, (d_k,) = self.rate.step_backward(*d_state, a, params.k, n)
        return Own(x.T @ d_z, d_k.sum(axis=0)), d_z @ params.w.T, d_past


DOMAINS = {
    "root": (" > 0", np.sqrt, lambda k: 0.5 / np.sqrt(k)),
    "of minus": (" < 0", lambda k: np.log(-k), lambda k: 1 / k),
    "root of more than one": (" > 1", lambda k: np.sqrt(k - 1), lambda k: 0.5 / np.sqrt(k - 1)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_parameter_is_taken_from_the_domain_of_the_cell(domain, seed):
    said, *functions = DOMAINS[domain]
    for kind in (Rate, UnfactoredRate):
        report = bptt.check_cell(kind(*functions), seed=seed)
        assert report.ok, report
        assert report.subject.endswith(f", k{said}")
        report = bptt.check_cell(kind(*functions, 1.01), seed=seed)
        assert report.faulty == (("d_k",) if kind is Rate else ("k",)), report


def test_a_cell_without_a_domain_is_reported_as_before():
    report = bptt.check_cell(Rate(lambda k: k * np.nan, lambda k: k))
    assert (report.subject, report.likely) == ("Rate", ("not finite",))


class Slope:
    """A function of z, and its slope, right or not."""

    def __init__(self, function, slope, at_error=lambda d, z: d):
        self.function, self.slope, self.at_error = function, slope, at_error

    def step(self, z, a):
        return (self.function(z),), (z,)

    def step_backward(self, d_a, a, z):
        return (self.at_error(d_a, z) * self.slope(z),), (0.0,), ()


def tanh_slope(z):
    return 1 - np.tanh(z) ** 2


def sinc_slope(z):
    return (np.cos(z) - np.sin(z) / z) / z


AT_ZERO = {
    "not finite": Slope(lambda z: np.sinc(z / np.pi), sinc_slope),
    "left out": Slope(np.tanh, lambda z: tanh_slope(z) * (z != 0)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", AT_ZERO)
def test_a_slope_that_is_wrong_only_where_a_weighted_input_is_zero_is_found(name, seed):
    report = bptt.check_cell(AT_ZERO[name], seed=seed)
    assert [c.name for c in report.checks if not c.ok] == [
        f"{'finite' if name == 'not finite' else 'right'} from a zero state"
    ]


@pytest.mark.parametrize("wrong", ["(a[t] != 0)", "(x[t] != 0).any(axis=1)[:, None]"])
def test_an_error_that_a_layer_loses_at_a_zero_is_found(wrong):
    report = handwritten.check_elman((planted.DELTA, f"{planted.DELTA} * {wrong}"))
    assert not report["right from a zero state"].ok


KINKED = {
    "leaky": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "clipped": (lambda z: np.clip(z, 0, 6), lambda z: (z > 0) * (z < 6)),
}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", KINKED)
def test_kinks_at_zero_that_cancel_in_a_sum_are_kinks(name, seed):
    report = bptt.check_cell(Slope(*KINKED[name]), seed=seed)
    assert report.ok, report


@pytest.mark.parametrize("least", [1e-6, 1e-12])
def test_what_drops_small_errors_is_not_linear(least):
    cell = Slope(np.tanh, tanh_slope, lambda d, z: d * (np.abs(d) > least))
    report = bptt.check_cell(cell)
    assert [c.name for c in report.checks if not c.ok] == ["the cell's own step, linear"]
    stop = f"{planted.D_NEXT}\n        if np.abs(d_next).max() < {least}: break"
    report = handwritten.check_elman((planted.D_NEXT, stop))
    assert [c.name for c in report.checks if not c.ok] == ["linear"]


class Clipped(bptt.ResetBeforeGRU):
    """Limits what its step is given, and gives no derivative of that: of weighted inputs below 4 it is right."""

    state_names, parameters = ("a",), bptt.Recurrent

    def shapes(self, n_below, n):
        return (n_below, n), (n, n), (n,)

    def unfactored_step(self, params, x, state):
        z = x @ params.w + state[0] @ params.u + params.b
        return (np.minimum(z, 4),), (x, *state)

    def unfactored_backward(self, params, d_state, saved):
        (x, a), (d,) = saved, d_state
        d_params = bptt.Recurrent(x.T @ d, a.T @ d, d.sum(axis=0))
        return d_params, d @ params.w.T, (d @ params.u.T,)


@pytest.mark.parametrize("seed", range(5))
def test_an_unfactored_cell_is_looked_at_far_out_too(seed):
    report = bptt.check_cell(Clipped(), seed=seed)
    assert not report["one step, |x| to 15"].ok
    assert bptt.check_cell(bptt.ResetBeforeGRU(), seed=seed)["one step, |x| to 15"].ok
