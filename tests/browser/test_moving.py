"""The figures that move, in Chromium: buttons, keys, words, themes, a phone, no JavaScript, no motion.

Their numbers are held against the library here once more, as the reader gets them. A site is served over http from
``docs/_build/html``, or from the folder that ``BPTT_SITE`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import bptt

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("BPTT_SITE", ROOT / "docs" / "_build" / "html"))
NET, TRIANGLE = "learn/bp2.html", "learn/triangle.html"
FLOW = "e => getComputedStyle(e, '::before').animationName"  # of the arrow from below
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def address(home: str) -> str:
    """Return where the built site is served."""
    assert (SITE / NET).is_file(), f"no built site in {SITE}: run nox -s docs first"
    return home


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a reader of the light theme at a desk."""
    found = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
    yield found
    found.close()


def visit(context: BrowserContext, url: str) -> Page:
    """Open a page; any word on the console fails the test."""
    page = context.new_page()
    page.on("console", lambda message: pytest.fail(message.text))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(url)
    return page


def said(page: Page, figure: str) -> str:
    """Return what a screen reader is told."""
    return page.locator(f"{figure} [role=status]").text_content() or ""


def press(page: Page, *names: str) -> None:
    """Press keys, one after the other."""
    for name in names:
        page.keyboard.press(name)


def shown(values: np.ndarray) -> str:
    """Return numbers as the figure shows them."""
    return ", ".join(f"{v:.4f}".replace("-", "\N{MINUS SIGN}") for v in values)


@pytest.fixture
def net(context: BrowserContext, address: str) -> Page:
    """Return the page of the unrolled net, with the focus on Next."""
    page = visit(context, address + NET)
    page.locator(".moving-net [data-do=next]").focus()
    return page


def test_keys_lead_through_every_step_with_the_numbers_of_the_library(net):
    tiny = bptt.teaching.tiny()
    trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    d_outputs = bptt.squared_error(trace.outputs, tiny.targets).d_outputs
    delta = bptt.backward(trace, d_outputs).delta
    a = [*(layer.outputs for layer in trace.layers), trace.outputs]
    order = [(l, t) for t in (1, 2, 3) for l in (1, 2, 3)]
    assert said(net, ".moving-net").startswith("The whole run is shown.")
    assert net.locator(".moving-net .later").count() == 0
    for l, t in order:
        press(net, "ArrowRight")
        name = "readout" if l == 3 else f"layer {l}"
        words = said(net, ".moving-net")
        assert words.startswith(f"(FWD) {name}, step {t}: from below = ")
        assert words.endswith(f"; a = {shown(a[l - 1][t - 1, 0])}. ")
    for l, t in order[::-1]:
        press(net, "ArrowRight")
        words = said(net, ".moving-net")
        start = (
            f"(BP1) readout, step {t}: " if l == 3 else f"(BP2) layer {l}, step {t}: from above = "
        )
        assert words.startswith(start)
        assert l == 3 or "; from the future = " in words
        assert words.endswith(f"delta = {shown(delta[l - 1][t - 1, 0])}. ")
    assert net.locator(".moving-net .later").count() == 0


def test_paper_shows_the_whole_run_at_any_step(net):
    press(net, "ArrowRight")
    net.emulate_media(media="print")
    later = net.locator(".moving-net .later")
    assert later.count() > 0
    faint = "(it) => getComputedStyle(it).visibility + getComputedStyle(it, '::before').opacity"
    assert set(later.evaluate_all(f"(all) => all.map({faint})")) == {"visible1"}


def test_keys_lead_back_and_to_the_ends(net):
    press(net, "End")
    assert net.locator(".moving-count").text_content() == "Step 18 of 18"
    press(net, "ArrowRight", "ArrowLeft", "ArrowDown")
    assert net.locator(".moving-count").text_content() == "Step 16 of 18"
    press(net, "Home", "ArrowLeft", "ArrowUp")
    assert net.locator(".moving-count").text_content() == "Step 1 of 18"
    assert net.evaluate("document.activeElement.dataset.do") == "next"
    assert net.locator(".moving-net .now[data-step]").count() == 1
    assert net.locator(".moving-net .later").count() == 17


def test_buttons_and_boxes(net):
    figure = net.locator(".moving-net")
    figure.locator("[data-do=next]").click()
    figure.locator("[data-do=next]").click()
    assert said(net, ".moving-net").startswith("(FWD) layer 2, step 1")
    figure.locator("[data-do=back]").click()
    assert said(net, ".moving-net").startswith("(FWD) layer 1, step 1")
    box = figure.locator('[data-at="4 15"]')
    box.dispatch_event("click")
    assert said(net, ".moving-net").startswith("(FWD) layer 1, step 2")
    box.dispatch_event("click")
    assert said(net, ".moving-net").startswith("(BP2) layer 1, step 2")
    figure.locator("[data-do=first]").click()
    assert said(net, ".moving-net").startswith("Start")


def test_it_plays_and_pauses(net):
    play = net.locator(".moving-net [data-do=play]")
    play.click()
    assert play.text_content() == "Pause"
    net.wait_for_function("document.querySelector('.moving-count').textContent === 'Step 1 of 18'")
    play.click()
    assert play.text_content() == "Play"


def test_later_values_are_hidden_and_those_of_now_move(net):
    press(net, "ArrowRight")
    seen = "e => getComputedStyle(e).visibility"
    later, now = (net.locator(f".moving-net .{name}[data-step]").first for name in ("later", "now"))
    assert [later.evaluate(seen), now.evaluate(seen)] == ["hidden", "visible"]
    assert now.evaluate(FLOW) == "moving-flow"


