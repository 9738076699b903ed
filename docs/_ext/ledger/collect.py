"""Read the ledger's entries from each page, and put them together when all pages are read.

Checks come from the outputs of the cells, cached or fresh, as they stand in the page: so nothing is
remembered beside it, and builds in parallel agree.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from _ext.api.objects import documented
from _ext.ledger.model import CellCheck, Equation, Kinds, Ledger, PageEntry
from _ext.ledger.source import scan
from _ext.slicing.page_data import printed
from bptt.teaching.equations import EquationCheck

KEY = "bptt_ledger"  # of a page, among what Sphinx keeps of it


class EquationIndex(nodes.General, nodes.Element):
    """The place of the index on its page."""


def pages(env: BuildEnvironment) -> dict[str, PageEntry]:
    """Return the entries of all pages that have one."""
    return {page: kept[KEY] for page, kept in env.metadata.items() if KEY in kept}


def enter(app: Sphinx, doctree: nodes.document) -> None:
    """Enter a page as it is read."""
    docname = app.env.docname
    index = any(doctree.findall(EquationIndex))
    entry = PageEntry(_equations(doctree, docname), _checks(doctree, docname), index)
    if entry.equations or entry.checks or index:
        app.env.metadata[docname][KEY] = entry


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
        checks = EquationCheck.read(printed(cell))
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
