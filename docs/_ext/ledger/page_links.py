"""Write what the ledger knows where a reader looks: under an equation, in the API, in the source.

Under each equation a small line leads to the code that is it and to the cells that check it. An API entry
ends with the equations of its code. In the highlighted source a mark is a link back to the equation.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from _ext.ledger import phrases
from _ext.ledger.collect import ledger
from _ext.ledger.model import DEFINITION, CellCheck, Ledger, Lines, anchors
from _ext.ledger.source import NAME

Uri = Callable[[str, str], str]  # of a page and an anchor


def link(uri: str, words: str) -> str:
    """Return a link, of words that are markup already."""
    return f'<a class="reference internal" href="{html.escape(uri)}">{words}</a>'


def target(label: str) -> str:
    """Return the id of an equation."""
    return nodes.make_id(f"equation-{label}")


def uri_from(app: Sphinx, here: str) -> Uri:
    """Return what leads from one page to others."""

    def uri(page: str, anchor: str) -> str:
        relative = "" if page == here else app.builder.get_relative_uri(here, page)
        return f"{relative}#{anchor}"

    return uri


def result(check: CellCheck) -> str:
    """Say what a check found, in a few words."""
    return phrases.holds([check.found]) if check.found.holds else phrases.fails([check.found])


def code_links(lines: list[Lines], uri: Uri) -> list[str]:
    """Return links to the lines that are an equation."""
    return [link(uri(at.page, at.anchor), at.words) for at in lines]


def check_links(checks: list[CellCheck], uri: Uri) -> list[str]:
    """Return links to the cells that check an equation."""
    return [link(uri(c.docname, c.anchor), result(c)) for c in checks]


def api_links(entries: list[tuple[str, str]], uri: Uri) -> list[str]:
    """Return links to the entries of the API that name an equation, by what they are called."""
    return [
        link(uri(page, anchor), f"<code>{html.escape(anchor.rpartition('.')[2])}</code>")
        for page, anchor in entries
    ]


def mark(book: Ledger, label: str) -> str:
    """Say in two words how well an equation was checked; nothing if it was not."""
    checks = [check.found for check in book.proofs(label)]
    worst = phrases.worst(checks)
    if any(check.kind == "exact" for check in checks):
        return "checked, exactly"
    if worst is not None:
        return f"checked, to {worst:.1e}" if worst else "checked, to the last digit"
    return "checked, as a bound" if checks else ""


def note(book: Ledger, label: str, uri: Uri) -> str:
    """Return the mark under an equation, which opens: its checks, what breaks it, its code, its API."""
    lines, said = book.code.get(label, []), mark(book, label)
    sorts = [
        ("Checked", check_links(book.proofs(label), uri)),
        ("Fails without its assumption", check_links(book.failures(label), uri)),
        ("Code", code_links(lines, uri)),
        ("Reference", api_links(book.api.get(label, []), uri)),
    ]
    rows = [f"{name}: {', '.join(links)}" for name, links in sorts if links]
    if not lines and (why := _why(book, label, uri)):
        rows.append(f"{why[0].upper()}{why[1:]}")
    if not rows:
        return ""
    inside = "".join(f"<p>{row}</p>" for row in rows)
    tick = "✓ " if said else ""
    return f'<details class="ledger"><summary>{tick}{said or "about"}</summary>{inside}</details>'


def _why(book: Ledger, label: str, uri: Uri) -> str:
    """Return, for an equation without code, why it has none."""
    of = book.kinds.shared.get(label)
    if of is not None and of in book.equations:
        to = book.equations[of].docname, target(of)
        words = "proves" if label in book.kinds.proof else "another form of"
        return f"{words} {link(uri(*to), book.name(of))}"
    return "definition" if book.kind(label) == DEFINITION else ""


def under_equations(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put its line under each equation of a page."""
    book, uri = ledger(app), uri_from(app, docname)
    for node in list(doctree.findall(nodes.math_block)):
        if node.get("label") in book.equations and (line := note(book, node["label"], uri)):
            node.parent.insert(node.parent.index(node) + 1, nodes.raw("", line, format="html"))


def in_api(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """End each entry of the API on a page with the equations that it is."""
    book, uri = ledger(app), uri_from(app, docname)
    named: dict[str, list[str]] = {}
    for label, entries in book.api.items():
        for page, anchor in entries:
            if page == docname:
                named.setdefault(anchor, []).append(label)
    for entry in list(doctree.findall(addnodes.desc)):
        ids = [i for signature in entry.findall(addnodes.desc_signature) for i in signature["ids"]]
        labels = named.get(ids[0], []) if ids else []
        if labels and isinstance(content := entry[-1], addnodes.desc_content):
            links = [
                link(
                    uri(book.equations[label].docname, target(label)), html.escape(book.name(label))
                )
                for label in sorted(labels, key=list(book.equations).index)
            ]
            line = f'<p class="ledger">Equations: {", ".join(links)}</p>'
            content += nodes.raw("", line, format="html")


@dataclass(frozen=True)
class Marked:
    """A line of the source with a mark: the ids that it gets, and the links of the names in its comment."""

    ids: list[str]
    links: dict[str, str]

    def linked(self, comment: str) -> str:
        """Return the comment, which is markup already, with its names as links."""
        return NAME.sub(lambda name: self.links.get(name[1], name[0]), comment)

    def line(self, code: str) -> str:
        """Return the line, as the target of its ids."""
        first, *rest = (html.escape(name) for name in self.ids)
        others = "".join(f'<span id="{name}"></span>' for name in rest)
        return f'<span class="ledger-line" id="{first}">{others}{code}</span>'


def marked(app: Sphinx, here: str, module: str) -> dict[int, Marked]:
    """Return the lines of a module whose comments mark equations, for its page."""
    book, uri = ledger(app), uri_from(app, here)
    found: dict[int, Marked] = {}
    for mark, name, anchor in anchors(m for m in book.marks if m.module == module):
        line = found.setdefault(mark.words_at, Marked([], {}))
        line.ids.append(anchor)
        if (label := book.label(name)) is not None:
            to = uri(book.equations[label].docname, target(label))
            line.links[name] = link(to, html.escape(f"({name})"))
    return found
