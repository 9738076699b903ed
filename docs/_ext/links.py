"""Put codeautolink's links into a page's code, and touch nothing else of the page.

codeautolink finds what a name in a cell refers to; but to write the links it parses each page as a whole,
formulas and figures included, and that took half of a build. Here only the blocks of code are looked at.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx_codeautolink import extension
from sphinx_codeautolink.extension import block

log = logging.getLogger(__name__)
CODE = re.compile(
    r'<div class="(?P<classes>[^"]*\bhighlight-[^"]*|doctest[^"]*)">\s*<div class="highlight">'
    r"<pre[^>]*>(?P<code>.*?)</pre>",
    re.DOTALL,
)
TAG = re.compile(r"<[^>]+>")


def text(markup: str) -> str:
    """Return what a reader sees of a block of code."""
    return html.unescape(TAG.sub("", markup)).rstrip()


def link(code: str, names: list[Any], inventory: dict[str, str], prefix: str) -> tuple[str, list]:
    """Return the markup of a block with its names linked, and the names that are not in it."""
    lines, lost = code.split("\n"), []
    for name in names:
        rows = slice(name.lineno - 1, name.end_lineno)
        part = "\n".join(lines[rows])
        found = list(re.finditer(block.construct_name_pattern(name), part))
        if not found:
            lost.append(name)
            continue
        last = found[-1]  # from the right: a.b = a.b has the name twice
        start, end = last.start() + len(last[1]), last.end()
        target = inventory[name.resolved_location]
        if not target.startswith(("http://", "https://")):
            target = prefix + target
        shown = part[start:end]
        title = "" if "".join(text(shown).split()) == name.resolved_location else (
            f' title="{name.resolved_location}"'
        )  # fmt: skip
        anchor = f'<a class="sphinx-codeautolink-a" href="{target}"{title}>{shown}</a>'
        lines[rows] = (part[:start] + anchor + part[end:]).split("\n")
    return "\n".join(lines), lost


def link_page(
    page: str, transforms: list[Any], inventory: dict[str, str], prefix: str, classes: set[str]
) -> tuple[str, list[str]]:
    """Return a page with its code linked, and what could not be found on it."""
    found = [m for m in CODE.finditer(page) if classes & set(m["classes"].split())]
    blocks = [(m.span("code"), text(m["code"])) for m in found]
    lost: list[str] = []
    linked: list[tuple[tuple[int, int], str]] = []
    for transform in transforms:
        source = transform.source.rstrip()
        at = next((k for k, (_, shown) in enumerate(blocks) if shown == source), None)
        if at is None:
            lost.append(f"no block of code on the page reads\n{source}")
            continue
        (start, end), _ = blocks.pop(at)
        code, missing = link(page[start:end], transform.names, inventory, prefix)
        lost += [f"no {n.code_str!r} in line {n.lineno} of\n{source}" for n in missing]
        linked.append(((start, end), code))
    for (start, end), code in sorted(linked, reverse=True):
        page = page[:start] + code + page[end:]
    return page, lost


def _link_html(
    document: str,
    out_dir: str,
    transforms: list[Any],
    inventory: dict[str, str],
    custom_blocks: dict[str, Any],
    search_css_classes: list[str],
    **_: Any,
) -> None:
    file = Path(out_dir) / f"{document}.html"
    languages = block.BUILTIN_BLOCKS.keys() | custom_blocks.keys()
    classes = {f"highlight-{name}" for name in languages} | {"doctest", *search_css_classes}
    prefix = "../" * document.count("/")
    old = file.read_text("utf-8")
    page, lost = link_page(old, transforms, inventory, prefix, classes)
    for words in lost:
        log.warning("codeautolink: %s", words, location=document, type="codeautolink")
    if page != old:
        file.write_text(page, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of codeautolink's own writer."""
    del app
    extension.link_html = _link_html
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
