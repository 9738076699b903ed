"""Put codeautolink's links into a page's code, and touch nothing else of the page.

codeautolink finds what a name in a cell refers to; but to write the links it parses each page as a whole,
formulas and figures included, and that took half of a build. Here only the blocks of code are looked at. And to
find what a name refers to it imports what the page imports, PyTorch and all; here only what some inventory knows.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx_codeautolink import extension, parse
from sphinx_codeautolink.extension import backref, block, cache, resolve

log = logging.getLogger(__name__)
CODE = re.compile(
    r'<div class="(?P<classes>[^"]*\bhighlight-[^"]*|doctest[^"]*)">\s*<div class="highlight">'
    r"<pre[^>]*>(?P<code>.*?)</pre>",
    re.DOTALL,
)
LINK = "sphinx-codeautolink-a"
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
        anchor = f'<a class="{LINK}" href="{target}"{title}>{shown}</a>'
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


def _apply(self: extension.SphinxCodeAutoLink, app: Sphinx, error: Exception | None) -> None:
    """Link the pages that were written and so have no links yet, read again or not."""
    if self.do_nothing or error:
        return
    languages = block.BUILTIN_BLOCKS.keys() | self.custom_blocks.keys()
    classes = {f"highlight-{name}" for name in languages} | {"doctest", *self.search_css_classes}
    for document, transforms in sorted(self.cache.transforms.items()):
        file = Path(app.outdir) / f"{document}.html"
        old = file.read_text("utf-8") if file.is_file() else LINK
        if LINK in old:
            continue
        page, lost = link_page(
            old, transforms, self.inventory, "../" * document.count("/"), classes
        )
        for words in lost:
            log.warning("codeautolink: %s", words, location=document, type="codeautolink")
        if page != old:
            file.write_text(page, "utf-8")
    self.cache.write()


def _read(self: cache.DataCache) -> None:
    """Read what was found on pages that are not read again; codeautolink's own looks for .rst alone."""
    file = self.cache_dir / self.cache_filename
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    for name, transforms in kept.items():
        if (self.src_dir / f"{name}.md").is_file():
            self.transforms[name] = [
                block.SourceTransform(
                    source=t["source"],
                    names=[parse.Name(**n) for n in t["names"]],
                    example=backref.CodeExample(**t["example"]),
                    doc_lineno=t["doc_lineno"],
                )
                for t in transforms
            ]


def _location(name: Any, inventory: dict[str, str]) -> str:
    """Return what a name refers to, if that can be in the inventory at all."""
    if name.import_components[0] not in _packages(inventory):
        raise resolve.CouldNotResolve
    found: str = RESOLVE(name, inventory)
    return found


def _packages(inventory: dict[str, str]) -> set[str]:
    """Return the first parts of all names of an inventory, which does not change within a build."""
    if id(inventory) not in PACKAGES:
        PACKAGES[id(inventory)] = {known.partition(".")[0] for known in inventory}
    return PACKAGES[id(inventory)]


PACKAGES: dict[int, set[str]] = {}
RESOLVE = resolve.resolve_location
extension.resolve_location = _location
extension.SphinxCodeAutoLink.apply_links = _apply  # before codeautolink connects them
cache.DataCache.read = _read


def setup(app: Sphinx) -> dict[str, Any]:
    """Stand before codeautolink, of which importing this has replaced a part."""
    del app
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
