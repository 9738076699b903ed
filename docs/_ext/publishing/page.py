"""A written page as a tree: what is done to it, and what it links to."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

LINKS = ("href", "src", "action", "formaction", "poster", "data", "data-content_root", "cite")
LEADING = ", ".join([*(f"[{name}]" for name in LINKS), '[property="og:image"]'])
# Attributes that hold addresses among other things, and what is one in them.
HOLD = "[clip-path], [filter], [http-equiv], [imagesrcset], [marker-end], [marker-mid], [marker-start], "
HOLD += '[cursor], [mask], [srcset], [fill*="url(" i], [stroke*="url(" i], [style*="url(" i]'
HELD = re.compile(r"""url\s*[(=]\s*["']?([^"')]+)""", re.IGNORECASE)
IDS = ["commandfor", "for", "form", "headers", "itemref", "list", "popovertarget"]  # by blanks
ARIA = "activedescendant controls describedby details errormessage flowto labelledby owns"
IDS += [f"aria-{name}" for name in ARIA.split()]
OF_SET = re.compile(r"(\S*[^\s,])(?:\s[^,]*)?(?:,|$)")


class Page:
    """A page: `name` as Sphinx calls it, `tree` to be changed, and what is wrong with it."""

    def __init__(self, file: Path, outdir: Path) -> None:
        self.file = file
        self.name = file.relative_to(outdir).with_suffix("").as_posix()
        self.text = file.read_text("utf-8")
        self.tree = LexborHTMLParser(self.text)
        self.wrong: list[str] = []

    def write(self) -> None:
        """Write the page, if it has changed."""
        text = f"<!DOCTYPE html>\n{self.tree.root.html}\n"
        if text != self.text:
            self.file.write_text(text, "utf-8")

    def number_again(self) -> None:
        """Let no number of docutils, as ``id3``, stand for two places: it counts in each block of reStructuredText from 1."""
        seen: Counter[str] = Counter()
        for node in self.tree.css("[id]"):
            name = node.attrs["id"] or ""
            seen[name] += 1
            if seen[name] > 1 and name.startswith("id") and name[2:].isdecimal():
                node.attrs["id"] = f"{name}-{seen[name]}"

    def ids(self) -> list[str]:
        """Return all ids, in their order."""
        return [node.attrs["id"] or "" for node in self.tree.css("[id]")]

    def addresses(self) -> Iterator[str]:
        """Yield the address of each element that leads somewhere."""
        for node in self.tree.css(LEADING):  # xlink:href as href
            yield from filter(None, map(node.attributes.get, (*LINKS, "content", "xlink:href")))
        for node in self.tree.css(HOLD):
            for name, value in node.attributes.items():
                yield from (OF_SET if name.endswith("srcset") else HELD).findall(value or "")
        for node in self.tree.css(f"style, [{'], ['.join(IDS)}]"):
            names = " ".join(filter(None, map(node.attributes.get, IDS)))
            yield from (f"#{name}" for name in names.split())
            yield from HELD.findall(node.text()) if node.tag == "style" else ()
