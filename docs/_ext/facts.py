"""Read again only the pages that were edited, and write only what that changes.

docs/build.py says (``BPTT_DOCS_CHANGED``) which pages changed since a green build; they are read again, whatever
their dates say. Sphinx would then write these alone: a label taken away would leave the pages that refer to it as
they were, without a warning. So what pages can say of one another (titles, labels, equations, objects, citations)
is compared before and after: if any of it has changed, all pages are written, and every reference is resolved again.
If not, only the edited ones are (and those that show the ledger's entries of them: see ledger/).

Sphinx also forgets, of all pages it does not write, what the search knows of the index; it is kept here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import sphinx.search
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.search import IndexBuilder

CHANGED = "BPTT_DOCS_CHANGED"  # names of pages, separated by blanks
KEPT = "index-entries.json"  # beside the doctrees
PARTS = ("titles", "longtitles", "tocs", "toc_secnumbers", "toc_fignumbers", "toctree_includes")
WHERE = {"line", "lineno"}  # of no page is it said in which line something stands


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


def plain(value: Any) -> Any:
    """Return a value as text and lists, in which equal values are equal."""
    if hasattr(value, "_asdict"):
        value = {k: v for k, v in value._asdict().items() if k not in WHERE}
    elif type(value).__repr__ is object.__repr__:  # which would tell an address
        value = {"": type(value).__name__, **vars(value)}
    if isinstance(value, dict):
        return sorted((plain(k), plain(v)) for k, v in value.items())
    if isinstance(value, nodes.Node):
        return value.pformat()
    if isinstance(value, Iterable) and not isinstance(value, str):
        each = list(map(plain, value))
        return sorted(each, key=str) if isinstance(value, (set, frozenset)) else each
    return f"{type(value).__name__} {value!r}"


def told(env: BuildEnvironment) -> str:
    """Return the digest of all that pages can say of one another."""
    known = {name: getattr(env, name, None) for name in PARTS}
    known["domains"] = {k: v for k, v in env.domaindata.items() if k != "index"}
    known["modules"] = {
        name: view and (view[1], view[2], view[3])
        for name, view in getattr(env, "_viewcode_modules", {}).items()
    }
    return sha256(json.dumps(plain(known)).encode()).hexdigest()


def _outdated(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the pages that changed, whatever their dates say."""
    pages = [page for page in changed() if page in env.found_docs]
    app.bptt_told = told(env) if pages else ""  # type: ignore[attr-defined]
    return pages


def _write(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages to write beside those read: all, if what is said of one another has changed."""
    settle(env, app.config.project)
    before: str = app.bptt_told  # type: ignore[attr-defined]
    return sorted(env.found_docs) if before and told(env) != before else []


# --- the search
def _keep(app: Sphinx, error: Exception | None) -> None:
    """Keep what the search knows of the index."""
    indexer = getattr(app.builder, "indexer", None)
    if indexer is not None and not error:
        text = json.dumps(indexer._index_entries, sort_keys=True)
        (Path(app.doctreedir) / KEPT).write_text(text, "utf-8")


class Remembering(IndexBuilder):
    """What the search knows: begins with all it knew, and forgets words that stand on no page."""

    kept: Path

    def load(self, stream: Any, format: Any) -> None:
        """Take up the index of the last build."""
        super().load(stream, format)
        kept = json.loads(self.kept.read_text("utf-8")) if self.kept.is_file() else {}
        for page, entries in kept.items():
            self._index_entries[page] = [tuple(entry) for entry in entries]

    def prune(self, docnames: Iterable[str]) -> None:
        """Forget all pages but these."""
        super().prune(docnames)
        for words in (self._mapping, self._title_mapping):
            for word in [word for word, pages in words.items() if not pages]:
                del words[word]


def _remember(app: Sphinx) -> None:
    """Take the place of Sphinx's own, which is imported where it is used."""
    Remembering.kept = Path(app.doctreedir) / KEPT
    sphinx.search.IndexBuilder = Remembering  # type: ignore[misc]


def setup(app: Sphinx) -> dict[str, Any]:
    """Say what to read and what to write."""
    app.connect("builder-inited", _remember)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-get-updated", _write, priority=900)
    app.connect("build-finished", _keep)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
