"""The clipboard gets exactly the code: of a cell, of a cell with what it needs, of an example with prompts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import measure
import pytest
import served
from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(served.ROOT / "docs"))

from _ext.slicing import slicer

PAGES = ("index", "learn/bp2", "learn/errata", "learn/gates")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        reader.grant_permissions(["clipboard-read", "clipboard-write"])
        yield reader.new_page()


def cells(name: str) -> list[str]:
    """Return the code of a page's cells, as the build ran it."""
    file = served.SITE.parent / "outputs" / f"{name.replace('/', '.')}.json"
    return [cell["source"] for cell in json.loads(file.read_text("utf-8"))]


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize("name", PAGES)
def test_runnable_copies_are_those_that_were_run(name: str, page: Page, home: str) -> None:
    page.goto(f"{home}{name}.html")
    sources = cells(name)
    wanted = [slicer.runnable(sources, k, n) for k, n in enumerate(slicer.needs(sources))]
    found = page.evaluate("bptt.cells.map((_, number) => bptt.runnable(number))")
    assert found == wanted
    assert page.evaluate("bptt.cells.map((cell) => bptt.source(cell.pre))") == sources


def test_copy_puts_the_exact_text_on_the_clipboard(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    page.get_by_role("button", name="With checks").click()
    sources = cells("learn/bp2")
    page.get_by_role("button", name="Copy cell 5", exact=True).click()
    expect(page.locator("div.cell").nth(4).get_by_role("button", name="Copy cell 5")).to_have_text(
        "Copied"
    )
    assert clipboard(page) == sources[4] + "\n"
    page.get_by_role("button", name="Copy with setup: cell 20 ").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    text = clipboard(page)
    assert text.endswith(sources[19] + "\n")
    assert text == slicer.runnable(sources, 19, slicer.needs(sources)[19])


def test_a_runnable_copy_runs(page: Page, home: str, tmp_path: Path) -> None:
    page.goto(f"{home}learn/bp2.html")
    page.get_by_role("button", name="With checks").click()
    number = page.evaluate("bptt.cells.findLastIndex((cell) => cell.box.querySelector('.stream'))")
    page.get_by_role("button", name=f"Copy with setup: cell {number + 1} ").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    file = tmp_path / "pasted.py"
    file.write_text(clipboard(page), encoding="utf-8")
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    shown = page.evaluate("(n) => bptt.cells[n].box.querySelector('.stream').innerText", number)
    assert done.stdout.strip() == shown.strip()


def test_the_keyboard_copies_and_keeps_its_place(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    button = page.get_by_role("button", name="Copy cell 1", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    expect(button).to_be_focused()
    assert clipboard(page) == cells("index")[0] + "\n"


def test_prompts_and_results_stay_behind(page: Page, home: str) -> None:
    page.goto(f"{home}reference/api/gradient.html")
    examples = page.locator("article pre").filter(has_text=">>> ")
    assert examples.count() > 0
    for example in examples.all():
        example.locator("xpath=..").get_by_role("button", name="Copy this code").click()
        text = clipboard(page)
        shown = example.inner_text().split("\n")
        code = [line[4:] for line in shown if line.startswith((">>>", "..."))]
        assert text.rstrip("\n") == "\n".join(code).rstrip("\n")
        assert ">>>" not in text


def test_shown_code_of_the_library_is_copied_whole(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    page.get_by_role("button", name="With checks").click()
    box = page.locator("div.library-code").first
    box.get_by_role("button", name="Copy this code").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    text = clipboard(page)
    assert text.startswith("def _back(")
    assert text.rstrip("\n") == box.locator("pre").inner_text().rstrip("\n")


def test_copies_from_a_file_without_a_clipboard(browser: Browser) -> None:
    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page.goto((served.SITE / "index.html").as_uri())
        page.evaluate(
            "document.addEventListener('copy', () => (window.got = getSelection().toString()))"
        )
        page.get_by_role("button", name="Copy cell 1", exact=True).click()
        expect(page.get_by_role("button", name="Copy cell 1", exact=True)).to_have_text("Copied")
        area = page.evaluate("document.querySelectorAll('textarea.copy-source').length")
        assert area == 0


def test_a_refusal_is_said(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    page.evaluate("""() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
      document.execCommand = () => false;
    }""")
    page.get_by_role("button", name="Copy cell 1", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Not copied")).to_have_count(1)


def test_buttons_do_not_move_the_page(browser: Browser, home: str) -> None:
    def height(page: Page) -> int:
        found: int = page.evaluate("document.querySelector('article').scrollHeight")
        return found

    with measure.context(browser, "light", 1280) as reader:
        page = reader.new_page()
        page.route(
            "**/copy.js*", lambda route: route.fulfill(body="", content_type="text/javascript")
        )
        page.goto(f"{home}learn/bp2.html")
        before = height(page)
        page.unroute("**/copy.js*")
        page.goto(f"{home}learn/bp2.html?again")
        assert page.locator(".code-bar").count() > 20
        assert abs(height(page) - before) <= 2


@pytest.mark.parametrize("name", ["index", "learn/bp2", "exercises/one-step"])
def test_buttons_are_seen_without_a_pointer(name: str, page: Page, home: str) -> None:
    page.goto(f"{home}{name}.html")
    for words in ("Copy", "Edit", "Run"):
        for found in page.locator(".code-bar button").filter(has_text=words, visible=True).all():
            assert found.evaluate("(it) => getComputedStyle(it).opacity") == "1"
    number = "(it) => getComputedStyle(it, '::before').content"  # by which errors call the cell
    for k, bar in enumerate(page.locator("div.cell .cell_input .code-bar").all(), 1):
        assert str(k) in bar.evaluate(number)


def test_needs_are_told(page: Page, home: str) -> None:
    page.goto(f"{home}learn/bp2.html")
    told = page.locator("p.page-needs")
    expect(told).to_have_text(
        "Besides bptt and NumPy, the cells of this page need matplotlib and sympy."
    )
