"""Pages whose cells cannot run say so, and are red where it matters; MyST-NB runs no cell itself."""

from __future__ import annotations

import html
import multiprocessing
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from _ext.execution import cell_rules, client
from scratch import Scratch
from test_holes import ALT, FIGURE, expect

pytestmark = [pytest.mark.docs, pytest.mark.house]

FRAMEWORKS = 'bptt_frameworks = ["jax", "torch"'
ELSEWHERE = {"CI": "", "READTHEDOCS": ""}
MEDDLER = """

ours = setup


def setup(app):
    ours(app)
    app.connect("source-read", lambda _app, _name, text: text.append(text.pop().replace("40", "41")))
"""


@pytest.fixture
def site(tmp_path: Path) -> Scratch:
    """Return a scratch site that builds green."""
    return Scratch(tmp_path / "site")


def shown(site: Scratch) -> str:
    """Return the page that may lack a package."""
    return (site.html / "needs.html").read_text("utf-8").replace("\n", "")


def test_a_page_whose_framework_is_missing_says_so(site: Scratch) -> None:
    site.patch("docs/conf.py", FRAMEWORKS, f'{FRAMEWORKS}, "nowhere"')
    site.cell("needs", "import nowhere\n\nnowhere.x")
    built = site.build(**ELSEWHERE)
    expect(not built.red, built)
    expect("1 of these pages NOT RUN: needs (nowhere not installed)" in built.text, built)
    expect("docs: passed 1, failed 0" in built.text, built)
    page = shown(site)
    said = page.index("were not run when it was built: nowhere not installed")
    assert said < page.index("cell docutils")
    assert "cell_output" not in page
    for where in {"CI": "true"}, {"BPTT_SITE_URL": "https://example.org"}, {"READTHEDOCS": "True"}:
        built = site.build(**{**ELSEWHERE, **where})
        expect(built.red and "the cells were not run: nowhere not installed" in built.text, built)


def test_outputs_of_a_machine_that_had_the_framework_are_not_shown(site: Scratch) -> None:
    site.patch("docs/conf.py", FRAMEWORKS, f'{FRAMEWORKS}, "nowhere"')
    site.write("installed/nowhere.py", "x = 42\n")
    site.cell("needs", "import nowhere\n\nnowhere.x")
    built = site.build(**ELSEWHERE, PYTHONPATH=str(site.root / "installed"))
    expect(not built.red and ">42<" in shown(site), built)
    built = site.build(**ELSEWHERE, PYTHONPATH="")
    expect(not built.red and "NOT RUN: needs" in built.text and ">42<" not in shown(site), built)


def test_a_page_that_myst_nb_runs_itself_is_named(site: Scratch) -> None:
    site.cell("plain", "40 + 2")
    conf = site.docs / "conf.py"
    conf.write_text(conf.read_text("utf-8") + MEDDLER, "utf-8")
    built = site.build()
    expect(built.red and "docs/plain.md: WARNING: MyST-NB changed: it did not" in built.text, built)


def test_a_page_does_not_say_how_it_is_executed(site: Scratch) -> None:
    site.cell("own", "1")
    off = "file_format: mystnb\nmystnb:\n  execution_mode: 'off'"
    site.patch("docs/own.md", "file_format: mystnb", off)
    built = site.build()
    expect(built.red and "a page must not set options of MyST-NB in its head" in built.text, built)


MISTAKES = {  # a page that would end in a traceback of ours, which names no page -> what is said of it
    "answers": ("```{container} answers-of\nno\n```", ".md:10: WARNING: answers-of: there is no page /no"),
    "a.b": ("Words.", ".md: WARNING: the name of a page must not have a dot"),
    "bare": ("```{eval-rst}\n.. py:function:: f(x)\n```", ""),  # of no module: nothing is wrong
    "lost": ("```{eval-rst}\n.. py:method:: bptt.No.f()\n```", ".md: WARNING: bptt.No.f is documented, and is not there"),
    "shown": ("```python\n1 / 0\n```", ".md:9: WARNING: no build runs this code: make it a cell"),
    "coded": ("```{code-block} python\n1 / 0\n```", ".md:9: WARNING: no build runs this code"),
    "three": ("```python3\n1 / 0\n```", ".md:9: WARNING: no build runs this code"),
    "session": ("```PyCon\n>>> 1 / 0\n```", ".md:9: WARNING: no build runs this code"),
    "alt": (f"```{{code-cell}}\n---\nmystnb: {{image: A line.}}\n---\n{FIGURE}\n```", ".md:13: cell 1: the figure has no alternative text"),
}  # fmt: skip
CELLS = {  # a cell that cannot do what its page says -> what is said of it
    "needs": ("import nowhere", "", "ModuleNotFoundError"),  # a package that no page may lack
    "dies": ("import os\n\nos._exit(3)", "", "DeadKernelError"),
    "dies as is meant": ("import os\n\nos._exit(3)", "tags: [raises-exception]", "DeadKernelError"),
    "unsaid": ("raise ValueError('\\ud800')", "", "CellExecutionError: An error"),
    "unsaid as is meant": ("raise ValueError('\\ud800')", "tags: [raises-exception]", "the cell is tagged"),
}  # fmt: skip
NOTEBOOK = (
    '{"cells": [{"cell_type": "code", "id": "a", "source": "1 / 0", "metadata": {}, "outputs": [], '
)
NOTEBOOK += '"execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def test_what_an_author_mistakes_is_named_with_its_page(site: Scratch) -> None:
    for name, (body, _) in MISTAKES.items():
        site.page(name, f"{body}\n\n```{{code-cell}}\n1\n```" if name == "a.b" else body)
    for name, (code, options, _) in CELLS.items():
        site.cell(name, code, options)
    site.write("docs/notebook.ipynb", NOTEBOOK)
    built = site.build(**ELSEWHERE)
    expect(built.red and "Traceback" not in built.text, built)
    expect("docs/notebook.ipynb:1: cell 1: ZeroDivisionError" in built.text, built)
    expect("docs/index.md" not in built.text, built)  # it stops no other page
    for name, (_, words) in MISTAKES.items():
        expect(not words or f"docs/{name}{words}" in built.text, built)
    for name, (_, _, words) in CELLS.items():
        expect(re.search(rf"docs/{name}\.md:\d+: cell 1: {words}", built.text), built)


