"""Traps of the complex step: a report must not be wrong, and must say why it took another way."""

from typing import NamedTuple

import handwritten
import numpy as np
import pytest

import bptt
from bptt.checking.gradcheck import NOT_ANALYTIC

CAST = "ComplexWarning: Casting complex values to real discards the imaginary part"


class Trap(NamedTuple):
    """An activation, its derivative of z and a, and what the report must say of its way."""

    function: object
    derivative: object
    said: str = NOT_ANALYTIC


def _buffered(z):
    found = np.empty(z.shape)
    found[...] = np.tanh(z)
    return found


def _refusing(z):
    return np.tanh(z) * np.heaviside(z, 0.0)


TRAPS = {
    "abs": Trap(lambda z: np.abs(z) * z, lambda z, _: 2 * np.abs(z)),
    "conjugate": Trap(lambda z: np.tanh(z.conj()), lambda _, a: 1 - a**2),
    "real": Trap(lambda z: np.tanh(z.real), lambda _, a: 1 - a**2),
    "sign": Trap(lambda z: np.sign(z) * z**2, lambda z, _: 2 * np.abs(z)),
    "buffer": Trap(_buffered, lambda _, a: 1 - a**2, CAST),
    "refused": Trap(
        _refusing, lambda z, _: (z > 0) * (1 - np.tanh(z) ** 2), "TypeError: ufunc 'heaviside'"
    ),
}
HARMLESS = {
    "maximum": Trap(lambda z: np.maximum(z, 0), lambda z, _: (z > 0).astype(z.dtype)),
    "where": Trap(lambda z: np.where(z > 0, z, 0.1 * z), lambda z, _: np.where(z > 0, 1, 0.1)),
}


class Trapped(bptt.Elman):
    """An Elman cell that is right, with a function that the complex step may not pass through."""

    def __init__(self, trap, factor=1.0):
        super().__init__()
        object.__setattr__(self, "trap", trap)
        object.__setattr__(self, "factor", factor)

    def step(self, z, a):
        a_new = self.trap.function(z)
        return (a_new,), (z, a_new)

    def step_backward(self, d_a, a, z, a_new):
        delta = self.factor * d_a * self.trap.derivative(z, a_new)
        return (delta.astype(d_a.dtype),), (0.0,), ()


@pytest.mark.parametrize("name", TRAPS)
def test_traps_are_detected_and_central_differences_take_over(name):
    report = bptt.check_cell(Trapped(TRAPS[name]))
    assert report.ok, report
    assert report.truth == "central differences"
    assert report.trap.startswith(TRAPS[name].said), report
    assert "no complex step: " in str(report)


@pytest.mark.parametrize("name", TRAPS)
def test_behind_a_trap_bugs_are_still_caught(name):
    report = bptt.check_cell(Trapped(TRAPS[name], factor=2.0))
    assert report.faulty == ("d_z",)
    assert "factor 2" in report.likely


@pytest.mark.parametrize("name", HARMLESS)
def test_comparisons_that_numpy_makes_by_the_real_part_do_no_harm(name):
    report = bptt.check_cell(Trapped(HARMLESS[name]))
    assert report.ok, report
    assert report.truth == "complex step"


def test_traps_in_a_whole_layer_are_named():
    assert (
        handwritten.check_elman(("np.tanh(x[t]", "np.abs(1) * np.tanh(x[t]")).truth
        == "complex step"
    )
    z = "(x[t] @ w + h[t] @ u + b)"
    report = handwritten.check_elman((f"np.tanh{z}", f"np.tanh({z}.real)"))
    assert report.ok, report
    assert report.truth == "central differences"
    assert report.trap == NOT_ANALYTIC


def test_the_usual_causes_are_named():
    for cause in ("np.abs", "np.sign", ".conj()", ".real"):
        assert cause in NOT_ANALYTIC


def test_a_kink_between_two_points_does_no_harm():
    """A weighted input of 1e-6, where the wide central difference steps over the kink of abs."""
    forward, backward = handwritten.functions(
        """
def forward(params, x, initial):
    a = np.abs(x * params[0])
    return a + initial, a[-1] + initial, x

def backward(params, x, d_outputs, d_final):
    d = d_outputs.copy()
    d[-1] += d_final
    slope = d * np.sign(x * params[0])
    return ((slope * x).sum(axis=(0, 1)),), slope * params[0], d.sum(axis=0)
"""
    )
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    x[1, 1, 1] = 1e-6
    report = bptt.check_layer(forward, backward, (np.array([0.7, 1.3]),), x, np.zeros((3, 2)))
    assert report["one step"].ok, report
    assert report.trap == NOT_ANALYTIC
    assert "x" not in report["outputs only"].faulty


def test_at_a_kink_itself_nobody_is_blamed():
    """ReLU of units that see nothing but zeros, with the slope 0 that everybody takes there."""
    relu = (
        ("np.tanh(x[t] @ w + h[t] @ u + b)", "np.maximum(x[t] @ w + h[t] @ u + b, 0)"),
        ("1 - a[t] ** 2", "a[t] > 0"),
    )
    functions = handwritten.functions(handwritten.replaced(handwritten.ELMAN, *relu))
    rng = np.random.default_rng(0)
    params = [rng.normal(size=(3, 2)), rng.normal(size=(2, 2)), np.zeros(2)]
    x, initial = rng.normal(size=(5, 4, 3)), np.zeros((4, 2))
    assert bptt.check_layer(*functions, params, x, initial, masked=True).ok
    x[0, 1] = 0
    with pytest.raises(
        ValueError, match=r"^params\[2\] must be where there is a derivative, got a k"
    ):
        bptt.check_layer(*functions, params, x, initial, masked=True)


def test_a_buffer_like_x_is_no_trap():
    """All arguments are complex in the complex step, whichever moves."""
    forward, backward = handwritten.functions(
        """
def forward(params, x, initial):
    a = np.zeros_like(x)
    a[...] = x * params[0] + initial
    return a, a[-1], x

def backward(params, x, d_outputs, d_final):
    d = d_outputs.copy()
    d[-1] += d_final
    return ((d * x).sum(axis=(0, 1)),), d * params[0], d.sum(axis=0)
"""
    )
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    report = bptt.check_layer(forward, backward, (np.array([0.7, 1.3]),), x, np.zeros((3, 2)))
    assert (report.truth, report.trap) == ("complex step", "")


def test_traps_of_the_unfactored_level_and_of_casts_are_seen():
    class Cast(bptt.ResetBeforeGRU):
        """Casts to float on the way."""

        def unfactored_step(self, params, x, state):
            (a,), saved = super().unfactored_step(params, x, state)
            return (a.astype(np.float32 if x.dtype == np.float32 else float),), saved

    class Absolute(bptt.ResetBeforeGRU):
        """Takes the absolute value of its activation."""

        def unfactored_step(self, params, x, state):
            (a,), saved = super().unfactored_step(params, x, state)
            return (np.abs(a),), (saved, np.sign(a))

        def unfactored_backward(self, params, d_state, saved):
            saved, sign = saved
            return super().unfactored_backward(params, (d_state[0] * sign,), saved)

    for cell, said in ((Cast(), CAST), (Absolute(), NOT_ANALYTIC)):
        report = bptt.check_cell(cell)
        assert report.ok, report
        assert report.trap == said


def test_outputs_that_are_real_are_a_trap_too():
    report = handwritten.check_elman(("return h[1:], h[-1],", "return h.real[1:], h.real[-1],"))
    assert report.ok, report
    assert ".real lose" in report.trap
