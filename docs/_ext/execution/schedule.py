"""Run the cells of all pages before Sphinx reads any: on all cores, pages that take long first.

Every notebook that Sphinx is about to read gets an entry in the store: what its cells gave, or no outputs if
this build does not run them. So MyST-NB, in its mode "cache", finds each page there and runs nothing itself. What
happened is told as warnings of Sphinx, and page by page in ``records/`` beside the output (see ``record.py``).
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from _ext.execution import cell_rules, client
from _ext.execution.record import ONLY, Page, locate, outputs_file, record_file, wanted, write
from _ext.execution.store import GREEN, NOT_RUN, Outcome, Store, code_cells, not_run, outcome_of
from _ext.slicing import requirements

log = logging.getLogger(__name__)
MUST_RUN = ("BPTT_SITE_URL", "READTHEDOCS")  # set by who publishes the site


@dataclass
class Job:
    """A notebook that Sphinx is about to read."""

    docname: str
    path: Path
    text: str
    notebook: NotebookNode
    lacking: list[str]  # frameworks that the page needs and this machine does not have
    outcome: Outcome | None = None
    kept: bool = True

    @property
    def to_run(self) -> bool:
        """Say whether this build runs the cells of the page, unless it finds their outputs."""
        code = any(cell.source.strip() for cell in code_cells(self.notebook))
        return code and wanted(self.docname)

    @property
    def why_not(self) -> str:
        """Say why the cells are not run, if they are not."""
        return f"{' and '.join(self.lacking)} not installed" if self.lacking else ""


def lacking(notebook: NotebookNode, frameworks: list[str]) -> list[str]:
    """Return the optional frameworks that cells import and that are not installed."""
    found: set[str] = set()
    for cell in code_cells(notebook):
        try:
            found |= {name.partition(".")[0] for name in requirements.imported(cell.source)}
        except SyntaxError:
            continue  # the cell fails when it is run
    return [n for n in sorted(found & set(frameworks)) if importlib.util.find_spec(n) is None]


def jobs(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> Iterator[Job]:
    """Yield the pages that are notebooks."""
    markdown = MdParserConfig(enable_extensions=app.config.myst_enable_extensions)
    for name in docnames:
        path = Path(env.doc2path(name))
        text = path.read_text("utf-8")
        reader = create_nb_reader(str(path), markdown, NbParserConfig(), text)
        if reader:  # else a page of plain Markdown
            notebook = reader.read(text)
            yield Job(name, path, text, notebook, lacking(notebook, app.config.bptt_frameworks))


def longest_first(job: Job) -> tuple[bool, int, str]:
    """Sort tutorials, which train, before all else, and then what has many cells; so no core waits at the end."""
    return not job.docname.startswith("tutorials/"), -len(code_cells(job.notebook)), job.docname


def _prepare(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """See to it that the store holds every page that is about to be read."""
    store = Store(Path(app.config.nb_execution_cache_path))
    every = sorted(jobs(app, env, docnames), key=longest_first)
    for job in every:
        job.outcome = store.find(job.notebook)
        usable = job.outcome and job.outcome.state == GREEN
        if job.lacking or (not job.outcome and not job.to_run):
            job.outcome = not_run(job.notebook)
            store.keep(job.notebook, job.path, job.outcome)
        elif job.to_run and not usable:
            job.kept, job.outcome = False, None
    _run(store, [job for job in every if not job.kept], app)
    for job in every:
        if job.to_run:
            _tell(job, Path(app.outdir))


def _run(store: Store, todo: list[Job], app: Sphinx) -> None:
    """Run pages side by side; each core takes the next page as soon as it has done one."""
    timeout = app.config.nb_execution_timeout
    if not todo:
        return
    package = Path(app.config.bptt_package)
    with client.kernels(package), ThreadPoolExecutor(max(app.parallel, 1)) as cores:
        running = {cores.submit(client.run, job.notebook, timeout): job for job in todo}
        for number, future in enumerate(as_completed(running), 1):
            job, seconds = running[future], future.result()
            job.outcome = outcome_of(job.notebook, seconds)
            store.keep(job.notebook, job.path, job.outcome)
            took = sum(s or 0 for s in seconds)
            sys.stderr.write(f"cells: {number} of {len(todo)}, {job.docname} {took:.1f} s\n")


def _tell(job: Job, outdir: Path) -> None:
    """Leave the record of a page, and warn of what is wrong with its cells."""
    assert job.outcome is not None
    cells, lines = code_cells(job.notebook), job.text.splitlines()
    page = Page(job.docname, str(job.path), kept=job.kept, why_not=job.why_not)
    fences = job.notebook.metadata["source_map"]
    places = [fences[k] for k, c in enumerate(job.notebook.cells) if c.cell_type == "code"]
    if "execution_mode" in job.notebook.metadata.get("mystnb", {}):
        log.warning("a page must not set its own execution_mode", location=job.docname)
    for cell, seconds, outputs, fence in zip(
        cells, job.outcome.seconds, job.outcome.outputs, places, strict=True
    ):
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
        if not cell.source.strip():
            continue
        start = locate(lines, cell.source, fence)
        problems = list(cell_rules.problems(cell, ran=job.outcome.state != NOT_RUN))
        found = page.add_cell(cell, start, seconds, problems)
        for words in problems:
            where = (job.docname, found.line)
            log.warning("%s", f"cell {found.number}: {words}", location=where)
    write(record_file(outdir, job.docname), page.dumps())
    if job.why_not and must_run():
        log.warning("the cells were not run: %s", job.why_not, location=job.docname)
    if not job.why_not:
        run = [cell_rules.raw(cell) for cell in cells if cell.source.strip()]
        write(outputs_file(outdir, job.docname), json.dumps(run))


def must_run() -> bool:
    """Say whether a page that could not be run makes this build red."""
    return os.environ.get("CI") == "true" or any(os.environ.get(name) for name in MUST_RUN)


def _say_so(app: Sphinx, doctree: nodes.document) -> None:
    """Say above the first cell of a page that its cells were not run, and why."""
    file = record_file(Path(app.outdir), app.env.docname)
    why_not = Page.load(file).why_not if wanted(app.env.docname) and file.is_file() else ""
    first = next((c for c in doctree.findall(nodes.container) if "cell" in c["classes"]), None)
    if why_not and first is None:
        log.warning("MyST-NB changed: no cell is found in the page", location=app.env.docname)
    elif why_not and first is not None:
        words = f"The cells of this page were not run when it was built: {why_not}. "
        words += "So they show no outputs, and nothing on this page has been checked."
        first.parent.insert(
            first.parent.index(first), nodes.warning("", nodes.paragraph("", words))
        )


def _outdated(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the pages asked for by name each time: they may have been read without being run."""
    del app
    return [d for d in env.found_docs if os.environ.get(ONLY) and wanted(d)]


def _all_run(app: Sphinx, env: BuildEnvironment) -> None:
    """Refuse a page without a cell that ran, unless a pattern in conf.py excuses it."""
    for docname in sorted(env.found_docs):
        ran = record_file(Path(app.outdir), docname).is_file()
        excused = any(fnmatch(docname, p) for p in app.config.bptt_pages_without_cells)
        if wanted(docname) and not ran and not excused:
            log.warning("no cell of this page is run", location=docname)
    for path in Store(Path(app.config.nb_execution_cache_path)).run_by_others():
        words = "MyST-NB changed: it did not find this page's outputs and ran the cells itself"
        log.warning("%s", words, location=env.path2doc(path))


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before reading."""
    app.add_config_value("bptt_package", None, "env", types=(str,))
    app.add_config_value("bptt_pages_without_cells", [], "", types=(list,))
    app.add_config_value("bptt_frameworks", [], "env", types=(list,))
    app.connect("env-get-outdated", _outdated)
    app.connect("env-before-read-docs", _prepare)
    app.connect("doctree-read", _say_so)
    app.connect("env-check-consistency", _all_run)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
