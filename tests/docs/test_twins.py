"""Each page as notebook, script and Markdown: made by the build of a scratch site, and run as a reader would."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from scratch import DOCS, Scratch
from selectolax.lexbor import LexborHTMLParser

sys.path.insert(0, str(DOCS))
import scripts
from _ext.formats import notebook_and_script as twins

pytestmark = [pytest.mark.docs, pytest.mark.house]

REVISION = "0123456789abcdef0123456789abcdef01234567"
BODY = r"""
:::{admonition} What you need
$\frac{\partial C}{\partial z}$ and a * star, a $5 note, `code`.
:::

$$
\delta = \frac{\partial C}{\partial z^{l(t)}}
$$ (bp2)

$$
x \in \mathbb{R}
$$ (other)

By {eq}`bp2` and {eq}`other`, see [the other page](other.md) and {py:func}`bptt.double`.

## Cells

```{code-cell}
import numpy as np

print("first", np.arange(3))
2 + 2
```

```{code-cell}
---
tags: [raises-exception]
---
text = '''two
lines'''
raise ValueError("x: " + repr(text))
```

```{code-cell}
---
tags: [plot]
mystnb:
  image:
    alt: A line that rises.
---
import matplotlib.pyplot as plt

fig, ax = plt.subplots()
ax.plot([1, 2])
plt.show()
print("it rises")  # the code stands below this on the page, and is the code nevertheless
```

| norm | text |
|---|---|
| $\lVert x \rVert = \|x\|$, `a\|b` | *one* |

- one

  ```toml
  x = 1
  ```
- two

:::{library} bptt.double
:::
"""
ASKED = """
## One

```{code-cell}
:tags: [raises-exception]

def half(x):
    return 2 * x


assert half(2) == 1, "too large"
```

```{code-cell}
:tags: [answer]

def half(x):
    return x / 2


print("half", half(2))
```

## Two

```{code-cell}
print("between")
```

```{code-cell}
:tags: [answer]

print("two", half(4))
```
"""
TASKS = """
```{code-cell}
:tags: [raises-exception]

def half(x):
    return 2 * x


class exercises:
    def check(name, function):
        assert function(2) == 1, "likely: too large"
        print("right")


exercises.check("half", half)
```

```{code-cell}
:tags: [answer]

def half(x):
    return x / 2


exercises.check("half", half)
```

```{code-cell}
:tags: [raises-exception]

1 / 0
```
"""
OTHER = "```{code-cell}\nimport bptt\n\nprint(bptt.double(4.0))\n```"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Return a scratch site of two pages, built with a repository and a revision."""
    scratch = Scratch(tmp_path_factory.mktemp("twins") / "site")
    law = "bptt_ledger_law = True"
    scratch.patch(
        "docs/conf.py", law, law.replace("True", "False")
    )  # these equations have no checks
    scratch.page("deep/page", BODY.replace("other.md", "../other.md"))
    scratch.page("deep/asked", ASKED)
    scratch.page("deep/tasks", TASKS)
    scratch.page("other", OTHER)
    built = scratch.build(
        BPTT_REPOSITORY="someone/bptt", BPTT_DOCS_REVISION=REVISION, BPTT_SITE_URL=""
    )
    assert not built.red, built.text
    return scratch


def valid(file: Path) -> nbformat.NotebookNode:
    """Return a notebook, which must be valid."""
    found = nbformat.read(file, as_version=nbformat.NO_CONVERT)
    nbformat.validate(found)
    return found


@pytest.fixture(scope="module")
def notebook(site: Scratch) -> nbformat.NotebookNode:
    """Return the notebook of the page."""
    return valid(site.html / "deep/page.ipynb")


def environment(site: Scratch) -> dict[str, str]:
    """Return the environment of a reader who has installed the scratch library."""
    return {**os.environ, "PYTHONPATH": str(site.root), "MPLBACKEND": "agg", "PYTHONHASHSEED": "0"}


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells that are the page's."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if "setup" not in cell.metadata.get("tags", [])]


