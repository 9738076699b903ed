"""Say in a few words what checks found: for the line that stands for folded cells, and for that under an equation."""

from __future__ import annotations

from collections.abc import Iterable

from bptt.teaching.equations import EquationCheck

LETTERS = "symbolic net"


def counted(number: int, of: str) -> str:
    """Return a number of things."""
    return f"{number} {of}{'s' if number > 1 else ''}"


def _where(checks: list[EquationCheck]) -> str:
    """Return on what some checks of one kind of case were made; cases add up, nets are the same again."""
    of = checks[0].of
    if of == "case":
        return f"in {counted(sum(check.cases for check in checks), of)}"
    return f"on {counted(max(check.cases for check in checks), of)}"


def _by_case(checks: Iterable[EquationCheck], *kinds: str) -> list[list[EquationCheck]]:
    """Return the checks of some kinds, those with the same kind of case together."""
    found: dict[str, list[EquationCheck]] = {}
    for check in checks:
        if check.kind in kinds:
            found.setdefault(check.of, []).append(check)
    return list(found.values())


def holds(checks: list[EquationCheck]) -> str:
    """Say how well equations hold: ``with letters, exactly; on 12 random nets, to 1.5e-15``."""
    parts = []
    for same in _by_case(checks, "exact"):
        where = "with letters" if same[0].of == LETTERS else _where(same)
        parts.append(f"{where}, exactly")
    for same in _by_case(checks, "close"):
        error = worst(same)
        parts.append(f"{_where(same)}, {f'to {error:.1e}' if error else 'to the last digit'}")
    parts += [f"{_where(same)}, as a bound" for same in _by_case(checks, "bound")]
    return "; ".join(parts)


def fails(checks: list[EquationCheck]) -> str:
    """Say by how much equations fail: ``by 7 % or more in 9 cases``."""
    parts = []
    for same in _by_case(checks, "broken"):
        least = min(check.value or 0.0 for check in same)
        parts.append(f"by {float(f'{100 * least:.2g}'):g} % or more {_where(same)}")
    parts += [f"with letters, {_where(same)}" for same in _by_case(checks, "unequal")]
    return "; ".join(parts)


def worst(checks: Iterable[EquationCheck]) -> float | None:
    """Return the largest error of checks; None if all were exact, or none measured one."""
    return max((check.value or 0.0 for check in checks if check.kind == "close"), default=None)


def summary(checks: list[EquationCheck], names: dict[str, str]) -> str:
    """Say what checks have established; `names` are label -> how the reader knows the equation.

    Equations are named if there are several of them.
    """
    parts = []
    for words, said, good in ("Checked", holds, True), ("Fails where it should", fails, False):
        some = [check for check in checks if check.holds == good]
        if some:
            labels = list(dict.fromkeys(check.label for check in some))
            shown = ", ".join(names.get(label, label) for label in labels)
            parts.append(f"{words}{f' {shown}' if len(labels) > 1 else ''}: {said(some)}")
    return ". ".join(parts)
