"""What extensions add to a page as it is written: a handler for pages with text, a line for the page's head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from docutils import nodes
from sphinx.application import Sphinx

Handler: TypeAlias = Callable[[Sphinx, str, dict[str, Any], nodes.document], None]


def on_page(app: Sphinx, handler: Handler, priority: int = 500) -> None:
    """Call a handler with each page that has text: its name, its context, its doctree."""

    def call(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: Any) -> None:
        if doctree is not None:
            handler(app, page, context, doctree)

    app.connect("html-page-context", call, priority=priority)


def add_to_head(context: dict[str, Any], line: str) -> None:
    """Add a line to the head of a page."""
    context["metatags"] = f"{context.get('metatags', '')}{line}\n"