def printed(cell: nbformat.NotebookNode) -> str:
    """Return what a cell wrote, and the value it ended with."""
    streams = [o.text for o in cell.outputs if o.output_type == "stream"]
    values = [o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"]
    return "".join([*streams, *values])


def test_notebook_holds_what_was_executed(notebook):
    first, raising, figure = code(notebook)
    assert printed(first) == "first [0 1 2]\n4"
    assert raising.outputs[0].ename == "ValueError"
    assert figure.outputs[0].data["text/plain"] == "A line that rises."
    svg = figure.outputs[0].data["image/svg+xml"]
    assert "#1f5f99" in svg
    assert "background: white" in svg
    assert not re.search("#0c0[0-7]01|#010203|currentColor|var\\(", svg)
    assert [cell.execution_count for cell in code(notebook)] == [1, 2, 3]


def test_notebook_runs_and_gives_the_same(site, notebook, monkeypatch):
    for name, value in environment(site).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLBACKEND")
    again = nbformat.from_dict(json.loads(json.dumps(notebook)))
    nbclient.NotebookClient(again, kernel_name="python3", timeout=120).execute(cwd=str(site.root))
    for before, after in zip(code(notebook), code(again), strict=True):
        assert printed(before) == printed(after)
        kinds = [[o.output_type for o in cell.outputs] for cell in (before, after)]
        assert kinds[0] == kinds[1]


def test_notebook_installs_the_library_of_its_commit(notebook):
    setup = notebook.cells[1]
    assert f"git+https://github.com/someone/bptt@{REVISION}" in setup.source
    assert '"matplotlib"' in setup.source
    assert "numpy" not in setup.source.split("%pip")[1]  # bptt brings it


def test_script_runs_alone_and_prints_the_same(site, notebook, tmp_path):
    file = site.html / "deep/deep-page.py"
    done = subprocess.run(
        [sys.executable, str(file)],
        cwd=tmp_path, env=environment(site), check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "first [0 1 2]\nValueError: x: 'two\\nlines'\nit rises\n"
    assert [cell.source for cell in code(notebook)][2] in file.read_text("utf-8")


def test_answers_are_hidden_in_the_notebook_and_announced(site):
    found = valid(site.html / "deep/asked.ipynb")
    hidden = [cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in code(found)]
    assert hidden == [False, True, False, True]
    for before, cell in itertools.pairwise(found.cells):
        answer = cell in code(found)[1::2]
        assert (before.source == "*Answer: open the cell below.*") == answer
    assert printed(code(found)[1]) == "half 1.0\n"


def test_the_notebook_says_nothing_of_a_beginning_that_nobody_has_tried(site):
    found = valid(site.html / "deep/tasks.ipynb")
    beginning, answer, other = code(found)
    assert (beginning.outputs, beginning.execution_count) == ([], None)
    assert printed(answer) == "right\n"
    assert other.outputs[0].ename == "ZeroDivisionError"
    assert "AssertionError" in (site.html / "deep/tasks.md").read_text("utf-8")


def test_a_notebook_has_no_links_that_lead_nowhere_once_it_is_taken_elsewhere(site, notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    script = (site.html / "deep/deep-page.py").read_text("utf-8")
    for text in (prose, script):
        assert "see the other page and `bptt.double()`." in text
        assert not re.search(r"\]\((?!https?:)", text)


def test_markdown_is_plain(site):
    text = (site.html / "deep/page.md").read_text("utf-8")
    for part in (
        "# A page\n",
        "> **What you need**\n>\n> $\\frac{\\partial C}{\\partial z}$ and a \\* star, a \\$5 note, `code`.",
        "$$\n\\delta = \\frac{\\partial C}{\\partial z^{l(t)}} \\tag{BP2}\n$$",
        "x \\in \\mathbb{R} \\tag{1}",
        "By (BP2) and (1), see [the other page](../other.md) and [`bptt.double()`](../reference/api.md)",
        "## Cells\n",
        "```text\nfirst [0 1 2]\n```\n\n```text\n4\n```",
        "```text\nValueError: x: 'two\\nlines'\n```",
        "![A line that rises.](page-1.svg)",
        "| $\\lVert x \\rVert = \\vert x\\vert $, `a\\|b` | *one* |",
        "- one\n  ```toml\n  x = 1\n  ```\n- two",
        "```python\ndef double(x: Array) -> Array:",
    ):
        assert part in text, f"{part}\n is not in\n{text}"
    assert (site.html / "deep/page-1.svg").read_text("utf-8").startswith("<svg")
    assert (site.html / "other.md").is_file()
    for left in ("{eq}", "{py:", ":::", "<div"):
        assert left not in text


def links(page: str) -> dict[str, str | None]:
    """Return the addresses in the line about twins, by their words."""
    found = LexborHTMLParser(page).css("p.twins a")
    return {link.text(): link.attributes["href"] for link in found}


def test_page_links_to_its_twins(site):
    found = links((site.html / "deep/page.html").read_text("utf-8"))
    for kind, name in (
        ("notebook", "page.ipynb"),
        ("script", "deep-page.py"),
        ("Markdown", "page.md"),
    ):
        assert found[kind] == name
        assert (site.html / "deep" / name).is_file()
    assert found["Colab"] == (
        "https://colab.research.google.com/github/someone/bptt/blob/"
        f"notebooks/{REVISION}/deep/page.ipynb"
    )
    assert found["Binder"] == (
        f"https://mybinder.org/v2/gh/someone/bptt/{REVISION}"
        "?urlpath=lab/tree/docs/_build/html/deep/page.ipynb"
    )


def test_page_without_cells_is_markdown_only(site):
    found = links((site.html / "reference/api.html").read_text("utf-8"))
    assert found == {"Markdown": "api.md"}
    text = (site.html / "reference/api.md").read_text("utf-8")
    assert re.search(r"^#+ `bptt\.double\(x\)`$", text, re.MULTILINE)
    assert not (site.html / "reference/api.ipynb").exists()


def test_what_the_launch_links_need_is_made():
    """Colab opens what the Pages workflow pushes, Binder what its image has built."""
    root = DOCS.parent
    workflow = (root / ".github/workflows/pages.yml").read_text("utf-8")
    assert f"git push --quiet origin {twins.BRANCH}\n" in workflow
    assert "BPTT_REPOSITORY: ${{ github.repository }}" in workflow
    image = root / ".binder/postBuild"
    assert os.access(image, os.X_OK)
    assert "run.py nox -s docs\n" in image.read_text("utf-8")
    assert "lab/tree/docs/_build/html/{page}.ipynb" in twins.LAUNCH["Binder"]


def test_check_of_the_built_site_sees_what_is_wrong(site, tmp_path):
    """docs/scripts.py, which runs what `nox -s snippets` runs: green as built, and red for each twin broken."""
    record = site.docs / "_build/outputs/deep.page.json"
    passed, built = tmp_path / "passed", tmp_path / "html"
    shutil.copytree(site.html, built)
    assert scripts.check(built, record, passed) == []
    for name, old, new, words in (
        ("deep-page.py", 'print("first"', 'print("second"', "the script prints\n      second"),
        ("deep-page.py", "import numpy as np", "import nump as np", "the script fails"),
        ("page.ipynb", "first [0 1 2]", "first [0 1 3]", "does not hold what the cells printed"),
        ("page.ipynb", "2 + 2", "2 + 3", "cells are not the page's"),
        ("page.md", "2 + 2", "2 + 3", "the Markdown lacks cell 1"),
        ("page.md", "page-1.svg", "page-2.svg", "leads to page-2.svg, which is not there"),
    ):
        file = built / "deep" / name
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")
        wrong = scripts.check(built, record, passed)
        assert len(wrong) == 1
        assert words in wrong[0]
        file.write_text(text, "utf-8")
    assert len(list(passed.iterdir())) == 1  # of the script that passed


WORK = '''
import sys

SIZES, NAME = (1, 2), """two
lines"""


def double(n):
    return 2 * n


# before the work
for n in SIZES:
    print(double(n), """as
  it is""")
shown = [double(n) for n in SIZES]
if __name__ == "__main__":
    print("processes start")
print(shown, NAME)
'''


def test_the_work_of_a_script_that_starts_processes_is_done_once(capsys):
    """Read by a process that it starts, a script does nothing; Dask sends its functions whole."""
    source = twins.guarded(WORK)
    own, again = {"__name__": "__main__"}, {"__name__": "__mp_main__"}
    exec(compile(WORK, "page.py", "exec"), own)  # noqa: S102
    want = capsys.readouterr().out
    exec(compile(source, "page.py", "exec"), {"__name__": "__main__"})  # noqa: S102
    assert capsys.readouterr().out == want
    exec(compile(source, "page.py", "exec"), again)  # noqa: S102
    assert capsys.readouterr().out == ""
    assert not own.keys() & again.keys() - {"__name__", "__builtins__"}


FORMS = {
    "a loop": "for n in range(3):\n    print(n)",
    "a loop without end": "import itertools\nwhile True:\n    print(1)\n    break",
    "a context": "with open(__file__) as file:\n    print(file.name)",
    "a branch": "if 1 < 2:\n    print(1)\nelse:\n    print(2)",
    "an error that is caught": "try:\n    print(1 / 0)\nexcept ZeroDivisionError:\n    print(2)",
    "a value that is computed": "found = print(1)\nfound = [print(n) for n in (1, 2)]",
    "a value added": "import sys\ncount = 0\ncount += print(1) or 1",
    "a call after a comment": "# the work\n# begins\nprint(1)",
    "calls on one line": "print(1); print(2)",
    "a text of many lines": "print('''one\n two\n''')",
    "a call over many lines": "print(\n    1,\n    2,\n)",
    "a guard that is there": 'import sys\nif __name__ == "__main__":\n    print(1)\nprint(2)',
}


@pytest.mark.parametrize("form", FORMS)
def test_work_of_any_form_is_behind_the_guard(form, capsys):
    """The reference is the work without a guard; where the script is imported again nothing is done."""
    source = twins.guarded(FORMS[form])
    for text in (FORMS[form], source):
        exec(compile(text, "page.py", "exec"), {"__name__": "__main__", "__file__": __file__})  # noqa: S102
    said = capsys.readouterr().out
    assert said
    assert said[: len(said) // 2] == said[len(said) // 2 :]
    exec(compile(source, "page.py", "exec"), {"__name__": "__mp_main__"})  # noqa: S102
    assert capsys.readouterr().out == ""


STARTS = re.compile(
    r"multiprocessing|ProcessPool|LocalCluster|Client\(|joblib"
)  # all import it again


def test_pages_that_start_processes_have_their_work_behind_a_guard():
    """The cells of all pages are read; Dask's page is among those that are found."""
    found = set()
    for page in DOCS.glob("[!_]*/**/*.md"):
        cells = re.findall(
            r"^```\{code-cell\}\n(?:---\n.*?\n---\n|(?::.*\n)+)?(.*?)^```$",
            page.read_text("utf-8"),
            re.MULTILINE | re.DOTALL,
        )
        if not any(STARTS.search(cell) for cell in cells):
            continue
        found.add(page.relative_to(DOCS).as_posix())
        assert any(twins.GUARD in cell for cell in cells), page
        for cell in cells:
            (node,) = ast.parse(twins.guarded(cell)).body
            assert ast.unparse(node).startswith("if __name__ ==")
    assert "howto/dask.md" in found


def test_llms_lists_every_page(site):
    index = (site.html / "llms.txt").read_text("utf-8")
    assert re.match(r"# bptt\n\n> A page of the scratch site.*\n\n", index)
    linked = re.findall(r"^- \[.+?\]\((.+?)\)", index, re.MULTILINE)
    pages = {p.relative_to(site.docs).as_posix() for p in site.docs.glob("[!_]*/*.md")}
    assert set(linked) == pages | {"other.md"}
    assert all((site.html / name).is_file() for name in linked)
    whole = (site.html / "llms-full.txt").read_text("utf-8")
    for part in ("--- index.md\n\n# Home", "# API", "--- deep/page.md"):
        assert part in whole


def test_cells_that_are_not_those_that_ran_have_no_outputs(tmp_path):
    """As when a page was changed and another one is built alone; where no repository is known, nothing is launched."""
    scratch = Scratch(tmp_path / "site")
    scratch.page("other", OTHER)
    scratch.cell("one", "1")
    assert not scratch.build("--page", "other").red
    scratch.patch(
        "docs/other.md", "print(bptt.double(4.0))\n", "print(5)\n```\n\n```{code-cell}\n6\n"
    )
    built = scratch.build("--page", "one")
    assert not built.red, built.text
    again = valid(scratch.docs / "_build/page/html/other.ipynb")
    assert [(cell.source, cell.outputs) for cell in code(again)] == [
        ("import bptt\n\nprint(5)", []),
        ("6", []),
    ]
    page = (scratch.docs / "_build/page/html/other.html").read_text("utf-8")
    assert [*links(page)] == ["notebook", "script", "Markdown"]
