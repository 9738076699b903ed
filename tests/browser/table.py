"""Measure the built site on every page, and print what must hold beside what was found, as one table.

``nox -s site`` runs this after ``nox -s docs``; a row is printed as soon as it is known. ``-- --quick`` leaves out
Lighthouse and the builds, which take long; ``-- --pages learn/*`` looks at some pages only (the table then says
so). It exits with 1 if a row does not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import live_figures
import measure
import node
import served
from tqdm import tqdm

ROOT = served.ROOT
DOCS = ROOT / "docs"
SPINE = "learn/bp2.html"
RUN_IN = re.compile(r"(\d+) run in ([\d.]+) s")


@dataclass
class Row:
    """One line of the table: what, what it must be, what it is, whether that holds, and where it does not."""

    what: str
    must: str
    found: str
    holds: bool
    where: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the line."""
        return f"| {'ok ' if self.holds else 'RED'} | {self.what:<46} | {self.must:<12} | {self.found:<34} |"


def following(each: list[Any], what: str) -> Iterable[Any]:
    """Go through a list, with a bar on a terminal."""
    return tqdm(each, desc=what, disable=None)


def counted(what: str, wrong: dict[str, list[str]], of: int) -> Row:
    """Return a row that must be 0."""
    number = sum(map(len, wrong.values()))
    where = [f"{page}: {words}" for page, each in wrong.items() for words in each]
    return Row(what, "0", f"{number} on {of} pages", not number, where)


KINDS = ("console", "foreign", "failed", "overflow", "formulas", "axe")


def look_at(names: list[str], *, bar: bool) -> tuple[dict[str, dict[str, list[str]]], int]:
    """Open pages in both themes and at both widths, and from their files; return what is wrong, and a weight."""
    wrong: dict[str, dict[str, list[str]]] = {kind: {} for kind in KINDS}
    weight = 0
    with measure.launch() as browser, served.serve() as home:

        def note(name: str, label: str, seen: measure.Seen) -> None:
            for kind in KINDS:
                if each := getattr(seen, kind):
                    wrong[kind].setdefault(name, []).extend(f"{label}: {words}" for words in each)

        for name in following(names, "opening") if bar else names:
            with measure.context(browser, "light", 1280) as reader:  # nothing is cached
                note(name, "http", measure.inspect(reader, home, name))
            if name == SPINE:
                with measure.context(browser, "light", 1280) as reader:
                    weight = measure.look(reader, home, name).transferred
            with measure.context(browser, "light", 390, script=False) as reader:
                note(name, "no script", measure.look(reader, home, name))
            if name != "404.html":
                with measure.context(browser, "light", 390) as reader:
                    address = f"{served.SITE.resolve().as_uri()}/"
                    note(name, "file", measure.look(reader, address, name))
    return wrong, weight


