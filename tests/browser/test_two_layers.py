"""Pages read in two layers: what a reader meets first is short, and every fold opens in each way it may be reached."""

from __future__ import annotations

import re
from io import BytesIO

import measure
import pytest
import reading_table
import served
from playwright.sync_api import Browser
from pypdf import PdfReader

SPINE = (  # the core of the derivation's map but for notation, which explains and claims nothing
    "feedforward", "unrolling", "bp2", "tied-weights", "boundaries", "vanishing", "triangle", "truncated", "gates",
)  # fmt: skip
PROVED_ELSEWHERE = {"unrolling"}  # what it claims, the next page proves
KEY = "bptt-layers"


@pytest.mark.parametrize("name", SPINE)
def test_a_page_of_the_spine_has_the_figures_it_should(browser: Browser, name: str):
    file = served.SITE / "learn" / f"{name}.html"
    found = reading_table.read(browser, file.resolve(), name, 1280)
    assert found.code <= 0.2
    assert found.screens <= 12
    assert found.claim is not None
    assert found.claim < 1
    assert found.figure is not None
    assert found.figure < 2
    if name not in PROVED_ELSEWHERE:
        assert found.proof is not None
        assert found.proof < 3
    assert found.stated is not None
    assert abs(found.stated - found.computed) <= 0.2 * found.computed


def test_one_switch_opens_and_closes_all_and_is_remembered(browser: Browser, home: str):
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        folds = page.locator("details.layer")
        assert folds.count() > 5
        assert page.locator("details.layer[open]").count() == 0
        page.get_by_role("button", name="With checks").click()
        assert page.locator("details.layer[open]").count() == folds.count()
        page.goto(f"{home}learn/tied-weights.html")
        assert page.locator("details.layer[open]").count() > 0
        page.get_by_role("button", name="Reading", exact=True).click()
        assert page.locator("details.layer[open]").count() == 0
        assert page.evaluate(f"() => localStorage.getItem('{KEY}')") == ""


def test_an_address_into_a_fold_opens_it(browser: Browser, home: str):
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        folded = page.locator("details.layer .cell[id]").first
        name = folded.get_attribute("id")
        assert not folded.locator("pre").first.is_visible()
        page.goto(f"{home}learn/bp2.html#{name}")
        folded.locator("pre").first.wait_for(state="visible")
        assert page.locator("details.layer[open]").count() == 1


def test_folds_open_without_a_script(browser: Browser, home: str):
    with measure.context(browser, "light", 390, script=False) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        fold = page.locator("details.layer.proof").first
        assert not fold.locator("pre").first.is_visible()
        fold.locator("summary").first.click()
        assert fold.locator("pre").first.is_visible()
        assert not page.locator(".layers-switch").is_visible()


def test_a_folded_cell_is_copied_with_what_it_needs(browser: Browser, home: str):
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        number = page.evaluate(
            "() => window.bptt.cells.findIndex((c) => c.pre.textContent.includes('def chain_rule'))"
        )
        text = page.evaluate(f"() => window.bptt.runnable({number})")
        assert "proof.bench(" in text
        assert "def readers(" in text


@pytest.mark.parametrize("layers", ["Reading", "With checks"])
def test_paper_has_what_a_fold_found_not_how(browser: Browser, home: str, layers: str):
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        page.get_by_role("button", name=layers).click()
        page.emulate_media(media="print")
        checked = page.locator("details.layer.checked").first
        assert checked.locator("summary").inner_text().startswith("Checked: ")
        assert not checked.locator("pre").first.is_visible()
        printed = page.locator("details.layer.proof:not(.checked)").filter(has_text="from above")
        assert printed.first.locator(".cell_output pre").first.is_visible()
        assert printed.first.locator(".cell_input pre").first.is_hidden()
        assert page.locator("details.layer .library-code pre").first.is_visible()
        assert page.locator("details.layer.plot summary").first.is_hidden()
        empty = page.locator("details.layer").filter(visible=True).evaluate_all(
            "all => all.filter((e) => e.innerText.trim() === e.querySelector('summary').innerText.trim()"
            " && !e.matches('.checked')).map((e) => e.innerText)"
        )  # fmt: skip
        assert empty == []


def test_the_foot_of_a_printed_page_says_which_it_is(browser: Browser, home: str):
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        printed = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True)))
    for sheet in printed.pages:
        text = " ".join(sheet.extract_text().split())
        assert "The error in time: (BP2) · " in text
        assert "learn/bp2" in text
        assert "BSD 3-Clause License" in text


@pytest.mark.parametrize(("name", "most"), [("learn/bp2", 6), ("reference/cheat-sheet", 1)])
def test_a_page_prints_as_a_handout(browser: Browser, home: str, name: str, most: int):
    """The pages of A4 are counted in the PDF that Chromium prints."""
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.goto(f"{home}{name}.html")
        page.evaluate("() => document.fonts.ready.then(() => null)")
        printed = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type ?/Page\b(?!s)", printed)) <= most
