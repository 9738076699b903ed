"""Runs cells in the browser: this file is read by worker.mjs, which gives each cell's code to `run`.

Output goes to the page while the cell runs. Figures are drawn as those of the built page are: the same matplotlibrc,
the same figures.py.
"""

from __future__ import annotations

import importlib.abc
import io
import linecache
import sys
import time
import traceback
import types
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

MAIN = types.ModuleType("__main__")
BACKEND = "cell_backend"
WAIT = 0.05  # seconds between two messages to the page
Emit = Callable[[str, str], None]


class Out(io.TextIOBase):
    """A stream that ends on the page."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.emit: Emit | None = None
        self.text: list[str] = []
        self.last = 0.0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Take some text; pass it on now and then."""
        self.text.append(text)
        if time.monotonic() - self.last > WAIT:
            self.send()
        return len(text)

    def send(self) -> None:
        """Pass on what has come."""
        if self.text and self.emit is not None:
            self.emit(self.kind, "".join(self.text))
        self.text.clear()
        self.last = time.monotonic()


STREAMS = Out("stdout"), Out("stderr")
current: dict[str, Any] = {}  # the page's `emit`, a figure's `alt`, which module it `lacks`


def show(*_: object, **__: object) -> None:
    """Send all open figures to the page, and close them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    import figures  # noqa: PLC0415 - the build's own

    for number in pyplot.get_fignums():
        drawn = io.StringIO()
        style: dict[str, Any] = {"bbox_inches": "tight", "metadata": {"Date": None}}
        pyplot.figure(number).savefig(drawn, format="svg", **style)
        for stream in STREAMS:
            stream.send()
        current["emit"]("figure", figures.inline(drawn.getvalue(), current["alt"]))
    pyplot.close("all")


class Backend(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the backend of matplotlib whose figures go to the page."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find the backend, and nothing else."""
        del path, target
        return ModuleSpec(name, self) if name == BACKEND else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the backend."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

        vars(module).update(FigureCanvas=FigureCanvasAgg, show=show)


def told(error: BaseException) -> str:
    """Return an error as a reader needs it: where in the cells, and what; of an answer, as in a notebook, what alone."""
    if type(error).__name__ == "WrongAnswerError":
        return f"not yet: {error}"
    found = traceback.TracebackException.from_exception(error)
    lines = [
        f"{frame.filename[1:-1]}, line {frame.lineno}: {frame.line}"
        for frame in found.stack
        if frame.filename in linecache.cache and frame.filename.startswith("<")
    ]
    if isinstance(error, SyntaxError) and error.text:
        lines.append(f"line {error.lineno}: {error.text.strip()}")
    return "\n".join([*lines, *(line.rstrip() for line in found.format_exception_only())])


def lacking(error: BaseException | None) -> str:
    """Return the top-level module for want of which an error came, or nothing."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    return (error.name or "").partition(".")[0] if error else ""


def lacked() -> str:
    """Return the module for want of which the last cell ended, or nothing."""
    return str(current["lacks"])


def run(code: str, name: str, alt: str, emit: Emit) -> str:
    """Run a cell's code in the page's one namespace; return what went wrong, or nothing."""
    from pyodide.code import eval_code  # noqa: PLC0415 - there is none elsewhere

    current.update(emit=emit, alt=alt, lacks="")
    sys.stdout, sys.stderr = STREAMS
    for stream in STREAMS:
        stream.emit = emit
    if "tqdm" in sys.modules or "tqdm" in code:
        import tqdm  # noqa: PLC0415

        tqdm.tqdm.monitor_interval = 0  # its thread: here are none
    error, file = "", f"<{name}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    try:
        value = eval_code(code, vars(MAIN), filename=file)
        if value is not None:
            sys.stdout.write(f"{value!r}\n")
        show()
    except BaseException as raised:  # noqa: BLE001 - a reader's cell may raise anything
        error, current["lacks"] = told(raised), lacking(raised)
    for stream in STREAMS:
        stream.send()
    return error


def prepare() -> None:
    """Give the cells the names of a script, and a backend for their figures."""
    sys.modules["__main__"] = MAIN
    sys.meta_path.insert(0, Backend())
    warnings.filterwarnings("default", module="__main__")


prepare()
