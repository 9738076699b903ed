"""Repair what Sphinx, docutils and furo get wrong for axe, Lighthouse and the HTML checkers.

The rules are literal and do nothing twice, so that they hold for a page that was not written again.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from _ext.written import add_to_head, on_page

RULES = [
    # Sphinx: a toctree's caption is a heading without a level.
    (r'<p class="caption" role="heading">', r'<p class="caption" role="heading" aria-level="2">'),
    # docutils: a list without list items; a role that ARIA 1.3 deprecates.
    (r'<div role="list" class="citation-list">', r'<div class="citation-list">'),
    (r' role="doc-biblioentry"', ""),
    # Code that scrolls must be reachable from the keyboard.
    (r"<pre(?![^>]*tabindex)", r'<pre tabindex="0"'),
    # So must a table that does; and a head without a word is none.
    (r'<div class="(table-wrapper[^"]*)">', r'<div class="\1" tabindex="0">'),
    (r'<th class="head[^"]*"><p></p></th>', "<td></td>"),
    # Sphinx: a digest only from the second build on, for what an extension puts in place at the end.
    (r"((?:katex\.min|mystnb\.[0-9a-f]+)\.css)\?v=[0-9a-f]+", r"\1"),
    # furo: two landmarks of one kind, without names.
    (r'<aside class="sidebar-drawer">', r'<aside class="sidebar-drawer" aria-label="Site">'),
    (
        r'<aside class="toc-drawer( no-toc)?">',
        r'<aside class="toc-drawer\1" aria-label="On this page">',
    ),
    # Sphinx: the search page asks to be found by nobody, which Lighthouse takes for a mistake.
    (r'<meta name="robots" content="noindex"\s*/?>\n?', ""),
    # furo: a search page without a heading.
    (
        r'(?<!</h1>)<div id="search-results">',
        r'<h1 class="hidden-heading">Search</h1><div id="search-results">',
    ),
]
COMPILED = [(re.compile(pattern), text) for pattern, text in RULES]
SOURCE = re.compile(r"<pre[^>]*>.*?</pre>", re.DOTALL)
NUMBERED = re.compile(r' id="(id\d+)"')
ENOUGH, MOST = 40, 155  # characters of a description


def repair(page: str) -> str:
    """Return a page's HTML with every rule applied."""
    for pattern, text in COMPILED:
        page = pattern.sub(text, page)
    return unique(SOURCE.sub(lambda found: phrasing(found[0]), page))


def phrasing(pre: str) -> str:
    """Return a block of code without blocks in it, which viewcode marks definitions with."""
    if "<div" not in pre:
        return pre
    return pre.replace("<div ", "<span ").replace("</div>", "</span>")


def unique(page: str) -> str:
    """Return a page on which no number of autodoc's or bibtex's stands for two places."""
    seen: Counter[str] = Counter()

    def name(found: re.Match[str]) -> str:
        seen[found[1]] += 1
        again = f"-{seen[found[1]]}" if seen[found[1]] > 1 else ""
        return f' id="{found[1]}{again}"'

    return NUMBERED.sub(name, page)


def describe(doctree: nodes.document) -> str:
    """Return the first paragraph that says something, without TeX, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        words = paragraph.deepcopy()
        for formula in list(words.findall(nodes.math)):
            formula.parent.replace(formula, nodes.Text("…"))
        text = " ".join(words.astext().split())
        if len(text) > MOST:
            return text[: text.rindex(" ", 0, MOST)].rstrip(",;: ") + " …"
        if len(text) >= ENOUGH:
            return text
    return ""


def _describe(_app: Sphinx, _page: str, context: dict[str, Any], doctree: nodes.document) -> None:
    known = 'name="description"' in context.get("metatags", "")
    if not known and (text := describe(doctree)):
        add_to_head(context, f'<meta name="description" content="{html.escape(text)}">')


def _repair(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for file in Path(app.outdir).rglob("*.html"):
        old = file.read_text(encoding="utf-8")
        if (new := repair(old)) != old:
            file.write_text(new, encoding="utf-8")


def _images(app: Sphinx, doctree: nodes.document) -> None:
    """Refuse a picture without alternative text, or with its own file's name for one."""
    from sphinx.util import logging  # noqa: PLC0415

    del app
    for image in doctree.findall(nodes.image):
        alt = str(image.get("alt", "")).strip()
        if not alt or alt in image["uri"]:
            words = "the picture %s has no alternative text"
            logging.getLogger(__name__).warning(words, image["uri"], location=image, type="bptt")


def setup(app: Sphinx) -> dict[str, Any]:
    """Describe pages as they are written, repair them when all are."""
    app.connect("doctree-read", _images)
    on_page(app, _describe)
    app.connect("build-finished", _repair, priority=900)  # after codeautolink
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
