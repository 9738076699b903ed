"""From any equation its mark opens, and two clicks reach the lines that are it and come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import measure
import pytest
import served
from playwright.sync_api import Browser, Page

INDEX = "reference/equations"


def book() -> dict:
    """Return the index as data."""
    return json.loads((served.SITE / f"{INDEX}.json").read_text("utf-8"))


def one_a_page() -> list[dict]:
    """Return the first equation with code of each page."""
    first: dict[str, dict] = {}
    for equation in book()["equations"]:
        if equation["code"]:
            first.setdefault(equation["page"], equation)
    return list(first.values())


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page of a reader."""
    with measure.context(browser, "light", 1280) as made:
        yield made.new_page()


@pytest.mark.parametrize(
    "name", ["learn/bp2", "learn/memory", "learn/tied-weights", "learn/triangle"]
)
def test_a_mark_says_all_its_checks_and_each_once(name: str, page: Page, home: str):
    page.goto(f"{home}{name}.html")
    for mark in page.locator("details.ledger").filter(has_text="Checked: ").all():
        said = mark.locator("summary").text_content() or ""
        checks = mark.locator("p", has_text="Checked: ").locator("a").all_text_contents()
        assert len(checks) == len(set(checks))
        assert all("cell " in check for check in checks)
        assert ("exactly" in said) == any(", exactly" in check for check in checks)
        assert ("e-" in said) == any("e-" in check for check in checks)


def test_two_clicks_reach_the_lines_and_come_back(page: Page, home: str):
    equations = one_a_page()
    assert len(equations) >= 10
    for equation in equations:
        here = f"{home}{equation['page']}.html"
        page.goto(here)
        wrapper = page.locator(f"[id='equation-{equation['label']}']")
        wrapper.locator("details.ledger > summary").click()
        wrapper.locator(".ledger a[href*='_modules/']").first.click()
        page.wait_for_url("**/_modules/**")
        target = page.locator(".ledger-line:target, .ledger-line:has(:target)")
        assert target.count() == 1, page.url
        assert target.is_visible()
        back = target.locator(f"a[href$='#equation-{equation['label']}']")
        back.first.click()
        page.wait_for_url(f"{here}#equation-{equation['label']}")
        assert wrapper.is_visible()


class Targets(HTMLParser):
    """Collects the anchors of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.update(value for name, value in attrs if name == "id" and value)


def test_every_link_of_the_index_leads_to_something(page: Page, home: str):
    """The targets are read from the files, for a link must work without a script too."""
    page.goto(f"{home}{INDEX}.html")
    links = page.locator(".equation-index a").evaluate_all("(all) => all.map((a) => a.href)")
    wanted: dict[str, set[str]] = {}
    for link in links:
        address, _, anchor = link.partition("#")
        assert address.startswith(home), link
        wanted.setdefault(unquote(address.removeprefix(home)), set()).add(unquote(anchor))
    assert len(wanted) > 10
    for name, anchors in wanted.items():
        assert anchors - {""} <= Targets(served.SITE / name).found, name


def rows_of(page: Page) -> list[str]:
    """Return the words of the rows that are seen."""
    return page.locator(".equation-index tr[data-kind]:visible").all_inner_texts()


def test_each_page_has_a_fold_that_reads_without_a_script(browser: Browser, home: str):
    pages = {equation["page"] for equation in book()["equations"]}
    with browser.new_context(java_script_enabled=False) as plain:
        page = plain.new_page()
        page.goto(f"{home}{INDEX}.html")
        folds = page.locator(".equation-index > details")
        assert folds.count() == len(pages)
        for fold in folds.all():
            fold.locator("summary").click()
        assert len(rows_of(page)) == len(book()["equations"])
        assert page.locator(".equation-filter").count() == 0


def test_a_word_a_kind_or_an_order_lists_what_it_finds(browser: Browser, home: str):
    count = len(book()["equations"])
    with measure.context(browser, "light", 390) as made:
        page = made.new_page()
        page.goto(f"{home}{INDEX}.html")
        order = page.get_by_role("combobox", name="Sort by")
        find = page.get_by_role("searchbox", name="Find")
        assert rows_of(page) == []
        assert order.locator("option:checked").inner_text() == "Page by page"

        order.select_option("Error")
        errors = page.locator("td[data-name=Error]:visible").evaluate_all(
            "(a) => a.map((c) => +c.dataset.key)"
        )
        assert len(errors) == count
        assert errors == sorted(errors, reverse=True)

        order.select_option("Page by page")
        find.fill("BP2")  # that number first, then numbers and labels with it
        labels = page.locator("td[data-name=Number]:visible").all_inner_texts()
        assert labels[0].startswith("(BP2)")
        named = ["bp2" in label.lower() for label in labels]
        assert len(labels) < count
        assert len(set(named)) == 2
        assert named == sorted(named, reverse=True)

        find.fill("")
        page.get_by_role("combobox", name="Kind").select_option("definition")
        assert len(rows_of(page)) == sum(e["kind"] == "definition" for e in book()["equations"])


def test_the_index_is_after_a_reload_and_after_back_as_it_was(browser: Browser, home: str):
    count = len(book()["equations"])
    with measure.context(browser, "light", 1280) as made:
        page = made.new_page()
        page.goto(f"{home}{INDEX}.html")
        page.locator(".equation-index summary").nth(2).click()
        opened = rows_of(page)
        assert opened
        page.reload()
        assert rows_of(page) == opened
        # The site had more pages when it was last seen.
        page.evaluate("history.replaceState({ ...history.state, open: [2, 999] }, '')")
        page.reload()
        assert rows_of(page) == opened
        assert page.get_by_text(f"{count} of {count}").count() == 1
        page.get_by_role("searchbox", name="Find").fill("lstm-")
        found = rows_of(page)
        assert found
        page.goto(home)
        page.go_back()
        assert page.get_by_role("searchbox", name="Find").input_value() == "lstm-"
        assert rows_of(page) == found
