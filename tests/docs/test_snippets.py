"""A snippet that does not give what its page shows is found."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import snippets

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
