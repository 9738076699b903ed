"""Cells run in the page: real Python, real NumPy, this library's wheel; they can be edited, reset and stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator

import live_figures
import measure
import pytest
import served
from playwright.sync_api import Browser, Locator, Page, expect

SPINE = sorted(
    f"learn/{file.stem}"
    for file in (served.SITE / "learn").glob("*.html")
    if 'id="bptt-live"' in file.read_text("utf-8")
)
SLOW = 120_000  # milliseconds; the machine may be busy
HEAR = """
  const Plain = Worker;
  window.heard = [];
  window.Worker = class extends Plain {
    constructor(...how) {
      super(...how);
      this.addEventListener("message", ({ data }) => heard.push(data));
    }
  };
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with measure.context(browser, "light", 1280) as reader:
        yield reader.new_page()


def cell(page: Page, number: int) -> Locator:
    return page.locator("div.cell:has(.cell_input)").nth(number - 1)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def unfold(page: Page) -> None:
    """Open all folds: cells stand in some."""
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")


def write(page: Page, number: int, code: str) -> None:
    """Put other code into a cell."""
    button(page, f"Edit cell {number}").click()
    cell(page, number).locator("textarea").fill(code)


def test_nothing_is_loaded_before_the_first_run(page: Page, home: str) -> None:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto(f"{home}learn/bp2.html", wait_until="networkidle")
    assert [
        url for url in asked if re.search(r"pyodide|prism|/live[./]", url) and "live.css" not in url
    ] == []


def test_python_starts_by_itself_on_the_next_page_of_a_tab_that_has_run_it(
    page: Page, home: str
) -> None:
    page.add_init_script(HEAR)
    page.goto(f"{home}index.html")
    assert live_figures.run(page, 1) == "done"
    page.goto(f"{home}learn/bp2.html")
    page.wait_for_function("() => heard.some((m) => m.type === 'done')", timeout=SLOW)
    page.route("**/pyodide/**", lambda route: route.abort())  # for all of it is there
    assert live_figures.run(page, 1) == "done"


@pytest.mark.parametrize("name", SPINE)
def test_every_cell_of_the_spine_runs(name: str, page: Page, home: str) -> None:
    seen = measure.Seen()
    seen.listen(page, home)
    page.goto(f"{home}{name}.html")
    unfold(page)
    bad, ran = [], 0
    for number in range(1, page.evaluate("bptt.cells.length") + 1):
        if not button(page, f"Run cell {number}").count():
            expect(cell(page, number).locator(".code-note")).to_contain_text("needs")
            continue
        ran += 1
        fails = cell(page, number).locator(".traceback").count() > 0  # as built
        if live_figures.run(page, number) != ("error" if fails else "done"):
            bad.append((number, cell(page, number).inner_text()[-400:]))
            break
        drawn = cell(page, number).locator(".cell_output:not(.live-output) svg").count()
        assert cell(page, number).locator(".live-output svg").count() == drawn
        assert cell(page, number).locator(".cell_output:visible").count() <= 1
    assert bad == []
    assert ran > 0
    assert seen.wrong() == []


