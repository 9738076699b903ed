"""Run snippets as a reader would, each as if alone in a fresh process: ``python snippet_process.py FOLDER``.

FOLDER/job.json holds the code of one or more snippets, the name that code gets in a traceback, and the packages outside the
standard library that it may import. The process runs the statements with which all its snippets begin. Where
they part, it forks: one child for each continuation, one after the other. So a snippet runs in a process that has
run its own statements from its first line on and nothing else, and what several snippets begin with, imports above
all, runs once. FOLDER/reports gets for each snippet what it printed (the value of its last expression too), how many
figures it showed, which error it raised, and the seconds of its statements.

A process that must not be forked is not: one that has threads, has loaded JAX (which warns of deadlocks), or has left
files. Its snippets get no report, and whoever started it runs each of them in a process of its own. The
same holds where forking is not safe, that is everywhere but on Linux.
"""

from __future__ import annotations

import ast
import importlib.abc
import json
import linecache
import os
import sys
import time
import types
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

BACKEND = "snippet_backend"
CAN_FORK = sys.platform == "linux"  # elsewhere system libraries do not survive it
NOT_FORKED = {"jax"}  # modules that warn when a process that loaded them is forked
STDOUT = 1


class OnlyDeclared(importlib.abc.MetaPathFinder):
    """Finds what another finder finds, but no package that the page does not declare."""

    def __init__(self, finder: Any, job: dict[str, Any]) -> None:
        self.finder = finder
        self.allowed = {*job["packages"], *sys.stdlib_module_names}
        self.distributions = set(job["distributions"])

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a module, or say that there is none, as on a machine that has only what is declared."""
        top = name.partition(".")[0]
        known = top in self.allowed or top.startswith("_sysconfigdata")
        found: ModuleSpec | None = self.finder.find_spec(name, path, target) if known else None
        return found

    def find_distributions(self, *context: Any) -> Iterable[Any]:
        """Find what is known of declared packages, their versions for one; all, if none is asked for by name."""
        find = getattr(self.finder, "find_distributions", None)
        asked = context[0].name if context else None
        known = asked is None or asked.lower().replace("_", "-") in self.distributions
        return find(*context) if find and known else ()


class Backend(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and makes the backend of matplotlib that draws each figure shown, and forgets it."""

    def __init__(self) -> None:
        self.shown = 0

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find the backend."""
        del path, target
        return ModuleSpec(name, self) if name == BACKEND else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

        vars(module).update(FigureCanvas=FigureCanvasAgg, show=self.show)

    def show(self, *_: object, **__: object) -> None:
        """Draw all open figures."""
        from matplotlib import pyplot as plt  # noqa: PLC0415

        for number in plt.get_fignums():
            plt.figure(number).savefig(os.devnull, format="svg")
            self.shown += 1
        plt.close("all")


class Snippet:
    """A snippet, cut into its statements."""

    def __init__(self, number: int, code: str) -> None:
        self.number = number
        lines = code.splitlines(keepends=True)
        body = ast.parse(code).body
        flags = [isinstance(node, ast.Expr) and node is body[-1] for node in body]
        # A statement is the same in two snippets if all the text up to its end is, and its part.
        self.steps = [
            (k, "".join(lines[: node.end_lineno]), shown)
            for k, (node, shown) in enumerate(zip(body, flags, strict=True))
        ]


class Runner:
    """Runs snippets as ``__main__``, and forks where they part."""

    def __init__(self, folder: Path, job: dict[str, Any], backend: Backend) -> None:
        self.folder = folder
        self.name = job["name"]
        self.allowed = job["packages"]
        self.backend = backend
        self.seconds = 0.0
        self.module = types.ModuleType("__main__")
        sys.modules["__main__"] = self.module

    def run(self, snippets: list[Snippet]) -> None:
        """Run snippets that have run so far, all alike, from their first statement on."""
        done = 0
        while snippets:
            ways: dict[tuple[int, str, bool] | None, list[Snippet]] = {}
            for snippet in snippets:
                step = snippet.steps[done] if done < len(snippet.steps) else None
                ways.setdefault(step, []).append(snippet)
            if len(ways) > 1:
                own = self._fork(list(ways.values()))
                if own is None:
                    return
                snippets = own
                continue
            (step,) = ways
            if step is None or (error := self._execute(*step)):
                self._report(snippets, error if step else None)
                return
            done += 1

    def _execute(self, number: int, text: str, shown: bool) -> list[str] | None:
        """Run one statement; show the value of an expression, as Python's prompt would; return the error."""
        linecache.cache[self.name] = (len(text), None, text.splitlines(keepends=True), self.name)
        node = ast.parse(text, self.name).body[number]
        tree = ast.Interactive([node]) if shown else ast.Module([node], [])
        start = time.perf_counter()
        try:
            code = compile(tree, self.name, "single" if shown else "exec", dont_inherit=True)
            exec(code, self.module.__dict__)  # noqa: S102
            if tqdm := sys.modules.get("tqdm"):
                tqdm.tqdm.monitor_interval = 0  # no thread of its own, for that is not forked
        except Exception as raised:  # noqa: BLE001 - whatever a snippet raises is reported
            words = str(raised)
            if isinstance(raised, ModuleNotFoundError) and raised.name not in self.allowed:
                words += " (the page does not declare it)"
            return [type(raised).__name__, words]
        finally:
            self.seconds += time.perf_counter() - start
        return None

    def _fork(self, ways: list[list[Snippet]]) -> list[Snippet] | None:
        """Return what a child goes on with; to the parent, when all children have ended, None."""
        if not self._forkable():
            return None
        sys.stdout.flush()
        sys.stderr.flush()
        written = os.lseek(STDOUT, 0, os.SEEK_CUR)
        for way in ways:
            child = os.fork()
            if not child:
                return way
            os.waitpid(child, 0)
            os.truncate(self.folder / "stdout", written)  # the next child finds all as this one did
            os.lseek(STDOUT, written, os.SEEK_SET)
            for path in self._left():
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        return None

    def _forkable(self) -> bool:
        threads = len(list(Path("/proc/self/task").iterdir()))
        return threads == 1 and not NOT_FORKED & sys.modules.keys() and not self._left()

    def _left(self) -> list[Path]:
        """Return the files that snippets left in their folder or among temporary files, deepest first."""
        found = [p for name in ("work", "tmp") for p in (self.folder / name).rglob("*")]
        return sorted(found, reverse=True)

    def _report(self, snippets: list[Snippet], error: list[str] | None) -> None:
        sys.stdout.flush()
        report = {
            "text": (self.folder / "stdout").read_text("utf-8"),
            "figures": self.backend.shown,
            "error": error,
            "seconds": self.seconds,
        }
        for snippet in snippets:
            file = self.folder / "reports" / f"{snippet.number}.json"
            file.write_text(json.dumps(report), encoding="utf-8")


def main() -> None:
    """Run what a folder's job says."""
    sys.path.pop(0)  # this folder
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text("utf-8"))
    first, backend = os.getpid(), Backend()
    sys.meta_path[:] = [backend, *(OnlyDeclared(f, job) for f in sys.meta_path)]
    snippets = [Snippet(k, code) for k, code in enumerate(job["snippets"])]
    Runner(folder, job, backend).run(snippets)
    if os.getpid() != first:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # what is to be done at exit is the first process's


if __name__ == "__main__":
    main()
