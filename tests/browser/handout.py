"""Print the core of the derivation, seed to gates, as one PDF beside the built site, and link it from the map's page.

``python tests/browser/handout.py`` opens each page, takes its article, and prints all articles as one document, so
that the numbers of its pages go on. Its style is that of a printed page: folds closed, source and license below.
The page of the map has a marker where the link goes; without the PDF there is no link.
"""

from __future__ import annotations

import re
import sys

import measure
import served
from playwright.sync_api import Page
from pypdf import PdfReader

PDF = served.SITE / "learn" / "handout.pdf"
MAP = served.SITE / "learn" / "index.html"
MARKER = "<!-- handout -->"
LINK = '<p class="handout"><a href="handout.pdf">The core as one PDF</a>, {pages} pages of A4 to print.</p>'
CORE = ".derivation-map > li > p > a"
# An address on the machine that prints leads nowhere: it becomes that of the published site, or no address.
TAKE = """() => {
  const site = document.querySelector("link[rel=canonical]")?.href;
  for (const a of document.querySelectorAll("a[href]")) {
    if (new URL(a.href).origin !== location.origin) continue;
    if (site) a.href = new URL(a.getAttribute("href"), site).href;
    else a.removeAttribute("href");
  }
  const styles = [...document.querySelectorAll("head style, head link[rel=stylesheet]")];
  return [document.querySelector("article").outerHTML, ...styles.map((e) => e.outerHTML)];
}"""
PUT = """async ([articles, styles]) => {
  const here = document.querySelector("article"), whole = document.createElement("div");
  // What is added stands first, so that the style of a printed page, which comes later, has the last word.
  const known = new Set([...document.head.children].map((e) => e.outerHTML));
  document.head.insertAdjacentHTML("afterbegin", styles.filter((s) => !known.has(s)).join(""));
  whole.innerHTML = articles.join('<div style="break-after: page"></div>');
  here.replaceWith(whole);
  document.title = "Backpropagation through time, proved and run";
  await Promise.all([...document.querySelectorAll("link[rel=stylesheet]")].map((link) => link.sheet ||
    new Promise((done) => { link.onload = link.onerror = done; })));
  await document.fonts.ready;
}"""


def printed(page: Page, home: str) -> bytes:
    """Return the PDF of the core pages, in the order of the map."""
    page.goto(f"{home}learn/index.html")
    names = page.locator(CORE).evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    articles, styles = [], {}
    for name in names:
        page.goto(f"{home}learn/{name}")
        article, *used = page.evaluate(TAKE)
        articles.append(article)
        styles |= dict.fromkeys(used)
    page.evaluate(PUT, [articles, list(styles)])
    return page.pdf(prefer_css_page_size=True, outline=True, tagged=True)


def main() -> None:
    """Write the PDF, and the link to it."""
    with (
        measure.launch() as browser,
        served.serve() as home,
        measure.context(browser, "light", 1280) as reader,
    ):
        PDF.write_bytes(printed(reader.new_page(), home))
    pages = len(PdfReader(PDF).pages)
    text = MAP.read_text("utf-8")
    text, places = re.subn(f"{MARKER}(<p .*?</p>)?", MARKER + LINK.format(pages=pages), text)
    if not places:
        message = f"{MAP} has no place for the link to the PDF: build the site again"
        raise SystemExit(message)
    MAP.write_text(text, "utf-8")
    sys.stdout.write(f"{PDF.relative_to(served.ROOT)}: {pages} pages\n")


if __name__ == "__main__":
    main()
