"""What the ledger knows: equations, the cells that check them, the lines of the library that are them.

A name of an equation is its label, as ``bp2-chain``, or its tag, as ``BP2``. Checks are read from the outputs of the cells,
cached or fresh, as they stand in the page: so nothing is remembered beside it, and builds in parallel agree.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx

from _ext.api.objects import documented
from _ext.execution.record import table
from _ext.formulas.references import equations
from _ext.ledger.source import Named, scan
from _ext.slicing.page_data import printed, tagged
from bptt.teaching.equations import EquationCheck

KEY = "bptt_ledger"  # of a page, among what Sphinx keeps of it
DEFINITION, FORM, PROOF = "definition", "another form", "line of a proof"
NO_CODE, EQUATION = "not in the library", "equation"
CALL = re.compile(r"\b(breaks|check\w*|fails)\(")  # a cell without one checks nothing
TABLES = {"definition": DEFINITION, "elsewhere": NO_CODE, "form": FORM, "proof": PROOF}


@dataclass(frozen=True)
class CellCheck:
    """A check, and the cell whose output shows it."""

    found: EquationCheck
    docname: str
    line: int
    cell: int

    @property
    def anchor(self) -> str:
        """Return the id of the cell."""
        return f"cell-{self.cell}"


class Excuse(NamedTuple):
    """Why an equation needs no code of its own: a reason, or the equation `of` whose code it shares."""

    label: str
    kind: str
    reason: str = ""
    of: str = ""


def excuses(file: Path) -> list[Excuse]:
    """Read `equations.toml`; a site without one excuses nothing."""
    found, data = list[Excuse](), table(file)
    for name, kind in TABLES.items():
        for key, value in data.get(name, {}).items():
            if kind in (DEFINITION, NO_CODE):
                found.append(Excuse(key, kind, value))
            else:
                found += [Excuse(label, kind, of=key) for label in value]
    return found


class Ledger:
    """Everything, put together once all pages are read."""

    def __init__(self, app: Sphinx) -> None:
        package, pages = Path(app.config.bptt_package), sorted(app.env.metadata.items())
        self.equations = equations(app.env)
        self.checks: list[CellCheck] = [c for _, kept in pages for c in kept.get(KEY, [])]
        self.tags: dict[str, str] = app.config.static_math_tags
        self.excuses = excuses(Path(app.srcdir) / "equations.toml")
        self.marks, self.mentions = scan(package)
        self.documented = documented(app.env, package.name)

    def proofs(self, label: str) -> list[CellCheck]:
        """Return the checks that show that an equation holds."""
        return [c for c in self.checks if c.found.label == label and c.found.holds]

    def failures(self, label: str) -> list[CellCheck]:
        """Return the checks that show where it does not."""
        return [c for c in self.checks if c.found.label == label and not c.found.holds]

    def label(self, name: str) -> str | None:
        """Return the label that a tag or a label means."""
        label = next((label for label, tag in self.tags.items() if tag == name), name)
        return label if label in self.equations else None

    def name(self, label: str) -> str:
        """Return how an equation is called off its page: by its tag, or else by its label."""
        return f"({self.tags[label]})" if label in self.tags else label

    @cached_property
    def code(self) -> dict[str, list[tuple[Named, str]]]:
        """Return the marked lines by label, each with its id on the page of its module."""
        by_label: dict[str, list[tuple[Named, str]]] = {}
        for mark, name, anchor in anchors(self.marks):
            if label := self.label(name):
                by_label.setdefault(label, []).append((mark, anchor))
        return by_label

    def _documented(self, place: Named) -> tuple[str, str] | None:
        """Return page and anchor of the smallest documented thing that holds a place; a module is none."""
        qualname = place.qualname
        while qualname and f"{place.module}.{qualname}" not in self.documented:
            qualname = qualname.rpartition(".")[0]
        return self.documented[f"{place.module}.{qualname}"] if qualname else None

    @cached_property
    def api(self) -> dict[str, list[tuple[str, str]]]:
        """Return label -> entries of the API, as page and anchor, that name it or hold a line of it."""
        by_label: dict[str, dict[tuple[str, str], None]] = {}
        for place in (*self.marks, *self.mentions):
            entry = self._documented(place)
            for label in map(self.label, place.names):
                if label and entry:
                    by_label.setdefault(label, {})[entry] = None
        return {  # functions before records
            label: sorted(entries, key=lambda entry: entry[1].rpartition(".")[2][0].isupper())
            for label, entries in by_label.items()
        }

    def excuse(self, label: str) -> Excuse:
        """Return what kind of equation one is and why it needs no code; one that needs it has no reason."""
        return next((e for e in self.excuses if e.label == label), Excuse(label, EQUATION))

    def reason(self, label: str) -> str:
        """Return why an equation needs no code of its own; nothing where it does."""
        _, _, reason, of = self.excuse(label)
        return f"shares the code of {self.name(of)}" if of else reason

    def summary(self) -> dict[str, int]:
        """Return how many equations there are, are checked, are implemented, are definitions."""
        return {
            "equations": len(self.equations),
            "checked": sum(bool(self.proofs(label)) for label in self.equations),
            "implemented": sum(label in self.code for label in self.equations),
            "definitions": sum(self.excuse(each).kind == DEFINITION for each in self.equations),
        }


def anchors(marks: Iterable[Named]) -> Iterable[tuple[Named, str, str]]:
    """Yield each name of each mark, with the id of its line: ``eq-BP2``, ``eq-BP2-2`` in one module."""
    seen: dict[tuple[str, str], int] = {}
    for mark in marks:
        for name in mark.names:
            count = seen[mark.module, name] = seen.get((mark.module, name), 0) + 1
            yield mark, name, f"eq-{name}" + (f"-{count}" if count > 1 else "")


def enter(app: Sphinx, doctree: nodes.document) -> None:
    """Enter the checks in the outputs of a page's cells as it is read; a cell that shows one gets an id."""
    docname, found = app.env.docname, list[CellCheck]()
    for number, cell in enumerate(tagged(doctree), 1):
        checks = EquationCheck.read(printed(cell)) if CALL.search(cell.astext()) else []
        found += [CellCheck(check, docname, cell.line or 1, number) for check in checks]
        if checks:
            cell["ids"].append(found[-1].anchor)
    app.env.metadata[docname][KEY] = found


ledger = cache(Ledger)  # one for a process
