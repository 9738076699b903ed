"""Every page there is, in both themes and at two widths: nothing to hear, nothing foreign, nothing too wide.

A source page that is like another one is opened in one theme, at the width of a phone.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

import measure
import pytest
import served
from playwright.sync_api import BrowserContext

LOADED = {"stylesheet", "icon", "shortcut icon", "preload", "modulepreload", "manifest"}
DIGEST = re.compile(r"'sha256-[^']+'")
SOURCES = "_modules/"  # the library's modules: pages of one template, which differ in their code


class Kinds(HTMLParser):
    """Collects the kinds of elements on a page: tag, class and role, with the class of what is around.

    What a page loads, its policy for content and its own styles are kinds too, wherever the page stands; not so the
    foot of a printed page, which has the page's name, and the digests in the policy.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        html = (served.SITE / page).read_text("utf-8")
        self.folder = posixpath.dirname(page)
        self.around = [("", "")]
        self.styles = False
        self.found: set[tuple[str, ...]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name = told.get("class") or ""
        self.found.add((*self.around[-1], tag, name, told.get("role") or ""))
        if told.get("http-equiv"):
            self.found.add((tag, DIGEST.sub("'digest'", told.get("content") or "")))
        loads = told.get("href") if tag == "link" and told.get("rel") in LOADED else told.get("src")
        if loads:
            self.found.add((tag, posixpath.normpath(posixpath.join(self.folder, loads))))
        self.styles = tag == "style" and told.get("media") != "print"
        if tag not in {"br", "hr", "img", "input", "link", "meta"}:
            self.around.append((tag, name))

    def handle_data(self, data: str) -> None:
        if self.styles:
            self.found.add(("style", data))

    def handle_endtag(self, tag: str) -> None:
        self.styles = False
        while len(self.around) > 1 and self.around.pop()[0] != tag:
            pass


@cache
def kinds_on(page: str) -> set[tuple[str, ...]]:
    """Return the kinds of elements on a page, which is read once."""
    return Kinds(page).found


@cache
def of_every_kind() -> set[str]:
    """All pages, but of the sources only those with a kind of element that no other one shows before.

    What axe sees depends on these kinds alone.
    """
    everything = served.pages()
    sources = {page for page in everything if page.startswith(SOURCES)}
    return set(everything) - sources | some_of_every_kind(sources, slice(None))


@cache
def alone() -> list[str]:
    """Return the pages that are opened from a file, and without a script: some with every kind of element.

    What such a page asks for, shows and lacks depends on its kinds; how wide its words are is seen on all pages, with scripts.
    """
    return sorted(some_of_every_kind(of_every_kind(), slice(None)))


@cache
def to_point_at() -> set[str]:
    """Return the pages whose links and buttons are looked at while they are pointed at: some with each tag and class."""
    return some_of_every_kind(of_every_kind(), slice(2, 4))


def some_of_every_kind(pages: set[str], part: slice) -> set[str]:
    """Return pages that together have all kinds of elements, or all values of a part of each kind."""
    chosen, known = set(), set[tuple[str, ...]]()
    for page in sorted(pages, key=lambda page: -(served.SITE / page).stat().st_size):
        kinds = {kind[part] for kind in kinds_on(page)}
        if kinds - known:
            chosen.add(page)
        known |= kinds
    return chosen


def test_of_source_pages_alike_one_is_looked_at() -> None:
    sources, chosen = (
        [page for page in pages if page.startswith(SOURCES)]
        for pages in (served.pages(), of_every_kind())
    )
    assert 0 < len(chosen) < len(sources) / 3


KNOWN: set[str] = set()  # the kinds of text that pages showed to axe in this process


@pytest.mark.parametrize("page_name", served.pages())
def test_page(page_name: str, reader: Callable[..., BrowserContext], home: str) -> None:
    if page_name in of_every_kind():
        seen = measure.inspect(
            reader("light", 1280), home, page_name, known=KNOWN, pointed=page_name in to_point_at()
        )
    else:  # a source page like one of those: its code is all that is its own
        seen = measure.look(reader("light", 390), home, page_name)
    assert seen.wrong() == []


@pytest.mark.parametrize("page_name", alone())
def test_page_from_a_file(page_name: str, reader: Callable[..., BrowserContext]) -> None:
    if page_name == "404.html":
        return  # only a server hands it out, and it may know where that is
    seen = measure.look(reader("light", 390), f"{served.SITE.as_uri()}/", page_name)
    assert seen.wrong() == []


@pytest.mark.parametrize("page_name", alone())
def test_page_without_javascript(
    page_name: str, reader: Callable[..., BrowserContext], home: str
) -> None:
    seen = measure.look(reader("dark", 1280, script=False), home, page_name)
    assert seen.wrong() == []
