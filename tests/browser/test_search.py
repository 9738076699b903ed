"""The search answers: ours and others' words, typos, names, tags; with excerpts, from a server and from a file."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urljoin

import measure
import pytest
import served
from playwright.sync_api import Browser, Page, expect

# query -> a place (page.html#anchor) or any place of a page, any of which is right among the first three
QUERIES = {
    "vanishing": ["learn/vanishing.html"],
    "truncated": ["learn/truncated.html"],
    "gradient check fails": [
        "reference/faq.html#the-step-check-passes-the-sequence-check-fails-why",
        "reference/api/check.html",
    ],
    "hidden state between batches": ["learn/carried-state.html#windows-of-a-long-sequence"],
    "dhnext": ["learn/notation.html#names-elsewhere"],
    "W_hh": ["learn/notation.html#names-elsewhere"],
    "u": ["learn/notation.html#the-symbols"],
    "δ": ["learn/notation.html#the-symbols"],
    "teacher forcing": ["learn/decoder.html#its-own-outputs-as-inputs"],
    "neural ODE": ["learn/adjoint.html"],
    "transformer": ["learn/attention.html"],
    "deep equilibrium": ["learn/fixed-points.html"],
    "eligibility trace": ["learn/local-rules.html"],
    "recurrent dropout": ["learn/normalization.html"],
    "seq2seq": ["learn/decoder.html"],
    "LRU": ["learn/linear-recurrence.html"],
    "Mamba": ["learn/linear-recurrence.html#selective-layers"],
    "detach": ["howto/truncate.html"],
    "clip": ["learn/remedies.html#exploding-gradients-and-clipping"],
    "clip by value": ["tutorials/hundred-lines.html#why-clip-by-norm-and-not-by-value"],
    "min-char-rnn": ["tutorials/hundred-lines.html"],
    "embedding": ["tutorials/hundred-lines.html#equation-scatter"],
    "temperature": ["tutorials/hundred-lines.html#write"],
    "(BP2)": ["learn/bp2.html#equation-bp2"],
    "bp2-index": ["learn/bp2.html#equation-bp2-index"],
    "rtrl": ["learn/forward-in-time.html"],
    "layer_backward": ["reference/api/gradient.html#bptt.layer_backward"],
    "backward": ["reference/api/gradient.html#bptt.backward"],
    "gradient checkpointing": ["learn/memory.html"],
    "lstm forget gate": ["learn/gates.html"],
    "save and load": ["howto/resume.html"],
    "loss": ["learn/notation.html#cost-and-loss"],
    "exploding gradiant": ["learn/vanishing.html", "learn/remedies.html"],
    "paralel scan": ["learn/scan.html"],
    "answers": ["exercises/answers.html"],
    "solutions": ["exercises/answers.html"],
    "print": ["exercises/index.html"],
    "BibTeX": ["reference/cite.html#cite"],
    "license": ["reference/cite.html#license"],
    "install": ["reference/cite.html#get-the-library"],
    "repository": ["reference/cite.html#get-the-library"],
    "github": ["reference/cite.html#get-the-library"],
    "source code": ["reference/cite.html#get-the-library"],
    "what is bptt": ["index.html", "learn/index.html"],
    "exercise backpropagation": ["exercises/index.html", "exercises/one-step.html"],
    "total derivative chain rule": [
        "learn/notation.html#total-and-immediate-derivatives",
        "learn/tied-weights.html",
    ],
    "where to start": ["learn/index.html"],
    "unrolled network": ["learn/unrolling.html"],
    "prerequisites": ["learn/index.html"],
    "printable handout": ["learn/index.html#to-hand-out"],
    "lecture slides": ["learn/index.html"],
    "common mistakes in derivation": ["learn/errata.html"],
    "adapt for my course": ["reference/cite.html"],
    "check the backward pass": ["howto/own-cell.html#then-the-check"],
    "off by one time step": ["howto/bug-gallery.html"],
    "bias gradient shape": ["learn/notation.html", "exercises/one-step.html"],
    "load pytorch weights": ["howto/move-weights.html"],
    "tested with pytorch version": ["reference/cite.html#versions"],
    "supported python versions": ["reference/cite.html#versions"],
    "requirements": ["reference/cite.html#versions"],
    "resume training": ["howto/resume.html"],
    "compatibility": ["reference/cite.html#versions"],
    "notation table": ["learn/notation.html#the-symbols"],
    "literature": ["reference/bibliography.html"],
    "cheatsheet": ["reference/cheat-sheet.html"],
    "adam optimizer": ["reference/api/updates.html"],
    "release notes": ["changelog.html"],
    "performance compared to pytorch": ["reference/benchmarks.html"],
    "how are equations verified": ["reference/claims.html"],
    "how does backprop work in rnn": ["index.html"],
}
# query -> places of which each is among the first ten
ALL_OF = {
    "gradient check fails": [
        "howto/own-cell.html#when-it-is-wrong",
        "reference/faq.html#the-step-check-passes-the-sequence-check-fails-why",
        "reference/api/check.html",
    ],
    "print": [
        "learn/index.html#to-hand-out",
        "exercises/answers.html",
        "exercises/index.html",
        "reference/cheat-sheet.html",
    ],
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        yield reader.new_page()


def results(page: Page, home: str, words: str) -> list[str]:
    """Return where the results lead, in their order."""
    page.goto(f"{home}search.html?q={quote(words)}")
    page.wait_for_function("document.getElementById('search-told').textContent")
    links = page.locator("#search-results li > a").all()
    return [
        urljoin(page.url, link.get_attribute("href") or "").removeprefix(home) for link in links
    ]


def typed(page: Page, words: str) -> list[str]:
    """Return where the results lead for words that are typed into the page of results."""
    box = page.locator("#search-box")
    box.fill(words)
    box.press("Enter")
    return page.locator("#search-results li > a").evaluate_all("(all) => all.map((a) => a.href)")


def right(found: list[str], wanted: list[str]) -> bool:
    return any(
        place in (address, address.partition("#")[0]) for address in found[:3] for place in wanted
    )


def test_all_but_one_are_among_the_first_three(page: Page, home: str) -> None:
    page.goto(f"{home}search.html")
    found = {words: [a.removeprefix(home) for a in typed(page, words)] for words in QUERIES}
    wrong = {
        words: found[words][:5] for words in QUERIES if not right(found[words], QUERIES[words])
    }
    assert len(wrong) <= 1, wrong


def test_results_have_an_excerpt_and_a_way(page: Page, home: str) -> None:
    results(page, home, "singular values")
    first = page.locator("#search-results li").first
    expect(first.locator(".search-way")).to_contain_text("Vanishing")
    expect(first.locator(".search-excerpt mark").first).to_be_visible()


@pytest.mark.parametrize("words", ALL_OF)
def test_each_place_for_a_query_is_among_the_first_ten(words: str, page: Page, home: str) -> None:
    found = results(page, home, words)[:10]
    assert set(ALL_OF[words]) <= set(found), found


def test_an_excerpt_marks_what_was_typed_where_it_is_there(page: Page, home: str) -> None:
    results(page, home, "W_hh")
    first = page.locator("#search-results li").first
    marks = first.locator(".search-excerpt mark").all_inner_texts()
    assert {"W_hh", "Whh"} & set(marks), marks
    assert not {"names", "elsewhere", "recurrent"} & {mark.lower() for mark in marks}


def test_formulas_and_tables_can_be_read_in_excerpts(page: Page, home: str) -> None:
    results(page, home, "recurrent weight")
    place = page.locator("#search-results li:has(a[href$='#term-recurrent-weight'])")
    expect(place.locator(".search-excerpt")).to_contain_text("u_ij^l, from unit i at one step")
    expect(place.locator(".search-way")).to_have_text("Look up › Glossary")
    results(page, home, "dhraw")
    expect(page.locator(".search-excerpt").first).to_contain_text(" · ")


def test_from_a_file_it_finds_the_same(page: Page, home: str) -> None:
    served_ones = results(page, home, "clip")
    assert served_ones == results(page, f"{served.SITE.as_uri()}/", "clip")


def test_nothing_found_suggests(page: Page, home: str) -> None:
    assert results(page, home, "vanshgin") == []
    expect(page.locator("#search-told")).to_contain_text("Nothing matches")
    expect(page.locator("#search-told a").first).to_be_visible()
    expect(page.locator("#search-hints")).to_be_visible()


def test_an_empty_search_suggests(page: Page, home: str) -> None:
    page.goto(f"{home}search.html")
    expect(page.locator("#search-box")).to_be_focused()
    page.locator("#search-hints a").first.click()
    page.wait_for_url("**/search.html?q=*")
    expect(page.locator("#search-results li").first).to_be_visible()


@pytest.mark.parametrize("keys", ["Control+k", "/"])
def test_keys_lead_to_the_search(keys: str, page: Page, home: str) -> None:
    page.goto(f"{home}learn/descent.html")
    page.keyboard.press(keys)
    expect(page.locator(".sidebar-search")).to_be_focused()
    page.keyboard.type("clip")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=clip*")
    expect(page.locator("#search-results li").first).to_be_visible()


def test_on_a_phone_the_key_leads_to_its_page(browser: Browser, home: str) -> None:
    with measure.context(browser, "dark", 390) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/descent.html")
        page.keyboard.press("Control+k")
        page.wait_for_url("**/search.html")
