"""Build the site; say everything that is wrong at once, and believe nothing older than the library.

``python docs/build.py``
    The gate. Empties the output, keeps only the outputs of cells that nothing they can see has changed since
    (docs/_ext/execution/fingerprint.py), turns every warning into a failure, and ends with a summary. If nothing has
    changed since a green build, there is nothing to do (docs/_ext/execution/fingerprint.py).
``python docs/build.py --page learn/feedforward`` (or just ``feedforward``; repeatable)
    Runs only the cells of this page; what is wrong elsewhere is mentioned and not counted. What was
    read for one page is kept for the next, so that from the second on it is quick.

The report is also written as JUnit XML, whatever happens. The exit code is 0 only if all is well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
BUILD = DOCS / "_build"
sys.path.insert(0, str(DOCS))

from _ext.execution import fingerprint
from _ext.execution.report import Report


def find_page(name: str, docs: Path = DOCS) -> str:
    """Return the page that a name, or the last part of a name, means."""
    name = name.removeprefix("docs/").removesuffix(".md")
    every = [p.relative_to(docs).with_suffix("").as_posix() for p in sorted(docs.rglob("*.md"))]
    pages = [p for p in every if not p.startswith("_")]
    found = [p for p in pages if p == name] or [p for p in pages if p.endswith(f"/{name}")]
    if len(found) != 1:
        words = "several pages are" if found else "no page is"
        message = f"{words} called {name!r}; the pages are:\n  " + "\n  ".join(found or pages)
        raise SystemExit(message)
    return found[0]


def commit() -> tuple[str, str]:
    """Return the commit and its time, the only date that a build may know."""
    command = ["git", "-C", str(DOCS), "log", "-1", "--format=%H %ct"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    name, _, seconds = done.stdout.strip().partition(" ")
    return name, seconds or "1"


def environment(pages: list[str], epoch: str) -> dict[str, str]:
    """Return the environment of a build: one thread a process, one hash seed, one date."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    fixed = {"PYTHONHASHSEED": "0", "BPTT_DOCS_ONLY": "\n".join(pages), **threads}
    # A dependency's use of what Sphinx 10 will drop is not ours to mend, nor to show.
    fixed["PYTHONWARNINGS"] = "ignore:::sphinx_autodoc_typehints._parser"
    return {"SOURCE_DATE_EPOCH": epoch, **os.environ, **fixed}


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders, those that are there."""
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def sphinx(root: Path, jobs: str, strict: bool, variables: dict[str, str]) -> int:
    """Run Sphinx into ``root/html``; return its exit code."""
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--nitpicky", "--keep-going"]
    command += ["--fail-on-warning"] if strict else []
    command += ["--jobs", jobs, "--quiet", "--warning-file", str(root / "warnings.txt")]
    command += ["--doctree-dir", str(root / "doctrees"), str(DOCS), str(root / "html")]
    return subprocess.run(command, env=variables, check=False).returncode


# As Sphinx writes pages, one of its processes does nothing but read them for the others.
JOBS = str((os.cpu_count() or 1) + 1)


def build(pages: list[str], jobs: str = JOBS, fresh: bool = False) -> Report:
    """Build the site, or some pages of it, and return what happened."""
    root = BUILD / "page" if pages else BUILD
    root.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    name, epoch = commit()
    variables = environment(pages, epoch)
    read = "" if pages else fingerprint.read(DOCS, name, variables)
    kept = not (pages or fresh) and fingerprint.is_unchanged(root, read)
    code = 0
    if not kept:
        told = [root / "records", root / "warnings.txt"]  # a page's build keeps all else
        every = (path for path in root.glob("*") if path.name not in ("cache", "page"))
        remove(told if pages else every)
        code = sphinx(root, jobs, not pages, variables)
    report = Report(root, DOCS, pages, code, time.perf_counter() - start)
    if kept:
        for page in report.pages:
            page.kept = True
    (root / "junit.xml").write_text(report.junit(), encoding="utf-8")
    if not pages and not report.red:
        fingerprint.leave(root, read)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description="Build the site; its cells are its tests.")
    parser.add_argument("--page", action="append", default=[], help="run this page's cells only")
    parser.add_argument("--jobs", default=JOBS, help="processes (default: the cores and one)")
    parser.add_argument("--fresh", action="store_true", help="run every cell again")
    args = parser.parse_args(arguments)
    if args.fresh:
        kept = (BUILD / "cache").glob("*")
        remove(path for path in kept if path.name != "pyodide")  # no output of ours
    report = build([find_page(name) for name in args.page], args.jobs, args.fresh)
    sys.stdout.write(report.text())
    return int(report.red)


if __name__ == "__main__":
    raise SystemExit(main())
