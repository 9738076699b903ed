"""Rebuild one page, and know whether another page could tell.

Sphinx writes again what it has read again, and no page beside it: a label taken away leaves the pages that refer
to it as they were, without a warning. When docs/build.py says (``BPTT_DOCS_CHANGED``) which pages changed since
a green build, this compares all that pages know of each other, before and after they are read. If it is the
same, the changed pages alone are written; if anything differs, every page is, and so every reference is
resolved again. What an extension keeps of its own counts too, unless it is listed here as private to a page.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

log = logging.getLogger(__name__)
CHANGED = "BPTT_DOCS_CHANGED"  # names of pages, separated by blanks
# Settings and tools of Sphinx, when a page was read, and what is made anew of all pages at the end of each build.
NOT_FACTS = ("_search_index_", "config", "intersphinx_", "version")  # and what else begins so
NO_FACTS = frozenset(
    """
    _app app _doctreedir doctreedir _srcdir srcdir current_document temp_data domains events settings all_docs
    project nb_metadata nb_new_exec_data mystnb_config sphinx_codeautolink_transforms _pickled_doctree_cache _write_doc_doctree_cache
    """.split()  # noqa: SIM905 - a list would be a column of names
)
OF_A_PAGE = frozenset(["dependencies", "included"])  # what a page is made of: private to it
PLACES = frozenset(
    ["line", "lineno", "source", "source_map", "wordcount"]
)  # a line moved is no news


def changed() -> list[str]:
    """Return the pages that are said to have changed."""
    return os.environ.get(CHANGED, "").split()


def plain(value: Any) -> Any:
    """Return a value in a form in which equal things are equal, wherever they were made."""
    found: Any = repr(value)
    if isinstance(value, nodes.Node):
        found = value.pformat()
    elif isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in PLACES}
        found = sorted((repr(plain(k)), repr(plain(v))) for k, v in kept.items())
    elif isinstance(value, set | frozenset):
        found = sorted(repr(plain(v)) for v in value)
    elif hasattr(value, "_fields"):  # a NamedTuple
        found = [plain(getattr(value, name)) for name in value._fields if name not in PLACES]
    elif isinstance(value, list | tuple):
        found = [plain(v) for v in value]
    elif not isinstance(value, str | bytes | int | float | None):
        names = getattr(value, "__dict__", None) or getattr(value, "__slots__", ())
        own = {name: getattr(value, name, None) for name in names}
        found = [type(value).__qualname__, plain(own)] if own else found
    return found


def facts(env: BuildEnvironment, pages: Iterable[str]) -> dict[str, str]:
    """Return what is known beyond the given pages, by where Sphinx and its extensions keep it."""
    own = set(pages)
    known: dict[str, str] = {}
    for name, value in vars(env).items():
        if name in NO_FACTS or name.startswith(NOT_FACTS):
            continue
        parts = {name: value}
        if name in OF_A_PAGE:
            parts = {name: {k: v for k, v in value.items() if v and k not in own}}
        elif name == "metadata":
            parts = {name: {page: _slugs(data) for page, data in value.items()}}
        elif name == "domaindata":
            parts = {f"{name}.{k}": v for k, v in value.items()}
        known |= {part: repr(plain(each)) for part, each in parts.items()}
    return known


def _slugs(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a page's metadata with its headings' names and words, without their lines."""
    slugs = metadata.get("myst_slugs")
    words = (
        {name: heading[1:] for name, heading in slugs.items()} if isinstance(slugs, dict) else slugs
    )
    return {**metadata, "myst_slugs": words}


def settle(env: BuildEnvironment, package: str) -> None:
    """Make what is known the same, in whichever order and in however many builds pages were read."""
    citations = env.domaindata.get("cite", {}).get("citation_refs")
    if citations:
        citations.sort(key=lambda citation: citation.docname)
    modules: dict[str, Any] = getattr(env, "_viewcode_modules", {})
    for name in [n for n in modules if n.partition(".")[0] != package]:
        del modules[name]  # of NumPy, say: looked into, and nothing of it shown


class Watch:
    """What was known before, and what of it is different now."""

    def __init__(self) -> None:
        self.before: dict[str, str] = {}

    def remember(self, app: Sphinx) -> None:
        """Note what is known before any page is read."""
        if changed():
            self.before = facts(app.env, changed())

    def compare(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Return the pages to write beside those read: none, or all."""
        settle(env, app.config.project)
        if not changed():
            return []
        after = facts(env, changed())
        names = sorted(after.keys() | self.before.keys())
        news = [name for name in names if after.get(name) != self.before.get(name)]
        if news:
            log.info("other pages could tell (%s): all are written", ", ".join(news))
        return sorted(env.found_docs) if news else []


def _outdated(_app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the pages that changed, whatever their dates say."""
    return [page for page in changed() if page in env.found_docs]


def setup(app: Sphinx) -> dict[str, Any]:
    """Watch a build."""
    watch = Watch()
    app.connect("builder-inited", watch.remember)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-get-updated", watch.compare, priority=900)  # after figures are numbered
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
