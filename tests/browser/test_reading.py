"""What a reader does: gets lost, goes on with the keyboard, changes the theme, prints."""

from __future__ import annotations

from collections.abc import Iterator

import measure
import pytest
import served
from playwright.sync_api import Browser, Page, expect

DEEP = ("nowhere.html", "learn/nowhere.html", "reference/api/no/where", "elsewhere/no/where.html")

# The clicks of four readers: a page, the words of a link on it, where it leads, what stands there.
CLICKS = [
    ("index.html", "From layers to time", "learn/unrolling.html", "h1"),
    ("learn/bp2.html", "exercises 6", "exercises/one-step.html#bp2", "#bp2 .exercise"),
    ("index.html", "The derivation, to print", "learn/index.html#to-hand-out", "#to-hand-out"),
    ("index.html", "license", "reference/cite.html#license", "#license pre"),
    ("index.html", "tested versions", "reference/cite.html#versions", "#versions pre"),
    ("learn/bp2.html", "all versions", "reference/cite.html#versions", "#versions pre"),
    ("howto/index.html", "Truncate in PyTorch and JAX", "howto/truncate.html", "h1"),
    ("howto/own-cell.html", "an example with one wrong line", "reference/faq.html", "h1"),
]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        yield reader.new_page()


@pytest.mark.parametrize(("name", "words", "leads", "there"), CLICKS)
def test_readers_are_one_click_from_their_goal(
    name: str, words: str, leads: str, there: str, page: Page, home: str
) -> None:
    page.goto(home + name)
    page.locator("article, footer").get_by_role("link", name=words, exact=True).first.click()
    page.wait_for_url(lambda url: url.removeprefix(home).startswith(leads))
    expect(page.locator(there).first).to_be_visible()


def test_what_the_numbers_of_the_map_are_is_said_above_it(page: Page, home: str) -> None:
    page.goto(f"{home}learn/index.html")
    words = page.get_by_text("Numbers are minutes").bounding_box()
    picture = page.locator(".derivation-map").bounding_box()
    assert words
    assert picture
    assert words["y"] < picture["y"]


@pytest.mark.parametrize("name", DEEP)
def test_lost_readers_find_back(name: str, page: Page, home: str) -> None:
    if name.startswith("elsewhere") and "base.href" in (served.SITE / "404.html").read_text(
        "utf-8"
    ):
        pytest.xfail("only a build that knows its address can tell a folder that is none of ours")
    seen = measure.Seen()
    seen.listen(page, home)
    page.goto(home + name)
    assert page.inner_text("article h1") == "There is no page here"
    edge = "getComputedStyle(document.body).getPropertyValue('--cell-edge')"
    assert page.evaluate(edge)  # the site's own style was found
    assert [w for w in seen.failed if name not in w] == []
    page.get_by_role("link", name="The home page", exact=True).click()
    page.wait_for_url(f"{home}index.html")


