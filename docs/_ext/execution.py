"""Run the cells of each page, keep what came out, and never believe anything older than the library.

MyST-NB's own client keys its cache by the cells alone and forgets seconds and lines; this one takes its
place. Outputs are kept in ``nb_execution_cache_path``, whose last part is the digest of the library
(``digest.py``), under the digest of the page's cells. Only a page whose every cell did what it should is
kept. What happened on each page is left in ``records/`` beside the output for docs/build.py to tell.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from fnmatch import fnmatch
from hashlib import sha256
from logging import ERROR
from pathlib import Path
from typing import Any, TypeAlias

import myst_nb.sphinx_ as myst_nb_sphinx
import nbformat
from myst_nb.core.execute import NotebookClientBase
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from _ext import cells, kernel
from _ext.record import Page, locate

log = logging.getLogger(__name__)
KERNEL = "bptt-docs"
ONLY = "BPTT_DOCS_ONLY"  # pages to run, separated by blanks; all if unset


def wanted(docname: str) -> bool:
    """Say whether this build runs the cells of a page."""
    only = os.environ.get(ONLY, "").split()
    return not only or docname in only


class Runner(NotebookClient):
    """A client that notes each cell's seconds and stops at the first cell that fails."""

    def __init__(self, notebook: NotebookNode, timeout: int) -> None:
        super().__init__(notebook, kernel_name=KERNEL, timeout=timeout)
        self.log.setLevel(ERROR)
        self.seconds: dict[int, float] = {}

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, **kwargs: Any) -> Any:
        """Run one cell."""
        start = time.perf_counter()
        try:
            return await super().async_execute_cell(cell, cell_index, **kwargs)
        finally:
            self.seconds[cell_index] = round(time.perf_counter() - start, 3)
            if cell.cell_type == "code":
                cell.outputs = cells.tidy(cell.outputs)

    execute_cell = None  # only whole pages are run


def run(notebook: NotebookNode, timeout: int) -> dict[int, float]:
    """Run all cells in place, in an empty folder; a failure becomes the output of its cell."""
    runner = Runner(notebook, timeout)
    with tempfile.TemporaryDirectory() as cwd:
        try:
            runner.execute(cwd=cwd)
        except CellExecutionError:
            pass  # the cell holds the error
        except Exception as error:  # noqa: BLE001 - a time-out, a kernel that died or never came up
            at = max(runner.seconds, default=0)
            code = [k for k, c in enumerate(notebook.cells) if c.cell_type == "code"]
            cell = notebook.cells[at if at in code else code[0]]
            words = str(error).strip().splitlines() or ["no reason given"]
            cell.outputs.append(
                nbformat.v4.new_output("error", ename=type(error).__name__, evalue=words[-1])
            )
    return runner.seconds


