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
# Seconds from a page's coming until its first cell is run by whoever reads what stands above.
READ = 5
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


def first_result(page: Page, home: str, name: str, read: float = 0) -> float:
    """Return the seconds from pressing Run at a page's first cell, `read` seconds after it came, to its result."""
    page.goto(f"{home}{name}.html")
    time.sleep(read)
    start = time.perf_counter()
    state = run(page, 1)
    if state != "done":
        message = f"{name}: the first cell ended in {state}"
        raise SystemExit(message)
    return time.perf_counter() - start


def figures(browser: Browser, home: str) -> Iterator[tuple[str, float, float]]:
    """Yield for some pages: what, the seconds it may take, the seconds it takes."""
    for name in PAGES:
        with reader(browser) as made:
            page = made.new_page()
            yield f"first live result, {name}, cold", 8, first_result(page, home, name)
            warm = f"first live result, {name}, warm"
            yield f"{warm}, next page, read for {READ} s", 5, first_result(page, home, name, READ)
            yield f"{warm}, new tab, at once", 5, first_result(made.new_page(), home, name)


def main() -> int:
    """Print the figures."""
    with measure.launch() as browser, served.serve() as home:
        for what, allowed, seconds in figures(browser, home):
            sys.stdout.write(f"{what}: {seconds:.1f} s (at most {allowed})\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
