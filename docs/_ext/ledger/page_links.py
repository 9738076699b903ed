"""Write what the ledger knows where a reader looks: under an equation, in the API, in the source."""

import html

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from _ext.api.objects import page_of
from _ext.formulas.references import anchor
from _ext.ledger import phrases
from _ext.ledger.model import EQUATION, CellCheck, Ledger, anchors, ledger
from _ext.ledger.source import Named
from _ext.publishing.metadata import noted

COMMENT = '<span class="c1">'  # as Pygments writes it
LINE = '<span class="ledger-line"'


class View:
    """The ledger as a page shows it: links from this page to all that belongs to an equation, as HTML."""

    def __init__(self, app: Sphinx, here: str) -> None:
        self.book, self.builder, self.here = ledger(app), app.builder, here

    def uri(self, page: str, anchor: str) -> str:
        """Return what leads to a place."""
        return f"{self.builder.get_relative_uri(self.here, page)}#{anchor}"

    def equation_uri(self, label: str) -> str:
        """Return what leads to an equation."""
        return self.uri(self.book.equations[label].docname, anchor(label))

    def source_uri(self, at: Named, anchor: str) -> str:
        """Return what leads to a line of the library."""
        return self.uri(page_of(at.module), anchor)

    def equation(self, label: str) -> str:
        """Return a link to an equation."""
        return link(self.equation_uri(label), html.escape(self.book.name(label)))

    def code(self, label: str) -> list[str]:
        """Return links to the lines that are an equation."""
        return [
            link(self.source_uri(at, anchor), f"{at.module.rpartition('.')[2]}.py, line {at.line}")
            for at, anchor in self.book.code.get(label, [])
        ]

    def api(self, label: str) -> list[str]:
        """Return links to the entries of the API that name an equation, by what they are called."""
        return [
            link(self.uri(*entry), f"<code>{html.escape(entry[1].rpartition('.')[2])}</code>")
            for entry in self.book.api.get(label, [])
        ]

    def checks(self, checks: list[CellCheck]) -> list[str]:
        """Return links to cells that check an equation, each by what it found and where; the same is said once."""
        found = {}
        for c in checks:
            elsewhere = c.docname != self.book.equations[c.found.label].docname
            title = f"{noted(self.builder.env, c.docname).title}, " if elsewhere else ""
            words = f"{phrases.said([c.found])} ({html.escape(title)}cell {c.cell})"
            found[link(self.uri(c.docname, c.anchor), words)] = None
        return list(found)


def link(uri: str, words: str) -> str:
    """Return a link, of words that are markup already."""
    return f'<a class="reference internal" href="{html.escape(uri)}">{words}</a>'


def mark(book: Ledger, label: str) -> str:
    """Say in two words how well an equation was checked; nothing if it was not."""
    checks = [check.found for check in book.proofs(label)]
    worst = phrases.worst(checks)
    found = ["exactly"] if any(check.kind == "exact" for check in checks) else []
    if worst is not None:
        found.append(f"to {worst:.1e}" if worst else "to the last digit")
    if checks and not found:
        found = ["as a bound"]
    return f"checked, {', and in numbers '.join(found)}" if found else ""


def evidence(view: View, label: str) -> list[str]:
    """Return a line on each sort of thing that belongs to an equation: its checks, what breaks it, its code, its API."""
    book = view.book
    sorts = {
        "Checked": view.checks(book.proofs(label)),
        "Fails without its assumption": view.checks(book.failures(label)),
        "Code": view.code(label),
        "Reference": view.api(label),
    }
    return [f"{name}: {', '.join(links)}" for name, links in sorts.items() if links]


def note(view: View, label: str) -> str:
    """Return the mark under an equation, which opens."""
    said, rows = mark(view.book, label), evidence(view, label)
    excuse = view.book.excuse(label)
    if label not in view.book.code and excuse.kind != EQUATION:
        of = f" of {view.equation(excuse.of)}" if excuse.of in view.book.equations else ""
        rows.append(f"{excuse.kind.capitalize()}{of}")
    if not rows:
        return ""
    inside = "".join(f"<p>{row}</p>" for row in rows)
    tick = "✓ " if said else ""
    return f'<details class="ledger"><summary>{tick}{said or "about"}</summary>{inside}</details>'


def show(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put its line under each equation of a page; end each entry of the API with the equations that it is."""
    view = View(app, docname)
    book = view.book
    for node in list(doctree.findall(nodes.math_block)):
        if node.get("label") in book.equations and (line := note(view, node["label"])):
            node.parent.insert(node.parent.index(node) + 1, nodes.raw("", line, format="html"))
    for entry in list(doctree.findall(addnodes.desc)):
        here = (docname, *entry[0]["ids"][:1])
        labels = [label for label in book.equations if here in book.api.get(label, ())]
        if labels:
            line = f'<p class="ledger">Equations: {", ".join(map(view.equation, labels))}</p>'
            entry[-1].append(nodes.raw("", line, format="html"))


def mark_lines(app: Sphinx, here: str, module: str, lines: list[str]) -> None:
    """Make of the names in comments that mark equations links, and of their lines targets; lines are markup already."""
    view = View(app, here)
    for mark, name, target in anchors(m for m in view.book.marks if m.module == module):
        code, begin, comment = lines[mark.words_at - 1].partition(COMMENT)
        if label := view.book.label(name):
            to = link(view.equation_uri(label), f"({name})")
            comment = comment.replace(f"({name})", to, 1)
        if code.startswith(LINE):  # the target of another name
            line = f'{code}<span id="{target}"></span>{begin}{comment}'
        else:
            line = f'{LINE} id="{target}">{code}{begin}{comment}</span>'
        lines[mark.words_at - 1] = line
