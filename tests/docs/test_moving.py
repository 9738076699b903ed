"""The numbers of the figures that move, against the complex step and against the library.

``moving-triangle.js`` is run as it stands, by QuickJS, and held against the cell of its own page.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from _ext.interactive import moving_figures as moving
from quickjs import Context
from scratch import DOCS, Scratch

import bptt

pytestmark = [pytest.mark.docs, pytest.mark.house]


def read(text: str) -> np.ndarray:
    """Return the numbers of a row as it is shown; words are zero."""
    if text.startswith("nothing"):
        return np.zeros(1)
    return np.array([float(v.replace("\N{MINUS SIGN}", "-")) for v in text.split(", ")])


def nudged(nudges: tuple[np.ndarray, ...]) -> complex:
    """Return the cost of the tiny net, each weighted input nudged: layer by layer, (T, n)."""
    tiny = bptt.teaching.tiny()
    past, cost = [np.zeros(2), np.zeros(2)], 0
    for t in range(3):
        below = tiny.x[t, 0]
        for l, (w, u, b) in enumerate(tiny.params.layers):
            past[l] = below = np.tanh(below @ w + past[l] @ u + b + nudges[l][t])
        output = below @ tiny.params.readout.w + tiny.params.readout.b + nudges[2][t]
        cost = cost + 0.5 * ((output - tiny.targets[t, 0]) ** 2).sum()
    return cost


@pytest.fixture(scope="module")
def steps() -> list[moving.Step]:
    return moving.Net().steps()


def test_errors_shown_are_the_derivatives_by_the_complex_step(steps):
    deltas = bptt.complex_step(nudged, (np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 1))))
    back = [step for step in steps if step.label != "FWD"]
    assert len(back) == 9
    for step in back:
        shown = read(dict(step.rows)["delta"])
        np.testing.assert_allclose(shown, deltas[step.layer - 1][step.step - 1], atol=5.1e-5)


def test_each_step_adds_up_as_it_says(steps):
    for step in steps:
        rows = {name: read(words) for name, words in step.rows}
        if step.label == "FWD":
            z = rows["from below"] + rows.get("from the past", 0) + rows["bias"]
            a = rows["z"] if step.layer == 3 else np.tanh(rows["z"])
            np.testing.assert_allclose(rows["z"], z, atol=2e-4)
            np.testing.assert_allclose(rows["a"], a, atol=2e-4)
        elif step.label == "BP2":
            bracket = rows["from above"] + rows["from the future"]
            np.testing.assert_allclose(rows["delta"], rows["slope a'(z)"] * bracket, atol=3e-4)


def test_steps_run_forward_and_back(steps):
    order = [(step.layer, step.step) for step in steps]
    assert order[:9] == [(l, t) for t in (1, 2, 3) for l in (1, 2, 3)]
    assert order[9:] == order[8::-1]
    assert steps[3].title == "(FWD) layer 1, step 2"
    assert [step.label for step in steps[9:]] == ["BP1", "BP2", "BP2"] * 3
    last = next(s for s in steps if s.label == "BP2" and s.step == 3)
    assert dict(last.rows)["from the future"].startswith("nothing")


def test_picture_has_every_step_once():
    figure = moving.net_figure()
    assert sorted(map(int, re.findall(r'data-step="(\d+)"', figure))) == list(range(1, 19))
    data = re.search(r'<script type="application/json" class="moving-data">(.*?)</script>', figure)
    assert len(json.loads(data[1])) == 18
    assert "nan" not in figure


def test_a_number_that_is_not_the_librarys_is_refused():
    net = moving.Net()
    net.delta[1, 2] = net.delta[1, 2] + 1e-9
    with pytest.raises(AssertionError):
        net.steps()


def test_a_figure_that_cannot_be_made_is_named_at_its_line(tmp_path):
    """The scratch library has no tiny net; a page whose library is wrong is red in the same way."""
    site = Scratch(tmp_path / "site")
    site.page(
        "moves", "```{moving-net}\nwords\n```\n\n```{code-cell}\n:tags: [proof]\nprint(1)\n```"
    )
    built = site.build()
    assert built.red
    for words in ("docs/moves.md:9: ERROR: moving-net: ", "fold without a check needs a summary"):
        assert words in built.text, built.text


def page_cell() -> dict:
    """Return the names that the page's own cell about the sliders defines."""
    text = (DOCS / "learn/triangle.md").read_text("utf-8")
    cell = next(
        c for c in re.findall(r"```\{code-cell\}\n(.*?)```", text, re.DOTALL) if "def wheel" in c
    )
    names = {"bptt": bptt, "np": np, "norm": np.linalg.norm}
    names["stack"] = bptt.Stack(cells=(bptt.Elman(),))
    code = "\n".join(line for line in cell.splitlines() if not line.startswith(":"))
    exec(code, names)  # noqa: S102 - the page's own code
    return names


@pytest.fixture(scope="module")
def cell() -> dict:
    return page_cell()


@pytest.fixture(scope="module")
def script():
    context = Context()
    context.eval((DOCS / "_static/moving-triangle.js").read_text("utf-8"))
    return context


@pytest.mark.parametrize(
    ("radius", "T", "k"), [(0.5, 4, 1), (0.9, 24, 6), (1.0, 40, 17), (1.2, 31, 31), (1.5, 40, 10)]
)
def test_sliders_compute_what_the_library_computes(cell, script, radius, T, k):
    call = f"contributions({json.dumps(moving.wheel())}, {radius}, {T}, {k})"
    found = json.loads(script.eval(f"JSON.stringify({call})"))
    truth = cell["wheel"](radius, T)
    whole, kept = (bptt.flatten(part)[0] for part in (truth.total(), truth.total(band=k)))
    norm = np.linalg.norm
    rounding = 1e-11  # the states are chaotic at radius 1.5: rounding grows by 1e4 over 40 steps
    np.testing.assert_allclose(found["place"], truth.norms(), rtol=rounding, atol=1e-15)
    np.testing.assert_allclose(found["norm"], norm(whole), rtol=rounding)
    np.testing.assert_allclose(found["kept"], norm(kept), rtol=rounding)
    np.testing.assert_allclose(found["missing"], norm(whole - kept) / norm(whole), atol=rounding)


def test_sliders_begin_where_the_page_does():
    start = {name: value for name, *_, value in moving.SLIDERS}
    assert (start["rho"], start["T"], start["k"]) == (0.9, 24, 6)
