"""Repair what Sphinx, docutils and furo get wrong for axe, Lighthouse and the HTML checkers."""

from collections.abc import Callable
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from _ext.publishing.page import Page


class Repair(NamedTuple):
    """Something to do to the elements that a selector finds: some are on the page `on`; "" means on every page."""

    name: str
    selector: str
    act: Callable[[LexborNode, Page], None]
    on: str = ""


def give(name: str, value: str) -> Callable[[LexborNode, Page], None]:
    """Return what gives an element an attribute."""

    def act(node: LexborNode, _: Page) -> None:
        node.attrs[name] = value

    return act


def _no_role(node: LexborNode, _: Page) -> None:
    del node.attrs["role"]


def _no_head(node: LexborNode, page: Page) -> None:
    node.replace_with(page.tree.create_node("td"))


CITATIONS = "reference/bibliography"
REPAIRS = (
    # Sphinx: a caption of the contents is a heading without a level.
    Repair("level of captions", "p.caption[role=heading]", give("aria-level", "2"), "learn/index"),
    # docutils: a list without list items; a role that ARIA 1.3 deprecates.
    Repair("list of citations", "div.citation-list", _no_role, CITATIONS),
    Repair("role of citations", "[role=doc-biblioentry]", _no_role, CITATIONS),
    # docutils: the head of a column that has no words is none.
    Repair("head without words", "th.head:empty, th.head:has(p:empty)", _no_head, "learn/notation"),
    # furo: two landmarks of one kind, without names.
    Repair("name of the sidebar", "aside.sidebar-drawer", give("aria-label", "Site")),
    Repair("name of the contents", "aside.toc-drawer", give("aria-label", "On this page")),
)


def repair(page: Page) -> None:
    """Apply every repair to a page; complain where one finds nothing and should."""
    for each in REPAIRS:
        found = page.tree.css(each.selector)
        for node in found:
            each.act(node, page)
        if not found and each.on in ("", page.name):
            page.wrong.append(f"the repair '{each.name}' finds nothing: no {each.selector}")
