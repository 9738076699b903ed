"""What must be true of every equation; what is not is a warning, and so turns the build red."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from _ext.execution.record import wanted
from _ext.ledger.model import DEFINITION, EQUATION, NO_CODE, PROOF, Ledger

ROUNDING = 1e-6  # the largest tolerance of a check
Broken: TypeAlias = Iterator[tuple[str, str | tuple[str, int]]]  # words, and where they belong


def of_checks(ledger: Ledger) -> Broken:
    """Yield what is wrong with the checks that cells show, on the pages that this build runs."""
    for check in ledger.checks:
        label, where = check.found.label, (check.docname, check.line)
        if not wanted(check.docname):
            continue
        if label not in ledger.equations:
            yield f"a cell checks {label!r}, and no equation has this label", where
        elif not check.found.within:
            yield f"equation {label!r}: {check.found}, which is beyond what it states", where
        elif check.found.holds and abs(check.found.limit or 0) > ROUNDING:
            yield f"equation {label!r}: {check.found}, which allows more than rounding", where


def of_source(ledger: Ledger) -> Broken:
    """Yield the names of no equation that comments and docstrings of the library use."""
    sorts = (ledger.marks, "comment marks a line as"), (ledger.mentions, "docstring names")
    for places, words in sorts:
        for place in places:
            for name in place.names:
                if ledger.label(name) is None:
                    where = f"{place.file}:{place.line}"
                    yield f"the {words} ({name}), and no equation is called so", where


def of_excuses(ledger: Ledger, table: Path) -> Broken:
    """Yield what is wrong with the table of excuses."""
    where, seen = str(table), set()
    for name in dict.fromkeys(name for e in ledger.excuses for name in (e.label, e.of) if name):
        if name not in ledger.equations:
            yield f"the table names {name!r}, and no equation has this label", where
    for label, kind, reason, of in ledger.excuses:
        if label in seen:
            yield f"the table names {label!r} twice", where
        seen.add(label)
        if kind in (DEFINITION, NO_CODE) and not reason.strip():
            yield f"the table gives no reason for {label!r}", where
        if kind == NO_CODE and label in ledger.code:
            yield f"equation {label!r} has code, and the table says why it has none", where
        if ledger.excuse(of).kind in (PROOF, NO_CODE):
            yield f"the table lets {label!r} share the code of {of!r}, which has none", where


def of_equations(ledger: Ledger, stopped: set[str]) -> Broken:
    """Yield the equations without a check, but for pages that stopped, or without the code that they need."""
    for label, equation in ledger.equations.items():
        where = equation.docname, equation.line
        if not ledger.proofs(label) and equation.docname not in stopped:
            yield f"equation {label!r} has no check: no cell shows that it holds", where
        if ledger.excuse(label).kind == EQUATION and label not in ledger.code:
            name = ledger.tags.get(label, label)
            words = f"mark its lines with '# ({name})', or say in equations.toml why it has none"
            yield f"equation {label!r} has no implementation: {words}", where
