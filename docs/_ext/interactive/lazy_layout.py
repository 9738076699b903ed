"""Let a long page be seen before all of it is laid out: what is far from the screen waits its turn.

A page that is opened at its top is marked as it begins to load (a line in its head), and ``custom.css`` leaves out
of a marked page's layout the sections that are far from the screen; ``_static/partly.js`` measures them while the
browser is idle, and lays them out, one at a time, once somebody reads. A page that is opened at a place in it is
laid out whole, since a place is where it is only below all that stands above it; so is every page without
JavaScript.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from _ext.publishing.template import add_to_head, on_page

MARK = '<script>location.hash || document.documentElement.classList.add("partly")</script>'


def _mark(app: Sphinx, _page: str, context: dict[str, Any], _doctree: nodes.document) -> None:
    add_to_head(context, MARK)
    app.add_js_file("partly.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Mark the pages that have text."""
    on_page(app, _mark, priority=700)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
