"""Handlers of pages with text, called as each is written."""

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
