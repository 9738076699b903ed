"""Say in a few words what checks found: for the line that stands for folded cells, and for that under an equation."""

from collections.abc import Iterable

from bptt.teaching.equations import EquationCheck

LETTERS = "symbolic net"
KINDS = ("exact", "close", "bound", "broken", "unequal")  # in the order in which they are said


def counted(number: int, of: str) -> str:
    """Return a number of things."""
    return f"{number} {of}{'s' if number > 1 else ''}"


def said(checks: Iterable[EquationCheck]) -> str:
    """Say how well equations hold, or by how much they fail; checks on one kind of case are said together.

    ``with letters, exactly; on 12 random nets, to 1.5e-15``, and ``by 7 % or more in 9 cases``.
    """
    groups: dict[tuple[str, str], list[EquationCheck]] = {}
    for check in sorted(checks, key=lambda check: KINDS.index(check.kind)):
        groups.setdefault((check.kind, check.of), []).append(check)
    return "; ".join(map(_said, groups.values()))


def _said(same: list[EquationCheck]) -> str:
    """Say what checks of one kind on one kind of case found; cases add up, nets are the same again."""
    kind, of, cases = same[0].kind, same[0].of, [check.cases for check in same]
    where = f"in {counted(sum(cases), of)}" if of == "case" else f"on {counted(max(cases), of)}"
    if kind == "exact":
        return f"{'with letters' if of == LETTERS else where}, exactly"
    if kind == "close":
        error = worst(same)
        return f"{where}, {f'to {error:.1e}' if error else 'to the last digit'}"
    if kind == "broken":
        least = min(check.value or 0.0 for check in same)
        more = " or more" if sum(cases) > 1 else ""
        return f"by {float(f'{100 * least:.2g}'):g} %{more} {where}"
    return f"{where}, as a bound" if kind == "bound" else f"with letters, {where}"


def worst(checks: Iterable[EquationCheck]) -> float | None:
    """Return the largest error of checks; None if all were exact, or none measured one."""
    return max((check.value or 0.0 for check in checks if check.kind == "close"), default=None)


def summary(checks: list[EquationCheck], names: dict[str, str]) -> str:
    """Say what checks have established; of several equations also which, by `names`, label -> how the reader knows it."""
    parts = []
    for words, good in ("Checked", True), ("Fails where it should", False):
        if some := [check for check in checks if check.holds == good]:
            labels = list(dict.fromkeys(check.label for check in some))
            shown = ", ".join(names.get(label, label) for label in labels)
            parts.append(f"{words}{f' {shown}' if len(labels) > 1 else ''}: {said(some)}")
    return ". ".join(parts)
