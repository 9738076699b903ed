"""Photograph one built page: light and dark, 1280 and 390 pixels wide.

``python tests/browser/shoot.py PAGE OUTDIR [--site SITE]`` writes four full-page PNGs and says what a
person would have to notice otherwise: sideways overflow, console messages, requests that left the site.
It exits with 1 if there were any. PAGE is a page's name (``learn/feedforward``) or a path to an HTML file.
Needs playwright for Python and a Chromium; set ``CHROMIUM`` to its path if it is not on PATH.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measure import THEMES, WIDTHS, launch
from playwright.sync_api import Browser, Page

SITE = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"
OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [...document.querySelectorAll('article *')]
    .filter(e => e.getBoundingClientRect().right > wide + 1).slice(0, 5)
    .map(e => e.tagName.toLowerCase() + '.' + (e.getAttribute('class') || ''));
}"""


def find(page: str, site: Path) -> Path:
    """Return the HTML file of a page, given its name or its path."""
    for file in (Path(page), site / f"{page}.html"):
        if file.is_file():
            return file.resolve()
    message = f"no built page {page!r} under {site}: build it with nox -s docs"
    raise SystemExit(message)


def photograph(browser: Browser, file: Path, out: Path, width: int, theme: str) -> list[str]:
    """Write one PNG; return what is wrong with the page."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page: Page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda m: wrong.append(f"console: {m.text}"))
    page.on("pageerror", lambda e: wrong.append(f"page error: {e}"))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(f"asks {r.url}"),
    )
    page.goto(file.as_uri())
    wrong += [f"overflows sideways: {e}" for e in page.evaluate(OVERFLOW)]
    page.screenshot(path=out / f"{file.stem}-{width}-{theme}.png", full_page=True)
    context.close()
    return wrong


def main() -> int:
    """Photograph the page named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("page")
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--site", type=Path, default=SITE)
    args = parser.parse_args()
    file = find(args.page, args.site)
    args.outdir.mkdir(parents=True, exist_ok=True)
    bad = False
    with launch() as browser:
        for width in WIDTHS:
            for theme in THEMES:
                wrong = photograph(browser, file, args.outdir, width, theme)
                bad = bad or bool(wrong)
                sys.stdout.writelines(f"{width} {theme}: {w}\n" for w in wrong)
    sys.stdout.write(f"four pictures of {file.name} in {args.outdir}\n")
    return int(bad)


if __name__ == "__main__":
    raise SystemExit(main())
