"""What the ledger knows: equations, the cells that check them, the lines of the library that are them.

A name of an equation is its label, as ``bp2-chain``, or its tag, as ``BP2``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from _ext.api.objects import page_of
from _ext.ledger.source import Named
from bptt.teaching.equations import EquationCheck

DEFINITION, FORM, PROOF = "definition", "another form", "line of a proof"
NO_CODE, EQUATION = "no code", "equation"


@dataclass(frozen=True)
class Equation:
    """A labeled equation, where it stands, and what is shown beside it: its tag or its number."""

    label: str
    number: str
    tex: str
    docname: str
    line: int


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


@dataclass
class PageEntry:
    """What one page holds; whether the index of all equations is on it."""

    equations: list[Equation]
    checks: list[CellCheck]
    index: bool = False


@dataclass(frozen=True)
class Lines:
    """A line of the library that is an equation: its view, and the documented thing it is part of."""

    label: str
    module: str
    line: int
    anchor: str
    api: tuple[str, str] | None  # page and anchor

    @property
    def page(self) -> str:
        """Return the page that shows the source."""
        return page_of(self.module)

    @property
    def words(self) -> str:
        """Return how the line is called."""
        return f"{self.module.rpartition('.')[2]}.py, line {self.line}"


@dataclass(frozen=True)
class Kinds:
    """What `equations.toml` says: label -> the reason, or the equation whose code it shares."""

    definition: dict[str, str]
    form: dict[str, str]
    proof: dict[str, str]
    elsewhere: dict[str, str]
    twice: tuple[str, ...] = ()

    @classmethod
    def load(cls, file: Path) -> Kinds:
        """Read the table; a site without one has none."""
        data = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
        form, proof = (
            [(line, of) for of, lines in data.get(name, {}).items() for line in lines]
            for name in ("form", "proof")
        )
        alone = data.get("definition", {}), data.get("elsewhere", {})
        every = [*alone[0], *alone[1], *(line for line, _ in form + proof)]
        twice = tuple(sorted({label for label in every if every.count(label) > 1}))
        return cls(alone[0], dict(form), dict(proof), alone[1], twice)

    @property
    def shared(self) -> dict[str, str]:
        """Return label -> the equation whose code it shares."""
        return {**self.form, **self.proof}

    def labels(self) -> list[str]:
        """Return every label that the table names."""
        shared = self.shared
        return list(dict.fromkeys([*self.definition, *shared, *shared.values(), *self.elsewhere]))


@dataclass(frozen=True)
class Ledger:
    """Everything, put together."""

    pages: dict[str, PageEntry]
    tags: dict[str, str]
    kinds: Kinds
    marks: tuple[Named, ...]
    mentions: tuple[Named, ...]
    # where a thing is defined -> page and anchor of its entry
    documented: dict[str, tuple[str, str]]

    @cached_property
    def equations(self) -> dict[str, Equation]:
        """Return the equations by label, in the order of pages and on them."""
        every = [e for _, page in sorted(self.pages.items()) for e in page.equations]
        return {e.label: e for e in every}

    @cached_property
    def checks(self) -> dict[str, list[CellCheck]]:
        """Return the checks by label, of known equations or not."""
        by_label: dict[str, list[CellCheck]] = {}
        for _, page in sorted(self.pages.items()):
            for check in page.checks:
                by_label.setdefault(check.found.label, []).append(check)
        return by_label

    @cached_property
    def home(self) -> str:
        """Return the page of the index; nothing on a site without one."""
        return next((docname for docname, page in self.pages.items() if page.index), "")

    def proofs(self, label: str) -> list[CellCheck]:
        """Return the checks that show that an equation holds."""
        return [c for c in self.checks.get(label, ()) if c.found.holds]

    def failures(self, label: str) -> list[CellCheck]:
        """Return the checks that show where it does not."""
        return [c for c in self.checks.get(label, ()) if not c.found.holds]

    @cached_property
    def by_tag(self) -> dict[str, str]:
        """Return tag -> label."""
        return {tag: label for label, tag in self.tags.items()}

    def label(self, name: str) -> str | None:
        """Return the label that a tag or a label means."""
        label = self.by_tag.get(name, name)
        return label if label in self.equations else None

    def name(self, label: str) -> str:
        """Return how an equation is called off its page: by its tag, or else by its label."""
        return f"({self.tags[label]})" if label in self.tags else label

    @cached_property
    def code(self) -> dict[str, list[Lines]]:
        """Return the marked lines by label."""
        by_label: dict[str, list[Lines]] = {}
        for mark, name, anchor in anchors(self.marks):
            label = self.label(name)
            if label is not None:
                api = self._documented(mark.module, mark.qualname)
                lines = Lines(label, mark.module, mark.line, anchor, api)
                by_label.setdefault(label, []).append(lines)
        return by_label

    def _documented(self, module: str, qualname: str) -> tuple[str, str] | None:
        """Return page and anchor of the smallest documented thing that something is, or is part of."""
        while qualname and f"{module}.{qualname}" not in self.documented:
            qualname = qualname.rpartition(".")[0]
        return self.documented.get(f"{module}.{qualname}") if qualname else None

    @cached_property
    def api(self) -> dict[str, list[tuple[str, str]]]:
        """Return label -> entries of the API, as page and anchor, that name it or hold a line of it."""
        by_label: dict[str, dict[tuple[str, str], None]] = {}
        for label, lines in self.code.items():
            by_label[label] = {line.api: None for line in lines if line.api}
        for mention in self.mentions:
            entry = self._documented(mention.module, mention.qualname)
            for label in map(self.label, mention.names):
                if label is not None and entry is not None:
                    by_label.setdefault(label, {})[entry] = None
        return {  # functions before records
            label: sorted(entries, key=lambda entry: entry[1].rpartition(".")[2][0].isupper())
            for label, entries in by_label.items()
        }

    def kind(self, label: str) -> str:
        """Return what an equation is."""
        tables = (
            (DEFINITION, self.kinds.definition),
            (FORM, self.kinds.form),
            (PROOF, self.kinds.proof),
            (NO_CODE, self.kinds.elsewhere),
        )
        return next((kind for kind, table in tables if label in table), EQUATION)

    def reason(self, label: str) -> str:
        """Return why an equation needs no code of its own; nothing where it does."""
        if (end := self.kinds.proof.get(label)) is not None:
            return f"proves {self.name(end)}, whose code it shares"
        if (same := self.kinds.form.get(label)) is not None:
            return f"is {self.name(same)} in another form, and shares its code"
        return self.kinds.definition.get(label) or self.kinds.elsewhere.get(label) or ""

    def summary(self) -> dict[str, int]:
        """Return how many equations there are, are checked, are implemented, are definitions."""
        labels = self.equations
        return {
            "equations": len(labels),
            "checked": sum(bool(self.proofs(label)) for label in labels),
            "implemented": sum(label in self.code for label in labels),
            "definitions": sum(self.kind(label) == DEFINITION for label in labels),
        }


def anchors(marks: Iterable[Named]) -> Iterable[tuple[Named, str, str]]:
    """Yield each name of each mark, with the id of its line: ``eq-BP2``, ``eq-BP2-2`` in one module."""
    seen: dict[tuple[str, str], int] = {}
    for mark in marks:
        for name in mark.names:
            count = seen[mark.module, name] = seen.get((mark.module, name), 0) + 1
            yield mark, name, f"eq-{name}" + (f"-{count}" if count > 1 else "")
