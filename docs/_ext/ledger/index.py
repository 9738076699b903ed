"""``{container} equations``: the index of all equations, a fold for each page, and as JSON."""

import html
import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from _ext.execution.record import write
from _ext.formulas.katex import formula
from _ext.formulas.references import Equation
from _ext.ledger import phrases
from _ext.ledger.model import EQUATION, CellCheck
from _ext.ledger.page_links import View, evidence, link, mark
from _ext.publishing.metadata import noted, reading_order

COLUMNS = ("Number", "Formula", "Page", "Evidence", "Error", "Kind")


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace the container by the table, when all pages are read, and write the JSON beside the page."""
    for place in [c for c in doctree.findall(nodes.container) if "equations" in c["classes"]]:
        name = f"{docname.rpartition('/')[2]}.json"
        twin = f"[All equations as JSON]({name})"
        view = View(app, docname)
        place.parent.replace(place, nodes.raw("", index(app, view, name), format="html", twin=twin))
        text = json.dumps(as_data(view), indent=1, ensure_ascii=False)
        write(Path(app.outdir) / f"{docname}.json", f"{text}\n")


def index(app: Sphinx, view: View, name: str) -> str:
    """Return the HTML of the index, in the order of reading; `name` is that of its JSON."""
    book = view.book
    words = ", ".join(f"{name}: {number}" for name, number in book.summary().items())
    pages: dict[str, list[Equation]] = {page: [] for page in reading_order(app.env)}
    for equation in book.equations.values():
        pages[equation.docname].append(equation)
    groups = "".join(_group(app, view, page, found) for page, found in pages.items() if found)
    total = f'<p class="ledger-total">{words} · <a href="{name}">the same as JSON</a></p>'
    return f'{total}<div class="equation-index">{groups}</div>'


def _group(app: Sphinx, view: View, page: str, equations: list[Equation]) -> str:
    """Return the fold of a page: its title, how many equations it has, those with a name, the table."""
    names = ", ".join(e.number for e in equations if not e.number.isdecimal())
    many = phrases.counted(len(equations), "equation")
    head = "".join(f'<th scope="col" data-name="{name}">{name}</th>' for name in COLUMNS)
    rows = "".join(_row(app, view, equation) for equation in equations)
    return (
        f"<details><summary>{html.escape(noted(app.env, page).title)} "
        f"<span>{many}{f': {names}' if names else ''}</span></summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>\n"
    )


def _row(app: Sphinx, view: View, equation: Equation) -> str:
    book, label = view.book, equation.label
    kind, error = book.excuse(label).kind, phrases.worst(c.found for c in book.proofs(label)) or 0.0
    display = formula(nodes.math_block("", equation.tex), True)
    title = noted(app.env, equation.docname).title
    reason = f'<br><span class="ledger-why">{html.escape(book.reason(label))}</span>'
    cells = [
        f"{link(view.equation_uri(label), f'({equation.number})')}<br><code>{label}</code>",
        f'<div class="math-scroll" role="group" aria-label="Formula">{display}</div>',
        link(view.uri(equation.docname, ""), html.escape(title)),
        "<br>".join(evidence(view, label)) or "none",
        mark(book, label).removeprefix("checked, ") or "not checked",
        kind + (reason if kind != EQUATION else ""),
    ]
    keys = {"Error": f' data-key="{error!r}"'}
    columns = "".join(
        f'<td data-name="{name}"{keys.get(name, "")}>{cell}</td>'
        for name, cell in zip(COLUMNS, cells, strict=True)
    )
    return f'<tr data-kind="{kind}">{columns}</tr>\n'


def as_data(view: View) -> dict[str, Any]:
    """Return the index as plain data; its links are relative to the page of the index."""
    book = view.book
    equations = [
        {
            "label": e.label,
            "number": e.number,
            "tex": e.tex,
            "page": e.docname,
            "url": view.equation_uri(e.label),
            "kind": book.excuse(e.label).kind,
            "reason": book.reason(e.label),
            "code": [
                {"module": at.module, "line": at.line, "url": view.source_uri(at, anchor)}
                for at, anchor in book.code.get(e.label, [])
            ],
            "api": [
                {"name": anchor, "url": view.uri(page, anchor)}
                for page, anchor in book.api.get(e.label, [])
            ],
            "checks": [_check_data(view, c) for c in book.proofs(e.label)],
            "counterexamples": [_check_data(view, c) for c in book.failures(e.label)],
        }
        for e in book.equations.values()
    ]
    return {"summary": book.summary(), "equations": equations}


def _check_data(view: View, check: CellCheck) -> dict[str, Any]:
    found = check.found
    return {
        "kind": found.kind,
        "cases": found.cases,
        "error": found.value,
        "limit": found.limit,
        "page": check.docname,
        "cell": check.cell,
        "url": view.uri(check.docname, check.anchor),
    }
