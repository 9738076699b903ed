"""Run the cells of all pages before Sphinx reads any (README.md): on all cores, pages that take long first."""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from _ext.execution import cell_rules, client, kernel
from _ext.execution.client import Seconds
from _ext.execution.record import ONLY, Page, left, locate, wanted, write
from _ext.execution.store import Store, code_cells
from _ext.slicing import requirements
from _ext.slicing.page_data import tagged

log = logging.getLogger(__name__)
MUST_RUN = ("BPTT_SITE_URL", "READTHEDOCS")  # set by who publishes: a page that is not run is red


@dataclass
class Job:
    """A notebook that Sphinx is about to read, and the record of what happens to it."""

    page: Page
    text: str
    notebook: NotebookNode
    to_run: bool  # it has cells, and this build is about them
    seconds: Seconds | None = None  # None where the cells are not run


def lacking(notebook: NotebookNode, frameworks: list[str]) -> str:
    """Say which optional frameworks cells import that are not installed; "" if all are."""
    modules = (requirements.imported(cell.source) for cell in code_cells(notebook))
    found = {name.partition(".")[0] for name in set().union(*modules)}
    lacks = [n for n in sorted(found & {*frameworks}) if importlib.util.find_spec(n) is None]
    return f"{' and '.join(lacks)} not installed" if lacks else ""


def jobs(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> Iterator[Job]:
    """Yield the pages that are notebooks."""
    markdown = MdParserConfig(enable_extensions=app.config.myst_enable_extensions)
    for name in docnames:
        path = str(env.doc2path(name))
        try:
            text = Path(path).read_text("utf-8")
            reader = create_nb_reader(path, markdown, NbParserConfig(), text)
            notebook = reader and reader.read(text)  # else a page of plain Markdown
            if notebook and notebook.metadata.get("mystnb"):
                log.warning("a page must not set options of MyST-NB in its head", location=name)
            if "." in name:  # its records would be those of a page in a folder
                log.warning("the name of a page must not have a dot", location=name)
        except Exception as error:
            raise ExtensionError(f"{path}: {error}") from error
        if notebook:
            page = Page(name, path, why_not=lacking(notebook, app.config.bptt_frameworks))
            code = any(cell.source.strip() for cell in code_cells(notebook))
            yield Job(page, text, notebook, to_run=code and wanted(name))


def longest_first(job: Job) -> tuple[bool, int, str]:
    """Sort tutorials, which train, before all else, and then what has many cells; so no core waits at the end."""
    name = job.page.docname
    return not name.startswith("tutorials/"), -len(code_cells(job.notebook)), name


def _prepare(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """See to it that the store holds every page that is about to be read."""
    store = Store(Path(app.config.nb_execution_cache_path))
    every = sorted(jobs(app, env, docnames), key=longest_first)
    todo = []
    for job in every:
        job.seconds = None if job.page.why_not else store.find(job.notebook)
        if job.seconds is None and job.to_run and not job.page.why_not:
            todo.append(job)
        elif job.seconds is None:
            store.keep(job.notebook, job.page.path)
    if todo:
        _run(store, todo, app)
    for job in every:
        if job.to_run:
            _tell(job, Path(app.outdir))


def _run(store: Store, todo: list[Job], app: Sphinx) -> None:
    """Run pages side by side; each core takes the next page as soon as it has done one."""
    os.environ.update(kernel.environment(Path(app.config.bptt_package)))
    kernel.import_before(*{"matplotlib.pyplot" for job in todo if "matplotlib" in job.text})
    timeout = app.config.nb_execution_timeout
    with ThreadPoolExecutor(min(app.parallel, os.cpu_count() or 1)) as cores:
        running = {cores.submit(client.run, job.notebook, timeout): job for job in todo}
        for number, future in enumerate(as_completed(running), 1):
            job = running[future]
            job.seconds, job.page.kept = future.result(), False
            store.keep(job.notebook, job.page.path, job.seconds)
            took = sum(s or 0 for s in job.seconds)
            sys.stderr.write(f"cells: {number} of {len(todo)}, {job.page.docname} {took:.1f} s\n")


def _tell(job: Job, outdir: Path) -> None:
    """Leave the record of a page, and warn of what is wrong with its cells."""
    page, lines = job.page, job.text.splitlines()
    fences = job.notebook.metadata.get("source_map", [1] * len(job.notebook.cells))  # .ipynb: none
    places = zip(job.notebook.cells, fences, strict=True)
    code = [(cell, fence) for cell, fence in places if cell.cell_type == "code"]
    run = []
    for (cell, fence), seconds in zip(code, job.seconds or [None] * len(code), strict=True):
        if not cell.source.strip():
            continue
        run.append(cell_rules.raw(cell))
        problems = list(cell_rules.problems(cell, ran=not page.why_not))
        found = page.add_cell(cell, locate(lines, cell.source, fence), seconds, problems)
        for words in problems:
            where = (page.docname, found.line)
            log.warning("%s", f"cell {found.number}: {words}", location=where)
    write(left(outdir, "records", page.docname), json.dumps(asdict(page), indent=1))
    if not page.why_not:
        write(left(outdir, "outputs", page.docname), json.dumps(run))
    elif os.environ.get("CI") == "true" or any(os.environ.get(name) for name in MUST_RUN):
        log.warning("the cells were not run: %s", page.why_not, location=page.docname)


def _say_so(app: Sphinx, doctree: nodes.document) -> None:
    """Say above the first cell of a page that its cells were not run, and why."""
    file = left(Path(app.outdir), "records", app.env.docname)
    why_not = Page.load(file).why_not if wanted(app.env.docname) and file.is_file() else ""
    cells = tagged(doctree)
    if why_not and not cells:
        log.warning("MyST-NB changed: no cell is found in the page", location=app.env.docname)
    elif why_not:
        words = f"The cells of this page were not run when it was built: {why_not}. "
        words += "So they show no outputs, and nothing on this page has been checked."
        place = cells[0].parent
        place.insert(place.index(cells[0]), nodes.warning("", nodes.paragraph("", words)))


def _outdated(_app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the pages asked for by name each time: they may have been read without being run."""
    return [d for d in env.found_docs if os.environ.get(ONLY) and wanted(d)]


def _all_run(app: Sphinx, env: BuildEnvironment) -> None:
    """Refuse a page without a cell that ran, unless a pattern in conf.py excuses it."""
    for docname in sorted(env.found_docs):
        ran = left(Path(app.outdir), "records", docname).is_file()
        excused = any(fnmatch(docname, p) for p in app.config.bptt_pages_without_cells)
        if wanted(docname) and not ran and not excused:
            log.warning("no cell of this page is run", location=docname)
    for path in Store(Path(app.config.nb_execution_cache_path)).run_by_others():
        words = "MyST-NB changed: it did not find this page's outputs and ran the cells itself"
        log.warning("%s", words, location=env.path2doc(path))


def setup(app: Sphinx) -> None:
    """Run before reading."""
    app.connect("env-get-outdated", _outdated)
    app.connect("env-before-read-docs", _prepare)
    app.connect("doctree-read", _say_so)
    app.connect("env-check-consistency", _all_run)
