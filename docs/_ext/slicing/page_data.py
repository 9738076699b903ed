"""Tell each page what its cells need: copy.js its slices, the reader its packages.

For copy.js a hidden element holds, for each cell of the page, the lines of the cells above that it needs, as
``slicer.pack`` writes them. Above the first cell stands which packages the page needs besides bptt and NumPy.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from _ext.slicing import requirements, slicer


def cells_of(doctree: nodes.document) -> list[nodes.container]:
    """Return the cells of a page that hold code, in order."""
    return [cell for cell in tagged(doctree) if code_of(cell) is not None]


def tagged(doctree: nodes.document, tag: str = "") -> list[nodes.container]:
    """Return the cells of a page that have a tag, in order; all cells if none is given."""
    wanted = {"cell", f"tag_{tag}"} if tag else {"cell"}
    return [c for c in doctree.findall(nodes.container) if wanted <= set(c["classes"])]


def printed(cell: nodes.Element) -> str:
    """Return what a cell printed, as the page shows it."""
    blocks = cell.findall(nodes.literal_block)
    return "\n".join(b.astext() for b in blocks if {"output", "stream"} <= set(b["classes"]))


def apart(cell: nodes.Element, kind: str) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """Take a cell's parts of a class, ``cell_input`` or ``cell_output``, from the others; empty the cell."""
    found = [part for part in cell.children if kind in part.get("classes", ())]
    others = [part for part in cell.children if part not in found]
    cell.children = []
    return found, others


def code_of(cell: nodes.Element) -> nodes.literal_block | None:
    """Return the code of a cell, wherever in the cell it stands: below its figure, for one."""
    for part in cell.children:
        if isinstance(part, nodes.container) and "cell_input" in part["classes"]:
            return next(part.findall(nodes.literal_block), None)
    return None


def sources(cells: list[nodes.container]) -> list[str]:
    """Return the code of cells as the page shows it."""
    return [code.astext() for cell in cells if (code := code_of(cell)) is not None]


def sentence(needed: list[str]) -> nodes.paragraph:
    """Return what tells the reader which packages the cells of a page need."""
    line = nodes.paragraph("", "", classes=["page-needs"])
    line += nodes.Text("Besides bptt and NumPy, the cells of this page need ")
    for k, name in enumerate(needed):
        if k:
            line += nodes.Text(" and " if k == len(needed) - 1 else ", ")
        line += nodes.literal(name, name)
    line += nodes.Text(".")
    return line


def _tell(app: Sphinx, doctree: nodes.document) -> None:
    del app
    cells = cells_of(doctree)
    if not cells:
        return
    code = sources(cells)
    try:
        needs = "\n".join(slicer.pack(lines) for lines in slicer.needs(code))
        needed = requirements.needed(code)
    except SyntaxError:
        return  # execution has said so
    data = f'<div id="bptt-needs" data-needs="{html.escape(needs)}" hidden></div>'
    doctree += nodes.raw("", data, format="html")
    if needed:
        place = cells[0].parent
        place.insert(place.index(cells[0]), sentence(needed))


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at each page when it has been read."""
    app.connect("doctree-read", _tell)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
