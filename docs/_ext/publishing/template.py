"""What is done to a page with text as it is written: handlers are called, files are linked."""

from collections.abc import Callable
from typing import Any, TypeAlias

from docutils import nodes
from sphinx.application import Sphinx

Handler: TypeAlias = Callable[[Sphinx, str, dict[str, Any], nodes.document], None]


def on_page(app: Sphinx, handler: Handler) -> None:
    """Call a handler with each page that has text, its body whole (api/code_links.py): name, context, doctree."""

    def call(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: Any) -> None:
        if doctree is not None:
            handler(app, page, context, doctree)

    app.connect("html-page-context", call, priority=600)


def add_files(app: Sphinx, mark: str, *names: str, priority: int = 500) -> None:
    """Let each page whose body holds a mark link some stylesheets and scripts."""

    def add(app: Sphinx, _page: str, context: dict[str, Any], _doctree: nodes.document) -> None:
        for name in names if mark in context["body"] else ():
            if name.endswith(".css"):
                app.add_css_file(name, priority=priority)
            else:
                app.add_js_file(name, priority=priority, loading_method="defer")

    on_page(app, add)
