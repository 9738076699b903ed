"""Small things that readers met: what was cut, touched or out of a keyboard's reach."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import measure
import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

WIDER = "(all) => all.filter((it) => it.scrollWidth > it.clientWidth + 1).length"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        yield reader.new_page()


def apart(page: Page, one: str, other: str) -> list[float]:
    """Return how far the second of each pair stands right of the first."""
    left, right = (page.locator(each).all() for each in (one, other))
    boxes = [(a.bounding_box(), b.bounding_box()) for a, b in zip(left, right, strict=True)]
    return [b["x"] - a["x"] - a["width"] for a, b in boxes if a and b]


@pytest.mark.parametrize(
    "style", ["width: 600px", "margin-left: -60px", "width: 9px; overflow: clip"]
)
def test_what_a_phone_does_not_show_is_seen(style: str, page: Page, home: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{home}reference/cite.html")
    assert page.evaluate(measure.WIDE) + page.evaluate(measure.CUT) == []
    page.locator("article section p").first.evaluate(
        "(it, s) => it.setAttribute('style', s)", style
    )
    assert page.evaluate(measure.WIDE) + page.evaluate(measure.CUT)


def test_no_line_of_the_only_cell_of_home_is_cut(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    assert page.locator("div.cell pre").count() >= 1
    assert page.locator("div.cell pre").evaluate_all(WIDER) == 0


def test_home_is_one_screen(page: Page, home: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{home}index.html")
    assert page.locator(".ways").evaluate("(it) => it.getBoundingClientRect().bottom") <= 800


def test_weights_of_other_frameworks_fit_beside_the_contents(page: Page, home: str) -> None:
    page.goto(f"{home}reference/api/interop.html")
    table = page.locator(".table-wrapper").first
    assert table.evaluate("(it) => it.scrollWidth - it.clientWidth") == 0


def test_a_citation_is_seen_whole_and_can_be_copied(page: Page, home: str) -> None:
    page.goto(f"{home}reference/cite.html")
    blocks = page.locator("#cite .wrapped pre")
    assert blocks.count() == 2
    assert blocks.evaluate_all(WIDER) == 0
    assert page.locator("#cite .wrapped button").all_inner_texts() == ["Copy", "Copy"]


def test_the_names_of_other_sources_are_not_cut(page: Page, home: str) -> None:
    page.goto(f"{home}learn/notation.html")
    table = page.locator("#names-elsewhere .table-wrapper")
    assert table.count() == 1
    assert table.evaluate_all(WIDER) == 0


def test_no_formula_of_the_index_of_equations_is_cut(page: Page, home: str) -> None:
    page.goto(f"{home}reference/equations.html")
    page.get_by_role("combobox", name="Sort by").select_option("Number")
    formulas = page.locator(".equation-index .math-scroll:visible")
    assert formulas.count() > 100
    assert formulas.evaluate_all(WIDER) == 0


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_titles_on_the_map_do_not_run_into_their_minutes(page: Page, home: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{home}learn/index.html")
    gaps = apart(page, ".derivation-map a", ".derivation-map .minutes")
    assert len(gaps) > 20
    assert min(gaps) >= min(6, width / 120), gaps


@pytest.mark.parametrize(("width", "size"), [(390, 100), (320, 100), (390, 200), (1280, 200)])
def test_the_map_fits_small_screens_and_large_text(
    browser: Browser, home: str, width: int, size: int
) -> None:
    with measure.context(browser, "light", width) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/index.html")
        page.evaluate("(size) => { document.documentElement.style.fontSize = `${size}%`; }", size)
        assert min(apart(page, ".derivation-map a", ".derivation-map .minutes")) >= 4
        assert page.locator(".derivation-map li > p").evaluate_all(WIDER) == 0


@pytest.mark.parametrize(("name", "pages"), [("index", 1), ("learn/index", 2)])
def test_a_page_of_links_wastes_no_paper(page: Page, home: str, name: str, pages: int) -> None:
    page.goto(f"{home}{name}.html")
    printed = PdfReader(BytesIO(page.pdf(format="A4", print_background=True)))
    assert len(printed.pages) == pages


@pytest.mark.parametrize("width", [1280, 1400, 1700])
def test_the_text_is_as_wide_before_the_contents_are_loaded(
    page: Page, home: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{home}learn/gates.html")
    wide = "() => document.querySelector('article').clientWidth"
    whole = page.evaluate(wide)
    page.locator(".toc-drawer").evaluate("(it) => it.remove()")
    assert page.evaluate(wide) == whole


@pytest.mark.parametrize(
    ("name", "width"), [("exercises/on-paper", 1280), ("learn/vanishing", 390)]
)
def test_no_line_begins_with_the_mark_behind_a_formula(
    page: Page, home: str, name: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{home}{name}.html")
    begin = """(formulas) => formulas.filter((formula) => {
      const after = formula.nextSibling;
      if (after?.nodeType !== 3 || !/^[.,;:)?!]/.test(after.data)) return false;
      const mark = document.createRange();
      mark.setStart(after, 0);
      mark.setEnd(after, 1);
      const boxes = formula.getClientRects();
      return mark.getBoundingClientRect().left < boxes[boxes.length - 1].left;
    }).length"""
    formulas = page.locator("article span.math:visible")
    assert formulas.count() > 20
    assert formulas.evaluate_all(begin) == 0


def test_the_moving_net_has_room_for_its_buttons_before_its_script(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    net = page.locator(".moving-net")
    whole = net.evaluate("(it) => it.clientHeight")
    parts = net.locator(".moving-controls, .moving-said")
    parts.evaluate_all("(all) => all.forEach((it) => { it.hidden = true; })")
    assert net.evaluate("(it) => it.clientHeight") == whole


def test_icons_of_a_phone_do_not_touch(browser: Browser, home: str) -> None:
    with measure.context(browser, "light", 390) as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        right = ".mobile-header .header-right > "
        (gap,) = apart(page, f"{right}.theme-toggle-container", f"{right}label")
        assert gap >= 4


def test_the_keyboard_opens_a_part_of_the_sidebar(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    part = page.locator(".sidebar-tree li.has-children").first
    part.locator("> a").focus()
    page.keyboard.press("Tab")
    expect(part.locator("> input")).to_be_focused()
    assert part.locator("> label").evaluate("(it) => getComputedStyle(it).outlineStyle") == "solid"
    expect(part.locator("> ul")).to_be_hidden()
    page.keyboard.press("Space")
    expect(part.locator("> ul")).to_be_visible()


def test_the_ring_of_a_link_to_the_source_is_around_its_words(page: Page, home: str) -> None:
    page.goto(f"{home}reference/api/gradient.html")
    link = page.locator("a.reference:has(> .source-link)").first
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    ring = "(it) => getComputedStyle(it).outlineStyle"
    assert (link.evaluate(ring), link.locator("> span").evaluate(ring)) == ("none", "solid")
    outside = link.locator("> span").evaluate(
        "(it) => { const r = document.createRange(); r.selectNodeContents(it);"
        " return it.getBoundingClientRect().left - r.getBoundingClientRect().left; }"
    )
    assert abs(outside) <= 1


def test_links_of_the_foot_look_like_links(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    for link in page.locator("p.provenance a").all():
        assert link.evaluate("(it) => getComputedStyle(it).textDecorationLine") == "underline"
        colors = link.evaluate(
            "(it) => [it, it.parentElement].map((e) => getComputedStyle(e).color)"
        )
        assert colors[0] != colors[1]


def test_errors_on_home_are_seen_from_the_beginning(browser: Browser, home: str) -> None:
    with browser.new_context(reduced_motion="no-preference") as reader:
        page = reader.new_page()
        page.goto(f"{home}index.html")
        first = page.evaluate(
            "() => document.getAnimations().filter((a) => a.animationName === 'home-way')"
            ".map((a) => Number(a.effect.getKeyframes()[0].opacity))"
        )
        assert min(first) >= 0.4
