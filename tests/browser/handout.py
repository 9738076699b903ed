"""Print the core of the derivation, seed to gates, as one PDF beside the built site, and link it from the map's page.

``python tests/browser/handout.py`` opens each page, takes its article, and prints all articles as one document, so
that the numbers of its pages go on, after a title and a table of contents. Its style is that of a printed page.
The page of the map has a marker where the link goes; without the PDF there is no link.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from functools import partial
from io import BytesIO

import measure
import served
from playwright.sync_api import Page
from pypdf import PdfReader

PDF = served.SITE / "learn" / "handout.pdf"
MAP = served.SITE / "learn" / "index.html"
MARKER = "<!-- handout -->"
LINK = '<p class="handout"><a href="handout.pdf">The core as one PDF</a>, {pages} pages of A4 to print.</p>'
CORE = ".derivation-map > li > p > a"
# The name of an element gets that of its page before it. A link to a page of the core leads to its place in the PDF;
# any other address on the machine that prints becomes that of the published site, or words without a link.
TAKE = """(core) => {
  const site = document.querySelector("link[rel=canonical]")?.href;
  const article = document.querySelector("article");
  const name = (url) => url.pathname.slice(location.pathname.lastIndexOf("/") + 1);
  for (const a of article.querySelectorAll("a[href]")) {
    const to = new URL(a.href);
    if (to.origin !== location.origin) continue;
    const inside = to.href.startsWith(new URL(".", location)) && core.includes(name(to));
    if (inside) a.href = `#${name(to)}${to.hash.replace("#", "-")}`;
    else if (site) a.href = new URL(a.getAttribute("href"), site).href;
    else a.removeAttribute("href");
  }
  for (const e of article.querySelectorAll("[id]:not(svg *)")) e.id = `${name(location)}-${e.id}`;
  article.id = name(location);
  const styles = [...document.querySelectorAll("head style:not(.foot), head link[rel=stylesheet]")];
  return [article.outerHTML, ...styles.map((e) => e.outerHTML)];
}"""
PUT = """async ([articles, styles, date]) => {
  const here = document.querySelector("article"), whole = document.createElement("div");
  const [version, made] = [...document.querySelectorAll(".provenance")].map((e) => e.innerText.replace(/ [·(].*/, ""));
  const site = document.querySelector("link[rel=canonical]")?.href;
  // What is added stands first, so that the style of a printed page, which comes later, has the last word.
  const known = new Set([...document.head.children].map((e) => e.outerHTML));
  document.head.insertAdjacentHTML("afterbegin", styles.filter((s) => !known.has(s)).join(""));
  document.querySelectorAll("style.foot, .provenance").forEach((e) => e.remove());
  document.title = "Backpropagation through time, proved and run";
  whole.innerHTML = `<div class="handout-title"><p>${document.title}</p><p>The core of the derivation</p>
    <p>${version}, printed on ${date}<br>${made}<br>BSD 3-Clause License<br></p></div>
    <nav class="handout-contents"><h1>Contents</h1></nav>${articles.join("")}`;
  whole.querySelectorAll(".headerlink").forEach((e) => e.remove());
  if (site) whole.querySelector(".handout-title p:last-child").append(new URL("..", site).href);
  for (const heading of whole.querySelectorAll("article :is(h1, h2)")) {
    const line = document.createElement("a");
    line.href = `#${heading.closest("[id]").id}`;
    line.className = heading.localName;
    line.append(...heading.cloneNode(true).childNodes, document.createElement("span"));
    whole.querySelector("nav").append(line);
  }
  // A bookmark takes of a formula what is not hidden from screen readers.
  whole.querySelectorAll("article :is(h1, h2, h3) .katex-mathml").forEach((e) => e.remove());
  whole.querySelectorAll("article :is(h1, h2, h3) .katex-html").forEach((e) => e.removeAttribute("aria-hidden"));
  here.replaceWith(whole);
  await Promise.all([...document.querySelectorAll("link[rel=stylesheet]")].map((link) => link.sheet ||
    new Promise((done) => { link.onload = link.onerror = done; })));
  await document.fonts.ready;
  // What is left out on paper is no place to lead to: what is around it is.
  for (const a of whole.querySelectorAll('a[href^="#"]')) {
    let at = document.getElementById(decodeURIComponent(a.hash.slice(1)));
    while (!at?.checkVisibility() || !at.id) at = at.parentElement;
    a.href = `#${at.id}`;
  }
}"""
NUMBER = """(numbers) => {
  for (const a of document.querySelectorAll(".handout-contents a")) a.lastChild.textContent = numbers[a.hash.slice(1)];
}"""


def printed(page: Page, home: str) -> bytes:
    """Return the PDF of the core pages, in the order of the map; its contents know their pages from a first print."""
    page.emulate_media(media="print")
    page.goto(f"{home}learn/index.html")
    names = page.locator(CORE).evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    articles, styles = [], {}
    for name in names:
        page.goto(f"{home}learn/{name}")
        article, *used = page.evaluate(TAKE, names)
        articles.append(article)
        styles |= dict.fromkeys(used)
    today = datetime.now(UTC)
    page.evaluate(PUT, [articles, list(styles), f"{today.day} {today:%B %Y}"])
    pdf = partial(page.pdf, prefer_css_page_size=True, outline=True, tagged=True)
    first = PdfReader(BytesIO(pdf()))
    places = first.named_destinations.items()
    numbers = {at.lstrip("/"): 1 + first.get_destination_page_number(to) for at, to in places}
    page.evaluate(NUMBER, numbers)
    return pdf()


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
