"""Repair what Sphinx, docutils and furo get wrong for axe, Lighthouse and the HTML checkers.

A repair says on which pages there is something for it to repair, as far as the sources tell, and not the written
markup. Where it then finds nothing, the markup has changed: `repair` says so, pages.py warns, and a warning makes the build red.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selectolax.lexbor import LexborNode
from sphinx.application import Sphinx

from _ext.publishing.notes import noted
from _ext.publishing.page import Page


@dataclass(frozen=True)
class Repair:
    """Something to do to the elements that a selector finds.

    `fact` names what a page must hold for the repair to be meant for it; "" means every page.
    """

    name: str
    selector: str
    act: Callable[[LexborNode, Page], None]
    fact: str = ""
    picked: Callable[[LexborNode], bool] = lambda _: True

    def apply(self, page: Page) -> int:
        """Repair a page, and return how many elements needed it."""
        found = [node for node in page.tree.css(self.selector) if self.picked(node)]
        for node in found:
            self.act(node, page)
        return len(found)


def setting(name: str, value: str) -> Callable[[LexborNode, Page], None]:
    """Return what gives an element an attribute."""

    def act(node: LexborNode, _: Page) -> None:
        node.attrs[name] = value

    return act


def _no_role(node: LexborNode, _: Page) -> None:
    del node.attrs["role"]


def _no_head(node: LexborNode, page: Page) -> None:
    node.replace_with(page.new("td"))


REPAIRS = (
    # Sphinx: a caption of the contents is a heading without a level.
    Repair("level of captions", "p.caption[role=heading]", setting("aria-level", "2"), "captions"),
    # docutils: a list without list items; a role that ARIA 1.3 deprecates.
    Repair("list of citations", "div.citation-list", _no_role, "citations"),
    Repair("role of citations", "[role=doc-biblioentry]", _no_role, "citations"),
    # docutils: the head of a column that has no words is none.
    Repair(
        "head without words", "th.head", _no_head, "empty heads", lambda th: not th.text(strip=True)
    ),
    # furo: two landmarks of one kind, without names.
    Repair("name of the sidebar", "aside.sidebar-drawer", setting("aria-label", "Site")),
    Repair("name of the contents", "aside.toc-drawer", setting("aria-label", "On this page")),
)


def meant_for(app: Sphinx, repair: Repair, name: str) -> bool:
    """Say whether a page holds what a repair is about; captions are in every page's sidebar."""
    pages = app.env.found_docs if repair.fact == "captions" else [name]
    return not repair.fact or any(repair.fact in noted(app.env, page).facts for page in pages)


def repair(app: Sphinx, page: Page) -> None:
    """Apply every repair to a page; complain where one is meant and finds nothing."""
    for each in REPAIRS:
        if not each.apply(page) and meant_for(app, each, page.name):
            page.wrong.append(f"the repair '{each.name}' finds nothing: no {each.selector}")
