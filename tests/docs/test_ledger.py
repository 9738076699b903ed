"""The law of the ledger, broken in every way on a scratch site whose one equation is y = 2 x."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from _ext.execution import cell_rules
from _ext.ledger import source
from scratch import Scratch

pytestmark = [pytest.mark.docs, pytest.mark.house]

EQUATION = "$$\ny = 2 x\n$$ (twice)"
CELL = """```{code-cell}
import bptt
import numpy as np
from bptt.teaching.equations import check_equation, check_fails

x = np.arange(3.0)
check_equation("twice", [bptt.double(x), bptt.double(x + 1)], [x + x, x + x + 2])
check_fails("twice", bptt.double(x), x)
```"""


def with_an_equation(root: Path) -> Scratch:
    """Return a scratch site with one equation, its code and its check; green."""
    found = Scratch(root)
    found.page("math", f"{EQUATION}\n\n{CELL}")
    found.write(
        "docs/reference/equations.md", "# Equations\n\n```{container} equations\nHere.\n```\n"
    )
    found.pages.append("reference/equations")
    found._index()
    library = "bptt/__init__.py"
    found.patch(library, "Return twice `x`.", "Return twice `x`: :eq:`twice`.")
    found.patch(library, "np.asarray(x)", "np.asarray(x)  # (twice)")
    return found


@pytest.fixture
def site(tmp_path: Path) -> Scratch:
    """Return the site with one equation."""
    return with_an_equation(tmp_path / "site")


def read(site: Scratch, name: str) -> str:
    return (site.html / name).read_text("utf-8")


def test_all_is_well_and_linked_both_ways(site):
    built = site.build(jobs="2")
    assert not built.red, built.text
    assert "equations: 1, checked: 1, implemented: 1, definitions: 0\n" in built.text
    page, source = read(site, "math.html"), read(site, "_modules/bptt.html")
    (line,) = re.findall(r'<details class="ledger">.*?</details>', page)
    assert "<summary>✓ checked, to the last digit</summary>" in line
    for there in ("_modules/bptt.html#eq-twice", "reference/api.html#bptt.double", "#cell-1"):
        assert f'href="{there}"' in line
    assert "in 2 cases, to the last digit" in line
    assert "Fails without its assumption: <a" in line
    assert re.search(r'<div class="cell[^>]*id="cell-1"|id="cell-1"[^>]*class="cell', page)
    back = '# <a class="reference internal" href="../math.html#equation-twice">(twice)</a>'
    marked = re.search(r'<span class="ledger-line" id="eq-twice">(.*)\n', source)
    assert marked
    assert back in marked[1]
    assert "return" in marked[1]
    entry = read(site, "reference/api.html")
    assert 'Equations: <a class="reference internal" href="../math.html#equation-twice">' in entry

    index_as_table_and_as_json(site)
    first = {name: read(site, name) for name in ("math.html", "reference/equations.json")}
    again = site.build()
    assert "0 run" in again.text
    assert {
        name: read(site, name) for name in first
    } == first  # kept outputs are read like fresh ones


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("(BP1) to (BP3)", ["BP1", "BP2", "BP3"]),
        ("(BP1-FF) to (BP2-FF), (FWD)", ["BP1-FF", "BP2-FF", "FWD"]),
        ("(BP1), which leads to (BP3)", ["BP1", "BP3"]),
        ("back to (BP3)", ["BP3"]),
    ],
)
def test_a_range_is_two_names_with_nothing_but_to_between_them(words, names):
    assert list(source.spread(words, source.TAG)) == names


def index_as_table_and_as_json(site: Scratch) -> None:
    index = json.loads(read(site, "reference/equations.json"))
    assert index["summary"] == {"equations": 1, "checked": 1, "implemented": 1, "definitions": 0}
    (row,) = index["equations"]
    assert (row["label"], row["tex"], row["page"], row["kind"]) == (
        "twice", "y = 2 x", "math", "equation",
    )  # fmt: skip
    assert [(c["cases"], c["error"], c["url"]) for c in row["checks"]] == [
        (2, 0.0, "../math.html#cell-1")
    ]
    assert [c["kind"] for c in row["counterexamples"]] == ["broken"]
    assert [c["url"] for c in row["code"]] == ["../_modules/bptt.html#eq-twice"]
    table = read(site, "reference/equations.html")
    assert re.search(r"<details><summary>[^<]+ <span>1 equation</span></summary><table>", table)
    for there in (
        "../math.html#equation-twice",
        "../_modules/bptt.html#eq-twice",
        "equations.json",
    ):
        assert f'href="{there}"' in table


def without_code(site: Scratch) -> None:
    site.patch("bptt/__init__.py", "  # (twice)", "")


def equation(site: Scratch, label: str, *lines: str) -> None:
    """Add an equation of its own, with code that is right, and a cell."""
    more = f"\n\n\ndef {label}(x):\n    return 2 * x  # ({label})\n"
    site.write("bptt/__init__.py", (site.root / "bptt/__init__.py").read_text("utf-8") + more)
    start = CELL.partition("check_equation(")[0].replace("check_fails", "EquationCheck")
    cell = "\n".join([start, *lines]).replace("LABEL", label)
    site.page(label, f"$$\ny = 2 x\n$$ ({label})\n\n{cell}\n```")


RIGHT = 'check_equation("LABEL", bptt.LABEL(x), x + x)'
FORGED = "LABEL: holds, largest relative error 2.0e-12 <= 1e-12 (1 case)"
CELLS = {  # the equation whose cell breaks the law, and the cell
    "unchecked": "bptt.LABEL(x).tolist()",
    "beyond": f'{RIGHT}\nprint("{FORGED}")',
    "loose": 'check_equation("LABEL", 2 * x, 2.01 * x, tolerance=0.1)',
    "words": "print(f'{\"LABEL\"}: holds exactly (1 case)')",
    "record": "print(EquationCheck('LABEL', 'exact', 1))",
    "parts": 'print("LABEL: holds", "exactly", "(1 case)")',
    "itself": 'check_equation("LABEL", 2 * x, right=2*x)',
    "other": f'{RIGHT}\ncheck_equation("quarter", 1, 1)',
    "flipped": 'check_equation("LABEL", [bptt.LABEL(x), x], [x + x, x])',
    "uncoded": RIGHT,
}
TOLD = [
    "docs/unchecked.md:9: WARNING: equation 'unchecked' has no check",
    "docs/uncoded.md:9: WARNING: equation 'uncoded' has no implementation",
    "cell 1: EquationError: flipped does not hold in case 1 of 2",
    "bptt/__init__.py:12: WARNING: the docstring names (BP7)",
    "bptt/__init__.py:12: WARNING: the docstring names (thrice)",
    "bptt/__init__.py:13: WARNING: the comment marks a line as (halves)",
    "WARNING: a cell checks 'quarter', and no equation has this label",
    "the table names 'fifth', and no equation has this label",
    "2.0e-12 <= 1e-12 (1 case), which is beyond what it states",
    "equation 'loose': loose: holds, largest relative error 5.0e-03 <= 0.1 (1 case), which allows more",
    "docs/words.md:14: cell 1: the cell says 'holds exactly (' itself: only check_equation",
    "docs/record.md:14: cell 1: the cell says 'EquationCheck(' itself: only check_equation",
    "docs/parts.md:9: WARNING: equation 'parts' has no check",
    "docs/itself.md:14: cell 1: check_equation compares '2 * x' with itself",
    "equation 'twice' has code, and the table says why it has none",
    "the table gives no reason for 'twice'",
    "the table names 'twice' twice",
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Break the law in every way at once, each with an equation of its own; return what the build says."""
    site = with_an_equation(tmp_path_factory.mktemp("law") / "site")
    for label, cell in CELLS.items():
        equation(site, label, cell)
    library = "bptt/__init__.py"
    site.patch(library, "return 2 * x  # (flipped)", "return -2 * x  # (flipped)")
    site.patch(library, "  # (uncoded)", "")
    site.patch(library, "Return twice `x`: :eq:`twice`", "Return (BP7), :eq:`thrice`")
    site.patch(library, "# (twice)", "# (twice), (halves)")
    table = '[proof]\nloose = ["fifth"]\n\n[elsewhere]\ntwice = ""\n\n[form]\ntwice = ["twice"]\n'
    site.write("docs/equations.toml", table)
    built = site.build()
    assert built.red, built.text
    return built.text


