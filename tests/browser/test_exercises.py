"""Exercises: no diagnosis first; right and wrong differ and are said; kept over a reload, cleared; by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import measure
import pytest
from playwright.sync_api import Browser, Page, expect

SLOW = 120_000  # milliseconds; the machine may be busy
NAME = "exercises/one-step.html"
RIGHT = """def forward_step(x, h, w, u, b):
    return np.tanh(x @ w + h @ u + b)


bptt.teaching.exercises.check("forward-step", forward_step)
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        yield reader.new_page()


def test_no_diagnosis_before_the_first_try(page: Page, home: str) -> None:
    page.goto(home + NAME)
    first = page.locator(".exercise").first
    expect(first.locator(".cell_output")).not_to_be_visible()
    first.locator(".exercise-built > summary").click()
    expect(first.locator(".cell_output")).to_contain_text("likely:")


def test_failed_solved_reloaded_cleared_by_keyboard(page: Page, home: str) -> None:
    page.goto(home + NAME)
    first, said = page.locator(".exercise").first, page.get_by_role("status")
    expect(page.locator(".exercise-tally")).to_contain_text("0 of 8 right")
    first.get_by_role("button", name="Run").focus()
    page.keyboard.press("Enter")  # as it stands
    expect(first).to_have_attribute("data-result", "wrong", timeout=SLOW)
    expect(first.locator(".exercise-said")).to_contain_text("not yet")
    expect(said.filter(has_text="Exercise 1: not yet")).to_have_count(1)
    first.get_by_role("button", name="Edit").focus()
    page.keyboard.press("Enter")
    expect(first.locator("textarea")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(RIGHT)
    page.keyboard.press("Control+Enter")
    expect(first).to_have_attribute("data-result", "right", timeout=SLOW)
    expect(said.filter(has_text="Exercise 1 is right. 1 of 8 right")).to_have_count(1)
    page.reload()
    expect(first.locator("textarea")).to_have_value(RIGHT)
    expect(first).to_have_attribute("data-result", "right")
    expect(page.locator(".exercise-tally")).to_contain_text("1 of 8 right")
    clear = page.get_by_role("button", name="Clear my answers")
    clear.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # where the focus is, nothing is cleared
    expect(clear).to_be_focused()
    expect(page.locator(".exercise-tally")).to_contain_text("1 of 8 right")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".exercise-tally")).to_contain_text("0 of 8 right")
    expect(clear).to_be_focused()
    expect(clear).to_have_attribute("aria-disabled", "true")
    page.reload()
    expect(first.locator("textarea")).to_have_count(0)
    expect(page.locator(".exercise[data-result]")).to_have_count(0)


def test_the_verdict_stands_at_the_code_and_in_view(page: Page, home: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(home + NAME)
    first = page.locator(".exercise").first
    for code, result, words in (
        (None, "wrong", "✗ Exercise 1: not yet. What is wrong stands below"),
        (RIGHT, "right", "✓ Exercise 1 is right"),
    ):
        if code:
            first.get_by_role("button", name="Edit").click()
            first.locator("textarea").fill(code)
        run = first.get_by_role("button", name="Run")
        run.evaluate("(it) => scrollBy(0, it.getBoundingClientRect().bottom - innerHeight)")
        run.click()
        expect(first).to_have_attribute("data-result", result, timeout=SLOW)
        expect(first.locator(".code-bar")).to_contain_text(words)
        expect(first.locator(".code-bar")).not_to_contain_text("Stopped at an error")
        expect(first.locator(".exercise-said")).to_be_in_viewport(ratio=1)
    below = """(it) => {
      const parts = [".code-bar", ".live-output", ".exercise-built"].map((name) => it.querySelector(name));
      return parts.every((part, k) => !k || parts[k - 1].compareDocumentPosition(part) & 4);
    }"""
    assert first.evaluate(below)


def test_a_run_that_is_stopped_leaves_no_verdict(page: Page, home: str) -> None:
    page.goto(home + NAME)
    first = page.locator(".exercise").first
    first.get_by_role("button", name="Run").click()
    expect(first).to_have_attribute("data-result", "wrong", timeout=SLOW)
    first.get_by_role("button", name="Edit").click()
    first.locator("textarea").fill("while True:\n    pass")
    expect(first.locator(".exercise-said")).to_be_empty()  # it was of other code
    first.get_by_role("button", name="Run").click()
    first.get_by_role("button", name="Stop").click()
    expect(first.locator(".live-status")).to_contain_text("Stopped")
    expect(first.locator(".exercise-said")).to_be_empty()
    assert first.get_attribute("data-result") is None


def test_what_is_said_of_an_answer_is_not_cut_on_a_phone(browser: Browser, home: str) -> None:
    with measure.context(browser, "light", 390) as reader:
        page = reader.new_page()
        page.goto(home + NAME)
        third = page.locator(".exercise").nth(2)
        third.get_by_role("button", name="Run").click()
        expect(third).to_have_attribute("data-result", "wrong", timeout=SLOW)
        said = third.locator(".live-output pre")
        assert said.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
        assert said.inner_text().startswith("not yet: softmax-error\n  delta is off by ")


@pytest.mark.parametrize("width", measure.WIDTHS)
def test_kept_answers_do_not_move_the_exercise_that_is_asked_for(
    width: int, browser: Browser, home: str
) -> None:
    kept = {"forward-step": {"code": 30 * "a = 1\n", "right": True}, "output-error": {"code": ""}}
    with browser.new_context(viewport={"width": width, "height": 900}) as reader:
        page = reader.new_page()
        page.goto(f"{home}{NAME}")
        page.evaluate("(it) => localStorage.setItem('bptt-exercises', JSON.stringify(it))", kept)
        page.goto(f"{home}index.html")
        page.goto(f"{home}{NAME}#softmax")
        for _ in range(2):
            expect(page.locator("textarea")).to_have_count(2)
            top = page.locator("#softmax").evaluate("(it) => it.getBoundingClientRect().top")
            assert 0 <= top <= 120
            expect(page.locator(".toc-tree .scroll-current")).to_have_text("3. Softmax")
            page.reload()


def test_paper_has_the_exercises_and_neither_buttons_nor_folds(page: Page, home: str) -> None:
    page.goto(home + NAME)
    expect(page.locator(".exercise-tally")).to_contain_text("0 of 8 right")
    page.emulate_media(media="print")
    seen = "(all) => all.filter((it) => it.checkVisibility()).map((it) => it.className)"
    folds = "article details, article summary, article button, .exercise-tally"
    assert page.locator(folds).evaluate_all(seen) == []
    code = page.locator(".exercise .cell_input pre")
    assert len(code.evaluate_all(seen)) == 8


def test_the_page_above_says_how_many_are_right(page: Page, home: str) -> None:
    page.goto(f"{home}exercises/index.html")
    counts = page.locator("td .exercise-count")
    expect(counts).to_have_text(["0 of 8 right", "0 of 9 right", "0 of 7 right"])
    kept = '{"forward-step": {"right": true}, "output-error": {"code": "tried"}}'
    page.evaluate("(kept) => localStorage.setItem('bptt-exercises', kept)", kept)
    page.reload()
    expect(counts).to_have_text(["1 of 8 right", "0 of 9 right", "0 of 7 right"])