def test_a_file_that_cannot_be_read_is_named(site: Scratch) -> None:
    site.write("docs/equations.toml", "[proof")
    built = site.build()
    expect(built.red and "docs/equations.toml: Expected" in built.text, built)
    (site.docs / "index.md").write_bytes(b"# \xff")
    built = site.build()
    expect(built.red and "docs/index.md: 'utf-8' codec can't decode byte" in built.text, built)


@pytest.mark.parametrize("options", ["tags: proof", "tags: [proof", "x: {"])
def test_a_cell_whose_options_cannot_be_read_is_named_with_its_page(
    options: str, site: Scratch
) -> None:
    site.cell("typo", "1", options)
    built = site.build()
    expect(built.red and "ExtensionError: " in built.text and "docs/typo.md: " in built.text, built)


ORDER = """from IPython.display import display

print("first")
display("second")
print("third")"""
STARTING = """import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def where(number):
    return number, multiprocessing.get_start_method()


with ProcessPoolExecutor(1) as pool:
    print(*pool.map(where, [1]))"""


def test_outputs_come_in_order_and_processes_start_as_a_reader_has_them(site: Scratch) -> None:
    site.cell("needs", ORDER)
    forks = multiprocessing.get_start_method() == "fork"  # which a function of a cell needs
    site.cell("starts", STARTING if forks else "1")
    built = site.build()
    expect(not built.red, built)
    found = re.findall("first|second|third", shown(site).partition("cell_output")[2])
    assert found == ["first", "second", "third"]
    page = html.unescape(re.sub("<.*?>", "", (site.html / "starts.html").read_text("utf-8")))
    assert "(1, 'fork')" in page or not forks


@pytest.mark.parametrize(
    ("source", "kinds", "words"),
    [
        ("1", ["text/plain"], ""),
        ("x", ["text/plain", "text/latex"], ""),
        ("x", ["text/plain", "text/html"], "the output is text/html, which a copied cell does not"),
        ("x", ["image/png", "text/plain"], "the output is image/png, which a copied cell does not"),
        ("%time 1", [], "the cell is no Python that a reader could copy: invalid syntax"),
        ("await x", [], "the cell is no Python that a reader could copy: 'await' outside function"),
        ("!ls", [], "the cell is no Python that a reader could copy: invalid syntax"),
    ],
)
def test_a_copied_cell_shows_all_that_its_page_shows(
    source: str, kinds: list[str], words: str
) -> None:
    output = nbformat.v4.new_output("display_data", dict.fromkeys(kinds, "1"))
    cell = nbformat.v4.new_code_cell(source, outputs=[output])
    found = list(cell_rules.problems(cell))
    assert len(found) == bool(words)
    assert all(each.startswith(words) for each in found)


@pytest.mark.parametrize(
    ("said", "red"),
    [
        ("ValueError: no", 0),
        ("NameError: no", 1),
        ("AttributeError: no", 1),
        ("UnboundLocalError: no", 1),
        ("TypeError: x must be a number", 0),
        ("TypeError: LSTM.__init__() got an unexpected keyword argument 'act'", 1),
        ("TypeError: double() missing 1 required positional argument: 'x'", 1),
        ("TypeError: double() takes 1 positional argument but 2 were given", 1),
    ],
)
def test_a_cell_that_is_meant_to_fail_fails_not_for_a_name_or_a_call(said: str, red: int) -> None:
    name, _, words = said.partition(": ")
    error = nbformat.v4.new_output("error", ename=name, evalue=words, traceback=["no"])
    cell = nbformat.v4.new_code_cell("x", outputs=[error], metadata={"tags": ["raises-exception"]})
    assert list(cell_rules.problems(cell)) == [said] * red


