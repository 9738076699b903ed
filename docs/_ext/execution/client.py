"""Run the cells of one page in a kernel of our own (``kernel.py``), with nbclient."""

import re
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from logging import ERROR
from typing import Any, TypeAlias

import nbformat
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from _ext.execution import kernel

OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)  # by what stands behind it
STARTS = 120  # seconds that a kernel has to start in
Seconds: TypeAlias = list[float | None]  # of each code cell; None if it was not run


class Client(AsyncKernelClient):
    """What nbclient asks whether the kernel is alive."""

    async def is_alive(self) -> bool:
        """Say whether its process is running."""
        return await self.parent.is_alive()


class Kernel(AsyncKernelManager):
    """A kernel in a process of our own, which nbclient finds running."""

    has_kernel = True

    def __init__(self, folder: str) -> None:
        super().__init__(owns_kernel=False, client_factory=Client)
        answers, started = kernel.PROCESSES.Pipe(duplex=False)
        self.process = kernel.PROCESSES.Process(target=kernel.serve, args=(folder, started))
        self.process.start()
        started.close()
        if not answers.poll(STARTS):
            self.process.kill()
            raise TimeoutError(f"the kernel did not start within {STARTS} s")
        self.load_connection_info(answers.recv())

    async def is_alive(self) -> bool:
        """Say whether the process is running."""
        return self.process.is_alive()

    async def shutdown_kernel(self, **_: Any) -> None:
        """End the process, which may give back what it holds."""
        self.process.terminate()
        self.process.join(5)
        self.process.kill()


def joined(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield outputs in their order, pieces of a stream that follow each other as one; of a line, its last state."""
    for name, pieces in groupby(outputs, key=lambda output: output.get("name")):
        if name:
            text = OVERWRITTEN.sub("", "".join(piece.text for piece in pieces))
            yield nbformat.v4.new_output("stream", name=name, text=text)
        else:
            yield from pieces


def run(notebook: NotebookNode, timeout: int) -> Seconds:
    """Run cells in place, in an empty folder, up to one that fails; return the seconds that each code cell took."""
    times: dict[int, list[float]] = {}  # when each cell began and ended

    def note(*, cell_index: int, **_: Any) -> None:
        times.setdefault(cell_index, []).append(time.perf_counter())

    code = {k: cell for k, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    with tempfile.TemporaryDirectory() as cwd:
        try:
            client = NotebookClient(
                notebook, km=Kernel(cwd), timeout=timeout, record_timing=False,
                on_cell_execute=note, on_cell_executed=note,
            )  # fmt: skip
            client.log.setLevel(ERROR)
            client.execute(cleanup_kc=True)
        except Exception as error:  # noqa: BLE001 - of a cell, or a time-out, a kernel that died or never started
            outputs = code[max(times, default=min(code))].outputs
            told = any(output.output_type == "error" for output in outputs)
            if not (told and isinstance(error, CellExecutionError)):  # the cell does not say so
                words = str(error).strip().splitlines() or ["no reason given; see above"]
                said = nbformat.v4.new_output("error", ename=type(error).__name__, evalue=words[0])
                outputs.append(said)
    for cell in code.values():
        cell.outputs.sort(key=lambda output: output.get("name") != "stderr")  # whichever was faster
        cell.outputs = list(joined(cell.outputs))
    took = {k: round(ended[0] - began, 3) for k, (began, *ended) in times.items() if ended}
    return [took.get(k) for k in code]