def key(notebook: NotebookNode) -> str:
    """Return the name under which the outputs of a page's cells are kept."""
    parts = [
        (c.cell_type, c.source, sorted(c.metadata.get("tags", [])))
        for c in notebook.cells
        if c.cell_type == "code"
    ]
    shape = [c.cell_type for c in notebook.cells]
    return sha256(json.dumps([parts, shape]).encode()).hexdigest()[:24]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells with code."""
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]


def failed(notebook: NotebookNode) -> bool:
    """Say whether any cell did what it must not."""
    return any(True for cell in code_cells(notebook) for _ in cells.problems(cell))


Outcome: TypeAlias = tuple[dict[int, float], list[list[Any]]]  # seconds by cell, outputs by cell
RAN: dict[str, Outcome] = {}  # what this build ran before it read any page (see ahead.py)


def outcome(notebook: NotebookNode, config: Any) -> tuple[Outcome, bool]:
    """Return what the cells of a page give, and whether that was kept from another build.

    Only what is as it should be is kept.
    """
    name = key(notebook)
    if name in RAN:
        return RAN[name], False
    file = Path(config.execution_cache_path) / f"{name}.json"
    if file.is_file():
        kept = json.loads(file.read_text("utf-8"))
        return ({int(k): v for k, v in kept["seconds"].items()}, kept["outputs"]), True
    seconds = run(notebook, config.execution_timeout)
    outputs = [c.get("outputs", []) for c in notebook.cells]
    if not failed(notebook):
        _write(file, json.dumps({"seconds": seconds, "outputs": outputs}))
    return (seconds, outputs), False


class Client(NotebookClientBase):
    """Bring a page's outputs from the cache, or from a kernel."""

    def start_client(self) -> None:
        """Fill in the outputs, warn of what is wrong, leave a record."""
        code = code_cells(self.notebook)
        if not code or self.path is None:
            return
        (seconds, outputs), kept = outcome(self.notebook, self.nb_config)
        for cell, found in zip(self.notebook.cells, outputs, strict=True):
            if cell.cell_type == "code":
                cell.outputs = [nbformat.from_dict(o) for o in found]
        page = self._record(seconds, kept)
        _write(
            outputs_file(Path(self.nb_config.output_folder), page.docname),
            json.dumps([cells.raw(cell) for cell in code]),
        )
        for cell in code:
            cell.outputs = cells.show(cell)

    def _record(self, seconds: dict[int, float], kept: bool) -> Page:
        assert self.path is not None
        docname = self.logger.extra["docname"]
        page = Page(docname, str(self.path), kept=kept)
        text = self.path.read_text("utf-8").splitlines()
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            start = locate(text, cell.source, self.cell_line(index) - 1)
            found = page.add_cell(cell, start, seconds.get(index), list(cells.problems(cell)))
            for words in found.problems:
                message = f"cell {found.number}: {words}"
                self.logger.warning(message, line=found.line, subtype="cell")
        folder = Path(self.nb_config.output_folder).parent / "records"
        _write(folder / f"{docname.replace('/', '.')}.json", page.dumps())
        return page


def outputs_file(outdir: Path, docname: str) -> Path:
    """Return where a page's cells are left as they were executed, for its twins."""
    return outdir.parent / "outputs" / f"{docname.replace('/', '.')}.json"


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all; two builds may share the cache."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def create_client(
    notebook: NotebookNode, source: str, config: Any, logger: Any, read_fmt: Any = None
) -> NotebookClientBase:
    """Stand in for MyST-NB's choice among its own clients."""
    del read_fmt
    run_it = config.execution_mode != "off" and wanted(logger.extra["docname"])
    notebook.metadata["language_info"] = {"name": "ipython3"}  # for the highlighter, run or not
    return (Client if run_it else NotebookClientBase)(notebook, Path(source), config, logger)


def _kernelspec(app: Sphinx, _config: Any) -> None:
    """Describe our kernel, for this interpreter, in a folder of its own."""
    home = Path(tempfile.mkdtemp(prefix="bptt-docs-"))
    spec = {
        "argv": [sys.executable, kernel.__file__, "-f", "{connection_file}"],
        "display_name": "bptt docs",
        "language": "python",
        "env": kernel.environment(Path(app.config.bptt_package)),
    }
    _write(home / "kernels" / KERNEL / "kernel.json", json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(home)
    app.connect("build-finished", lambda *_: _remove(home))


def _remove(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)


def _outdated(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the pages asked for by name each time: they may have been read without being run."""
    del app
    return [d for d in env.found_docs if os.environ.get(ONLY) and wanted(d)]


def _all_run(app: Sphinx, env: BuildEnvironment) -> None:
    """Refuse a page without a cell that ran, unless a pattern in conf.py excuses it."""
    records = Path(app.outdir).parent / "records"
    for docname in sorted(env.found_docs):
        ran = (records / f"{docname.replace('/', '.')}.json").is_file()
        excused = any(fnmatch(docname, p) for p in app.config.bptt_pages_without_cells)
        if wanted(docname) and not ran and not excused:
            log.warning("no cell of this page is run", location=docname, type="bptt")


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of MyST-NB's execution."""
    app.add_config_value("bptt_package", None, "env", types=(str,))
    app.add_config_value("bptt_pages_without_cells", [], "", types=(list,))
    myst_nb_sphinx.create_client = create_client
    app.connect("config-inited", _kernelspec)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-check-consistency", _all_run)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
