"""Read the ledger's entries from each page, and put them together when all pages are read.

Checks come from the outputs of the cells, cached or fresh, as they stand in the page: so nothing is
remembered beside it, and builds in parallel agree.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from _ext.api.objects import documented
from _ext.ledger.model import CellCheck, Equation, Ledger, excuses
from _ext.ledger.source import scan
from _ext.slicing.page_data import printed, tagged
from bptt.teaching.equations import EquationCheck

KEY = "bptt_ledger"  # of a page, among what Sphinx keeps of it


def enter(app: Sphinx, doctree: nodes.document) -> None:
    """Enter the equations and the checks of a page as it is read."""
    docname = app.env.docname
    app.env.metadata[docname][KEY] = _equations(doctree, docname), _checks(doctree, docname)


def _equations(doctree: nodes.document, docname: str) -> list[Equation]:
    return [
        Equation(node["label"], str(node["number"]), node.astext().strip(), docname, node.line or 1)
        for node in doctree.findall(nodes.math_block)
        if node.get("label") and node.get("number")
    ]


def _checks(doctree: nodes.document, docname: str) -> list[CellCheck]:
    """Return the checks in the outputs of a page's cells; a cell that shows one gets an id."""
    found: list[CellCheck] = []
    for number, cell in enumerate(tagged(doctree), 1):
        checks = EquationCheck.read(printed(cell))
        found += [CellCheck(check, docname, cell.line or 1, number) for check in checks]
        if checks:
            cell["ids"].append(found[-1].anchor)
    return found


@cache
def ledger(app: Sphinx) -> Ledger:
    """Return the ledger, put together once a process and once all pages are read."""
    package = Path(app.config.bptt_package)
    entries = [kept[KEY] for _, kept in sorted(app.env.metadata.items()) if KEY in kept]
    return Ledger(
        {each.label: each for equations, _ in entries for each in equations},
        [check for _, checks in entries for check in checks],
        app.config.static_math_tags,
        excuses(Path(app.srcdir) / "equations.toml"),
        *scan(package),
        documented(app.env, package.name),
    )
