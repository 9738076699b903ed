"""``{equations}``: the index of all equations, as a table that reads without JavaScript, and as JSON.

The table's cells carry what a script needs to sort and to filter (``_static/equations.js``). The JSON
stands beside the page under its name, with ``.json``.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext.formulas.katex import formula
from _ext.formulas.references import resolve
from _ext.ledger import page_links, phrases
from _ext.ledger.collect import EquationIndex, ledger
from _ext.ledger.model import EQUATION, CellCheck, Equation
from _ext.publishing.notes import noted

COLUMNS = ("Number", "Formula", "Page", "Code", "Checks", "Error", "Kind")


class Index(SphinxDirective):
    """Put the index here."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the place of the index."""
        return [EquationIndex(twin="[All equations as JSON](equations.json)")]


def error_words(checks: list[CellCheck]) -> str:
    """Say in a word how nearly an equation holds."""
    error = phrases.worst(check.found for check in checks)
    if error is not None:
        return f"{error:.1e}"
    if any(c.found.kind == "bound" for c in checks):
        return "bound"
    return "exact" if checks else "none"


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table in its place, when all pages are read."""
    for place in list(doctree.findall(EquationIndex)):
        made = nodes.raw("", table(app, docname), format="html", twin=place["twin"])
        place.replace_self(made)


def table(app: Sphinx, here: str) -> str:
    """Return the HTML of the table, for the page `here`."""
    book, uri = ledger(app), page_links.uri_from(app, here)
    words = ", ".join(f"{name}: {number}" for name, number in book.summary().items())
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    rows = "".join(_row(app, here, equation, uri) for equation in book.equations.values())
    name = here.rpartition("/")[2]
    return (
        f'<p class="ledger-total">{words} · <a href="{name}.json">the same as JSON</a></p>'
        f'<table class="equation-index"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _row(app: Sphinx, here: str, equation: Equation, uri: page_links.Uri) -> str:
    book = ledger(app)
    label, checks = equation.label, book.proofs(equation.label)
    number = f"({equation.number})"
    title = noted(app.env, equation.docname).title
    node = nodes.math_block("", equation.tex)
    resolve(app.builder, node, here)
    display = formula(node, True, app.config.static_math_macros)
    code = page_links.code_links(book.code.get(label, []), uri) + page_links.api_links(
        book.api.get(label, []), uri
    )
    shown = page_links.check_links(checks, uri)
    fails = [
        f"fails without its assumption: {t}"
        for t in page_links.check_links(book.failures(label), uri)
    ]
    kind = book.kind(label)
    reason = f'<span class="ledger-why">{html.escape(book.reason(label))}</span>'
    cells = [
        f"{page_links.link(uri(equation.docname, page_links.target(label)), number)}<br><code>{label}</code>",
        f'<div class="math-scroll" role="group" aria-label="Formula">{display}</div>',
        page_links.link(uri(equation.docname, ""), html.escape(title)),
        "<br>".join(code) or "none",
        "<br>".join(shown + fails) or "none",
        error_words(checks),
        kind + (f"<br>{reason}" if kind != EQUATION else ""),
    ]
    error = phrases.worst(check.found for check in checks)
    keys = ["", "", "", str(len(code)), str(len(shown)), repr(error or 0.0), ""]
    columns = "".join(
        f'<td data-name="{name}"{f" data-key={key}" if key else ""}>{cell}</td>'
        for name, key, cell in zip(COLUMNS, keys, cells, strict=True)
    )
    return f'<tr data-kind="{kind}">{columns}</tr>\n'


def as_data(app: Sphinx, here: str) -> dict[str, Any]:
    """Return the index as plain data; its links are relative to the page of the index."""
    book, uri = ledger(app), page_links.uri_from(app, here)
    equations = [
        {
            "label": e.label,
            "number": e.number,
            "tex": e.tex,
            "page": e.docname,
            "url": uri(e.docname, page_links.target(e.label)),
            "kind": book.kind(e.label),
            "reason": book.reason(e.label),
            "code": [
                {"module": at.module, "line": at.line, "url": uri(at.page, at.anchor)}
                for at in book.code.get(e.label, [])
            ],
            "api": [
                {"name": anchor, "url": uri(page, anchor)}
                for page, anchor in book.api.get(e.label, [])
            ],
            "checks": [_check_data(c, uri) for c in book.proofs(e.label)],
            "counterexamples": [_check_data(c, uri) for c in book.failures(e.label)],
        }
        for e in book.equations.values()
    ]
    return {"summary": book.summary(), "equations": equations}


def _check_data(check: CellCheck, uri: page_links.Uri) -> dict[str, Any]:
    found = check.found
    data = {"kind": found.kind, "cases": found.cases, "error": found.value, "limit": found.limit}
    return {
        **data,
        "page": check.docname,
        "cell": check.cell,
        "url": uri(check.docname, check.anchor),
    }


def write_json(app: Sphinx, error: Exception | None) -> None:
    """Write the JSON beside the index, if the site has one."""
    here = "" if error else ledger(app).home
    if here and app.builder.format == "html":
        file = Path(app.outdir) / f"{here}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(as_data(app, here), indent=1, ensure_ascii=False)
        file.write_text(f"{text}\n", encoding="utf-8")