def test_output_is_that_of_the_build(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    shown = cell(page, 1).locator(".cell_output").inner_text()
    assert live_figures.run(page, 1) == "done"
    assert cell(page, 1).locator(".live-output").inner_text().strip() == shown.strip()
    assert not cell(page, 1).locator(".cell_output:not(.live-output)").is_visible()


def test_the_earlier_cells_that_are_needed_run_first(page: Page, home: str) -> None:
    """The third cell of the page needs the first, and not the second."""
    page.goto(f"{home}learn/notation.html")
    assert live_figures.run(page, 3) == "done"
    assert page.evaluate("bptt.cells.slice(0, 4).map((c) => c.ran)") == [True, False, True, False]


def test_a_late_cell_runs_on_a_fresh_page(page: Page, home: str) -> None:
    """It needs two lines of cell 11, whose other lines need an import that it does not."""
    page.goto(f"{home}learn/bp2.html")
    unfold(page)
    assert live_figures.run(page, 16) == "done"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_editor_indents_closes_brackets_undoes_and_is_left_by_keyboard(
    theme: str, browser: Browser, home: str
) -> None:
    with measure.context(browser, theme, 390) as reader:
        page, seen = reader.new_page(), measure.Seen()
        seen.listen(page, home)
        page.goto(f"{home}index.html")
        button(page, "Edit cell 1").press("Enter")
        area = cell(page, 1).locator("textarea")
        expect(area).to_be_focused()
        expect(area).to_have_accessible_name(re.compile("^Code of cell 1. .*Tab indents; Escape"))
        built = area.input_value()
        page.keyboard.press("Control+A")
        page.keyboard.type("for k in range(2):\nx = [k")
        expect(area).to_have_value("for k in range(2):\n    x = [k]")
        page.keyboard.press("End")
        page.keyboard.type("\nprint(x)")
        page.keyboard.press("Shift+Tab")
        expect(area).to_have_value("for k in range(2):\n    x = [k]\nprint(x)")
        page.keyboard.press("Control+A")
        page.keyboard.press("Tab")
        expect(area).to_have_value("    for k in range(2):\n        x = [k]\n    print(x)")
        colors = "(all) => new Set(all.map((it) => getComputedStyle(it).color)).size"
        assert (
            page.locator(".live-editor :is(.pce-line, .keyword, .number)").evaluate_all(colors) == 3
        )
        for _ in range(60):
            page.keyboard.press("Control+Z")
        expect(area).to_have_value(built)
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        expect(button(page, "Run cell 1")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")  # indents again
        expect(area).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert seen.wrong() == []


def test_edit_run_reset(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    shown = cell(page, 1).locator(".cell_output").inner_text()
    write(page, 1, "word = 'edited'\nprint(word)\nword.upper()")
    page.keyboard.press("Control+Enter")
    out = cell(page, 1).locator(".live-output")
    expect(out).to_contain_text("edited\n'EDITED'", timeout=SLOW)
    button(page, "Reset cell 1: its code and its output").click()
    expect(out).to_be_empty()
    assert cell(page, 1).locator(".cell_output:not(.live-output)").inner_text() == shown
    assert cell(page, 1).locator("pre").first.is_visible()
    assert cell(page, 1).locator("textarea").count() == 0


def test_output_is_a_tab_stop_only_where_it_scrolls(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    write(page, 1, "print('short')")
    assert live_figures.run(page, 1) == "done"
    out = cell(page, 1).locator(".live-output pre")
    expect(out).not_to_have_attribute("tabindex", "0")
    cell(page, 1).locator("textarea").fill("print('long ' * 100)")
    assert live_figures.run(page, 1) == "done"
    expect(out).to_have_attribute("tabindex", "0")
    expect(out).to_have_attribute("data-more", "after")


def test_an_error_is_readable(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    write(page, 1, "import bptt\n\ndef f(x):\n    return x / 0\n\nf(1)")
    assert live_figures.run(page, 1) == "error"
    told = cell(page, 1).locator(".live-output .traceback").inner_text().strip().split("\n")
    assert told[-1] == "ZeroDivisionError: division by zero"
    assert told[:2] == ["cell 1, line 6: f(1)", "cell 1, line 4: return x / 0"]
    write_again = cell(page, 1).locator("textarea")
    write_again.fill("bptt.forward(1, 2, 3)")
    assert live_figures.run(page, 1) == "error"
    assert "pyodide" not in cell(page, 1).locator(".live-output").inner_text()


def test_a_package_that_only_the_library_imports_is_loaded(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    write(
        page, 1, "from bptt.teaching import proof\n\nprint('begun')\nproof.bench()\nprint('ended')"
    )
    assert live_figures.run(page, 1) == "done"
    expect(cell(page, 1).locator(".live-output")).to_have_text("begun\nended\n")


def test_what_the_cells_of_a_page_need_is_loaded_before_they_run(page: Page, home: str) -> None:
    """A cell that ran twice would have drawn its random numbers twice."""
    page.add_init_script(HEAR)
    page.goto(f"{home}learn/bp2.html")
    unfold(page)
    number = 1 + page.evaluate(
        "bptt.cells.findIndex(({ pre }) => pre.textContent.includes('proof.bench('))"
    )
    assert live_figures.run(page, number) == "done"
    begun = page.evaluate("heard.filter((m) => m.type === 'began').map((m) => m.id)")
    assert begun == sorted(set(begun))


def test_a_package_that_is_nowhere_is_named_after_one_try(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    write(page, 1, "print('begun')\nimport numba")
    assert live_figures.run(page, 1) == "error"
    told = cell(page, 1).locator(".live-output").inner_text()
    assert told.count("begun") == 1
    assert "No module named 'numba'" in told


def test_loading_and_running_are_said_and_told_apart(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    page.evaluate("""() => {
      window.heard = [];
      new MutationObserver((all) => all.forEach(({ target }) => target.textContent && heard.push(target.textContent)))
        .observe(document.querySelector(".hidden-heading[role=status]"), { childList: true });
    }""")
    assert live_figures.run(page, 1) == "done"
    last = r"Ran in your browser, \d+\.\d s, after \d+\.\d s of loading"
    expect(cell(page, 1).locator(".live-status")).to_have_text(re.compile(f"^{last}$"))
    page.wait_for_function("heard.at(-1).startsWith('Ran')")
    assert page.evaluate("heard.slice(0, -1)") == ["Loading Python, once a page", "Running"]
    assert live_figures.run(page, 1) == "done"  # now there is nothing to load
    alone = re.compile(r"^Ran in your browser, \d+\.\d s$")
    expect(cell(page, 1).locator(".live-status")).to_have_text(alone)


def test_while_true_is_stopped(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    write(page, 1, "kept = 1\nprint('on')\nwhile True:\n    pass")
    button(page, "Run cell 1").click()
    expect(cell(page, 1).locator(".live-output")).to_contain_text("on", timeout=SLOW)
    button(page, "Stop cell 1").click()
    expect(cell(page, 1).locator(".live-status")).to_contain_text("begins afresh")
    cell(page, 1).locator("textarea").fill("print('kept' in globals())")
    assert live_figures.run(page, 1) == "done"
    expect(cell(page, 1).locator(".live-output")).to_have_text("False\n")


def test_a_refused_webassembly_is_reported(page: Page, home: str) -> None:
    worker = (served.SITE / "_static" / "live" / "worker.mjs").read_text("utf-8")
    headers = {"Content-Type": "text/javascript", "Content-Security-Policy": "script-src 'self'"}
    page.route("**/worker.mjs", lambda route: route.fulfill(body=worker, headers=headers))
    page.goto(f"{home}index.html")
    shown = cell(page, 1).locator(".cell_output").inner_text()
    assert live_figures.run(page, 1, SLOW) == "error"
    expect(cell(page, 1).locator(".live-status")).to_contain_text("refuses WebAssembly")
    assert cell(page, 1).locator(".cell_output:visible").inner_text() == shown


@pytest.mark.parametrize(
    "file", ["pyodide.asm.wasm", "pyodide-lock.json", "python_stdlib.zip", "pyodide.asm.mjs"]
)
def test_a_missing_file_is_reported(file: str, page: Page, home: str) -> None:
    page.route(f"**/{file}*", lambda route: route.fulfill(status=404, body="no"))
    page.goto(f"{home}index.html")
    assert live_figures.run(page, 1, SLOW) == "error"
    expect(cell(page, 1).locator(".live-status")).to_contain_text("Python could not start")


def test_from_a_file_the_page_says_why_not(page: Page) -> None:
    page.goto((served.SITE / "index.html").as_uri())
    button(page, "Run cell 1").click()
    expect(cell(page, 1).locator(".live-status")).to_contain_text("opened from a file")
    assert cell(page, 1).locator(".cell_output").first.is_visible()


def test_keyboard_alone_runs_and_stops(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    button(page, "Edit cell 1").focus()
    page.keyboard.press("Enter")
    area = cell(page, 1).locator("textarea")
    expect(area).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("while True:\n    pass")
    page.keyboard.press("Control+Enter")
    stop = button(page, "Stop cell 1")
    expect(stop).to_be_visible()
    stop.focus()
    page.keyboard.press("Enter")
    expect(cell(page, 1).locator(".live-status")).to_contain_text("Stopped")


def test_stop_is_seen_while_a_cell_runs(page: Page, home: str) -> None:
    page.goto(f"{home}index.html")
    write(page, 1, "while True:\n    pass")
    page.keyboard.press("Control+Enter")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")  # neither mouse nor focus is near
    stop = button(page, "Stop cell 1")
    expect(stop).to_be_visible()
    assert stop.evaluate("(it) => getComputedStyle(it).opacity") == "1"


def test_an_editor_on_a_phone_opens_at_the_beginning(browser: Browser, home: str) -> None:
    phone = {"width": 390, "height": 844}
    with browser.new_context(viewport=phone, has_touch=True, is_mobile=True) as reader:
        page = reader.new_page()
        page.goto(f"{home}index.html")
        button(page, "Edit cell 1").tap()
        area = cell(page, 1).locator("textarea")
        expect(area).to_be_focused()
        at = "(it) => [it.selectionStart, it.selectionEnd, it.scrollLeft, it.scrollTop]"
        assert area.evaluate(at) == [0, 0, 0, 0]
        expect(cell(page, 1).locator(".live-status")).to_have_text("Run runs what stands here")
        expect(area).to_have_attribute("aria-label", "Code of cell 1.")
