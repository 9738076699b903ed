"""Exercises: every answer on the pages passes, every beginning is caught, every mistake is named.

The truth of an answer is the complex step, or `check_layer`; here the pages' own text is run, so that an
answer that a page shows is an answer that passes.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import bptt
from bptt.checking import KNOWN_BUGS
from bptt.teaching.exercises import _TASKS, NAMES, WrongAnswerError, _indented, check
from bptt.teaching.exercises.tasks import CASES, Backward, Function

PAGES = ("one-step", "over-time", "gates-and-ways")
FOLDER = Path(__file__).parents[1] / "docs" / "exercises"
CELL = re.compile(
    r"^```\{code-cell\}\n(?::tags: \[([\w-]+)\]\n)?(.*?)^```$", re.MULTILINE | re.DOTALL
)
ASKED = re.compile(r'exercises\.check\("([\w-]+)"')
FUNCTIONS = {name: task for name, task in _TASKS.items() if isinstance(task, Function)}
needs_pages = pytest.mark.skipif(
    not FOLDER.parent.is_dir(), reason="the pages are not part of the library"
)
# Of each mistake, in the order of the exercise, for the first random case: which results are wrong, and by how much.
# Which are wrong follows from the mistake's own words; the percentages are those printed when this was written.
WRONG = {
    "forward-step": ["a 131%", "a 35%", "a 154%", "a 120%"],
    "output-error": ["delta 67%", "delta 200%", "delta 100%", "delta 23%"],
    "softmax-error": ["delta 118%", "delta 200%", "delta 677%", "delta 75%"],
    "hidden-error": ["delta 55%", "delta 57%", "delta 19%"],
    "weight-gradients": ["d_w 89%", "d_b must have shape (3,), got (4, 3)", "d_w 75%, d_b 75%"],
    "error-in-time": ["delta 48%", "delta 140%", "delta 133%", "delta 42%", "delta 102%"],
    "tied-weights": ["d_u 217%", "d_u 54%", "d_u 91%", "d_u 32%", "d_u 32%", "d_u 80%"],
    "edges": ["d_initial 223%", "d_initial 110%", "d_initial 85%", "d_x 127%"],
    "many-to-one": ["d_w 69%, d_u 107%, d_b 100%", "d_w 99%, d_u 106%, d_b 83%"],
    "step-jacobian": ["J 141%", "J 30%", "J 18%"],
    "carry-back": ["carried 60%", "carried 143%", "carried 48%"],
    "clip": ["clipped[0] 4%, clipped[1] 100%", "clipped[0] 69%, clipped[1] 100%", "clipped[0] 100%, clipped[1] 100%"],
    "windows": [
        "layers[0].w 23%, layers[0].u 186%, layers[0].b 12%, readout.w 28%, readout.b 0.07%",
        "layers[0].w 23%, layers[0].u 152%, layers[0].b 49%",
    ],
    "hand-over": [
        "layers[0].w 39%, layers[0].u 27%, layers[0].b 25%",
        "layers[0].w 9%, layers[0].u 66%, layers[0].b 49%, readout.w 50%, readout.b 68%",
    ],
    "mean-cost": ["d_outputs 45%", "d_outputs 86%", "d_outputs 47%", "d_outputs 1000%"],
    "leaky": ["direct 100%, d_k 100%", "delta 70%", "d_k 302%", "d_k must have shape (3,), got (4, 3)"],
    "lstm-step": [
        "delta_i 39%, delta_f 10%, delta_g 32%, d_c_past 72%",
        "delta_i 101%, delta_f 101%, delta_g 110%, d_c_past 74%",
        "delta_i 13%, delta_f 52%, delta_g 48%, d_c_past 37%",
        "delta_f 43%",
        "d_c_past 100%",
    ],
    "gru-step": [
        "delta_h 66%",
        "delta_r 64%, delta_x 64%, delta_h 64%, direct 76%",
        "delta_r 36%, delta_x 47%, delta_h 57%",
        "direct 100%",
    ],
    "checkpoints": [
        "layers[0].w 41%, layers[0].u 27%, layers[0].b 29%",
        "layers[0].w 44%, layers[0].u 60%, layers[0].b 57%, readout.w 104%, readout.b 56%",
    ],
    "rtrl-step": ["P_next 76%", "P_next 43%", "P_next 227%", "P_next 89%"],
    "compose": ["beta 165%, J 196%", "beta 200%"],
    "both-directions": ["d_x 93%", "d_x 92%"],
}  # fmt: skip
MISTAKES = [
    (name, why)
    for name, task in FUNCTIONS.items()
    for why in task.known(**task.draw(np.random.default_rng(0)))[1]
]


@needs_pages
@pytest.mark.parametrize("page", PAGES)
def test_each_answer_of_a_page_passes_and_each_beginning_is_caught_by_its_mistake(page, capsys):
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    names, caught, passed = {}, [], []
    for tag, code in CELL.findall(text):
        asked = ASKED.findall(code)
        if tag == "raises-exception":
            with pytest.raises(WrongAnswerError) as wrong:
                exec(code, names)  # noqa: S102
            assert "likely: " in str(wrong.value), "a beginning is a known mistake, and is named"
            caught += asked
        else:
            exec(code, names)  # noqa: S102
            passed += asked
            assert not asked or tag == "answer"
    assert caught == passed
    assert capsys.readouterr().out.count(": right, ") == len(passed)
    assert [name for name in NAMES if name in passed] == passed


@needs_pages
def test_the_pages_ask_every_exercise_once():
    asked = [
        name
        for page in PAGES
        for tag, code in CELL.findall((FOLDER / f"{page}.md").read_text(encoding="utf-8"))
        if tag == "answer"
        for name in ASKED.findall(code)
    ]
    assert asked == list(NAMES)
    counted = re.findall(r'data-exercises="([^"]+)"', (FOLDER / "index.md").read_text("utf-8"))
    assert " ".join(counted).split() == asked  # what the page above counts
    assert len(asked) >= 20


@pytest.mark.parametrize(("name", "why"), MISTAKES)
def test_each_known_mistake_is_caught_and_named(name, why):
    task = FUNCTIONS[name]
    given = task.draw(np.random.default_rng(0))
    with pytest.raises(WrongAnswerError, match=f"^{name}\n") as wrong:
        check(name, lambda *values: task.known(**dict(zip(given, values, strict=True)))[1][why])
    assert f"likely: {why}" in " ".join(str(wrong.value).split())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_mistake_makes_wrong_what_it_says_and_nothing_else(name):
    task = FUNCTIONS[name]
    given = task.draw(np.random.default_rng(0))
    told = []
    for why in task.known(**given)[1]:
        problem = task.problem(
            lambda *values, why=why: task.known(**dict(zip(given, values, strict=True)))[1][why]
        )
        lines = [line for line in problem.splitlines() if not line.startswith(("likely", "right"))]
        told.append(", ".join(lines).replace("gradient.", "").replace(" is off by", ""))
    assert told == WRONG[name]


def test_no_two_sizes_of_a_whole_layer_are_equal():
    """A wrong transpose, or a sum over the wrong axis, fits none: T, B, units below, units."""
    for name in ("elman-backward", "masked-backward"):
        params, x, initial = _TASKS[name].draw(np.random.default_rng(0))
        assert [p.shape for p in params] == [(3, 2), (2, 2), (2,)]
        assert (x.shape, initial.shape) == ((5, 4, 3), (4, 2))
        entries = bptt.flatten(params)[0]
        assert 0.6 < np.abs(entries).max() <= 0.8
        assert entries.min() < -0.5 < 0.5 < entries.max()
        assert all(len(set(a.ravel())) == a.size for a in (x, initial))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_truth_passes_and_other_numbers_are_wrong_without_a_reason(name, capsys):
    task = FUNCTIONS[name]
    given = list(task.draw(np.random.default_rng(0)))

    def truth(*values):
        return task.known(**dict(zip(given, values, strict=True)))[0]

    def more(*values):
        return bptt.tree_map(lambda a: 1.01 * a, truth(*values))

    check(name, truth)
    assert capsys.readouterr().out == f"{name}: right, in {CASES} random cases\n"
    with pytest.raises(WrongAnswerError, match="off by 1%") as wrong:
        check(name, more)
    assert "likely" not in str(wrong.value)


def right(z, y):
    return (np.tanh(z) - y) * (1 - np.tanh(z) ** 2)


def changes_its_argument(z, y):
    found = right(z, y)
    z += 1
    return found


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: None, "delta must be an array, got nothing"),
        (lambda *_: ..., "delta must be an array, got nothing"),
        (lambda z, y: right(z, y).T, r"delta must have shape \(4, 3\), got \(3, 4\)"),
        (
            lambda z, y: right(z, y) * np.nan,
            "delta must hold finite real numbers, got float64 with NaN",
        ),
        (lambda z, y: right(z, y) + 0j, "delta must hold finite real numbers, got complex128"),
        (lambda *_: 1.0, r"delta must have shape \(4, 3\), got \(\)"),
        (lambda *_: "delta", "delta must be an array, got str"),
        (lambda z, y: (right(z, y), y), r"must return delta, got delta\[0\], delta\[1\]"),
        (changes_its_argument, "the argument z has been changed"),
    ],
)
def test_results_of_a_wrong_form_are_told_in_words(answer, said):
    with pytest.raises(WrongAnswerError, match=said):
        check("output-error", answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _, delta: delta, "must return d_w, d_b, got ndarray"),
        (lambda _, delta: (delta,) * 3, "must return d_w, d_b, got 3 things"),
        (lambda _, delta: (None, delta), "d_w must be an array, got nothing"),
    ],
)
def test_a_wrong_number_of_results_is_told_in_words(answer, said):
    check("weight-gradients", lambda a, delta: [a.T @ delta, delta.sum(axis=0)])  # a list will do
    with pytest.raises(WrongAnswerError, match=said):
        check("weight-gradients", answer)


def test_a_part_of_a_record_that_is_missing_is_named():
    def without_readout(stack, params, x, cost, k):
        return bptt.truncated_bptt(stack, params, x, cost, k1=k, k2=k).gradient.params[:1]

    with pytest.raises(
        WrongAnswerError, match=r"(?s)must return gradient\.layers.* got\s+gradient"
    ):
        check("windows", without_readout)


def test_an_unknown_bug_of_a_backward_pass_is_caught_though_not_named():
    task = _TASKS["elman-backward"]
    assert isinstance(task, Backward)

    def half(params, saved, _, d_final):
        return tuple(0.3 * p for p in params), saved[0], d_final

    with pytest.raises(WrongAnswerError, match="first in the check") as wrong:
        check("elman-backward", half)
    assert "likely" not in str(wrong.value)


def test_a_backward_pass_is_told_what_is_wrong_what_is_right_and_the_likely_bug():
    """An error that does not go back: right at one step, and wrong from two steps on."""
    task, given = _TASKS["elman-backward"], []

    def without_future(params, saved, d_outputs, d_final):
        w, u, _ = params
        x, h = saved
        given.append(w)
        d = d_outputs.copy()
        d[-1] += d_final
        delta = d * (1 - h[1:] ** 2)
        d_w = np.einsum("tbi,tbj->ij", x, delta)
        d_u = np.einsum("tbi,tbj->ij", h[:-1], delta)
        return (d_w, d_u, delta.sum(axis=(0, 1))), delta @ w.T, delta[0] @ u.T

    assert task.problem(without_future).splitlines() == [
        "w, u, b, x, initial wrong, first in the check 'two steps'",
        "right: one step",
        f"likely: no recurrence; {KNOWN_BUGS['no recurrence']}",
    ]
    np.testing.assert_array_equal(given[0], task.draw(np.random.default_rng(0))[0][0])


def test_a_line_of_a_message_has_up_to_72_characters_and_goes_on_below():
    words = "o" * 34, "n" * 35
    assert _indented(" ".join(words)) == f"  {words[0]} {words[1]}"
    assert _indented(" ".join((*words, "e"))) == f"  {words[0]} {words[1]}\n    e"
    assert _indented(f"{words[0]} {words[1]}e") == f"  {words[0]}\n    {words[1]}e"


def test_a_notebook_shows_the_message_alone():
    lines = WrongAnswerError("bp1\n  delta is off")._render_traceback_()
    assert lines == ["not yet: bp1", "  delta is off"]


def test_an_error_in_the_answer_itself_is_the_reader_s_to_see():
    with pytest.raises(ZeroDivisionError):
        check("output-error", lambda *_: 1 / 0)


def test_an_answer_that_numpy_stops_is_told_its_line_the_shapes_there_and_those_wanted():
    def edges(w, u, delta):
        return delta @ w, delta[0] @ u.T

    def elman(params, saved, d_outputs, d_final):
        return params, d_outputs @ params[0], d_final

    with pytest.raises(WrongAnswerError) as wrong:
        check("edges", edges)
    assert str(wrong.value).splitlines()[1:5] == [
        "  stopped at: return delta @ w, delta[0] @ u.T",
        "  shapes there: w (2, 3), u (3, 3), delta (5, 4, 3)",
        "  d_x must have shape (5, 4, 2)",
        "  d_initial must have shape (4, 3)",
    ]
    with pytest.raises(WrongAnswerError, match=r"shapes there: d_outputs \(5, 4, 2\)"):
        check("elman-backward", elman)
    with pytest.raises(ValueError, match="must have 3 items: d_params, d_x, d_initial, got 2"):
        check("elman-backward", lambda *_: (1, 2))


def test_what_is_no_exercise_or_no_function_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of forward-step, .*, got 'bp9'"):
        check("bp9", right)
    with pytest.raises(TypeError, match="answer must be a function, got"):
        check("output-error", 3)
