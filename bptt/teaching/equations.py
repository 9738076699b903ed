r"""Does an equation hold? Compute both sides, compare them, and say in one line what was found.

.. math::

   \text{error} = \frac{\max_k |\text{left}_k - \text{right}_k|}
      {\max_k \max(|\text{left}_k|, |\text{right}_k|)} \quad \text{of each array}

An equation of this project is known by its label, and so begins the line that its check prints. The site
reads these lines from the outputs of its cells, and knows from them where each equation was checked, over
how many cases and how well: `EquationCheck.read` is all that this takes. What is exact by nature, as
SymPy's expressions, whole numbers and fractions are, is compared exactly.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from bptt._core import validation
from bptt.teaching import sides
from bptt.teaching.sides import Side

__all__ = ["EquationCheck", "EquationError", "check_bound", "check_equation", "check_fails"]

PHRASES = {
    "exact": "holds exactly",
    "close": "holds, largest relative error {value:.1e} <= {limit:g}",
    "bound": "holds as a bound, smallest relative margin {value:.1e} >= {limit:g}",
    "broken": "broken as it should be, relative error {value:.2g} >= {limit:g}",
    "unequal": "broken as it should be, exactly",
}
BOUND = ("smaller", "larger")
LABEL = r"[A-Za-z][A-Za-z0-9-]*"
NUMBER = r"-?\d[\d.]*(?:e[+-]\d+)?"
WORDS = r"[a-z]+?(?: [a-z]+?)*"


def _pattern(phrase: str) -> re.Pattern[str]:
    """Return what recognizes the lines that a phrase makes."""
    words = re.sub(r"\{(\w+)[^}]*\}", lambda name: f"(?P<{name[1]}>{NUMBER})", phrase)
    line = rf"^(?P<label>{LABEL}): {words} \((?P<cases>\d+) (?P<of>{WORDS}?)s?\)$"
    return re.compile(line, re.MULTILINE)


LINES = {kind: _pattern(phrase) for kind, phrase in PHRASES.items()}


class EquationError(AssertionError):
    """An equation does not hold, or holds where it should not."""


@dataclass(frozen=True)
class EquationCheck:
    """What the check of an equation found, as its line says it; prints as that line.

    Attributes
    ----------
    label
        The label of the equation.
    kind
        ``"exact"`` or ``"close"`` (it holds, exactly or but for rounding), ``"bound"`` (an inequality
        holds), ``"broken"`` or ``"unequal"`` (it fails, as it should, by a number or as expressions do).
    cases
        In how many cases.
    value
        The largest relative error; the smallest margin of a bound; the smallest error of what should
        fail. None where nothing was rounded.
    limit
        The tolerance, with a minus for a bound; for what should fail, the error that was asked for. None where
        nothing was rounded.
    of
        What a case is, in the singular, such as ``"random net"``.

    Examples
    --------
    >>> import bptt
    >>> (found,) = bptt.teaching.EquationCheck.read("bp2: holds, largest relative error 1.6e-14 <= 1e-12 (9 cases)")
    >>> found.label, found.holds, found.value, found.cases
    ('bp2', True, 1.6e-14, 9)
    """

    label: str
    kind: str
    cases: int
    value: float | None = None
    limit: float | None = None
    of: str = "case"

    @property
    def holds(self) -> bool:
        """Whether the equation was shown to hold, rather than to fail."""
        return self.kind in ("exact", "close", "bound")

    @property
    def within(self) -> bool:
        """Whether the value is on the right side of the limit, to the digits that the line shows."""
        if self.value is None or self.limit is None:
            return True
        if self.kind == "close":
            return self.value <= float(f"{self.limit:.1e}")
        return self.value >= float(f"{self.limit:.2g}")

    @classmethod
    def read(cls, text: str) -> list["EquationCheck"]:
        """Return the checks whose lines stand in a text, in their order."""
        found = {}  # by where their lines begin
        for kind, pattern in LINES.items():
            for line in pattern.finditer(validation.instance("text", text, str)):
                told = line.groupdict()
                numbers = {key: float(told[key]) for key in ("value", "limit") if key in told}
                check = cls(told["label"], kind, int(told["cases"]), of=told["of"], **numbers)
                found[line.start()] = check
        return [found[start] for start in sorted(found)]

    def __str__(self) -> str:
        """Say it in one line."""
        words = PHRASES[self.kind].format(value=self.value, limit=self.limit)
        return f"{self.label}: {words} ({self.cases} {self.of}{'s' if self.cases > 1 else ''})"


def check_equation(
    label: str, left: Side, right: Side, *, tolerance: float = 1e-12, of: str = "case"
) -> None:
    """Assert that both sides of an equation are equal, and print a line that says how nearly.

    A side that should be zero has no size that an error could be relative to: write what cancels on
    both sides. SymPy expressions must be free of decimals; nothing is broadcast.

    Parameters
    ----------
    label
        The label of the equation, such as ``"bp2"``.
    left, right
        Both sides: numbers, arrays, nested tuples or dictionaries of them, SymPy expressions or
        matrices. A list holds one case an item; anything else is one case.
    tolerance
        The largest relative error that counts as rounding. The difference of two arrays is relative
        to the largest entry of both. Expressions, whole numbers and fractions must be equal.
    of
        What a case is, in the singular: the printed line counts them.

    Raises
    ------
    EquationError
        If the equation does not hold in some case. An AssertionError, which names the case, the entry,
        both values, the error and the tolerance. NaN and infinity never pass.
    TypeError
        If a leaf is no number, array or expression, only one side is a list, or another argument has a
        wrong type.
    ValueError
        If the sides differ in structure, in shape or in their number of cases, if there is nothing to
        compare, or an array only with itself, or if `label`, `tolerance` or `of` is not as described.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> z = np.linspace(-1.0, 1.0, 5)
    >>> bptt.teaching.check_equation("tanh-slope", bptt.tanh.derivative(z, np.tanh(z)), 1 - np.tanh(z) ** 2)
    tanh-slope: holds, largest relative error 0.0e+00 <= 1e-12 (1 case)
    >>> bptt.teaching.check_equation("pascal", [1 + 2, 3 + 3], [3, 6])
    pascal: holds exactly (2 cases)
    """
    validation.number("tolerance", tolerance, below=1, zero=True)
    pairs = _cases(label, of, left, right)
    worst, exact = 0.0, True
    for number, case in enumerate(pairs, 1):
        for leaf, a, b in sides.leaves(*case):
            gap = sides.gap(a, b)
            limit = 0.0 if gap.exact else tolerance
            if not gap.error <= limit:
                where = _where(number, len(pairs), leaf + gap.place)
                msg = f"{label} does not hold{where}: {_found(gap, f'<= {limit:g}')}"
                raise EquationError(msg)
            worst, exact = max(worst, gap.error), exact and gap.exact
    _say(EquationCheck(label, "exact" if exact else "close", len(pairs), worst, tolerance, of))


def check_bound(
    label: str, smaller: Side, larger: Side, *, tolerance: float = 1e-12, of: str = "case"
) -> None:
    """Assert that no entry of one side is above that of the other, and print a line that says so.

    Parameters
    ----------
    label
        The label of the inequality.
    smaller, larger
        Both sides, of numbers and arrays, in the forms that `check_equation` takes.
    tolerance
        By how much an entry may be above, for rounding's sake, relative to the largest entry of both
        arrays.
    of
        What a case is, in the singular.

    Raises
    ------
    EquationError
        If an entry of `smaller` is above that of `larger`, or either is not finite.
    TypeError
        If a leaf is no number or array of real numbers, or only one side is a list.
    ValueError
        As `check_equation` does.

    Examples
    --------
    The smallest margin is that of the case in which the bound is tightest:

    >>> import bptt
    >>> bptt.teaching.check_bound("mean-bound", [3.0, 1.0], [4.0, 2.0])
    mean-bound: holds as a bound, smallest relative margin 2.5e-01 >= -1e-12 (2 cases)
    """
    validation.number("tolerance", tolerance, below=1, zero=True)
    pairs = _cases(label, of, smaller, larger, BOUND)
    least = math.inf
    for number, case in enumerate(pairs, 1):
        for leaf, a, b in sides.leaves(*case, BOUND):
            gap = sides.margin(leaf, a, b)
            if not gap.error >= -tolerance:
                where = _where(number, len(pairs), leaf + gap.place)
                found = f"{gap.left} is not <= {gap.right}, up to a tolerance of {tolerance:g}"
                msg = f"{label} does not hold{where}: {found}"
                raise EquationError(msg)
            least = min(least, gap.error)
    _say(EquationCheck(label, "bound", len(pairs), least, 0 - tolerance, of))


def check_fails(
    label: str, left: Side, right: Side, *, at_least: float = 0.01, of: str = "case"
) -> None:
    """Assert that an equation fails where an assumption is broken, and print a line that says by how much.

    Parameters
    ----------
    label
        The label of the equation.
    left, right
        Both sides, in the forms that `check_equation` takes.
    at_least
        The relative error that must be reached in every case, in one array of it or more. Expressions
        must differ.
    of
        What a case is, in the singular.

    Raises
    ------
    EquationError
        If the equation holds, or nearly so, in some case; or if the sides are not finite.
    TypeError, ValueError
        As `check_equation` does: sides that cannot be compared do not show that an equation fails.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> u, delta = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([1.0, 1.0])
    >>> bptt.teaching.check_fails("bp2", u @ delta, u.T @ delta)
    bp2: broken as it should be, relative error 0.67 >= 0.01 (1 case)
    """
    validation.number("at_least", at_least)
    pairs = _cases(label, of, left, right)
    least = math.inf
    for number, case in enumerate(pairs, 1):
        gaps = [sides.gap(a, b) for _, a, b in sides.leaves(*case)]
        gap = gaps[int(np.argmax([g.error for g in gaps]))]
        if not gap.error >= at_least:
            where = _where(number, len(pairs), "")
            msg = f"{label} should fail and does not{where}: {_found(gap, f'>= {at_least:g}')}"
            raise EquationError(msg)
        least = min(least, gap.error)
    kind = "unequal" if least == math.inf else "broken"
    _say(EquationCheck(label, kind, len(pairs), least, at_least, of))


def _cases(
    label: str, of: str, left: Side, right: Side, named: sides.Names = sides.NAMES
) -> list[tuple[Side, Side]]:
    if not re.fullmatch(LABEL, validation.instance("label", label, str)):
        msg = f"label must be letters, digits and hyphens, such as 'bp2', got {label!r}"
        raise ValueError(msg)
    if not re.fullmatch(WORDS, validation.instance("of", of, str)):
        msg = f"of must be words in lower case, in the singular, such as 'random net', got {of!r}"
        raise ValueError(msg)
    return sides.cases(left, right, named)


def _where(number: int, of: int, entry: str) -> str:
    case = f" in case {number} of {of}" if of > 1 else ""
    return f"{case} at {entry}" if entry else case


def _found(gap: sides.Gap, wanted: str) -> str:
    sides = f"left {gap.left!s:.60}, right {gap.right!s:.60}"
    if gap.exact and not math.isfinite(gap.error):
        return f"{sides}, which {'SymPy cannot compare' if math.isnan(gap.error) else 'differ'}"
    return f"{sides}, relative error {gap.error:.2g}, must be {wanted}"


def _say(check: EquationCheck) -> None:
    print(check)  # noqa: T201 - the line is how a check gets into the output of its cell
