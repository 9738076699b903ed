"""Run the cells of all pages before any page is read: side by side, those that take long first.

Sphinx reads pages in parallel, but shares them out by their names beforehand, so that one core waits while
another runs all tutorials. Here each core takes the next page as soon as it has done one. What came out is in
``execution.RAN`` when the pages are read, by this process or by one forked from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from _ext.execution import RAN, code_cells, key, outcome, wanted

LONGEST = ("tutorials", "howto", "learn")  # where cells take long, when nothing is known of a page


def notebooks(env: BuildEnvironment, docnames: list[str]) -> Iterator[NotebookNode]:
    """Yield the notebooks of those pages whose cells this build runs, in the order to run them in."""
    order = {folder: k for k, folder in enumerate(LONGEST)}
    myst: Any = env
    for name in sorted(docnames, key=lambda name: (order.get(name.partition("/")[0], 9), name)):
        path = str(env.doc2path(name))
        text = Path(path).read_text("utf-8")
        reader = create_nb_reader(path, myst.myst_config, myst.mystnb_config, text)
        if reader and wanted(name) and code_cells(notebook := reader.read(text)):
            yield notebook


def _run(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Run what no other build has left."""
    config: Any = env.mystnb_config  # type: ignore[attr-defined]
    if config.execution_mode == "off":
        return
    kept = Path(config.execution_cache_path)
    todo = {key(notebook): notebook for notebook in notebooks(env, docnames)}
    todo = {name: each for name, each in todo.items() if not (kept / f"{name}.json").is_file()}
    with ThreadPoolExecutor(max(app.parallel, 1)) as cores:
        done = cores.map(lambda notebook: outcome(notebook, config)[0], todo.values())
        RAN.update(zip(todo, done, strict=True))


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before reading."""
    app.connect("env-before-read-docs", _run)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
