"""Run every snippet of the built site alone, and hold what it prints against what its page shows.

``python docs/snippets.py`` (``nox -s snippets``) takes the cells that the last build left, puts each below the
lines it needs (docs/_ext/slicing/slicer.py), as the button "Copy runnable" does, and runs the text in a fresh Python that
can import only bptt, NumPy and what the page declares. Text must be equal, figures must be shown, an error must be
the one shown. A snippet that passed is not run again until it, its output, the library or a version changes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
BUILD = DOCS / "_build"
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from _ext import alone
from _ext.execution.cache_key import digest
from _ext.execution.cell_rules import SVG
from _ext.execution.kernel import environment
from _ext.slicing import requirements, slicer

PACKAGE = DOCS.parent / "bptt"
TIMEOUT = 300
SLOWEST = 5


@dataclass(frozen=True)
class Snippet:
    """A cell below the lines it needs, and what its page shows for it."""

    page: str
    number: int  # of the cell on the page, from 1
    code: str
    needs: tuple[str, ...]  # distributions besides bptt and NumPy
    text: str
    figures: int
    error: tuple[str, str] | None

    @property
    def name(self) -> str:
        """Return how the snippet is called in a report."""
        return f"{self.page}, cell {self.number}"

    @property
    def key(self) -> str:
        """Return what names this snippet with this output, wherever it stands."""
        parts = [self.code, self.needs, self.text, self.figures, self.error]
        return sha256(json.dumps(parts).encode()).hexdigest()[:24]


def read(file: Path) -> list[Snippet]:
    """Return the snippets of a page, from what the build left of it."""
    cells = json.loads(file.read_text("utf-8"))
    sources = [cell["source"] for cell in cells]
    needs = tuple(requirements.needed(sources))
    page = file.stem.replace(".", "/")
    found = []
    for k, (cell, needed) in enumerate(zip(cells, slicer.needs(sources), strict=True)):
        code = slicer.runnable(sources, k, needed)
        found.append(Snippet(page, k + 1, code, needs, *shown(cell["outputs"])))
    return found


def shown(outputs: list[dict[str, Any]]) -> tuple[str, int, tuple[str, str] | None]:
    """Return the text, the number of figures and the error among the outputs of a cell."""
    data = [o["data"] for o in outputs if "data" in o]
    texts = [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stdout"]
    texts += [f"{d['text/plain']}\n" for d in data if "text/plain" in d and SVG not in d]
    errors = [(o["ename"], o["evalue"]) for o in outputs if o["output_type"] == "error"]
    return "".join(texts), sum(SVG in d for d in data), errors[0] if errors else None


def run(snippet: Snippet) -> tuple[list[str], float]:
    """Run one snippet in a fresh process; return what is wrong with it, and its seconds."""
    job = {
        "code": snippet.code,
        "name": snippet.name,
        "packages": [*requirements.importable(["numpy", *snippet.needs]), "bptt"],
    }
    env = {**os.environ, **environment(PACKAGE), "MPLBACKEND": "module://alone_backend"}
    env |= {"PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "utf-8"}
    env.pop("MATPLOTLIBRC")  # a reader has none of ours
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as cwd:
        report = Path(cwd) / "report.json"
        work = Path(cwd) / "empty"
        work.mkdir()
        command = [sys.executable, alone.__file__, str(report)]
        try:
            done = subprocess.run(
                command, input=json.dumps(job), capture_output=True, text=True, encoding="utf-8",
                env=env, cwd=work, timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [f"still running after {TIMEOUT} s"], TIMEOUT
        seconds = time.perf_counter() - start
        if not report.is_file():
            return [f"died: {done.stderr.strip()[-500:]}"], seconds
        said = json.loads(report.read_text("utf-8"))
    return list(differences(snippet, done.stdout, said["figures"], said["error"])), seconds


def differences(
    snippet: Snippet, text: str, figures: int, error: list[str] | None
) -> Iterator[str]:
    """Say how what came differs from what the page shows."""
    if (tuple(error) if error else None) != snippet.error:
        shown = ": ".join(snippet.error) if snippet.error else "no error"
        yield f"the page shows {shown}, alone it raises {': '.join(error) if error else 'nothing'}"
    elif text.rstrip("\n") != snippet.text.rstrip("\n"):
        yield f"the page shows\n{indent(snippet.text)}\n    alone it prints\n{indent(text)}"
    if figures != snippet.figures and not error:
        yield f"the page shows {snippet.figures} figures, alone it shows {figures}"


def indent(text: str) -> str:
    """Return text as it stands in a report."""
    return "\n".join(f"      {line}" for line in text.rstrip("\n").split("\n"))


def check(every: list[Snippet], passed: Path, jobs: int) -> tuple[dict[str, list[str]], list[str]]:
    """Run what has not passed before; return what is wrong by name, and the lines of a report."""
    kept = {s.key for s in every if (passed / s.key).is_file()}
    todo = {s.key: s for s in every if s.key not in kept}
    for snippet in todo.values():
        requirements.importable(["numpy", *snippet.needs])  # before there are threads
    with ThreadPoolExecutor(jobs) as pool:
        results = dict(zip(todo, pool.map(run, todo.values()), strict=True))
    passed.mkdir(parents=True, exist_ok=True)
    for key, (bad, _) in results.items():
        if not bad:
            (passed / key).touch()
    slow = sorted(results, key=lambda key: -results[key][1])[:SLOWEST]
    lines = [f"  {results[key][1]:7.2f} s  {todo[key].name}" for key in slow]
    wrong = {s.name: results[s.key][0] for s in every if results.get(s.key, ([], 0))[0]}
    return wrong, [*lines, f"  {len(todo)} run, {len(every) - len(todo)} kept or met twice"]


def main(arguments: list[str] | None = None) -> int:
    """Run the snippets of the last build."""
    parser = argparse.ArgumentParser(description="Run every snippet of the built site alone.")
    parser.add_argument("--page", action="append", default=[], help="only pages of this name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(arguments)
    files = sorted((BUILD / "outputs").glob("*.json"))
    files = [f for f in files if not args.page or f.stem.split(".")[-1] in args.page]
    every = [snippet for file in files for snippet in read(file)]
    if not every:
        msg = "no snippets: build the site first, with nox -s docs"
        raise SystemExit(msg)
    start = time.perf_counter()
    passed = BUILD / "cache" / digest(PACKAGE, DOCS) / "alone"
    wrong, lines = check(every, passed, args.jobs)
    for name, words in wrong.items():
        sys.stdout.writelines(f"{name}: {each}\n" for each in words)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    right = len(every) - len(wrong)
    took = f"{time.perf_counter() - start:.0f} s"
    sys.stdout.write(f"snippets: {right} of {len(every)} run alone, output as shown; {took}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