def test_skip_link_is_first_and_works(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    focused = "() => document.activeElement.className"
    for _ in range(4):  # the two switches of a phone's menus come first
        page.keyboard.press("Tab")
        if "skip-to-content" in page.evaluate(focused):
            break
    link = page.locator("a.skip-to-content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.url.endswith("#furo-main-content")
    page.keyboard.press("Tab")
    assert page.evaluate("() => !!document.activeElement.closest('article')")


def test_focus_is_seen(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    unseen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        look = page.evaluate("""() => {
          const e = document.activeElement, s = getComputedStyle(e);
          const ring = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0;
          return [ring || s.boxShadow !== "none" || e.matches(".sidebar-toggle"), e.outerHTML.slice(0, 90)];
        }""")
        if not look[0]:
            unseen.append(look[1])
    assert unseen == []


def test_theme_goes_round_and_is_kept(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    page.evaluate("localStorage.removeItem('theme')")
    button = page.locator(".theme-toggle-content .theme-toggle")
    kept = []
    for _ in range(3):
        button.click()
        kept.append(page.evaluate("document.body.dataset.theme"))
    assert sorted(kept) == ["auto", "dark", "light"]


def test_nobody_is_scrolled_smoothly_over_many_screens(browser: Browser, home: str) -> None:
    with browser.new_context(reduced_motion="no-preference") as reader:
        page = reader.new_page()
        page.goto(f"{home}learn/bp2.html")
        scrolling = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(scrolling) == "auto"


@pytest.mark.parametrize("name", ["learn/bp2.html", "learn/gates.html", "learn/notation.html"])
def test_mathematics_without_javascript(name: str, browser: Browser, home: str) -> None:
    with measure.context(browser, "light", 390, script=False) as reader:
        page = reader.new_page()
        page.goto(home + name)
        formulas = page.locator("article .katex-display")
        assert formulas.count() > 1
        box = formulas.first.bounding_box()
        assert box is not None
        assert min(box["width"], 2 * box["height"]) > 40
        assert "KaTeX_Main" in page.evaluate(
            "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
        )
        assert page.locator("article math").count() >= formulas.count()


def test_spine_page_is_light(browser: Browser, home: str) -> None:
    with measure.context(browser, "light", 1280) as reader:
        seen = measure.look(reader, home, "learn/bp2.html")
    assert 30_000 < seen.transferred <= 250_000


def test_policy_stops_what_is_not_ours(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text))
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "window.intruder = true";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", '<img src="x:" onerror="window.intruder = true">');
      document.body.append(Object.assign(new Image(), {src: "http://127.0.0.1:9/pixel.png"}));
    }""")
    page.wait_for_timeout(300)
    assert page.evaluate("window.intruder") is None
    assert len([words for words in said if "Content Security Policy" in words]) >= 3


def test_print_hides_what_paper_cannot_use(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    page.emulate_media(media="print")
    for unwanted in (
        ".sidebar-drawer",
        ".toc-drawer",
        ".copy-button",
        ".theme-toggle",
        ".related-pages",
    ):
        shown = [e for e in page.locator(unwanted).all() if e.is_visible()]
        assert shown == [], unwanted
    assert page.locator("article h1").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )


def test_what_is_folded_prints_no_bar(page: Page, home: str) -> None:
    page.goto(f"{home}learn/unrolling.html")
    folds = page.locator("article details:not(.layer, [open])")
    assert folds.filter(visible=True).count() > 0
    page.emulate_media(media="print")
    assert folds.filter(visible=True).count() == 0


LONG = [
    ("learn/gru.html", "reset-before-the-product"),
    ("learn/gates.html", "line-3-the-cell-state"),
    ("learn/bp2.html", "where-people-stumble"),
]
AT_TOP = """(id) => {
  const { top } = document.getElementById(id).getBoundingClientRect();
  const root = document.documentElement; // what stands within a screen of the end cannot reach the top
  const end = root.scrollTop + root.clientHeight >= root.scrollHeight - 2;
  return 0 <= top && top <= (end ? root.clientHeight / 2 : 120);
}"""


@pytest.mark.parametrize("way", ["opened", "pressed"])
@pytest.mark.parametrize(("name", "place"), LONG)
def test_a_place_is_where_its_link_leads(
    name: str, place: str, way: str, page: Page, home: str
) -> None:
    """A heading stands at the top of the window, however its link was followed."""
    page.goto(home + name + (f"#{place}" if way == "opened" else ""))
    if way != "opened":
        page.locator(f'.toc-drawer a[href="#{place}"]').evaluate("(link) => link.click()")
    page.wait_for_function(AT_TOP, arg=place)
    page.wait_for_timeout(500)
    assert page.evaluate(AT_TOP, place)  # and it stays


PLACES = (2_000, 9_000, 10**9)  # px from the top; the last is the end of the page
PLACE_PX = 50
SETTLED = "() => document.fonts.ready.then(() => new Promise((done) => setTimeout(done, 300)))"


def longest(number: int = 10) -> list[str]:
    files = [served.SITE / name for name in served.pages() if not name.startswith("_modules")]
    by_size = sorted(files, key=lambda file: file.stat().st_size, reverse=True)
    return [file.relative_to(served.SITE).as_posix() for file in by_size[:number]]


@pytest.mark.parametrize("width", measure.WIDTHS)
@pytest.mark.parametrize("rank", range(10))
def test_a_reload_and_a_step_back_keep_the_place(
    rank: int, width: int, browser: Browser, home: str
) -> None:
    """The place is compared with the one that the reader left; nothing on the page is laid out late."""
    with measure.context(browser, "light", width) as reader:
        page = reader.new_page()
        page.goto(home + longest()[rank])
        for place in PLACES:
            page.evaluate("(y) => scrollTo({ top: y, behavior: 'instant' })", place)
            page.wait_for_timeout(100)
            left = page.evaluate("scrollY")
            assert left > 0
            page.reload()
            page.evaluate(SETTLED)
            assert abs(page.evaluate("scrollY") - left) <= PLACE_PX, f"reload from {left}"
            page.goto(home + "llms.txt")
            page.go_back()
            page.evaluate(SETTLED)
            assert abs(page.evaluate("scrollY") - left) <= PLACE_PX, f"back to {left}"
