"""Build the site; say everything that is wrong at once, and believe nothing older than the library.

``python docs/build.py``
    The gate. Empties the output, keeps only the outputs of cells that nothing they can see has changed
    since (docs/_ext/digest.py), turns every warning into a failure, and ends with a summary. After a green
    build it reads again only what was edited, or nothing, if that gives the same (docs/_ext/stamp.py).
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
from pathlib import Path

DOCS = Path(__file__).resolve().parent
BUILD = DOCS / "_build"
sys.path.insert(0, str(DOCS))

from _ext import facts, stamp
from _ext.report import Report


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


def commit_time() -> str:
    """Return the time of the commit, the only date that a build may know."""
    command = ["git", "-C", str(DOCS), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "1"


def environment(pages: list[str], edited: list[str]) -> dict[str, str]:
    """Return the environment of a build: one thread a process, one hash seed, one date."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    fixed = {"PYTHONHASHSEED": "0", "BPTT_DOCS_ONLY": " ".join(pages), **threads}
    fixed[facts.CHANGED] = " ".join(edited)
    # A dependency's use of what Sphinx 10 will drop is not ours to mend, nor to show.
    fixed["PYTHONWARNINGS"] = "ignore:::sphinx_autodoc_typehints._parser"
    return {"SOURCE_DATE_EPOCH": commit_time(), **os.environ, **fixed}


def empty(root: Path) -> None:
    """Remove all that a build wrote, but the cache of cells and the builds of single pages."""
    for path in root.glob("*"):
        if path.name not in ("cache", "page"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def sphinx(root: Path, jobs: str, pages: list[str], edited: list[str]) -> int:
    """Run Sphinx into ``root/html``; return its exit code."""
    strict = [] if pages else ["--fail-on-warning"]
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--nitpicky", *strict]
    command += [
        "--keep-going",
        "--jobs",
        jobs,
        "--quiet",
        "--warning-file",
        str(root / "warnings.txt"),
    ]
    command += ["--doctree-dir", str(root / "doctrees"), str(DOCS), str(root / "html")]
    return subprocess.run(command, env=environment(pages, edited), check=False).returncode


def build(pages: list[str], jobs: str = "auto") -> Report:
    """Build the site, or some pages of it, and return what happened."""
    root = BUILD / "page" if pages else BUILD
    root.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    now = stamp.Stamp.take(DOCS, environment([], []))
    edited = None if pages else now.edited(root)
    if edited == [] and now.told(root):
        code = 0  # nothing changed since a build that was green
    else:
        clear(root, pages, edited)
        code = sphinx(root, jobs, pages, edited or [])
    report = Report.gather(root, DOCS, pages, code, time.perf_counter() - start)
    if edited is not None:
        report.keep_all_but(edited)
    (root / "junit.xml").write_text(report.junit(), encoding="utf-8")
    if not pages and not report.red:
        now.leave(root)
    return report


def clear(root: Path, pages: list[str], edited: list[str] | None) -> None:
    """Take away what the coming build must not find: everything, but after a green build."""
    stamp.remove(root)
    (root / "warnings.txt").unlink(missing_ok=True)
    if pages:
        shutil.rmtree(root / "records", ignore_errors=True)
    elif edited is None:
        empty(root)
    else:
        for name in edited:
            (root / "records" / f"{name.replace('/', '.')}.json").unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description="Build the site; its cells are its tests.")
    parser.add_argument("--page", action="append", default=[], help="run this page's cells only")
    parser.add_argument("--jobs", default="auto", help="processes (default: auto)")
    parser.add_argument("--fresh", action="store_true", help="run every cell again")
    args = parser.parse_args(arguments)
    if args.fresh:
        stamp.remove(BUILD)
        for kept in (BUILD / "cache").glob("*"):
            if kept.name != "pyodide":  # no output of ours
                shutil.rmtree(kept)
    report = build([find_page(name) for name in args.page], args.jobs)
    sys.stdout.write(report.text())
    return int(report.red)


if __name__ == "__main__":
    raise SystemExit(main())
