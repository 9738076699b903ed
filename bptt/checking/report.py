"""What a check of a backward pass has found, as records that print as a report."""

import math
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap

__all__ = ["CellReport", "Check"]

OK, WIDTH = "ok   ", 88


@dataclass(frozen=True)
class Check:
    """One check of a backward pass.

    Attributes
    ----------
    name
        What was checked.
    errors
        For each tensor the largest error, relative to the largest entry of the trusted tensor (or to a thousandth
        of the largest of all, if that is more).
    tolerance
        Up to which error a tensor counts as right.
    note
        What there is to say beside numbers.
    itself
        Whether the layer was compared with itself, and not with an independent truth.
    """

    name: str
    errors: dict[str, float]
    tolerance: float
    note: str = ""
    itself: bool = False

    @property
    def faulty(self) -> tuple[str, ...]:
        """The names of the tensors that are wrong."""
        return tuple(name for name, e in self.errors.items() if not e <= self.tolerance)

    @property
    def ok(self) -> bool:
        """Whether no error is above the tolerance."""
        return not self.faulty

    def __str__(self) -> str:
        """Report in one line: the size of an error that is one, and no digits of what is rounding."""
        if self.ok:
            return f"{OK} {self.name}, to {self.tolerance:.0e}"
        size = max(self.errors[name] for name in self.faulty)
        much = (
            f"{size:.1e} > {self.tolerance:.0e}"
            if size < math.inf
            else "not finite, or of another shape,"
        )
        line = f"WRONG {self.name}: {much} in {', '.join(self.faulty)}"
        return f"{line} ({self.note})" if self.note else line


@dataclass(frozen=True)
class CellReport:
    """Whether a backward pass is right; prints as a report.

    Attributes
    ----------
    subject
        What was checked.
    checks
        The checks, the simplest first.
    truth
        What it was compared with: the complex step, or central differences; empty if it could not be, since
        the layer is not a function of its arguments.
    trap
        Why not the complex step; empty if it was.
    bugs
        For each known bug that would give these very numbers, its name, and the evidence.
    local
        Of a cell: how the names of the checks of its own step begin; from errors there all others follow.
    """

    subject: str
    checks: tuple[Check, ...]
    truth: str = ""
    trap: str = ""
    bugs: tuple[tuple[str, str], ...] = ()
    local: str = ""

    @property
    def ok(self) -> bool:
        """Whether all checks pass."""
        return all(check.ok for check in self.checks)

    @property
    def faulty(self) -> tuple[str, ...]:
        """The names of the wrong tensors, in the order in which the checks find them.

        Of a cell whose own derivative is wrong, those of that derivative alone: the errors of a whole
        layer follow from them. A comparison of the layer with itself counts if all others pass: there a
        wrong tensor may spoil a right one.
        """
        own = [c.faulty for c in self.checks if self.local and c.name.startswith(self.local)]
        held = [check.faulty for check in self.checks if not check.itself]
        for found in (own, held, [check.faulty for check in self.checks]):
            if any(found):
                return tuple(dict.fromkeys(name for names in found for name in names))
        return ()

    @property
    def likely(self) -> tuple[str, ...]:
        """The names of the known bugs that would give these very numbers."""
        return tuple(name for name, _ in self.bugs)

    def __getitem__(self, name: str) -> Check:
        """Return the check of that name; a KeyError if there is none."""
        return {check.name: check for check in self.checks}[name]

    def __str__(self) -> str:
        """Report: what passes by name, a line for what fails; then the faulty tensors, the likely bug."""
        verdict = f"backward {'right' if self.ok else 'WRONG'}, by {self.truth}"
        lines = [f"{self.subject}: {verdict if self.truth else 'backward cannot be checked'}"]
        if self.trap:
            lines.append(f"  no complex step: {self.trap}")
        for ok, group in groupby(self.checks, key=lambda check: check.ok):
            checks = list(group)
            names = "; ".join(check.name for check in checks)
            passed = wrap(names, WIDTH, initial_indent=f"  {OK} ", subsequent_indent=8 * " ")
            lines += passed if ok else [f"  {check}" for check in checks]
        if not self.ok:
            lines.append(f"faulty: {', '.join(self.faulty)}")
            lines += [f"likely bug: {name} ({evidence})" for name, evidence in self.bugs]
            if not self.bugs:
                lines.append("likely bug: none of the known ones gives these numbers")
        return "\n".join(lines)
