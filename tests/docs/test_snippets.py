"""A snippet that does not give what its page shows is found."""

import io
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import snippets
from _ext.execution.kernel import environment

pytestmark = [pytest.mark.docs, pytest.mark.house]

# What a cell prints, run as the build runs it.
SET = subprocess.run(
    [sys.executable, "-c", "print(set('abcdefgh'))"], env={**os.environ, **environment(DOCS)},
    check=True, capture_output=True, text=True,
).stdout.strip()  # fmt: skip
PLAIN = snippets.Snippet("page", 1, "print(1 + 1)\n", (), "2\n", (), None)
FIGURE = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()\n"

RIGHT = {
    "prints": PLAIN,
    "shows a value": replace(PLAIN, code="x = [1]\nx", text="[1]\n"),
    "raises as shown": replace(PLAIN, code="1 / 0", text="", error=("ZeroDivisionError", "division by zero")),
    "imports the library": replace(PLAIN, code="import bptt, numpy\nprint(bptt.teaching.tiny().x.shape)", text="(3, 1, 1)\n"),
    "pickles its own class": replace(PLAIN, code="import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__name__)", text="A\n"),
    "prints elsewhere for a while": replace(PLAIN, code="import io, sys\nkept, sys.stdout = sys.stdout, io.StringIO()\nprint(1)\nsys.stdout = kept\nprint(2)"),
}  # fmt: skip
WRONG = {
    "prints other text": (replace(PLAIN, text="3\n"), "alone it prints"),
    "needs a name": (replace(PLAIN, code="print(x)"), "NameError"),
    "raises nothing": (replace(PLAIN, error=("ValueError", "no")), "alone it raises nothing"),
    "raises something else": (replace(PLAIN, code="1 / 0", error=("ValueError", "no")), "ZeroDivisionError"),
    "draws nothing": (replace(PLAIN, figures=("<svg>",)), "alone it shows 0"),
    "needs what is not declared": (replace(PLAIN, code=FIGURE, text="", figures=("<svg>",)), "the page does not declare it"),
    "prints a set in its order": (replace(PLAIN, code="print(set('abcdefgh'))", text=f"{SET}\n"), "alone it prints"),
    "tells the hour": (replace(PLAIN, code="import time\nprint(time.localtime(0).tm_min)", text="0\n"), "45"),
    "tells the day": (replace(PLAIN, code="import time\nprint(time.localtime(43200).tm_mday)", text="1\n"), "2"),
    "dies": (replace(PLAIN, code="import os\nos._exit(3)"), "died"),
    "reads what the build has": (replace(PLAIN, code="import _ext"), "ModuleNotFoundError"),
    "reads names of the runner": (replace(PLAIN, code="print(SHOWN)"), "NameError"),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_right_snippet_passes(case):
    ((wrong, _),) = snippets.run([RIGHT[case]])
    assert wrong == []


@pytest.mark.parametrize("case", WRONG)
def test_wrong_snippet_is_found(case):
    snippet, words = WRONG[case]
    ((wrong, _),) = snippets.run([snippet])
    assert words in "\n".join(wrong)


def test_a_figure_is_the_one_that_the_page_shows():
    """Truth: matplotlib in this process, with the settings of the kernel."""
    plt = pytest.importorskip("matplotlib.pyplot")
    with plt.rc_context(fname=DOCS / "_ext" / "live" / "matplotlibrc"):
        figure, drawn = plt.figure(), io.StringIO()
        figure.gca().plot([1, 2])
        figure.savefig(drawn, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    right = replace(PLAIN, code=FIGURE, text="", needs=("matplotlib",))
    right = replace(right, figures=(drawn.getvalue().strip(),))
    wrong = replace(right, code=FIGURE.replace("2]", "3]"))
    assert [each for each, _ in snippets.run([right])] == [[]]
    assert [each for each, _ in snippets.run([wrong])] == [
        ["the page shows 1 figures, alone it shows another"]
    ]


def test_each_snippet_of_a_page_is_judged_as_if_it_were_alone():
    """Truth: the same snippets, each in a process of its own."""
    cases = [*RIGHT.values(), *(snippet for snippet, _ in WRONG.values())]
    cases = [replace(case, needs=("matplotlib",)) for case in cases if case.code != FIGURE]
    apart = [snippets.run([case])[0][0] for case in cases]
    assert [wrong for wrong, _ in snippets.run(cases)] == apart


# Each pair begins alike; what the first does after that, the second must not find.
APART = {
    "names": ("x = 1", "x = 2", "print(x)"),
    "modules": ("import sys", "import wave", "print('wave' in sys.modules)"),
    "packages": ("import sys, bptt", "import matplotlib.pyplot", "print('matplotlib' in sys.modules)"),
    "random numbers": ("import numpy as np; np.random.seed(0)", "np.random.rand()", "print(np.random.rand())"),
    "folder": ("import os", "os.chdir('..')", "print(os.path.basename(os.getcwd()))"),
    "files": ("from pathlib import Path", "Path('left').touch()", "print(list(Path().iterdir()))"),
    "temporary files": ("import tempfile, os", "tempfile.mkstemp()", "print(os.listdir(tempfile.gettempdir()))"),
    "environment": ("import os", "os.environ['LEFT'] = '1'", "print('LEFT' in os.environ)"),
    "figures": ("import matplotlib.pyplot as plt", "plt.figure()", "print(plt.get_fignums())"),
    "text": ("print('both')", "print('first')", "print('second')"),
    "a fall": ("import os", "os._exit(1)", "print('second')"),
}  # fmt: skip


@pytest.mark.parametrize("case", APART)
def test_nothing_is_left_by_another_snippet(case):
    """Truth: the second snippet in a process of its own."""
    start, first, second = APART[case]
    base = replace(PLAIN, needs=("matplotlib",))
    pair = [replace(base, code=f"{start}\n{line}\n") for line in (first, second)]
    assert snippets.run(pair)[1][0] == snippets.run(pair[1:])[0][0] != []


THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()\n"
STATES = {
    "forked": ("import os\n", 1),
    "has threads": (THREAD, 2),
    "left a file": ("open('left', 'w').close()\n", 2),
}


@pytest.mark.skipif(not snippets.snippet_process.CAN_FORK, reason="no process is forked here")
@pytest.mark.parametrize("state", STATES)
def test_what_cannot_be_forked_safely_is_run_from_its_start(state):
    """Truth: how many times the statements that both begin with are run, counted in a file outside."""
    start, times = STATES[state]
    with tempfile.NamedTemporaryFile("r") as counted:
        count = f"with open({counted.name!r}, 'a') as f: f.write('x')\n"
        pair = [replace(PLAIN, code=f"{start}{count}print({k})\n", text=f"{k}\n") for k in "12"]
        assert [wrong for wrong, _ in snippets.run(pair)] == [[], []]
        assert len(counted.read()) == (1 if times == 1 else 3)


def test_what_passed_is_not_run_again_and_what_failed_is(tmp_path):
    every = [PLAIN, replace(PLAIN, text="3\n", number=2), replace(PLAIN, number=3)]
    for counts in ("2 run, 1 kept", "1 run, 2 kept"):
        wrong, lines = snippets.check(every, tmp_path, 1)
        assert list(wrong) == ["page, cell 2"]
        assert counts in lines[-1]