def seen_rows(names: list[str]) -> list[Row]:
    """Open every page, with a browser for each core."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(look_at, names[i::cores], bar=not i) for i in range(cores)]
        found = [job.result() for job in jobs]
    wrong = {kind: {n: w for part, _ in found for n, w in part[kind].items()} for kind in KINDS}
    weight = max(size for _, size in found)
    many = len(names)
    rows = [
        counted("axe, both themes, 1280 and 390 px", wrong["axe"], many),
        counted("requests to third parties, http and file", wrong["foreign"], many),
        counted("requests that failed", wrong["failed"], many),
        counted("console messages", wrong["console"], many),
        counted("sideways overflow", wrong["overflow"], many),
        counted("formulas unseen, JavaScript off", wrong["formulas"], many),
    ]
    if weight:
        size = f"{weight / 1000:.0f} kB of {SPINE}"
        rows.append(Row("transferred, gzip", "<= 250 kB", size, weight <= 250_000))
    return rows


def html_row(names: list[str]) -> Row:
    """Check the markup of every page."""
    with tempfile.TemporaryDirectory() as scratch:
        wrong = node.html_errors(served.SITE.resolve(), names, Path(scratch))
    return counted("HTML checker (html-validate, standard)", wrong, len(names))


def lighthouse_rows(names: list[str]) -> list[Row]:
    """Audit every page as on a phone; the worst page is what counts."""
    scores: dict[str, dict[str, int]] = {}
    failed: dict[str, list[str]] = {}
    with served.serve() as home:
        for name in following(names, "auditing"):
            result = node.lighthouse(home + name)
            if result["scores"]["performance"] < 95:  # a busy machine costs points: look twice
                again = node.lighthouse(home + name)
                result = max(result, again, key=lambda r: r["scores"]["performance"])
            scores[name], failed[name] = result["scores"], result["failed"]
    rows = []
    for kind, least in zip(node.AUDITED, (95, 100, 100, 100), strict=True):
        # The page of the search asks not to be found, as Sphinx writes it, and loses points for it.
        asked = {n: s for n, s in scores.items() if kind != "seo" or n != "search.html"}
        worst = min(s[kind] for s in asked.values())
        low = [
            f"{n}: {s[kind]} ({', '.join(failed[n])})" for n, s in asked.items() if s[kind] < least
        ]
        found = f"{worst} at worst of {len(asked)} pages"
        rows.append(Row(f"Lighthouse, mobile: {kind}", f">= {least}", found, not low, low))
    return rows


# --- builds: of a copy, so that the site and its cache stay as they are
def build(copy: Path, *arguments: str) -> tuple[float, str]:
    """Build a copy of the site; return the seconds it took, and what it said."""
    command = [sys.executable, "docs/build.py", *arguments]
    env = {**os.environ, "PYTHONPATH": str(copy), "BPTT_DOCS_COMMIT": "measured"}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=copy, env=env, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, done.stdout


def tree(copy: Path) -> dict[str, str]:
    """Return the digest of every file of a built site."""
    out = copy / "docs" / "_build" / "html"
    files = [p for p in sorted(out.rglob("*")) if p.is_file()]
    return {p.relative_to(out).as_posix(): sha256(p.read_bytes()).hexdigest() for p in files}


def differ(one: dict[str, str], two: dict[str, str]) -> list[str]:
    """Return the files in which two built sites differ."""
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def plain_sphinx(copy: Path) -> float:
    """Return the seconds of Sphinx with all outputs kept: a build from nothing but the cache of cells."""
    (copy / "docs" / "_build" / "green.txt").unlink()
    return build(copy)[0]


def build_rows(folder: Path) -> list[Row]:
    """Build a copy cold, again with its outputs kept, unchanged, with a page edited, and all anew."""
    copy = folder / "copy"
    ignore = shutil.ignore_patterns("_build", "__pycache__", ".*", "dist")
    shutil.copytree(ROOT, copy, ignore=ignore)
    cold, said = build(copy)
    first = tree(copy)
    ran = RUN_IN.search(said)
    cells = float(ran[2]) if ran else 0.0
    kept = plain_sphinx(copy)
    again = differ(first, tree(copy))
    unchanged = build(copy)[0]
    name = SPINE.removesuffix(".html")
    build(copy, "--page", name)  # the first reads all pages
    page = copy / "docs" / f"{name}.md"
    page.write_text(page.read_text("utf-8") + "\nOne sentence more.\n", "utf-8")
    edited = build(copy, "--page", name)[0]
    build(copy)
    after = tree(copy)
    build(copy, "--fresh")
    anew = differ(after, tree(copy))
    ideal = cells / (os.cpu_count() or 1) + kept
    ratio = f"{cold / ideal:.2f} ({cold:.0f} s; {cells:.0f} s of cells, {kept:.0f} s without)"
    return [
        Row(
            "a build again, outputs kept: files that differ", "0", str(len(again)), not again, again
        ),
        Row("edited, then all anew: files that differ", "0", str(len(anew)), not anew, anew),
        Row("rebuild, nothing changed", "<= 6 s", f"{unchanged:.1f} s", unchanged <= 6),
        Row("one page edited, and built alone", "<= 10 s", f"{edited:.1f} s", edited <= 10),
        Row("cold build / (cells / cores + build without)", "<= 1.3", ratio, cold <= 1.3 * ideal),
    ]


def live_rows() -> list[Row]:
    """Wait for the first result of a live cell, with an empty cache and with a full one."""
    with measure.launch() as browser, served.serve() as home:
        return [
            Row(what, f"<= {allowed} s", f"{seconds:.1f} s", seconds <= allowed)
            for what, allowed, seconds in live_figures.figures(browser, home)
        ]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", default="*", help="a pattern (default: every page)")
    parser.add_argument("--quick", action="store_true", help="without Lighthouse and the builds")
    parser.add_argument("--only", default="", help="seen, html, live, lighthouse or builds")
    args = parser.parse_args()
    every = served.pages()
    names = [n for n in every if fnmatch(n.removesuffix(".html"), args.pages)]
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    say(f"{len(names)} of {len(every)} pages; {machine}\n\n")
    red = 0
    with tempfile.TemporaryDirectory(prefix="bptt-site-") as scratch:
        parts: dict[str, Callable[[], list[Row]]] = {
            "lighthouse": lambda: lighthouse_rows(names),
            "seen": lambda: seen_rows(names),
            "html": lambda: [html_row(names)],
            "live": live_rows,
            "builds": lambda: build_rows(Path(scratch)),
        }
        for part, measured in parts.items():
            slow = args.quick and part in ("lighthouse", "builds")
            for row in measured() if not slow and args.only in ("", part) else []:
                say(row.text() + "\n" + "".join(f"      {w}\n" for w in row.where[:20]))
                red += not row.holds
    say(f"\n{red} rows do not hold\n" if red else "\nall rows hold\n")
    return int(red > 0)


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
