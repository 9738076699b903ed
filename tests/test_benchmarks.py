"""The page of benchmarks: written from results alone, true of any run; its contenders agree."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
CELL = re.compile(r"^```\{code-cell\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SIZES = ((4, 1, 2), (5, 3, 2), (6, 4, 3))
pytestmark = pytest.mark.house


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Return what a run gives: by the functions of a run, on tiny problems, the plain loop for all contenders."""
    from benchmarks import machine, measures, timing  # noqa: PLC0415 - not in the sdist

    ours, draw = measures.peers.ours, measures.draw
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ours", "torch", "jax", "hips"):
            patch.setattr(measures.peers, name, lambda problem, compiled=False: ours(problem))
        patch.setattr(measures, "tutorial", ours)
        patch.setattr(measures, "LONG", 3)  # the last size is without the loop of a tutorial
        patch.setattr(machine, "PACKAGES", ("numpy",))
        patch.setattr(timing, "ROUND", 0.0)
        patch.setattr(measures, "interleaved", lambda runs, *_: timing.interleaved(runs, 0.0, 2))
        patch.setattr(measures, "draw", lambda cell, _: draw(cell, (6, 4, 2)))
        found = {
            "roofline": measures.roofline(0.0, 2),
            "ways": measures.ways((6, 12, 24)),
            "memory": measures.way("square root", (6, 12), 4, 2),
            "growth": measures.growth(quick=True),
        }
        patch.setattr(measures, "EXTRA", (("mask", {"masked": True}),))
        small = lambda cell, sizes, **options: draw(cell, min(sizes, (6, 4, 3)), **options)
        patch.setattr(measures, "draw", small)
        found |= {
            "quick": False,
            "machine": machine.described(),
            "grid": list(measures.grid(SIZES, 0.0, 2)),
            "all cores": list(measures.layers(SIZES, 0.0, 2, timing.ALL_CORES._replace(pause=0.0))),
        }
    return json.loads(json.dumps(found))


def test_the_page_is_of_the_committed_run():
    """Red if the page was edited, or `benchmarks/page.md` was and no page was written from it."""
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    kept = json.loads((REFERENCE / "benchmarks.json").read_text(encoding="utf-8"))
    assert page.written(kept) == (REFERENCE / "benchmarks.md").read_text(encoding="utf-8")


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table, its head first."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()
    ]
    assert {len(row) for row in rows} == {len(head)}
    return [head, *rows]


def test_every_table_is_on_the_page_with_all_its_rows(results):
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    prose = CELL.sub("", page.written(results))
    found = [rows_of(table) for table in re.findall(r"(?:^\|.*\|\n)+", prose, re.MULTILINE)]
    heads = [table[0] for table in found]
    lengths = {table[0][1]: len(table) - 1 for table in found if table[0][0] != "cell"}
    assert lengths == {"this run": len(results["machine"]), "ms, T = 6": len(results["ways"])}
    assert heads[1][:4] == heads[3][:4] == ["cell", "T, B, n", "plain, ms", "compiled, ms"]
    assert heads[2][:3] == ["cell", "setting", "T, B, n"]
    assert [len(table) - 1 for table in found] == [len(results["machine"]), 9, 3, 9, 3, 7]
    grid = [row for row in results["grid"] if not row["what"]]
    for table, rows in ((found[1], grid), (found[3], results["all cores"])):
        for line, row in zip(table[1:], rows, strict=True):
            assert line[:2] == [row["cell"], f"{row['T']}, {row['B']}, {row['n']}"]
            assert float(line[2]) == pytest.approx(row["ms"]["ours"], rel=5e-3)
            assert float(line[3]) == pytest.approx(row["ms"]["compiled"], rel=5e-3)
            ratios = [
                row[by][peer][1] for by in ("ratio", "over compiled") for peer in ("torch", "jax")
            ]
            assert [float(word) for word in line[4:]] == pytest.approx(ratios, abs=5.1e-3)
    assert f"| commit | {results['machine']['commit']} |" in prose


def test_a_template_that_lacks_a_place_is_refused(results):
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    template = page.TEMPLATE.read_text(encoding="utf-8")
    assert set(page.tables(results)) == {
        "machine",
        "grid",
        "settings",
        "all cores",
        "roofline",
        "ways",
    }
    for name in page.PLACE.findall(template):
        for wrong in (template.replace(f"<<{name}>>", ""), f"{template}\n<<{name}>>\n"):
            with pytest.raises(ValueError, match=f"look at {name}$"):
                page.written(results, wrong)
    with pytest.raises(ValueError, match=r"look at another$"):
        page.written(results, f"{template}\n<<another>>\n")


