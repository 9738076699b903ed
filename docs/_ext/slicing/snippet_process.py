"""Run snippets as a reader would, each as if alone in a fresh process: ``python snippet_process.py FOLDER``.

FOLDER/job.json holds the code of one or more snippets, the name that code gets in a traceback, and the packages outside the
standard library that it may import. The process runs the statements with which all its snippets begin. Where
they part, it forks: one child for each continuation, one after the other. So a snippet runs in a process that has
run its own statements from its first line on and nothing else, and what several snippets begin with, imports above
all, runs once. FOLDER/reports gets for each snippet what it printed by Python (the value of its last expression too), which
figures it showed, which error it raised, and the seconds of its statements.

A process that must not be forked is not: one that has threads, has loaded JAX (which warns of deadlocks), or has left
files. Its snippets get no report, and whoever started it runs each of them in a process of its own. The
same holds where forking is not safe, that is everywhere but on Linux.
"""

import ast
import importlib.abc
import io
import json
import linecache
import os
import sys
import time
import types
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, TypeAlias

BACKEND = "snippet_backend"
CAN_FORK = sys.platform == "linux"  # elsewhere system libraries do not survive it
NOT_FORKED = {"jax"}  # modules that warn when a process that loaded them is forked
Step: TypeAlias = tuple[int, str, bool] | None  # of a snippet
Snippets: TypeAlias = dict[int, list[Step]]  # by their numbers


class OnlyDeclared(importlib.abc.MetaPathFinder):
    """Finds what another finder finds, but no package that the page does not declare."""

    def __init__(self, finder: Any, job: dict[str, Any]) -> None:
        self.finder = finder
        self.allowed = {*job["packages"], *sys.stdlib_module_names, BACKEND}
        self.distributions = set(job["distributions"])

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a module, or say that there is none, as on a machine that has only what is declared."""
        top = name.partition(".")[0]
        known = top in self.allowed or top.startswith("_sysconfigdata")
        return self.finder.find_spec(name, path, target) if known else None

    def find_distributions(self, *context: Any) -> Iterable[Any]:
        """Find what is known of declared packages, their versions for one; all, if none is asked for by name."""
        find = getattr(self.finder, "find_distributions", None)
        asked = context[0].name if context else None
        known = asked is None or asked.lower().replace("_", "-") in self.distributions
        return find(*context) if find and known else ()


def steps(code: str) -> list[Step]:
    """Return the statements of a snippet: the place of each, all the text up to its end, whether its value is shown; then None."""
    lines, body = code.splitlines(keepends=True), ast.parse(code).body
    found: list[Step] = [
        (k, "".join(lines[: node.end_lineno]), node is body[-1] and isinstance(node, ast.Expr))
        for k, node in enumerate(body)
    ]
    return [*found, None]


class Runner:
    """Runs snippets as ``__main__``, and forks where they part."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        self.folder, self.name = folder, job["name"]
        self.allowed = job["packages"]
        self.codes = job["snippets"]
        self.seconds = 0.0
        self.out = sys.stdout = io.StringIO()
        self.module = sys.modules["__main__"] = types.ModuleType("__main__")

    def run(self, snippets: Snippets) -> None:
        """Run snippets that have run so far, all alike, from their first statement on."""
        done, body = 0, list[ast.stmt]()
        while snippets:
            ways: dict[Step, Snippets] = {}
            for number, snippet in snippets.items():
                ways.setdefault(snippet[done], {})[number] = snippet
            if len(ways) > 1:
                snippets, body = self._fork(list(ways.values())), []
                continue
            (step,) = ways
            if step and not body:  # that of one of them: what is to be run is the same in all
                body = ast.parse(self.codes[min(snippets)]).body
            error = self._execute(body[step[0]], *step[1:]) if step else None
            if error or not step:
                self._report(snippets, error)
                return
            done += 1

    def _execute(self, node: ast.stmt, text: str, shown: bool) -> list[str] | None:
        """Run one statement; show the value of an expression, as Python's prompt would; return the error."""
        linecache.cache[self.name] = (len(text), None, text.splitlines(keepends=True), self.name)
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

    def _fork(self, ways: list[Snippets]) -> Snippets:
        """Return what a child goes on with; to the parent, when all children have ended, nothing."""
        threads = len(list(Path("/proc/self/task").iterdir()))
        if threads > 1 or NOT_FORKED & sys.modules.keys() or self._left():
            return {}
        sys.stderr.flush()
        for way in ways:
            child = os.fork()
            if not child:
                return way
            os.waitpid(child, 0)
            for path in self._left():  # the next child finds all as this one did
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        return {}

    def _left(self) -> list[Path]:
        """Return the files that snippets left in their folder or among temporary files, deepest first."""
        found = [p for name in ("work", "tmp") for p in (self.folder / name).rglob("*")]
        return sorted(found, reverse=True)

    def _report(self, snippets: Snippets, error: list[str] | None) -> None:
        report = {
            "text": self.out.getvalue(),
            "figures": sys.modules[BACKEND].shown if BACKEND in sys.modules else [],
            "error": error,
            "seconds": self.seconds,
        }
        for number in snippets:
            file = self.folder / "reports" / f"{number}.json"
            file.write_text(json.dumps(report), encoding="utf-8")


def main() -> None:
    """Run what a folder's job says."""
    sys.path.append(sys.path.pop(0))  # this folder, for the backend alone
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text("utf-8"))
    first = os.getpid()
    sys.meta_path[:] = [OnlyDeclared(f, job) for f in sys.meta_path]
    Runner(folder, job).run({k: steps(code) for k, code in enumerate(job["snippets"])})
    if os.getpid() != first:
        sys.stderr.flush()
        os._exit(0)  # what is to be done at exit is the first process's


if __name__ == "__main__":
    main()
