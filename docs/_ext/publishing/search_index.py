"""The index that the search page reads (_static/search.js): every section, name, equation and word of the glossary.

It is a script and not JSON, since a page that was opened from a file may load scripts and fetch nothing. An entry has the
words that a reader sees; a formula within a line reads as it would be typed, ``u_ij^l``, and cells of a table stand apart.
Displayed formulas and blocks of code are left out, but for the names that a block binds.
``docs/search_words.toml`` says which words others use for ours, and where a reader who searches with them should arrive.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selectolax.lexbor import LexborNode
from sphinx.application import Sphinx

from _ext.execution.record import table, write
from _ext.publishing.metadata import noted, way
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
    inline = node.tag in {"a", "b", "code", "em", "i", "span", "strong", "sub", "sup"}
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


def divide(node: LexborNode, entry: Entry, entries: list[Entry]) -> None:
    """Divide what an element holds among the entries of a page, each word into the innermost entry that holds it."""
    for child in node.iter(include_text=True):
        anchor = (child.attributes or {}).get("id") or ""
        if child.tag == "section" and anchor:
            entries.append(Entry(anchor, "section") if entries else Entry("", "page"))
            divide(child, entries[-1], entries)
        elif child.tag == "dt" and anchor.startswith("term-"):
            entries.append(entry := Entry(anchor, "word", seen(child)))
        elif child.tag == "dt" and "sig-object" in classes(child):
            entries.append(entry := Entry(anchor, "name", anchor, [seen(child)]))
        elif anchor.startswith("equation-"):
            tag = child.css_first("span.eqno")
            title = f"Equation {seen(tag) if tag else ''} {anchor.removeprefix('equation-')}"
            before = [words for words in entry.words if words.strip()][-1:]
            entries.append(Entry(anchor, "equation", title, before))
        elif child.tag in HEADS and not entry.title:
            entry.title = seen(child)
        elif "highlight" in classes(child):
            entry.words.append(f" {' '.join(BOUND.findall(child.text() or ''))} ")
        elif child.tag in BOXES and not classes(child) & UNSEEN_CLASSES:
            divide(child, entry, entries)
            entry.words.append(" ")
        else:
            entry.words.append(seen(child))


class SearchIndex:
    """All pages' entries, and the table of others' words."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.pages: dict[str, list[Entry]] = {}
        self.others = table(Path(app.srcdir) / WORDS).get("word", [])

    def add(self, page: Page) -> None:
        """Take over the entries of a page that has text."""
        if page.name not in self.app.env.found_docs:
            return
        entries: list[Entry] = []
        for article in page.tree.css("article"):
            divide(article, Entry("", "page"), entries)
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
        pages = []
        for name, entries in sorted(self.pages.items()):
            rows = [[e.anchor, e.kind, _plain(e.title), _plain("".join(e.words))] for e in entries]
            pages.append([name, self._way(name), rows])
        data = {"pages": pages, "others": self.others}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        write(Path(self.app.outdir) / FILE, f"window.bpttSearch={text};\n")

    def _way(self, name: str) -> str:
        """Return the title of the part that a page belongs to."""
        env, index = self.app.env, f"{name.rpartition('/')[0]}/index"
        return "" if index == name else way(env, name).get("title", noted(env, index).title)