@pytest.mark.parametrize("words", TOLD)
def test_law(words: str, broken: str):
    assert words in broken, broken


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("check_equation('x', a, a)", "a"),
        ("check_equation(tolerance=1e-9, right=f(a), left=f(a), label='x')", "f(a)"),
        ("bench.check('x', line, line)", "line"),
        ("check_bound('x', smaller=a, larger=a)", "a"),
        ("check_equation('x', a, a.T)", ""),
        ("check_equation('x', *sides)\nbench.check('x', line)", ""),
    ],
)
def test_what_is_compared_with_itself_is_seen(code, found):
    cell = nbformat.v4.new_code_cell(code)
    said = [words.partition(" compares ")[2] for words in cell_rules.problems(cell)]
    assert said == [f"{found!r} with itself"] * bool(found)


def test_an_excuse_with_a_reason_is_green_and_shown(site):
    without_code(site)
    site.write("docs/equations.toml", '[elsewhere]\ntwice = "a thing that nobody computes"\n')
    built = site.build()
    assert not built.red, built.text
    assert "implemented: 0" in built.text
    assert "a thing that nobody computes" in read(site, "reference/equations.html")


def test_one_page_is_not_blamed_for_what_is_on_others(site):
    text = (site.docs / "math.md").read_text("utf-8")
    site.write("docs/math.md", re.sub(r'check_equation\("twice".*\n', "", text))
    built = site.build("--page", "math")
    assert not built.red, built.text
    assert "has no check" not in built.text
