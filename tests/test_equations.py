"""The check of an equation: truth is the definition of the relative error, worked out by hand."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
import sympy

import bptt
from bptt.teaching import EquationCheck, EquationError


class Pair(NamedTuple):
    """A record."""

    w: object
    u: object


X, Y = sympy.symbols("x y")
ONE = np.ones((2, 2))


def said(capsys) -> str:
    return capsys.readouterr().out.removesuffix("\n")


EXACT = {
    "integers": (3, 3),
    "zeros": (np.zeros(2, int), np.zeros(2, int)),
    "counts larger than any int64": (2**80, 2**80),
    "fractions": (Fraction(1, 3) + Fraction(1, 6), Fraction(1, 2)),
    "integer arrays": (np.arange(4), np.arange(4)),
    "booleans": (np.array([True, False]), np.array([True, False])),
    "expressions": ((X + Y) ** 2, X**2 + 2 * X * Y + Y**2),
    "expressions that expanding alone does not settle": (sympy.sin(X) ** 2, 1 - sympy.cos(X) ** 2),
    "derivatives not yet taken": (sympy.Derivative(X**2, X), 2 * X),
    "a derivative that SymPy must take to compare": (
        sympy.Derivative(sympy.tanh(X), X),
        1 - sympy.tanh(X) ** 2,
    ),
    "matrices": (sympy.Matrix([[X * (X + 1)]]), sympy.Matrix([[X**2 + X]])),
    "arrays of expressions": (np.array([X + X, Y]), np.array([2 * X, Y])),
    "an expression and a number": ((X + 1) - X, 1),
    "records of expressions": ({"a": (X, Y)}, {"a": (X, Y)}),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_things_are_exactly_equal(name, capsys):
    bptt.teaching.check_equation("eq", *EXACT[name])
    assert said(capsys) == "eq: holds exactly (1 case)"


def test_the_error_is_the_largest_relative_to_the_largest_entry_of_the_pair(capsys):
    left, right = np.array([1.0, 8.0]), np.array([1.5, -2.0])
    with pytest.raises(EquationError, match=r"at \[1\].* left 8.0, right -2.0, relative error 1.2"):
        bptt.teaching.check_equation("eq", left, right, tolerance=0.5)
    bptt.teaching.check_equation("eq", [(2.0, 4.0), 1.0], [(2.0, 5.0), 1.0], tolerance=0.5)
    assert said(capsys) == "eq: holds, largest relative error 2.0e-01 <= 0.5 (2 cases)"


@pytest.mark.parametrize(
    ("left", "right", "where"),
    [
        (1.0, 2.0, "eq does not hold: left 1.0"),
        ([1.0] * 3, [1.0, 2.0, 1.0], "eq does not hold in case 2 of 3: left 1.0"),
        (Pair(np.zeros(1), np.ones((2, 2))), Pair(np.zeros(1), np.eye(2)), r"at \.u\[0, 1\]"),
        ({"b": (1.0, 2.0)}, {"b": (1.0, 3.0)}, r"at \['b'\]\[1\]"),
        (
            sympy.Matrix([[X, Y]]),
            sympy.Matrix([[X, X]]),
            r"at \[0, 1\]: left y, right x, which diff",
        ),
        (3, 4, "left 3, right 4, relative error 0.25, must be <= 0"),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), r"at \[1\].*nan"),
        (np.inf, np.inf, "relative error nan"),
        (sympy.nan, sympy.nan, "SymPy cannot compare"),
        (sympy.oo, sympy.oo, "SymPy cannot compare"),
    ],
)
def test_what_does_not_hold_is_named(left, right, where):
    with pytest.raises(EquationError, match=where):
        bptt.teaching.check_equation("eq", left, right)


def test_zero_equals_zero_and_an_error_at_the_tolerance_passes(capsys):
    bptt.teaching.check_equation("eq", np.zeros(3), np.zeros(3), tolerance=0.0)
    bptt.teaching.check_equation("eq", 3.0, 4.0, tolerance=0.25)
    assert "0.0e+00 <= 0 (1" in capsys.readouterr().out
    with pytest.raises(EquationError):
        bptt.teaching.check_equation("eq", 3.0, 4.0, tolerance=0.2499)


@pytest.mark.parametrize(
    ("left", "right", "error", "words"),
    [
        (
            [1.0],
            1.0,
            TypeError,
            "left and right must both be lists of cases, or neither, got list and float",
        ),
        ([1.0], [1.0, 2.0], ValueError, "as many cases, got 1 and 2"),
        ([], [], ValueError, "one case or more"),
        (np.zeros(0), np.zeros(0), ValueError, "one number or more"),
        ((None,), (None,), ValueError, "one number or more"),
        (ONE, ONE, ValueError, "left and right must be two arrays, got one twice"),
        ([ONE[0], ONE], [ONE[0:1][0], ONE + 1], ValueError, "must be two arrays, got one twice"),
        ({"a": ONE}, {"a": ONE[:]}, ValueError, "must be two arrays, got one twice"),
        (np.zeros(2), np.zeros((2, 1)), ValueError, r"shape \(2, 1\), that of right, got \(2,\)"),
        (np.zeros(2), 0.0, ValueError, r"left must have shape \(\), that of right, got \(2,\)"),
        (Pair(1.0, 2.0), (1.0, 2.0), ValueError, r"structure of right, got left\.w for right\[0\]"),
        ({"a": 1.0}, 1.0, ValueError, r"structure of right, got left\['a'\] for right"),
        ((1.0, 2.0), 1.0, ValueError, "left must have the 1 array of right, got 2"),
        ("one", "one", TypeError, "left must be a number, an array or an expression, got str"),
        (0.5 * X, X / 2, TypeError, "left must be a number, an array or an expression"),
        ((1.0, object()), (1.0, 2.0), TypeError, r"left\[1\] must be a number"),
    ],
)
def test_what_cannot_be_compared_is_refused(left, right, error, words):
    for check in (bptt.teaching.check_equation, bptt.teaching.check_fails):
        with pytest.raises(error, match=words):
            check("eq", left, right)
    with pytest.raises(error, match=words.replace("left", "smaller").replace("right", "larger")):
        bptt.teaching.check_bound("eq", left, right)


@pytest.mark.parametrize("tolerance", [-1e-12, 1.0, np.nan, np.inf])
@pytest.mark.parametrize("check", [bptt.teaching.check_equation, bptt.teaching.check_bound])
def test_a_tolerance_is_a_small_number(check, tolerance):
    with pytest.raises(ValueError, match="tolerance must be a number >= 0 and < 1"):
        check("eq", 1.0, 1.0, tolerance=tolerance)


@pytest.mark.parametrize("label", ["", "bp 2", "2bp", "bp2:", "(BP2)"])
def test_a_label_is_one_word(label):
    with pytest.raises(ValueError, match="label must be letters"):
        bptt.teaching.check_equation(label, 1, 1)


def test_parts_that_are_empty_or_absent_on_both_sides_are_passed_over(capsys):
    bptt.teaching.check_equation("eq", (None, np.zeros((0, 2)), 1.0), (None, np.zeros((0, 2)), 1.0))
    assert "holds" in said(capsys)


def test_bound(capsys):
    bptt.teaching.check_bound("eq", [np.array([1.0, 2.0]), 3], [np.array([4.0, 2.5]), 3])
    assert (
        said(capsys) == "eq: holds as a bound, smallest relative margin 0.0e+00 >= -1e-12 (2 cases)"
    )
    bptt.teaching.check_bound("eq", 1.0 + 1e-13, 1.0)
    bptt.teaching.check_bound("eq", 0.0, 0.0, tolerance=0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("eq: holds as a bound, smallest relative margin -1.0e-13 >= -1e-12")
    assert lines[1].endswith(">= 0 (1 case)")


@pytest.mark.parametrize(
    ("smaller", "larger", "words"),
    [
        (1.1, 1.0, "eq does not hold: 1.1 is not <= 1.0, up to a tolerance of 1e-12"),
        ((1.0, np.array([0.0, 2.0])), (1.0, np.ones(2)), r"at \[1\]\[1\]: 2.0 is not <= 1.0"),
        ([1.0, np.nan, 1.0], [1.0] * 3, "in case 2 of 3"),
        (-np.inf, np.inf, "is not <="),
    ],
)
def test_a_bound_that_does_not_hold_is_named(smaller, larger, words):
    with pytest.raises(EquationError, match=words):
        bptt.teaching.check_bound("eq", smaller, larger)


@pytest.mark.parametrize("side", [X, 1j, Fraction(1, 2)])
def test_a_bound_is_of_real_numbers(side):
    with pytest.raises(TypeError, match="larger must hold real numbers"):
        bptt.teaching.check_bound("eq", 0.5, side)


def test_fails(capsys):
    bptt.teaching.check_fails("eq", [1.0, (1.0, 2.0)], [2.0, (1.0, 8.0)], at_least=0.5)
    assert said(capsys) == "eq: broken as it should be, relative error 0.5 >= 0.5 (2 cases)"
    bptt.teaching.check_fails("eq", X, X + 1)
    assert said(capsys) == "eq: broken as it should be, exactly (1 case)"
    bptt.teaching.check_fails("eq", 3, 4)
    assert said(capsys) == "eq: broken as it should be, relative error 0.25 >= 0.01 (1 case)"


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ([1.0] * 3, [2.0, 1.0, 2.0], "should fail and does not in case 2 of 3: .* must be >= 0.5"),
        (np.nan, 1.0, "should fail and does not: .* relative error nan"),
        (X, X, "should fail and does not"),
        (sympy.nan, X, "SymPy cannot compare"),
    ],
)
def test_what_should_fail_and_does_not_is_named(left, right, words):
    with pytest.raises(EquationError, match=words):
        bptt.teaching.check_fails("eq", left, right, at_least=0.5)


def test_without_sympy_numbers_are_compared_all_the_same(monkeypatch, capsys):
    monkeypatch.delitem(__import__("sys").modules, "sympy")
    bptt.teaching.check_equation("eq", [1, 2.0], [1, 2.0])
    assert said(capsys) == "eq: holds, largest relative error 0.0e+00 <= 1e-12 (2 cases)"


CHECKS = [
    EquationCheck("bp2", "exact", 12),
    EquationCheck("bp2-end", "close", 1, 1.6e-14, 2.5e-13),
    EquationCheck("bp2", "close", 1, 0.0, 0.0),
    EquationCheck("bp2", "close", 3, 1e-12, 1e-12),
    EquationCheck("gamma-bound", "bound", 200, -1e-17, -1e-12),
    EquationCheck("gamma-bound", "bound", 200, 3.4e-2, 0.0),
    EquationCheck("bp2", "broken", 2, 0.36, 0.01),
    EquationCheck("bp2", "broken", 2, 1e7, 100.0),
    EquationCheck("bp2", "broken", 2, 0.5, 0.5),
    EquationCheck("bp2", "unequal", 3),
]


def test_numbers_that_leave_the_range_are_compared_whoever_calls(capsys):
    """A difference may vanish beside the largest, or be infinite."""
    one, other, large = np.array([5.0, 3e-308]), np.array([5.0, 2e-308]), np.array([1e308])
    with np.errstate(all="raise"):
        bptt.teaching.check_equation("near", one, other)
        bptt.teaching.check_bound("below", other, one)
        bptt.teaching.check_fails("apart", -large, large)
        with pytest.raises(EquationError, match="relative error inf"):
            bptt.teaching.check_equation("equal", -large, large)
    assert [c.label for c in EquationCheck.read(capsys.readouterr().out)] == [
        "near",
        "below",
        "apart",
    ]


def test_lines_are_read_as_they_were_written():
    text = "".join(f"{check}\nsome other line: holds exactly\n" for check in CHECKS)
    assert EquationCheck.read(text) == CHECKS
    assert all(check.within for check in CHECKS)
    assert [check.holds for check in CHECKS] == [True] * 6 + [False] * 4


@pytest.mark.parametrize(
    "line",
    [
        "eq: holds, largest relative error 2.0e-12 <= 1e-12 (1 case)",
        "eq: holds as a bound, smallest relative margin -2.0e-12 >= -1e-12 (1 case)",
        "eq: broken as it should be, relative error 0.001 >= 0.01 (1 case)",
        "eq: holds, largest relative error 1.1e-12 <= 1.04e-12 (1 case)",
    ],
)
def test_a_line_whose_numbers_contradict_it_is_known(line):
    (check,) = EquationCheck.read(line)
    assert not check.within


def test_rounding_to_the_digits_shown_is_no_contradiction(capsys):
    bptt.teaching.check_equation("eq", 1.0, 1.0 - 9.97e-4, tolerance=9.98e-4)
    (check,) = EquationCheck.read(capsys.readouterr().out)
    assert check.value > check.limit
    assert check.within
