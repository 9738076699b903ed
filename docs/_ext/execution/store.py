"""Keep what the cells of a page gave in jupyter-cache, where MyST-NB finds it when it reads the page.

The cache is the folder ``nb_execution_cache_path`` of conf.py, whose last part names everything that a cell can see
(``cache_key.py``). An entry holds the outputs in the form that the page shows, and beside them, as the entry's data,
the outputs as they came, the seconds and the state. Only an entry of state ``GREEN`` is used by a later build.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat import NotebookNode

from _ext.execution import cell_rules

GREEN, RED, NOT_RUN = "green", "red", "not run"
LANGUAGE = {"name": "ipython3"}  # tells the highlighter what the cells are, run or not


@dataclass
class Outcome:
    """What the code cells of a page gave: for each its seconds and its outputs as they came."""

    state: str
    seconds: list[float | None]
    outputs: list[list[Any]]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outcome_of(notebook: NotebookNode, seconds: list[float | None]) -> Outcome:
    """Return the outcome of a notebook whose cells have just run."""
    cells = code_cells(notebook)
    failed = any(True for cell in cells for _ in cell_rules.problems(cell))
    return Outcome(RED if failed else GREEN, seconds, [cell.outputs for cell in cells])


def not_run(notebook: NotebookNode) -> Outcome:
    """Return the outcome of a notebook whose cells this build does not run: no output at all."""
    cells = code_cells(notebook)
    return Outcome(NOT_RUN, [None] * len(cells), [[] for _ in cells])


class Store:
    """The outputs of all pages, by the code of their cells."""

    def __init__(self, folder: Path) -> None:
        self.cache = get_cache(str(folder))

    def find(self, notebook: NotebookNode) -> Outcome | None:
        """Return what is kept for these cells, if anything is."""
        try:
            data = self.cache.match_cache_notebook(notebook).data
        except KeyError:
            return None
        return Outcome(**data["outcome"]) if "outcome" in data else None

    def keep(self, notebook: NotebookNode, page: Path, outcome: Outcome) -> None:
        """Keep an outcome; it replaces what is kept for the same cells."""
        shown = deepcopy(notebook)
        shown.metadata["language_info"] = LANGUAGE
        for cell, outputs in zip(code_cells(shown), deepcopy(outcome.outputs), strict=True):
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
            cell.outputs = cell_rules.show(cell)
        bundle = CacheBundleIn(shown, str(page), data={"outcome": asdict(outcome)})
        self.cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

    def run_by_others(self) -> list[str]:
        """Return the pages that MyST-NB did not find and ran itself, and forget them."""
        records = self.cache.list_project_records()
        for record in records:
            self.cache.remove_nb_from_project(record.pk)
        return sorted(record.uri for record in records)
