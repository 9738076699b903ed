"""The core of the derivation as one PDF, which tests/browser/handout.py made before: read with pypdf."""

from __future__ import annotations

import handout
import measure
from playwright.sync_api import Browser
from pypdf import PdfReader

LICENSE = "BSD 3-Clause License"


def test_the_pdf_is_whole_numbered_and_says_its_license() -> None:
    pages = PdfReader(handout.PDF).pages
    texts = [" ".join(page.extract_text().split()) for page in pages]
    assert 30 <= len(pages) <= 60
    assert "Notation and shapes" in texts[0][:200]
    for k, text in enumerate(texts, 1):
        assert LICENSE in text, k
        assert f"{k} / {len(pages)}" in text, k
    assert all(len(text) > 200 for text in texts), [len(text) for text in texts]


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
    assert [title.removesuffix("#") for title in found] == titles


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
