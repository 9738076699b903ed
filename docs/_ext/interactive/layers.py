"""Two layers on a page: reading, which is open, and the proof, which is folded (docs/_ext/README.md, "Two layers")."""

import html

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from _ext.formulas.references import KEY
from _ext.ledger import phrases
from _ext.slicing.page_data import printed, tagged
from bptt.teaching.equations import EquationCheck

log = logging.getLogger(__name__)
FOLDED = ("proof", "plot")
CODE, PLOT = "Code", "Code of this figure"
END = "</div></details>"
SWITCH = """\
<div class="layers-switch" role="group" aria-label="Layers of this page">\
<button type="button" data-open="" aria-pressed="true">Reading</button>\
<button type="button" data-open="open" aria-pressed="false">With checks</button></div>"""


def opening(kind: str, said: str) -> nodes.raw:
    """Return the begin of a fold; the page's other forms say its summary as a line of text."""
    text = f'<details class="layer {kind}"><summary>{html.escape(said)}</summary><div class="layer-content">'
    return nodes.raw("", text, format="html", twin=f"*{said}.*" if kind != "plot" else "")


def around(cells: list[nodes.container], opening: nodes.raw) -> None:
    """Put cells that follow each other between the ends of a fold."""
    parent = cells[0].parent
    parent.insert(parent.index(cells[-1]) + 1, nodes.raw("", END, format="html"))
    parent.insert(parent.index(cells[0]), opening)


def fold_part(cell: nodes.container, kind: str, opening: nodes.raw, end: str = END) -> None:
    """Put a part of a cell, its ``cell_input`` or ``cell_output``, into a fold below the others."""
    for part in [child for child in cell.children if kind in child.get("classes", ())]:
        cell.remove(part)
        cell += [opening, part, nodes.raw("", end, format="html")]


def groups(cells: list[nodes.container]) -> list[list[nodes.container]]:
    """Return the cells that follow each other together."""
    found: list[list[nodes.container]] = []
    for cell in cells:
        if found and found[-1][-1].next_node(descend=False, siblings=True) is cell:
            found[-1].append(cell)
        else:
            found.append([cell])
    return found


def established(cells: list[nodes.container], names: dict[str, str]) -> str:
    """Return the summary of some cells: their author's words, and what their checks found."""
    outputs = "\n".join(map(printed, cells))
    found = phrases.summary(EquationCheck.read(outputs), names)
    given = [cell.get("cell_metadata", {}).get("summary", "") for cell in cells]
    return ". ".join(part for part in [*given, found] if part) or CODE


def fold(app: Sphinx, doctree: nodes.document) -> None:
    """Put each group of cells of the proof, and the code of each figure, between the ends of a fold."""
    names = {label: f"({tag})" for label, tag in app.config.static_math_tags.items()}
    names |= {e.label: f"({e.number})" for e in app.env.metadata[app.env.docname][KEY]}
    cells = tagged(doctree)
    proofs, plots = groups(tagged(doctree, "proof")), tagged(doctree, "plot")
    for group in proofs:
        told = any("summary" in cell.get("cell_metadata", {}) for cell in group)
        said = established(group, names)
        below = cells[cells.index(group[0]) :]
        if said == CODE and any(map(printed, below)):  # else it was not run
            log.warning("a fold without a check needs a summary", location=group[0])
        around(group, opening("proof" if told else "proof checked", said))
    for cell in plots:
        fold_part(cell, "cell_input", opening("plot", PLOT))
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith("Next: "):
            paragraph["classes"].append("next")  # on paper it leads nowhere
    title = next(doctree.findall(nodes.title), None)
    if title and (proofs or plots):
        place = title.parent.index(title) + 1
        title.parent.insert(place, nodes.raw("", SWITCH, format="html"))


def setup(app: Sphinx) -> None:
    """Fold each page when it has been read, and its outputs with it."""
    app.connect("doctree-read", fold, priority=600)  # after what is put before a page's first cell
    app.add_css_file("layers.css")
    app.add_js_file("layers.js", loading_method="defer")
