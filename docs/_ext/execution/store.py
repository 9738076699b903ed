"""Keep what the cells of a page gave in jupyter-cache, where MyST-NB finds it when it reads the page.

An entry holds the outputs in the form that the page shows. If nothing is wrong with them, it holds beside them, as the
entry's data, the outputs as they came and the seconds: only these are used by a later build.
"""

from copy import deepcopy
from pathlib import Path
from shutil import rmtree

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat import NotebookNode

from _ext.execution import cell_rules
from _ext.execution.client import Seconds

LANGUAGE = {"name": "ipython3"}  # tells the highlighter what the cells are, run or not


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


class Store:
    """The outputs of all pages, by the code of their cells."""

    def __init__(self, folder: Path) -> None:
        self.cache = get_cache(str(folder))
        try:
            self.cache.list_cache_records()
        except Exception:  # noqa: BLE001 - it was cut short or damaged: whatever is wrong with it, it is only a cache
            rmtree(folder)
            self.cache = get_cache(str(folder))

    def find(self, notebook: NotebookNode) -> Seconds | None:
        """Put into cells what they gave when all was well with them; return their seconds, None if not kept."""
        try:
            record = self.cache.match_cache_notebook(notebook)
            self.cache.get_cache_bundle(record.pk)  # MyST-NB will read it: is it there, and whole?
            kept, seconds = record.data, record.data["seconds"]
        except (KeyError, OSError, ValueError):
            return None
        for cell, outputs in zip(code_cells(notebook), kept["outputs"], strict=True):
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
        return seconds

    def keep(self, notebook: NotebookNode, page: str, seconds: Seconds | None = None) -> None:
        """Keep the outputs of cells, and replace what is kept for the same cells; without seconds, they were not run."""
        shown = deepcopy(notebook)
        shown.metadata["language_info"] = LANGUAGE
        for cell in code_cells(shown):
            cell_rules.show(cell)
        cells = code_cells(notebook)
        failed = any(True for cell in cells for _ in cell_rules.problems(cell))
        data = {"seconds": seconds, "outputs": [cell.outputs for cell in cells]}
        bundle = CacheBundleIn(shown, page, data={} if failed or seconds is None else data)
        self.cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

    def run_by_others(self) -> list[str]:
        """Return the pages that MyST-NB did not find and ran itself, and forget them."""
        records = self.cache.list_project_records()
        for record in records:
            self.cache.remove_nb_from_project(record.pk)
        return sorted(record.uri for record in records)