@pytest.mark.parametrize(
    ("tag", "did"), [("raises-exception", "raised"), ("plot", "drew"), ("proof", "")]
)
def test_a_cell_does_what_its_tag_says(tag: str, did: str) -> None:
    cell = nbformat.v4.new_code_cell("x", metadata={"tags": [tag]})
    said = f"the cell is tagged {tag!r} and {did} nothing"
    assert list(cell_rules.problems(cell)) == [said] * bool(did)


@pytest.mark.parametrize(("line", "red"), [("on  9/9", 0), ("  9/?", 1), ("2 failed: 1/2", 1)])
def test_of_what_is_on_stderr_only_a_progress_bar_is_none(line: str, red: int) -> None:
    output = nbformat.v4.new_output("stream", name="stderr", text=f"{line}\n")
    assert len(list(cell_rules.problems(nbformat.v4.new_code_cell("x", outputs=[output])))) == red


def test_a_long_line_is_read_once() -> None:
    output = nbformat.v4.new_output("stream", text="x " * 80_000)
    begun = time.monotonic()
    (piece,) = client.joined([output])
    assert list(cell_rules.problems(nbformat.v4.new_code_cell("x", outputs=[piece]))) == []
    assert time.monotonic() - begun < 5


WATCHED = [
    place for place in cell_rules.PLACES if len(place.parts) > 1
]  # not /, which a home can be


@pytest.mark.parametrize("place", WATCHED, ids=str)
@pytest.mark.parametrize(("words", "red"), [("{}", 1), ("in {}/a.npz", 1), ("y{}", 0), ("{}s", 0)])
def test_a_folder_of_this_machine_is_known_by_its_whole_name(
    words: str, red: int, place: Path
) -> None:
    said = words.format(place)
    error = nbformat.v4.new_output("error", ename="ValueError", evalue=said, traceback=["no"])
    outputs = [nbformat.v4.new_output("stream", text=said), error]
    meant = {"tags": ["raises-exception"]}
    cell = nbformat.v4.new_code_cell("x", outputs=outputs, metadata=meant)
    # A Python of pyenv or conda is below the home folder, whose name is then in the words, too.
    below = any(other in place.parents for other in WATCHED)
    assert len(list(cell_rules.problems(cell))) == 2 * (red or (below and words == "{}s"))


@pytest.mark.parametrize(
    ("size", "red"), [('width="9.5pt" height="9pt"', 0), ('width="9" height="9"', 1)]
)
def test_a_figure_in_which_its_words_find_no_place_is_refused(size, red):
    data = {"image/svg+xml": f'<svg {size} version="1.1"></svg>'}
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("x", outputs=[output])
    cell.metadata.mystnb = {"image": {"alt": "A line."}}
    said = "".join(cell_rules.problems(cell))
    assert ("matplotlib changed: an SVG states no size in pt" in said) == bool(red) == bool(said)


def is_running(process: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that nobody can catch")
def test_a_build_that_is_killed_leaves_no_process(site: Scratch) -> None:
    code = "import os, pathlib, time\n\n"
    code += f"pathlib.Path({str(site.root)!r}, 'cell').write_text(str(os.getpid()))\ntime.sleep(60)"
    site.cell("waits", code)
    build = "\n(DOCS.parent / 'build').write_text(str(os.getpid()))\n"
    conf = site.docs / "conf.py"
    conf.write_text(conf.read_text("utf-8") + build, "utf-8")
    with ThreadPoolExecutor(1) as aside:
        built = aside.submit(site.build)
        begun = time.monotonic()
        while not (site.root / "cell").is_file() or not (site.root / "cell").read_text():
            assert time.monotonic() - begun < 120, "the cell was not run"
            time.sleep(0.1)
        os.kill(int((site.root / "build").read_text()), signal.SIGKILL)
        assert built.result().red
    cell = int((site.root / "cell").read_text())
    begun = time.monotonic()
    while is_running(cell):
        assert time.monotonic() - begun < 10, "the kernel goes on"
        time.sleep(0.1)


def test_a_figure_that_comes_as_words_is_red(site: Scratch) -> None:
    """One that is drawn is green, and there: `identical` in test_holes.py."""
    kernel, before = "docs/_ext/execution/kernel.py", '["ipykernel.kernelapp", '
    early = f'{before}"matplotlib_inline.backend_inline", '
    site.patch(kernel, before, early)  # before there is a shell to configure it
    site.patch(kernel, 'app.shell.enable_matplotlib("inline")', "pass")
    site.cell("needs", FIGURE, options=ALT)
    built = site.build()
    expect(built.red and "the figure came as words and not as SVG" in built.text, built)
    expect("bptt-figure" not in shown(site), built)
