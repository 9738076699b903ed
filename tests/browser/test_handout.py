"""The core of the derivation as one PDF, which tests/browser/handout.py made before: read with pypdf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import handout
import measure
from playwright.sync_api import Browser
from pypdf import PdfReader
from pypdf.generic import Destination

import bptt

LICENSE = "BSD 3-Clause License"
ONLY_ON_THE_SITE = ("Next: ", "slider", "button", "With checks", "Copy with setup")


def flat(outline: list[Any]) -> Iterator[Destination]:
    """Yield all bookmarks."""
    for entry in outline:
        yield from flat(entry) if isinstance(entry, list) else [entry]


def test_the_pdf_is_whole_numbered_and_says_its_license() -> None:
    pages = PdfReader(handout.PDF).pages
    texts = [" ".join(page.extract_text().split()) for page in pages]
    assert 30 <= len(pages) <= 80
    for words in ("Backpropagation through time", bptt.__version__, "commit", "NumPy", "20"):
        assert words in texts[0]
    assert f"{LICENSE} Contents Notation and shapes 4 " in texts[1]
    for k, text in enumerate(texts, 1):
        assert LICENSE in text, k
        assert f"{k} / {len(pages)}" in text, k
        assert [words for words in ONLY_ON_THE_SITE if words in text] == [], k
    assert all(len(text) > 150 for text in texts), [len(text) for text in texts]


def test_the_contents_know_the_pages() -> None:
    found = PdfReader(handout.PDF)
    contents = [" ".join(p.extract_text().split()) for p in found.pages[1:4]]
    for entry in (e for e in found.outline if not isinstance(e, list)):
        page = found.get_destination_page_number(entry) + 1
        assert entry.title == "Contents" or f"{entry.title} {page}" in " ".join(contents)


def test_links_lead_to_places_in_the_pdf() -> None:
    found = PdfReader(handout.PDF)
    notes = [n.get_object() for p in found.pages for n in p.get("/Annots", [])]
    inside = [str(n["/Dest"]) for n in notes if "/Dest" in n]
    assert len(inside) > 200
    assert set(inside) <= set(found.named_destinations)
    assert any("bp2.html-equation-bp2" in name for name in inside)


def test_no_bookmark_has_a_hole() -> None:
    titles = [entry.title for entry in flat(PdfReader(handout.PDF).outline)]
    assert [t for t in titles if "  " in t or t != t.strip()] == []
    assert {
        "Line 4: drop what does not depend on zil(t)",
        "Line 5: a(zm) depends on zi only if m=i",
    } <= set(map(normal, titles))


def normal(text: str) -> str:
    """Return text as it is read, without what has no width."""
    return " ".join(text.replace("\u200b", "").split())


def test_the_pdf_has_every_page_of_the_core_in_order(browser: Browser, home: str) -> None:
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/index.html")
        names = page.locator(handout.CORE).evaluate_all(
            "all => all.map((a) => a.getAttribute('href'))"
        )
        titles = []
        for name in names:
            page.goto(f"{home}learn/{name}")
            titles.append(page.locator("article h1").evaluate("e => e.firstChild.textContent"))
    found = [entry.title for entry in PdfReader(handout.PDF).outline if not isinstance(entry, list)]
    assert [normal(title) for title in found] == ["Contents", *titles]


def test_the_map_links_the_pdf(browser: Browser, home: str) -> None:
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/index.html")
        link = page.locator(".handout a")
        assert page.request.get(link.evaluate("e => e.href")).headers["content-type"] == (
            "application/pdf"
        )
        assert f"{len(PdfReader(handout.PDF).pages)} pages" in page.inner_text(".handout")


def test_no_address_in_the_pdf_is_of_the_machine_that_printed_it() -> None:
    notes = [n.get_object() for p in PdfReader(handout.PDF).pages for n in p.get("/Annots", [])]
    addresses = [str(n["/A"]["/URI"]) for n in notes if "/URI" in n.get("/A", {})]
    assert addresses
    assert [a for a in addresses if "127.0.0.1" in a or a.startswith("file:")] == []
