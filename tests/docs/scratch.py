"""A scratch site: the real conf.py, extensions and driver, around a library and pages of a few lines.

On Linux the driver and its Sphinx run in processes forked from one that has imported what other projects bring:
half of the time of so small a build is imports. Nothing of the site is imported before the fork. Elsewhere, and with
``BPTT_FRESH_BUILDS`` in the environment, each is a new Python.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

DOCS = Path(__file__).resolve().parents[2] / "docs"
CAN_FORK = sys.platform == "linux" and "BPTT_FRESH_BUILDS" not in os.environ
IMPORTED = [  # what takes a build the longest to import; a name that is not there is passed over
    "furo", "matplotlib.axes", "myst_nb.sphinx_", "myst_nb.sphinx_ext", "quickjs", "sphinx.builders.html",
    "sphinx.cmd.build", "sphinx.domains.c", "sphinx.domains.cpp", "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx", "sphinx.ext.napoleon", "sphinx_autodoc_typehints",
    "sphinx_codeautolink", "sphinx_design.extension", "sphinxcontrib.bibtex",
]  # fmt: skip
AT_START = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MACHINERY = ("_ext", "_static", "_templates", "_vendor", "build.py", "conf.py")

LIBRARY = '''"""A library of one function."""

import numpy as np

from bptt._core import Array

__version__ = "0"
__all__ = ["double"]


def double(x: Array) -> Array:
    """Return twice `x`."""
    return 2 * np.asarray(x)
'''
TYPING = '''from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.inexact[Any]]
"""An array."""

Scalar: TypeAlias = Any  # bptt/_core/tree.py names both
Tree: TypeAlias = Any
'''
API = """# API

```{eval-rst}
.. py:module:: bptt
.. autofunction:: bptt.double
.. autodata:: bptt._core.Array
```
"""
INDEX = """---
file_format: mystnb
kernelspec:
  name: python3
---

# Home

A page of the scratch site, whose only cell looks at the library that it is about.

```{toctree}
reference/api
%s
```

```{code-cell}
import bptt

assert bptt.double(2.0) == 4
```
"""
PAGE = """---
file_format: mystnb
---

# A page

Some words that are long enough for a description of the page.

%s
"""


@dataclass
class Built:
    """What one run of docs/build.py did."""

    code: int
    text: str

    @property
    def red(self) -> bool:
        """Say whether the build failed, and said so."""
        assert (self.code != 0) == ("docs: RED" in self.text), self.text
        return self.code != 0


class Scratch:
    """A site in a folder of its own, that a test may break."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.docs = root / "docs"
        self.docs.mkdir(parents=True)
        for name in MACHINERY:
            source = DOCS / name
            ignore = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, self.docs / name, ignore=ignore)
            else:
                shutil.copy(source, self.docs / name)
        self.write("bptt/__init__.py", LIBRARY)
        self.write("bptt/_core/__init__.py", TYPING)
        for package in ("algorithms", "teaching"):
            self.write(f"bptt/{package}/__init__.py", '"""A part of it."""\n')
        for module in ("checkpointed", "calls"):  # where conf.py looks for aliases
            self.write(f"bptt/algorithms/{module}.py", '"""No alias."""\n')
        for module in ("_core/tree", "_core/validation", "teaching/sides", "teaching/equations"):
            shutil.copy(DOCS.parent / f"bptt/{module}.py", self.root / f"bptt/{module}.py")
        self.write("docs/references.bib", "")
        self.write("docs/reference/api.md", API)
        self.pages: list[str] = []
        self._index()

    def _index(self) -> None:
        self.write("docs/index.md", INDEX % "\n".join(self.pages))

    def write(self, name: str, text: str) -> None:
        """Write a file of the scratch site."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def page(self, name: str, body: str) -> None:
        """Add a page, and its line in the table of contents."""
        self.write(f"docs/{name}.md", PAGE % body)
        self.pages.append(name)
        self._index()

    def cell(self, name: str, code: str, options: str = "") -> None:
        """Add a page of one cell."""
        head = f"---\n{options}\n---\n" if options else ""
        self.page(name, f"```{{code-cell}}\n{head}{code}\n```")

    def patch(self, name: str, old: str, new: str) -> None:
        """Replace a text that must be there exactly once."""
        file = self.root / name
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def build(self, *arguments: str, jobs: str = "1", **environment: str) -> Built:
        """Run the driver, in an environment of which only what is given is ours."""
        ours = ("BPTT_", "JUPYTER", "PYTEST", "COV", "SOURCE_DATE")
        env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        env |= {"BPTT_DOCS_COMMIT": "scratch", "BPTT_DOCS_LIVE": "no", **environment}
        command = [sys.executable, "docs/build.py", "--jobs", jobs, *arguments]
        if CAN_FORK:
            return forked(command, self.root, env)
        done = subprocess.run(
            command, cwd=self.root, env=env, check=False, capture_output=True, text=True
        )
        return Built(done.returncode, done.stdout + done.stderr)

    @property
    def html(self) -> Path:
        """Return the built site."""
        return self.docs / "_build" / "html"

    def junit(self) -> list[ET.Element]:
        """Return the test cases that failed, by the report for machines."""
        root = ET.parse(self.docs / "_build" / "junit.xml").getroot()
        return [case for case in root.iter("testcase") if case.find("failure") is not None]


def forked(command: list[str], cwd: Path, env: dict[str, str]) -> Built:
    """Run a script in a process forked from one that has imported `IMPORTED`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    out = cwd / "build.log"
    process = context.Process(target=_script, args=(command, cwd, env, out))
    with mock.patch.dict(os.environ, AT_START):  # the first one starts the server
        process.start()
    process.join()
    code = process.exitcode
    process.close()
    assert code is not None
    return Built(code, out.read_text("utf-8"))


def _script(command: list[str], cwd: Path, env: dict[str, str], out: Path) -> None:
    """Become the script of `command`."""
    os.chdir(cwd)
    with out.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    own = Path(__file__).resolve().parents[2]  # an environment may be a folder of it
    ours = {own, *(own / name for name in ("docs", "tests", "tests/docs"))}
    sys.path[:] = [p for p in sys.path if Path(p).resolve() not in ours]
    sys.path[:0] = [p for p in env.get("PYTHONPATH", "").split(os.pathsep) if p]
    sys.argv[:] = command[1:]
    run = subprocess.run
    with mock.patch("subprocess.run", lambda given, **how: _run(run, given, how)):
        runpy.run_path(command[1], run_name="__main__")


def _run(run: Any, command: list[str], how: dict[str, Any]) -> Any:
    """Run a command as ``subprocess.run`` does, but Sphinx in a process forked from this one."""
    if command[:3] != [sys.executable, "-m", "sphinx"]:
        return run(command, **how)
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(how["env"])
        sys.argv[:] = command[2:]
        sys.path.insert(0, str(Path.cwd()))
        try:
            runpy.run_module("sphinx", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            sys.stdout.flush()
            os._exit(int(end.code or 0))
    _, status = os.waitpid(child, 0)
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status))