def test_a_quick_run_is_called_one(results):
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    assert "a quick one" not in page.written(results)
    assert "a quick one" in page.written({**results, "quick": True})


def test_the_words_of_the_page_state_no_number():
    """What was measured stands in tables and outputs, which are of the run; words would be of another one."""
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    prose = CELL.sub("", page.TEMPLATE.read_text(encoding="utf-8"))
    prose = re.sub(
        r"^10 minutes\.$|python3|float\d\d|\{eq\}`bp2`|n\^2|https?://\S+",
        "",
        prose,
        flags=re.MULTILINE,
    )
    found = [line for line in prose.splitlines() if re.search(r"\d", line)]
    assert len(found) == 2, found  # ratios are below 1; the error that step_backward is given is 1
    assert all(re.findall(r"\d+", line) == ["1"] for line in found), found


def scaled(results: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return results with all ratios, over either loop, multiplied by a factor; no single run gives these."""
    found = copy.deepcopy(results)
    for row in [*found["grid"], *found["all cores"]]:
        for name in row["ratio"]:
            row["ratio"][name] = [factor * value for value in row["ratio"][name]]
        for name in row["over compiled"]:
            row["over compiled"][name] = [factor * value for value in row["over compiled"][name]]
    for row in found["roofline"]:
        row["compiled"] /= factor
    return found


def outputs(text: str) -> list[str]:
    """Run the cells of a page in turn; return what each printed."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - slow

    space: dict[str, Any] = {}
    found = []
    plt.close("all")  # what other tests have left open
    for cell in CELL.findall(text):
        code = re.sub(r"\A(---\n.*?\n---\n|(:[a-z]+:[^\n]*\n)+)", "", cell, flags=re.DOTALL)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, "cell", "exec"), space)  # noqa: S102
        assert len(plt.get_fignums()) == ("tags: [plot]" in cell)
        plt.close("all")
        found.append(printed.getvalue())
    return found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_the_cells_of_the_page_say_what_the_run_says(results, factor, monkeypatch):
    """Whoever is ahead: no cell fails, and what is concluded follows the numbers."""
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    monkeypatch.setenv("MPLBACKEND", "agg")
    run = scaled(results, factor)
    printed = outputs(page.written(run))
    concluded = [text for text in printed if "PyTorch over plain" in text]
    grids = [[row for row in run["grid"] if not row["what"]], run["all cores"]]
    for text, rows in zip(concluded, grids, strict=True):
        for name, peer in {"PyTorch": "torch", "JAX": "jax"}.items():
            for loop, over in {"plain": "ratio", "compiled": "over compiled"}.items():
                ratios = [row[over][peer][1] for row in rows]
                said = re.search(rf"^{name} over {loop}: .*\n.* ahead in (.*)$", text, re.MULTILINE)
                assert said[1] == f"{sum(ratio >= 1 for ratio in ratios)} of {len(rows)}"
                assert f"from {min(ratios):.2f} to {max(ratios):.2f};" in said[0]
        assert factor >= 1 or "behind, LSTM: (4, 1, 2) (5, 3, 2) (6, 4, 3)" in text
        assert factor <= 1 or "behind" not in text
    gains = [row["over compiled"]["ours"][1] for row in grids[0] if row["B"] == 1]
    assert any(
        re.match(f"one sequence: .* from {min(gains):.2f} to {max(gains):.2f}$", text, re.MULTILINE)
        for text in printed
    )


def test_all_cores_take_the_threads_they_take_by_themselves(monkeypatch):
    """Whatever a session of nox has set for all it runs."""
    from benchmarks import machine  # noqa: PLC0415 - not in the sdist

    monkeypatch.delattr(os, "sched_setaffinity", raising=False)  # the cores of other tests
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    machine.all_cores()
    assert not [name for name in os.environ if name.endswith("_NUM_THREADS")]


@pytest.mark.parametrize("cell", ["Elman", "LSTM", "GRU"])
def test_the_loop_of_a_tutorial_takes_the_same_gradient(cell):
    from benchmarks.peers import ours  # noqa: PLC0415 - not in the sdist
    from benchmarks.problems import draw  # noqa: PLC0415 - not in the sdist
    from benchmarks.tutorial import tutorial  # noqa: PLC0415 - not in the sdist

    problem = draw(cell, (6, 3, 4), dtype="float64")
    one, other = ours(problem), tutorial(problem)
    for got, want in zip(one.arrays(one.run()), other.arrays(other.run()), strict=True):
        assert np.abs(got - want).max() < 1e-12
