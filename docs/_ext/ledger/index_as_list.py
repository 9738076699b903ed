"""Say the index of equations where a page is no HTML: in its notebook and its Markdown, a list in place of the table."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

from _ext.ledger import index, page_links
from _ext.ledger.collect import EquationIndex, ledger


def fill(app: Sphinx, docname: str, doctree: nodes.document) -> None:
    """Put into an index, whose table is written already, what its page's twins say."""
    places = list(doctree.findall(EquationIndex))
    if not places:
        return
    book, uri = ledger(app), page_links.uri_from(app, docname)
    listed = nodes.bullet_list()
    for equation in book.equations.values():
        label, checks = equation.label, book.proofs(equation.label)
        where = uri(equation.docname, page_links.target(label))
        words = f", {len(checks)} checks" if len(checks) != 1 else ", 1 check"
        words += f", error {index.error_words(checks)}, {book.kind(label)}"
        head = nodes.paragraph("", "", nodes.reference("", f"({equation.number})", refuri=where))
        head += [nodes.Text(" "), nodes.literal(label, label), nodes.Text(words)]
        listed += nodes.list_item("", head, nodes.math_block("", equation.tex))
    for place in places:
        place.children = []
        place.append(listed.deepcopy())
