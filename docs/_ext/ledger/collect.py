"""Read the ledger's entries from each page, and put them together when all pages are read.

Checks come from the outputs of the cells, cached or fresh, as they stand in the page: so nothing is
remembered beside it, and builds in parallel agree.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector

from _ext.api.objects import documented
from _ext.ledger.model import CellCheck, Equation, Kinds, Ledger, PageEntry
from _ext.ledger.source import scan
from bptt.teaching.equations import EquationCheck


class EquationIndex(nodes.General, nodes.Element):
    """The place of the index on its page."""


def pages(env: BuildEnvironment) -> dict[str, PageEntry]:
    """Return the entries of all pages, which the environment keeps."""
    if not hasattr(env, "bptt_ledger"):
        env.bptt_ledger = {}  # type: ignore[attr-defined]
    entries: dict[str, PageEntry] = env.bptt_ledger  # type: ignore[attr-defined]
    return entries


class Collector(EnvironmentCollector):
    """Take the equations and the checks from each page as it is read."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget a page."""
        del app
        pages(env).pop(docname, None)

    def merge_other(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        docnames: AbstractSet[str],
        other: BuildEnvironment,
    ) -> None:
        """Take over what another process has read."""
        del app
        for docname in docnames:
            if docname in pages(other):
                pages(env)[docname] = pages(other)[docname]

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Enter a page."""
        docname = app.env.docname
        index = any(doctree.findall(EquationIndex))
        entry = PageEntry(_equations(doctree, docname), _checks(doctree, docname), index)
        if entry.equations or entry.checks or index:
            pages(app.env)[docname] = entry


def _equations(doctree: nodes.document, docname: str) -> list[Equation]:
    return [
        Equation(node["label"], str(node["number"]), node.astext().strip(), docname, node.line or 1)
        for node in doctree.findall(nodes.math_block)
        if node.get("label") and node.get("number")
    ]


def _checks(doctree: nodes.document, docname: str) -> list[CellCheck]:
    """Return the checks in the outputs of a page's cells; a cell that shows one gets an id."""
    found: list[CellCheck] = []
    cells = [c for c in doctree.findall(nodes.container) if c.get("nb_element") == "cell_code"]
    for number, cell in enumerate(cells, 1):
        outputs = [
            block.astext()
            for block in cell.findall(nodes.literal_block)
            if {"output", "stream"} <= set(block["classes"])
        ]
        checks = EquationCheck.read("\n".join(outputs))
        line = cell.line or 1
        found += [CellCheck(check, docname, line, number) for check in checks]
        if checks:
            cell["ids"].append(found[-1].anchor)
    return found


@cache
def ledger(app: Sphinx) -> Ledger:
    """Return the ledger, put together once a process and once all pages are read."""
    package = Path(app.config.bptt_package)
    marks, mentions = scan(package)
    return Ledger(
        pages(app.env),
        app.config.static_math_tags,
        Kinds.load(Path(app.srcdir) / "equations.toml"),
        marks,
        mentions,
        documented(app.env, package.name),
    )
