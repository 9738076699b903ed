"""Run the cells of one page in a kernel of our own (``kernel.py``), with nbclient.

A cell that fails stops the page, and its error becomes its output: whoever called goes on with the next page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from typing import Any, TypeAlias

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from _ext.execution import cell_rules, kernel
from _ext.execution.record import write

KERNEL = "bptt-docs"
Seconds: TypeAlias = list[float | None]  # of each code cell; None if it was not run


def run(notebook: NotebookNode, timeout: int) -> Seconds:
    """Run all cells in place, in an empty folder; return the seconds that each code cell took."""
    began: dict[int, float] = {}
    seconds: dict[int, float] = {}

    def start(*, cell_index: int, **_: Any) -> None:
        began[cell_index] = time.perf_counter()

    def end(*, cell_index: int, **_: Any) -> None:
        seconds[cell_index] = round(time.perf_counter() - began[cell_index], 3)

    client = NotebookClient(
        notebook, kernel_name=KERNEL, timeout=timeout, record_timing=False,
        on_cell_execute=start, on_cell_executed=end,
    )  # fmt: skip
    client.log.setLevel(ERROR)
    code = {k: cell for k, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    with tempfile.TemporaryDirectory() as cwd:
        try:
            client.execute(cwd=cwd)
        except CellExecutionError:
            pass  # the cell holds the error
        except Exception as error:  # noqa: BLE001 - a time-out, a kernel that died or never started
            words = str(error).strip().splitlines() or ["no reason given"]
            said = nbformat.v4.new_output("error", ename=type(error).__name__, evalue=words[0])
            code[max(began, default=min(code))].outputs.append(said)
    for cell in code.values():
        cell.outputs = cell_rules.tidy(cell.outputs)
    return [seconds.get(k) for k in code]


@contextmanager
def kernels(package: Path) -> Iterator[None]:
    """Let Jupyter find our kernel, for this interpreter; fork kernels from a server where there is `fork`."""
    with tempfile.TemporaryDirectory(prefix="bptt-docs-") as home:
        address = str(Path(home, "server"))
        spec = {
            "argv": [sys.executable, kernel.__file__, "-f", "{connection_file}"],
            "display_name": "bptt docs",
            "language": "python",
            "env": {**kernel.environment(package), kernel.SERVER: address},
        }
        write(Path(home, "kernels", KERNEL, "kernel.json"), json.dumps(spec))
        os.environ["JUPYTER_PATH"] = home
        server = _server(address, {**os.environ, **spec["env"]}) if hasattr(os, "fork") else None
        try:
            yield
        finally:
            if server:
                server.terminate()
                server.wait()


def _server(address: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Return the running server of kernels, once it can be asked; a kernel can do without it."""
    script = str(Path(kernel.__file__).with_name("kernel_server.py"))
    server = subprocess.Popen([sys.executable, script, address], env=environment)
    while server.poll() is None and not Path(address).exists():
        time.sleep(0.02)
    return server