def test_nothing_moves_for_who_wants_no_motion(browser, address):
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = visit(context, address + NET)
    page.locator(".moving-net [data-do=next]").click()
    moving = page.locator(".moving-net .now[data-step]").first
    assert moving.evaluate(FLOW) == "none"
    context.close()


def test_without_javascript_the_picture_stands_whole(browser, address):
    context = browser.new_context(bypass_csp=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(address + NET)
    values = page.locator(".moving-net [data-step]")
    assert len(" ".join(values.all_inner_texts()).split()) == 30
    assert all(value.is_visible() for value in values.all())
    assert page.locator(".moving-controls").is_hidden()
    assert page.locator(".moving-net [role=status]").is_hidden()
    page.goto(address + TRIANGLE)
    assert page.locator(".moving-triangle").is_hidden()
    context.close()


def moved(page: Page, **settings: float) -> dict[str, float]:
    """Set the sliders; return the numbers behind what is shown."""
    for name, value in settings.items():
        page.locator(f".moving-triangle [name={name}]").fill(str(value))
    data = page.locator(".moving-triangle").evaluate("e => ({...e.dataset})")
    return {name: float(value) for name, value in data.items()}


def truth(data: dict, rho: float, T: int, k: int) -> dict[str, float]:
    """Return the same numbers by the library, of the net that the page carries."""
    arrays = {name: np.array(values) for name, values in data.items()}
    layer = bptt.Recurrent(arrays["w"][None], rho * arrays["u"], np.zeros(len(arrays["u"])))
    params = bptt.Params((layer,), bptt.Affine(arrays["readout"][:, None], np.zeros(1)))
    x, y = (arrays[name][:T, None, None] for name in ("x", "y"))
    run = bptt.forward(bptt.Stack(cells=(bptt.Elman(),)), params, x)
    found = bptt.contributions(run, bptt.squared_error(run.outputs, y).d_outputs)
    whole, kept = (bptt.flatten(part)[0] for part in (found.total(), found.total(band=k)))
    norm = np.linalg.norm
    return {
        "norm": norm(whole),
        "kept": norm(kept),
        "missing": norm(whole - kept) / norm(whole),
        "far": found.norms()[-1, 0],
    }


def test_sliders_show_the_numbers_of_the_library(context, address):
    page = visit(context, address + TRIANGLE)
    data = page.locator(".moving-triangle .moving-data").evaluate("e => JSON.parse(e.textContent)")
    for rho, T, k in ((0.9, 24, 6), (0.5, 4, 1), (1.2, 40, 12), (1.0, 17, 17)):
        found = moved(page, rho=rho, T=T, k=k)
        for name, value in truth(data, rho, T, k).items():
            assert found[name] == pytest.approx(value, rel=1e-10, abs=1e-13), name
        assert page.locator(".moving-triangle .square").count() == T * (T + 1) // 2


def test_sliders_by_keyboard_say_where_they_are(context, address):
    page = visit(context, address + TRIANGLE)
    page.get_by_label("Spectral radius of u").focus()
    before = said(page, ".moving-triangle")
    press(page, "ArrowRight", "ArrowRight")
    radius = page.locator(".moving-triangle [name=rho]")
    assert radius.get_attribute("aria-valuetext") == "1.00"
    assert said(page, ".moving-triangle") != before
    press(page, "Tab", "Home")
    assert page.locator(".moving-triangle [name=T]").get_attribute("aria-valuetext") == "4"
    assert (
        page.locator(".moving-triangle [name=k]").get_attribute("aria-valuetext") == "4, all of it"
    )
    assert "truncated = the same; share missing = 0.00 %" in said(page, ".moving-triangle")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    ("name", "figure", "words", "color"),
    [
        (NET, ".moving-net", ".math", "color"),
        (TRIANGLE, ".moving-triangle", "svg text:not(.stair-text)", "fill"),
    ],
)
def test_it_fits_and_takes_the_colors_of_the_theme(
    browser, address, name, figure, words, color, width, theme
):
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900})
    context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page = visit(context, address + name)
    assert page.evaluate(OVERFLOW) == 0
    box = page.locator(figure).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    text = page.locator(f"{figure} {words}").first
    colors = f"e => [getComputedStyle(e).{color}, getComputedStyle(document.body).color]"
    assert len(set(text.evaluate(colors))) == 1
    context.close()


def test_on_a_phone_the_sliders_stand_with_each_picture(browser, address):
    context = browser.new_context(bypass_csp=True, viewport={"width": 390, "height": 844})
    page = visit(context, address + TRIANGLE)
    for picture in page.locator(".moving-triangle svg").all():
        picture.evaluate("(it) => it.scrollIntoView({ block: 'end', behavior: 'instant' })")
        expect(picture).to_be_in_viewport(ratio=1)
        for slider in page.locator(".moving-triangle input").all():
            expect(slider).to_be_in_viewport(ratio=1)
    context.close()


def test_only_pages_with_such_a_figure_load_its_script(context, address):
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url.partition("?")[0]))
    page.goto(address + "learn/notation.html")
    assert not [url for url in asked if "moving" in url]
    page.goto(address + NET)
    names = {url.rpartition("/")[2] for url in asked if "moving" in url}
    assert names == {"moving-net.js"}  # its style is in the bundle of its page
