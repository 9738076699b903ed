"""Run every snippet of the built site alone, and hold what it prints against what its page shows.

``python docs/snippets.py`` (``nox -s snippets``) takes the cells that the last build left, puts each below the
lines it needs (docs/_ext/slicing/slicer.py), as the button "Copy with setup" does, and runs the text in a Python that has
run nothing else and can import only bptt, NumPy and what the page declares (docs/_ext/slicing/snippet_process.py).
Text and figures must be equal, an error must be the one shown. A snippet that passed is not run again until
it, its output, the library or a version changes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from textwrap import indent
from typing import Any

DOCS = Path(__file__).resolve().parent
BUILD = DOCS / "_build"
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from _ext.execution.cell_rules import SVG
from _ext.execution.fingerprint import digest
from _ext.execution.kernel import environment
from _ext.slicing import requirements, slicer, snippet_process

PACKAGE = DOCS.parent / "bptt"
TIMEOUT = 300  # seconds for a snippet; those that run together have three times that
SLOWEST = 10
SHORT = 3.0  # seconds: pages whose cells take less run together; what takes long are their imports


@dataclass(frozen=True)
class Snippet:
    """A cell below the lines it needs, and what its page shows for it."""

    page: str
    number: int  # of the cell on the page, from 1
    code: str
    needs: tuple[str, ...]  # distributions besides bptt and NumPy
    text: str
    figures: tuple[str, ...]  # as SVG
    error: tuple[str, str] | None
    short: bool = False  # its page is

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
    page, short = file.stem.replace(".", "/"), seconds(file) < SHORT
    found = []
    for k, (cell, needed) in enumerate(zip(cells, slicer.needs(sources), strict=True)):
        code = slicer.runnable(sources, k, needed)
        found.append(Snippet(page, k + 1, code, needs, *shown(cell["outputs"]), short))
    return found


def seconds(file: Path) -> float:
    """Return how long the cells of a page took, of which this is what the build left."""
    record = BUILD / "records" / file.name
    cells = json.loads(record.read_text("utf-8"))["cells"] if record.is_file() else []
    return sum(cell["seconds"] or 0.0 for cell in cells)


def longest_first(files: Iterable[Path]) -> list[Path]:
    """Sort the files that the build left of pages, so that no core waits for a long page at the end."""
    return sorted(sorted(files), key=seconds, reverse=True)


def shown(outputs: list[dict[str, Any]]) -> tuple[str, tuple[str, ...], tuple[str, str] | None]:
    """Return the text, the figures and the error among the outputs of a cell."""
    data = [o["data"] for o in outputs if "data" in o]
    texts = [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stdout"]
    texts += [f"{d['text/plain']}\n" for d in data if "text/plain" in d and SVG not in d]
    errors = [(o["ename"], o["evalue"]) for o in outputs if o["output_type"] == "error"]
    figures = tuple(d[SVG].strip() for d in data if SVG in d)
    return "".join(texts), figures, errors[0] if errors else None


def run(snippets: Sequence[Snippet]) -> list[tuple[list[str], float]]:
    """Run snippets that need the same, each as if alone; return what is wrong with each, and its seconds."""
    together = snippet_process.CAN_FORK and len(snippets) > 1
    reports = _process(snippets) if together else [{}] * len(snippets)
    found = []
    for snippet, tried in zip(snippets, reports, strict=True):
        # Without a report its process could not be forked, or died, or took too long.
        report = tried if "seconds" in tried else _process([snippet])[0]
        found.append((list(differences(snippet, report)), report.get("seconds", float(TIMEOUT))))
    return found


def _process(snippets: Sequence[Snippet]) -> list[dict[str, Any]]:
    """Run snippets that need the same by docs/_ext/slicing/snippet_process.py; return its reports, or what went wrong."""
    needs = ("numpy", *snippets[0].needs)
    job = {
        "snippets": [snippet.code for snippet in snippets],
        "name": snippets[0].page,
        "packages": [*requirements.importable(needs), "bptt"],
        "distributions": [*requirements.closure(needs), "bptt"],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("reports", "tmp", "work"):
            (folder / part).mkdir()
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        trouble = _wait(folder, TIMEOUT if len(snippets) == 1 else 3 * TIMEOUT)
        files = [folder / "reports" / f"{number}.json" for number in range(len(snippets))]
        return [
            json.loads(file.read_text("utf-8")) if file.is_file() else {"trouble": trouble}
            for file in files
        ]


def _wait(folder: Path, timeout: int) -> str:
    """Run a job to its end; return how it ended, should a report be missing."""
    env = of_reader("module://snippet_backend")
    env["MATPLOTLIBRC"] = environment(PACKAGE)["MATPLOTLIBRC"]  # to draw what the page shows
    env |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "tmp"))
    command = [sys.executable, snippet_process.__file__, str(folder)]
    with (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=env,
            cwd=folder / "work", start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            if snippet_process.CAN_FORK:
                os.killpg(process.pid, signal.SIGKILL)  # its children too
            process.kill()
            process.wait()
            return f"still running after {timeout} s"
    return f"died: {(folder / 'stderr').read_text('utf-8', 'replace').strip()[-500:]}"


def of_reader(backend: str) -> dict[str, str]:
    """Return the environment of a reader: figures drawn by a backend of matplotlib, sets and clocks their own."""
    env = {**os.environ, **environment(PACKAGE), "MPLBACKEND": backend}
    env |= {"PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "utf-8"}
    env |= {"PYTHONHASHSEED": "1", "TZ": "ELSEWHERE-23:45"}  # nor is it today there
    env.pop("MATPLOTLIBRC")  # a reader has none of ours
    return env


def differences(snippet: Snippet, report: dict[str, Any]) -> Iterator[str]:
    """Say how what came differs from what the page shows."""
    if "trouble" in report:
        yield report["trouble"]
        return
    text, error = report["text"], report["error"]
    figures = tuple(map(str.strip, report["figures"]))
    if (tuple(error) if error else None) != snippet.error:
        shown = ": ".join(snippet.error) if snippet.error else "no error"
        yield f"the page shows {shown}, alone it raises {': '.join(error) if error else 'nothing'}"
    elif text.rstrip("\n") != snippet.text.rstrip("\n"):
        page, alone = (indent(each.rstrip("\n"), " " * 6) for each in (snippet.text, text))
        yield f"the page shows\n{page}\n    alone it prints\n{alone}"
    if figures != snippet.figures and not error:
        alone = "another" if len(figures) == len(snippet.figures) else len(figures)
        yield f"the page shows {len(snippet.figures)} figures, alone it shows {alone}"


def check(every: list[Snippet], passed: Path, jobs: int) -> tuple[dict[str, list[str]], list[str]]:
    """Run what has not passed before; return what is wrong by name, and the lines of a report."""
    todo = {s.key: s for s in every if not (passed / s.key).is_file()}
    together: dict[object, list[Snippet]] = {}
    for snippet in todo.values():
        requirements.importable(("numpy", *snippet.needs))  # before there are threads
        together.setdefault(snippet.needs if snippet.short else snippet.page, []).append(snippet)
    passed.mkdir(parents=True, exist_ok=True)
    results: dict[str, tuple[list[str], float]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        judged = pool.map(run, together.values())
        for some, found in zip(together.values(), judged, strict=True):
            for snippet, (bad, took) in zip(some, found, strict=True):
                results[snippet.key] = bad, took
                if not bad:
                    (passed / snippet.key).touch()
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
    files = longest_first((BUILD / "outputs").glob("*.json"))
    files = [f for f in files if not args.page or f.stem.split(".")[-1] in args.page]
    every = [snippet for file in files for snippet in read(file)]
    if not every:
        raise SystemExit("no snippets: build the site first, with nox -s docs")
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
