"""Every page there is, in both themes and at two widths: nothing to hear, nothing foreign, nothing too wide."""

from __future__ import annotations

from collections.abc import Callable

import measure
import served
from playwright.sync_api import BrowserContext


def test_page(page_name: str, reader: Callable[..., BrowserContext], home: str) -> None:
    seen = measure.inspect(reader("light", 1280), home, page_name)
    assert seen.wrong() == []


def test_page_from_a_file(page_name: str, reader: Callable[..., BrowserContext]) -> None:
    if page_name == "404.html":
        return  # only a server hands it out, and it may know where that is
    seen = measure.look(reader("light", 390), f"{served.SITE.as_uri()}/", page_name)
    assert seen.wrong() == []


def test_page_without_javascript(
    page_name: str, reader: Callable[..., BrowserContext], home: str
) -> None:
    seen = measure.look(reader("dark", 1280, script=False), home, page_name)
    assert seen.wrong() == []
