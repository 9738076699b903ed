"""Read the ledger's entries from each page, and put them together when all pages are read.

Checks come from the outputs of the cells, cached or fresh, as they stand in the page: so nothing is
remembered beside it, and builds in parallel agree.
"""

from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from _ext.api.objects import documented
from _ext.formulas.references import equations
from _ext.ledger.model import CellCheck, Ledger, excuses
from _ext.ledger.source import scan
from _ext.slicing.page_data import printed, tagged
from bptt.teaching.equations import EquationCheck

KEY = "bptt_ledger"  # of a page, among what Sphinx keeps of it


def enter(app: Sphinx, doctree: nodes.document) -> None:
    """Enter the checks in the outputs of a page's cells as it is read; a cell that shows one gets an id."""
    docname, found = app.env.docname, list[CellCheck]()
    for number, cell in enumerate(tagged(doctree), 1):
        checks = EquationCheck.read(printed(cell))
        found += [CellCheck(check, docname, cell.line or 1, number) for check in checks]
        if checks:
            cell["ids"].append(found[-1].anchor)
    app.env.metadata[docname][KEY] = found


@cache
def ledger(app: Sphinx) -> Ledger:
    """Return the ledger, put together once a process and once all pages are read."""
    package = Path(app.config.bptt_package)
    return Ledger(
        equations(app.env),
        [check for _, kept in sorted(app.env.metadata.items()) for check in kept.get(KEY, [])],
        app.config.static_math_tags,
        excuses(Path(app.srcdir) / "equations.toml"),
        *scan(package),
        documented(app.env, package.name),
    )
