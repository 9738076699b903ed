"""A snippet that does not give what its page shows is found; so is a file for the browser that is not the listed one."""

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import snippets
from _ext import live, runtime

pytestmark = [pytest.mark.docs, pytest.mark.house]

PLAIN = snippets.Snippet("page", 1, "print(1 + 1)\n", (), "2\n", 0, None)
FIGURE = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()\n"

RIGHT = {
    "prints": PLAIN,
    "shows a value": replace(PLAIN, code="x = [1]\nx", text="[1]\n"),
    "raises as shown": replace(PLAIN, code="1 / 0", text="", error=("ZeroDivisionError", "division by zero")),
    "draws": replace(PLAIN, code=FIGURE, text="", needs=("matplotlib",), figures=1),
    "imports the library": replace(PLAIN, code="import bptt, numpy\nprint(bptt.teaching.tiny().x.shape)", text="(3, 1, 1)\n"),
    "pickles its own class": replace(PLAIN, code="import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__name__)", text="A\n"),
}  # fmt: skip
WRONG = {
    "prints other text": (replace(PLAIN, text="3\n"), "alone it prints"),
    "needs a name": (replace(PLAIN, code="print(x)"), "NameError"),
    "raises nothing": (replace(PLAIN, error=("ValueError", "no")), "alone it raises nothing"),
    "raises something else": (replace(PLAIN, code="1 / 0", error=("ValueError", "no")), "ZeroDivisionError"),
    "draws nothing": (replace(PLAIN, figures=1), "alone it shows 0"),
    "needs what is not declared": (replace(PLAIN, code=FIGURE, text="", figures=1), "the page does not declare it"),
    "dies": (replace(PLAIN, code="import os\nos._exit(3)"), "died"),
    "reads what the build has": (replace(PLAIN, code="import _ext"), "ModuleNotFoundError"),
    "reads names of the runner": (replace(PLAIN, code="print(SHOWN)"), "NameError"),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_right_snippet_passes(case):
    assert snippets.run(RIGHT[case])[0] == []


@pytest.mark.parametrize("case", WRONG)
def test_wrong_snippet_is_found(case):
    snippet, words = WRONG[case]
    assert words in "\n".join(snippets.run(snippet)[0])


def test_what_passed_is_not_run_again_and_what_failed_is(tmp_path):
    every = [PLAIN, replace(PLAIN, text="3\n", number=2), replace(PLAIN, number=3)]
    for counts in ("2 run, 1 kept", "1 run, 2 kept"):
        wrong, lines = snippets.check(every, tmp_path, 1)
        assert list(wrong) == ["page, cell 2"]
        assert counts in lines[-1]


def test_two_wheels_of_one_tree_are_the_same(tmp_path):
    names = [tmp_path / "one", tmp_path / "two"]
    for name in names:
        name.mkdir()
    one, two = (runtime.wheel(DOCS.parent, name) for name in names)
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()
    assert "bptt/network/backward.py" in zipfile.ZipFile(one).namelist()


def test_a_file_with_another_sum_is_refused(tmp_path):
    carrier = tmp_path / "carrier-1-py3-none-any.whl"
    name = next(iter(runtime.table()["core"]))
    with zipfile.ZipFile(carrier, "w") as archive:
        archive.writestr(f"inside/{name}", "not what is listed")
    with pytest.raises(runtime.RuntimeMissing, match="is not the file that runtime"):
        runtime.unpack(carrier, "inside/", tmp_path)


def test_a_carrier_that_is_not_there_is_red(tmp_path):
    carrier = {"sha256": "0" * 64, "python": "3.12"}
    with pytest.raises(runtime.RuntimeMissing, match="could not be had"):
        runtime.download("no-such-package-of-bptt @ file:///nowhere.whl", carrier, tmp_path)


def test_every_package_of_the_browser_is_listed_with_what_it_needs():
    packages = runtime.table()["packages"]
    assert set(runtime.closure(packages)) == set(packages)
    assert all(len(sum256) == 64 for sum256 in runtime.sums().values())


def test_cells_that_no_browser_runs_are_known():
    cells = ["import statsmodels\nx = 1", "import numpy as np", "print(x)", "print(np)"]
    assert live.missing(cells) == ["statsmodels", "", "statsmodels", ""]
