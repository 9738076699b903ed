"""A reference shows what it leads to: by mouse, by keyboard, by a tap; nothing moves, nothing foreign is asked."""

from __future__ import annotations

from collections.abc import Iterator

import measure
import pytest
from playwright.sync_api import Browser, Page, expect

SLOW = 30_000  # milliseconds; the machine may be busy
PLACES = {  # a link of the article, and what its card shows
    "an equation of another page": (
        "learn/tied-weights.html",
        '[href*="html#equation-"]',
        ".katex",
    ),
    "a citation": ("learn/vanishing.html", '[href*="bibliography.html#id"]', ".citation"),
    "a word of the glossary": ("learn/bp2.html", '[href*="glossary.html#term-"]', "p"),
    "a name of the library": ("howto/own-cell.html", '[href*="#bptt."]', ".sig-name"),
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        yield reader.new_page()


@pytest.mark.parametrize("kind", PLACES)
def test_a_card_by_mouse(kind: str, page: Page, home: str) -> None:
    name, link, shown = PLACES[kind]
    seen = measure.Seen()
    seen.listen(page, home)
    page.goto(home + name)
    height = page.evaluate("document.body.scrollHeight")
    first = page.locator(f"article p {link}:visible").first
    first.hover()
    expect(page.locator(f".card {shown}").first).to_be_visible(timeout=SLOW)
    expect(first).to_have_attribute("aria-describedby", "card")
    assert page.evaluate("document.body.scrollHeight") == height
    page.locator(".card").hover()  # it can be entered
    page.wait_for_timeout(400)
    expect(page.locator(".card")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".card")).to_have_count(0)
    assert seen.wrong() == []


def test_a_card_by_keyboard(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    link = page.locator('article p a[href="#equation-bp2"]:visible').first
    link.evaluate("(e) => e.focus({ focusVisible: true })")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(page.locator(".card .katex").first).to_be_visible(timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.locator(".card")).to_have_count(0)


def test_a_card_by_touch(browser: Browser, home: str) -> None:
    with browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        link = page.locator('article p a[href="#equation-bp2"]:visible').first
        link.tap()
        expect(page.locator(".card .katex").first).to_be_visible(timeout=SLOW)
        assert not page.url.endswith("#equation-bp2")
        box = page.locator(".card").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        page.locator(".card").get_by_role("link", name="Go there").tap()
        page.wait_for_url("**#equation-bp2")
