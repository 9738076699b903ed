"""Run one snippet as a reader would: ``python alone.py REPORT < JSON``, in a fresh process.

The JSON holds the code, the name it gets in a traceback, and the packages outside the standard library that it may
import. What it prints goes to stdout, its last expression's value too; REPORT says how many figures it showed and
which error it raised. Nothing of the build is in reach of the code.
"""

from __future__ import annotations

import ast
import importlib.abc
import json
import linecache
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

BACKEND = "alone_backend"
SHOWN: list[int] = []


class OnlyDeclared(importlib.abc.MetaPathFinder):
    """Finds what another finder finds, but no package that the page does not declare."""

    def __init__(self, finder: Any, allowed: Sequence[str]) -> None:
        self.finder = finder
        self.allowed = {*allowed, *sys.stdlib_module_names}

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a module, or say that there is none, as on a machine that has only what is declared."""
        top = name.partition(".")[0]
        known = top in self.allowed or top.startswith("_sysconfigdata")
        found: ModuleSpec | None = self.finder.find_spec(name, path, target) if known else None
        return found


class Backend(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and makes the backend of matplotlib that draws each figure shown, and forgets it."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find the backend."""
        del path, target
        return ModuleSpec(name, self) if name == BACKEND else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

        vars(module).update(FigureCanvas=FigureCanvasAgg, show=self.show)

    @staticmethod
    def show(*_: object, **__: object) -> None:
        """Draw all open figures."""
        from matplotlib import pyplot as plt  # noqa: PLC0415

        for number in plt.get_fignums():
            plt.figure(number).savefig(os.devnull, format="svg")
            SHOWN.append(number)
        plt.close("all")


def run(code: str, name: str) -> None:
    """Run code as ``__main__``; show the value of its last expression, as Python's prompt would."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), module.__dict__)  # noqa: S102
    if last is not None:
        exec(compile(ast.Interactive([last]), name, "single"), module.__dict__)  # noqa: S102


def main() -> None:
    """Run what stdin says."""
    sys.path.pop(0)  # this folder
    job = json.load(sys.stdin)
    sys.meta_path[:] = [Backend(), *(OnlyDeclared(f, job["packages"]) for f in sys.meta_path)]
    error = None
    try:
        run(job["code"], job["name"])
    except Exception as raised:  # noqa: BLE001 - whatever a snippet raises is reported
        error = [type(raised).__name__, str(raised)]
        if isinstance(raised, ModuleNotFoundError) and raised.name not in job["packages"]:
            error[1] += " (the page does not declare it)"
    sys.stdout.flush()
    report = {"figures": len(SHOWN), "error": error}
    Path(sys.argv[1]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
