"""The index that the search page reads (_static/search.js): every section, name, equation and word of the glossary.

It is a script and not JSON, since a page that was opened from a file may load scripts and fetch nothing. An entry has the
words that a reader sees; a formula within a line reads as it would be typed, ``u_ij^l``, and cells of a table stand apart.
Displayed formulas and blocks of code are left out, but for the names that a block binds.
``docs/search_words.toml`` says which words others use for ours, and where a reader who searches with them should arrive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selectolax.lexbor import LexborNode
from sphinx.application import Sphinx

from _ext.execution.record import table, write
from _ext.publishing.notes import noted
from _ext.publishing.page import Page

FILE, WORDS = Path("_static", "search-index.js"), "search_words.toml"
UNSEEN = {"script", "style", "svg", "button", "pre", "math", "nav", "label"}
UNSEEN_CLASSES = {"derivation-map", "headerlink", "katex-display", "ledger", "moving"}
UNSEEN_CLASSES |= {"source-link", "twins"}
UNSEEN_SIGNS = re.compile("[\u200b\u2061]")  # a breadth of nothing; "of", as in sin of x
HEADS = {"h1", "h2", "h3", "h4"}
BOXES = {"div", "details", "blockquote", "figure", "dl", "dd"}
SPACED = set("=≠<>≤≥≈∈+−→")
ONE = re.compile(r"[\w′∂]*|\([^()]*\)|.")  # needs no brackets
CLOSE = re.compile(r" (?=[(),.;:′/])")  # a blank that says nothing
BOUND = re.compile(r"^ *(?:def|class) +([A-Za-z_]\w+)", re.MULTILINE)  # of our own Python


@dataclass
class Entry:
    """A place to arrive at: its anchor on the page, what it is called, what kind it is, its words."""

    anchor: str
    kind: str
    title: str = ""
    words: list[str] = field(default_factory=list)

    def row(self) -> list[str]:
        """Return the entry as the script has it."""
        return [self.anchor, self.kind, _plain(self.title), _plain("".join(self.words))]


def _plain(text: str) -> str:
    return " ".join(UNSEEN_SIGNS.sub("", text).split())


def classes(node: LexborNode) -> set[str]:
    """Return the classes of an element."""
    return set(((node.attributes or {}).get("class") or "").split())


def seen(node: LexborNode) -> str:
    """Return the words of an element that a reader sees."""
    if node.tag == "-text":
        return node.text_content or ""
    if node.tag in UNSEEN or classes(node) & UNSEEN_CLASSES:
        return ""
    if "katex" in classes(node):
        formula = node.css_first("math")
        return CLOSE.sub("", " ".join(typed(formula).split())) if formula else ""
    inner = "".join(seen(child) for child in node.iter(include_text=True))
    if node.tag in {"td", "th"}:
        return f"{inner.strip()} · " if inner.strip() else ""
    if node.tag == "tr":
        return f" {inner.strip().rstrip('· ')}; "
    inline = node.tag in {"a", "b", "code", "em", "i", "span", "strong", "sub", "sup", "-text"}
    return inner if inline else f" {inner} "


def typed(node: LexborNode) -> str:
    """Return a formula in MathML as one would type it into a line."""
    if node.tag == "-text":
        return node.text_content or ""
    if node.tag == "annotation":
        return ""
    parts = [typed(child) for child in node.iter(include_text=True)]
    if node.tag in {"msub", "msup", "msubsup"}:
        base, *scripts = parts  # and an operator that is not seen, where KaTeX adds one
        signs = {"msub": "_", "msup": "^", "msubsup": "_^"}[node.tag]
        pairs = zip(signs, scripts, strict=False)
        said = base + "".join(sign + grouped(part) for sign, part in pairs)
        return f"{said.replace('^′', '′')} "
    if node.tag == "mfrac":
        return f"{'/'.join(grouped(part) for part in parts)} "
    if node.tag in {"mover", "munder", "munderover"}:
        return parts[0]
    text = "".join(parts)
    return f" {text} " if node.tag == "mo" and text in SPACED else text


def grouped(text: str) -> str:
    """Return what stands above or below as one piece."""
    text = "".join(text.split())
    return text if ONE.fullmatch(text) else f"({text})"


class Walk:
    """Take the entries of a page from its article, each word into the innermost entry that holds it.

    Each name of the library and each word of the glossary has an entry of its own.
    """

    def __init__(self, article: LexborNode) -> None:
        self.entries: list[Entry] = []
        self._into(article, Entry("", "page"))

    def _new(self, anchor: str, kind: str, title: str = "") -> Entry:
        entry = Entry(anchor, kind, title)
        self.entries.append(entry)
        return entry

    def _into(self, node: LexborNode, entry: Entry) -> None:
        """Divide what an element holds among the entries."""
        for child in node.iter(include_text=True):
            anchor = (child.attributes or {}).get("id") or ""
            if child.tag == "section" and anchor:
                new = self._new(anchor, "section") if self.entries else self._new("", "page")
                self._into(child, new)
            elif child.tag == "dt" and anchor.startswith("term-"):
                entry = self._new(anchor, "word", seen(child))
            elif child.tag == "dt" and "sig-object" in classes(child):
                entry = self._new(anchor, "name", anchor)
                entry.words.append(seen(child))
            elif anchor.startswith("equation-"):
                tag = child.css_first("span.eqno")
                name = seen(tag) if tag else ""
                label = anchor.removeprefix("equation-")
                before = [words for words in entry.words if words.strip()][-1:]
                self._new(anchor, "equation", f"Equation {name} {label}").words += before
            elif child.tag in HEADS and not entry.title:
                entry.title = seen(child)
            elif "highlight" in classes(child):
                entry.words.append(f" {' '.join(BOUND.findall(child.text() or ''))} ")
            elif child.tag in BOXES and not classes(child) & UNSEEN_CLASSES:
                self._into(child, entry)
                entry.words.append(" ")
            else:
                entry.words.append(seen(child))


class SearchIndex:
    """All pages' entries, and the table of others' words."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.pages: dict[str, list[Entry]] = {}
        file = Path(app.srcdir) / WORDS
        self.others = table(file)["word"] if file.is_file() else []

    def add(self, page: Page) -> None:
        """Take over the entries of a page that has text."""
        if page.name not in self.app.env.found_docs:
            return
        article = page.tree.css_first("article")
        entries = Walk(article).entries if article else []
        titled = noted(self.app.env, page.name).title not in ("", page.name)
        if titled and not any(entry.title for entry in entries):
            page.wrong.append("the search finds no heading on the page: no article, section and h1")
        self.pages[page.name] = entries

    def dead(self) -> Iterator[str]:
        """Say which rows of the table lead nowhere."""
        if self.app.config.bptt_only_pages:
            return
        for row in self.others:
            name, _, anchor = row.get("at", "index.html").partition("#")
            if anchor not in {e.anchor for e in self.pages.get(name.removesuffix(".html"), [])}:
                yield f"{WORDS}: {row['others']!r} leads to {row['at']!r}, which the search does not know"

    def write(self) -> None:
        """Write the script."""
        pages = [
            [name, self._way(name), [entry.row() for entry in entries]]
            for name, entries in sorted(self.pages.items())
        ]
        data = {"pages": pages, "others": self.others}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        write(Path(self.app.outdir) / FILE, f"window.bpttSearch={text};\n")

    def _way(self, name: str) -> str:
        """Return the title of the part that a page belongs to."""
        folder = name.rpartition("/")[0]
        index = f"{folder}/index"
        return noted(self.app.env, index).title if index in self.pages and index != name else ""
