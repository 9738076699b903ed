"""The ten holes that would make "the docs are the tests" false, each opened on a scratch copy of the site.

``test_hole`` breaks something and expects the build to say so. ``test_fix_matters`` takes the line that closes
the hole out of the copy and expects the very same check to fail: a test that cannot fail proves nothing. What only has
to be refused is built together, once with the lines that refuse it and once without.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scratch import Built, Scratch

pytestmark = [pytest.mark.docs, pytest.mark.house]

FIGURE = "import matplotlib.pyplot as plt\n\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()"
FIRST = "    sys.path.insert(0, str(wanted.parent))\n"
ALT = "mystnb:\n  image:\n    alt: A line that rises."


def expect(condition: object, built: object) -> None:
    """Fail with what the build said."""
    if not condition:
        pytest.fail(str(getattr(built, "text", built)))


def broken_library(site: Scratch) -> None:
    """1. The library breaks; no page is touched; the cell that used it is red, at its line."""
    built = site.build()
    expect(not built.red, built)
    expect("1 pages with 1 cells: 1 run" in built.text, built)
    again = site.build()
    expect("0 run in 0.0 s, 1 kept" in again.text, again)
    site.patch("bptt/__init__.py", "2 * np", "3 * np")
    broken = site.build()
    expect(broken.red and "docs/index.md:19: cell 1: AssertionError" in broken.text, broken)


def red_twice(site: Scratch) -> None:
    """2. A page that is red is red again, whether by a cell or by a formula."""
    site.page("formula", "$$\n\\fraction{1}{2}\n$$\n\n```{code-cell}\n1\n```")
    site.cell("cell", "1 / 0")
    for _ in range(2):
        built = site.build()
        expect(built.red and "\\fraction" in built.text, built)
        expect("ZeroDivisionError" in built.text, built)


def all_at_once(site: Scratch) -> None:
    """3. All bad pages are told: page, line, cell, exception, seconds; as text and as JUnit XML."""
    site.page("one", "```{code-cell}\nx = 1\n```\n\n```{code-cell}\ny = x\n\ny / 0\n```")
    site.cell("two", "import time\n\ntime.sleep(0.2)\nraise KeyError('a')", options="tags: [plot]")
    site.page("three", "<a href='gone.html'>a</a>\n\n```{code-cell}\nx = = 1\n```")
    built = site.build(jobs="2")
    expect(built.red, built)
    expect("docs/three.md:12: cell 1: SyntaxError: invalid syntax" in built.text, built)
    expect("docs/three.md:9: WARNING: the link 'gone.html' leads to" in built.text, built)
    expect("docs/one.md:16: cell 2: ZeroDivisionError: division by zero (0." in built.text, built)
    expect("docs/two.md:16: cell 1: KeyError: 'a' (0." in built.text, built)
    expect("docs: passed 1, failed 3" in built.text, built)
    failed = {(c.get("file"), c.get("line")): c for c in site.junit()}
    expect({("docs/one.md", "16"), ("docs/two.md", "16")} <= set(failed), built)
    expect(float(failed["docs/two.md", "16"].get("time", 0)) >= 0.2, built)


def own_kernel(site: Scratch) -> None:
    """5. A page that names the kernel python3 runs in this interpreter, with this library."""
    built = site.build()
    expect(not built.red, built)
    site.write("bptt/__init__.py", "__all__ = []\n__version__ = '0'\n")
    site.write("docs/reference/api.md", "# API\n")
    site.write(
        "docs/index.md",
        site.docs.joinpath("index.md").read_text("utf-8").split("assert")[0] + "```\n",
    )
    site.write("elsewhere/bptt/__init__.py", "")
    elsewhere = f"    sys.path.insert(0, {str(site.root / 'elsewhere')!r})\n"
    site.patch("docs/_ext/execution/kernel.py", FIRST, elsewhere)
    wrong = site.build()
    expect(wrong.red and "cells would import bptt from" in wrong.text, wrong)


def tree(site: Scratch) -> dict[str, str]:
    files = [p for p in sorted(site.html.rglob("*")) if p.is_file()]
    return {
        p.relative_to(site.html).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if p.name != ".buildinfo.bak"
    }


def nothing_comes_from_elsewhere(site: Scratch) -> None:
    for file in site.html.rglob("*.html"):
        page = file.read_text("utf-8")
        for start in ('src="http', 'src="//', '<link rel="stylesheet" href="http', "@import"):
            assert start not in page, f"{file.name} has {start}"
    assert shutil.which("sh") is None or (site.html / "_static/katex/katex.min.css").is_file()


def identical(site: Scratch) -> None:
    """7. Two builds from nothing are the same, byte for byte, and name no address of elsewhere."""
    progress = "from tqdm import tqdm\n\nfor _ in tqdm(range(9), desc='on'):\n    print('x')"
    site.page(
        "figure",
        f"```{{code-cell}}\n---\n{ALT}\n---\n{FIGURE}\n```\n\n```{{code-cell}}\n{progress}\n```",
    )
    trees = []
    for _ in range(2):
        built = site.build("--fresh", jobs="2")
        expect(not built.red, built)
        trees.append(tree(site))
    page = (site.html / "figure.html").read_text("utf-8")
    expect("on  9/9" in page and "it/s" not in page and "bptt-figure" in page, page)
    nothing_comes_from_elsewhere(site)
    expect(trees[0] == trees[1], [k for k in trees[0] if trees[0][k] != trees[1].get(k)])


def pickled(site: Scratch) -> None:
    """8. The configuration can be pickled, and so a page that did not change is not read again."""
    built = site.build()
    expect(not built.red, built)


HOLES: dict[str, Callable[[Scratch], None]] = {
    check.__name__: check
    for check in (
        broken_library, red_twice, all_at_once, own_kernel, identical, pickled,
    )
}  # fmt: skip

# hole -> file, the text that closes it, what stands there without the fix, and what is seen then
FIXES: dict[str, tuple[str, str, str, str]] = {
    "broken_library": ("docs/_ext/execution/fingerprint.py", "chain(named(library), code)", "code", "docs: green"),
    "red_twice": (  # a stamp whatever the verdict, and no memory of why it was red
        "docs/build.py",
        "    if not pages and not report.red:\n",
        '    (root / "warnings.txt").unlink(missing_ok=True)\n    if not pages:\n',
        r"(?s)\A(?!.*fraction).*cell 1: ZeroDivisionError",
    ),
    "all_at_once": (
        "docs/_ext/execution/client.py",
        "            told = any(",
        "            raise\n            told = any(",
        "_ext.execution.schedule",
    ),
    "own_kernel": ("docs/_ext/execution/kernel.py", "if found != wanted:", "if False:", "docs: green"),
    "identical": ("docs/_ext/live/matplotlibrc", "svg.hashsalt: bptt\n", "", "figure.html"),
    # A value of Sphinx's own, for which pages are written anew when it changes.
    "pickled": ("docs/conf.py", "html_context = {", "html_context = {'f': lambda: 0,", "pickl"),
}  # fmt: skip


RULES = "docs/_ext/execution/cell_rules.py"
# what no page may have -> the words that refuse it; the file and the text that do so, and what stands there without them
REFUSED: dict[str, tuple[list[str], str, str, str]] = {
    "4. an automodule outside eval-rst, which documents nothing": (
        ["bptt.double is public, and no page documents it"],
        "docs/_ext/api/completeness.py",
        "if app.config.bptt_only_pages",
        "if True",
    ),
    "6. a cell whose code a tag or an option hides, or a misspelt tag": (
        [
            f"docs/hidden.md:16: cell 1: the tag or option {name!r}"
            for name in ("remove-input", "prof", "remove_code_outputs", "summaries")
        ],
        RULES,
        "sorted((tags - TAGS) | (options - OPTIONS))",
        "()",
    ),
    "7b. an output that shows an address, and so differs in every run": (
        [
            f"docs/shown.md:{line}: cell {number}: the output shows '{start}"
            for line, number, start in (
                (10, 1, "<object"),
                (14, 2, "[<function <l"),
                (18, 3, "A at 0x"),
            )
        ],
        RULES,
        "ADDRESS.search(text)",
        "None",
    ),
    "7c. an output that shows where the repository, Python or its user live": (
        [f"docs/shown.md:{at}: the output shows '/" for at in ("26: cell 4", "31: cell 5")],
        RULES,
        '>?", *FOLDERS]',
        '>?"]',
    ),
    "9. a figure without alternative text": (
        ["the figure has no alternative text"],
        RULES,
        "if sizes and not _alt(cell)",
        "if False",
    ),
}


SHOWN = [
    "object()",
    "print([lambda: 1])",
    "class A:\n    def __repr__(self):\n        return f'A at {id(self):#x}'\n\nA()",
    "import bptt\nprint(bptt.__file__)",
    "print(__import__('os').path.expanduser('~'))",
]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[Built]:
    """Build pages that have all of it, with what refuses it and without."""
    built = []
    for left_out in [], REFUSED.values():
        site = Scratch(tmp_path_factory.mktemp("refused") / "site")
        site.write("docs/reference/api.md", "# API\n\n```{automodule} bptt\n:members:\n```\n")
        hide = "tags: [remove-input, prof]\nsummaries: no\nmystnb:\n  remove_code_outputs: true"
        site.cell("hidden", "x = 1", options=hide)
        site.page("shown", "\n\n".join(f"```{{code-cell}}\n{code}\n```" for code in SHOWN))
        site.cell("figure", FIGURE)
        for _, file, fix, without in left_out:
            site.patch(file, fix, without)
        built.append(site.build())
    return built


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_page_may_have_is_refused(what: str, refusals: list[Built]) -> None:
    refused, passed = refusals
    for words in REFUSED[what][0]:
        expect(refused.red and words in refused.text, refused)
        expect(words not in passed.text, passed)


@pytest.fixture
def site(tmp_path: Path) -> Scratch:
    """Return a scratch site that builds green."""
    return Scratch(tmp_path / "site")


@pytest.mark.parametrize("hole", [hole for hole in HOLES if hole != "pickled"])  # as each is green
def test_hole(hole: str, site: Scratch) -> None:
    HOLES[hole](site)


@pytest.mark.parametrize("hole", HOLES)
def test_fix_matters(hole: str, site: Scratch) -> None:
    file, fix, without, seen = FIXES[hole]
    site.patch(file, fix, without)
    with pytest.raises(pytest.fail.Exception, match=seen):
        HOLES[hole](site)


def test_a_kept_failure_is_still_red(site: Scratch) -> None:
    site.patch("docs/_ext/execution/store.py", "failed or seconds is None", "seconds is None")
    site.cell("bad", "1 / 0")
    for kept in "0 kept", "2 kept":
        built = site.build()
        expect(
            built.red and kept in built.text and "docs/bad.md:10: cell 1: Zero" in built.text, built
        )


def test_one_page(site: Scratch) -> None:
    site.cell("bad", "1 / 0")
    site.cell("good", "1")
    site.cell("so bad", "1 / 0")
    expect(site.build("--page", "so bad").red, "a bad page with a blank in its name was green")
    built = site.build("--page", "good")
    expect(not built.red and "1 pages with 1 cells: 1 run" in built.text, built)
    expect("docs/_build/page/html/good.html" in built.text, built)
    for _ in range(2):
        expect(site.build("--page", "bad").red, "a bad page built alone was green")
    read = site.docs / "_build" / "page" / "doctrees" / "reference" / "api.doctree"
    before = read.stat().st_mtime_ns
    expect(not site.build("--page", "good").red, "a good page built alone was red")
    expect(read.stat().st_mtime_ns == before, "another page was read again: which setting changed?")
    expect(site.build("--page", "reference/nothing").code != 0, "an unknown page was built")


def test_nothing_of_the_author_reaches_the_cells(site: Scratch) -> None:
    site.write("start.py", "first = 1")
    site.write("ipython/profile_default/startup/start.py", "second = 2")
    site.cell("one", "first")
    site.cell("two", "second")
    folder = str(site.root / "ipython")
    built = site.build(PYTHONSTARTUP=str(site.root / "start.py"), IPYTHONDIR=folder)
    for words in ("one.md:10: cell 1: NameError", "two.md:10: cell 1: NameError"):
        expect(words in built.text, built)
    code = "from _ext.execution import kernel; kernel._find_library()"
    command = [sys.executable, "-O", "-c", code]
    done = subprocess.run(command, cwd=site.docs, check=False, capture_output=True, text=True)
    assert done.stderr == "cells would not assert: PYTHONOPTIMIZE is set\n"
