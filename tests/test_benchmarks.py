"""The page of benchmarks holds what the committed run says, and nothing else; its contenders agree."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.house


def test_the_page_holds_the_tables_of_the_run():
    from benchmarks import page  # noqa: PLC0415 - not in the sdist

    reference = ROOT / "docs" / "reference"
    results = json.loads((reference / "benchmarks.json").read_text(encoding="utf-8"))
    text = (reference / "benchmarks.md").read_text(encoding="utf-8")
    assert page.with_tables(text, results) == text
    assert ("bench -- --quick`:" in text) == results["quick"]  # the page says which run it is


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
