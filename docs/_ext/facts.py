"""Read again only the pages that were edited, and write every page.

docs/build.py says (``BPTT_DOCS_CHANGED``) which pages changed since a green build; they are read again, whatever
their dates say. Sphinx would write these alone: a label taken away would leave the pages that refer to it as they
were, without a warning, and the search would forget the index entries of all pages not written. So all are
written, and every reference is resolved again.
"""

from __future__ import annotations

import os
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CHANGED = "BPTT_DOCS_CHANGED"  # names of pages, separated by blanks


def changed() -> list[str]:
    """Return the pages that are said to have changed."""
    return os.environ.get(CHANGED, "").split()


def settle(env: BuildEnvironment, package: str) -> None:
    """Make what is known the same, in whichever order and in however many builds pages were read."""
    citations = env.domaindata.get("cite", {}).get("citation_refs")
    if citations:
        citations.sort(key=lambda citation: citation.docname)
    modules: dict[str, Any] = getattr(env, "_viewcode_modules", {})
    for name in [n for n in modules if n.partition(".")[0] != package]:
        del modules[name]  # of NumPy, say: looked into, and nothing of it shown


def _write(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages to write beside those read: all, if only some were read."""
    settle(env, app.config.project)
    return sorted(env.found_docs) if changed() else []


def _outdated(_app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the pages that changed, whatever their dates say."""
    return [page for page in changed() if page in env.found_docs]


def setup(app: Sphinx) -> dict[str, Any]:
    """Say what to read and what to write."""
    app.connect("env-get-outdated", _outdated)
    app.connect("env-get-updated", _write, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
