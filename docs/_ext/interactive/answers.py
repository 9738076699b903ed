"""Fold a cell that a reader should open on purpose: ``:tags: [answer]`` puts it behind a line to press.

The cell is a cell like all others: it runs, its outputs are checked, it can be copied. Only its place in
the page is inside a ``details`` element, with the look of sphinx-design's dropdown.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

MARKER = (
    '<svg width="1.5em" height="1.5em" class="sd-octicon" viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M9 6l6 6-6 6" fill="none" stroke="currentColor" stroke-width="2"/></svg>'
)
OPEN = f"""\
<details class="sd-sphinx-override sd-dropdown sd-card sd-mb-3 answer">\
<summary class="sd-summary-title sd-card-header"><span class="sd-summary-text">Answer</span>\
<span class="sd-summary-state-marker sd-summary-chevron-right">{MARKER}</span></summary>\
<div class="sd-summary-content sd-card-body docutils">"""
CLOSE = "</div></details>"


def fold(_: Sphinx, doctree: nodes.document) -> None:
    """Put each cell with the tag ``answer`` between the two ends of a details element."""
    for cell in list(doctree.findall(nodes.container)):
        if "tag_answer" in cell["classes"]:
            place = cell.parent.index(cell)
            cell.parent.insert(place + 1, nodes.raw("", CLOSE, format="html"))
            cell.parent.insert(place, nodes.raw("", OPEN, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the folding of answers."""
    app.connect("doctree-read", fold)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
