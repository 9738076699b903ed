"""Two layers on a page: reading, which is open, and the proof, which is folded.

``:tags: [proof]``
    Such cells, those that follow each other together, are put into a closed ``details`` element. Its summary says
    what their checks established: ``Checked: with letters, exactly; on 12 random nets, to 1.5e-15``. Cells without
    a check say it in their own words, by ``:summary: How it is measured``.
``:tags: [plot]``
    The code of such a cell is folded behind its figure, which stays open.

The cells are cells like all others: they run, their outputs are checked, they can be copied. A ``details`` element
opens without JavaScript; ``layers.js`` adds a switch that opens and closes all, and opens what an address leads into.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from _ext.formulas.references import KEY
from _ext.ledger import phrases
from _ext.slicing.page_data import apart, printed, tagged
from bptt.teaching.equations import EquationCheck

FOLDED = ("proof", "plot")
PLOT = "Code of this figure"
SWITCH = """\
<div class="layers-switch" role="group" aria-label="Layers of this page">\
<button type="button" data-open="" aria-pressed="true">Reading</button>\
<button type="button" data-open="open" aria-pressed="false">With checks</button></div>"""


def opening(kind: str, said: str) -> nodes.raw:
    """Return the begin of a fold; the page's other forms say its summary as a line of text."""
    text = f'<details class="layer {kind}"><summary>{html.escape(said)}</summary><div class="layer-content">'
    return nodes.raw("", text, format="html", twin=f"*{said}.*" if kind == "proof" else "")


def closing() -> nodes.raw:
    """Return the end of a fold."""
    return nodes.raw("", "</div></details>", format="html", twin="")


def groups(cells: list[nodes.container]) -> list[list[nodes.container]]:
    """Return the cells that follow each other together."""
    found: list[list[nodes.container]] = []
    for cell in cells:
        last = found[-1][-1] if found else None
        follows = last is not None and last.parent is cell.parent
        if follows and cell.parent.index(cell) == cell.parent.index(last) + 1:
            found[-1].append(cell)
        else:
            found.append([cell])
    return found


def established(cells: list[nodes.container], names: dict[str, str]) -> str:
    """Return the summary of some cells: their author's words, and what their checks found."""
    outputs = "\n".join(map(printed, cells))
    found = phrases.summary(EquationCheck.read(outputs), names)
    given = [cell.get("cell_metadata", {}).get("summary", "") for cell in cells]
    return ". ".join(part for part in [*given, found] if part) or "Code"


def fold(app: Sphinx, doctree: nodes.document) -> None:
    """Put each group of cells of the proof, and the code of each figure, between the ends of a fold."""
    tags = {label: f"({tag})" for label, tag in app.config.static_math_tags.items()}
    kept = app.env.metadata[app.env.docname][KEY]
    numbers = {label: f"({number})" for label, number in kept.items()}
    proofs, plots = groups(tagged(doctree, "proof")), tagged(doctree, "plot")
    for group in proofs:
        parent = group[0].parent
        parent.insert(parent.index(group[-1]) + 1, closing())
        said = established(group, {**tags, **numbers})
        parent.insert(parent.index(group[0]), opening("proof", said))
    for cell in plots:
        code, others = apart(cell, "cell_input")
        cell += [*others, opening("plot", PLOT), *code, closing()]
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is not None and (proofs or plots):
        title.parent.insert(
            title.parent.index(title) + 1, nodes.raw("", SWITCH, format="html", twin="")
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Fold each page when it has been read, and its outputs with it."""
    app.connect("doctree-read", fold, priority=600)  # after what is put before a page's first cell
    app.add_css_file("layers.css")
    app.add_js_file("layers.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
