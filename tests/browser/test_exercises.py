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
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(RIGHT)
    page.keyboard.press("Control+Enter")
    expect(first).to_have_attribute("data-result", "right", timeout=SLOW)
    expect(said.filter(has_text="Exercise 1 is right. 1 of 8 right")).to_have_count(1)
    page.reload()
    expect(first.locator("textarea")).to_have_value(RIGHT)
    expect(first).to_have_attribute("data-result", "right")
    expect(page.locator(".exercise-tally")).to_contain_text("1 of 8 right")
    page.get_by_role("button", name="Clear my answers").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".exercise-tally")).to_contain_text("0 of 8 right")
    page.reload()
    expect(first.locator("textarea")).to_have_count(0)
    expect(page.locator(".exercise[data-result]")).to_have_count(0)
