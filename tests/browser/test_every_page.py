"""Every page there is, in both themes and at two widths: nothing to hear, nothing foreign, nothing too wide."""

from __future__ import annotations

import measure
import pytest
import served
from playwright.sync_api import Browser


@pytest.mark.parametrize("width", measure.WIDTHS)
@pytest.mark.parametrize("theme", measure.THEMES)
def test_page(page_name: str, theme: str, width: int, browser: Browser, home: str) -> None:
    with measure.context(browser, theme, width) as reader:
        seen = measure.look(reader, home, page_name, axe=True)
    assert seen.wrong() == []


def test_page_from_a_file(page_name: str, browser: Browser) -> None:
    if page_name == "404.html":
        return  # only a server hands it out, and it may know where that is
    with measure.context(browser, "light", 390) as reader:
        seen = measure.look(reader, f"{served.SITE.as_uri()}/", page_name)
    assert seen.wrong() == []


def test_page_without_javascript(page_name: str, browser: Browser, home: str) -> None:
    with measure.context(browser, "dark", 1280, script=False) as reader:
        seen = measure.look(reader, home, page_name)
    assert seen.wrong() == []
