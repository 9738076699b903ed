"""Measure live cells: ``python tests/browser/live_figures.py`` (part of ``nox -s site``)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import measure
import served
from playwright.sync_api import Browser, BrowserContext, Page

PAGES = ("index", "learn/bp2")
LONGEST = 600_000  # milliseconds that a cell may take
STATE = "(number) => ['done', 'error'].includes(bptt.cells[number].box.dataset.state)"


def run(page: Page, number: int, timeout: float = LONGEST) -> str:
    """Press Run at a cell (from 1) and wait; return the state it ends in."""
    page.evaluate(
        "() => document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"
    )
    cell = page.locator("div.cell:has(.cell_input)").nth(number - 1)
    cell.get_by_role("button", name=f"Run cell {number}", exact=True).click()
    page.wait_for_function("() => window.bptt.live")
    page.wait_for_function(STATE, arg=number - 1, timeout=timeout)
    return str(cell.get_attribute("data-state"))


@contextmanager
def reader(browser: Browser) -> Iterator[BrowserContext]:
    """Return a reader with an empty cache."""
    with measure.context(browser, "light", 1280) as made:
        yield made


def first_result(page: Page, home: str, name: str) -> float:
    """Return the seconds from pressing Run at a page's first cell to its result."""
    page.goto(f"{home}{name}.html")
    start = time.perf_counter()
    state = run(page, 1)
    if state != "done":
        message = f"{name}: the first cell ended in {state}"
        raise SystemExit(message)
    return time.perf_counter() - start


def figures(browser: Browser, home: str) -> list[tuple[str, str, float, float]]:
    """Return for some pages: what, its unit, cold and warm seconds."""
    rows = []
    for name in PAGES:
        with reader(browser) as made:
            page = made.new_page()
            cold = first_result(page, home, name)
            page.close()
            warm = first_result(made.new_page(), home, name)
        rows.append((f"first live result, {name}", "s", cold, warm))
    return rows


def main() -> int:
    """Print the figures."""
    with measure.launch() as browser, served.serve() as home:
        for what, unit, cold, warm in figures(browser, home):
            sys.stdout.write(f"{what}: {cold:.1f} {unit} cold, {warm:.1f} {unit} warm\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
