"""Run all measurements: `python -m benchmarks [--quick] [--no-progress] [--json FILE] [--page FILE]`.

They are taken on one core, but for one grid: a process of its own takes that on all of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import all_cores, described, one_core

FLAG = "--all-cores"
(all_cores if FLAG in sys.argv else one_core)()  # before NumPy, PyTorch and JAX start threads

from tqdm import tqdm

from benchmarks import measures, page
from benchmarks.timing import ALL_CORES

PARTS = 6  # beside the grid
tqdm.monitor_interval = 0  # no thread of the bar's beside what is timed


def main() -> None:
    """Measure, show each result as it comes, and write what was asked for."""
    parser = argparse.ArgumentParser(
        prog="nox -s bench --", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer sizes, fewer rounds: within 3 minutes"
    )
    parser.add_argument(
        "--no-progress",
        action="store_true",
        help="no bar; there is none either if stderr is a file",
    )
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--page", type=Path, help="the page that is to be written from the results")
    parser.add_argument(
        FLAG,
        action="store_true",
        help="nothing but the grid, each with all its threads; needs --json",
    )
    options = parser.parse_args()
    if options.all_cores:
        if not options.json:
            parser.error(f"{FLAG} needs --json FILE: it prints no table that could be read again")
        options.json.write_text(json.dumps(measure_on_all_cores(quick=options.quick)), "utf-8")
        return
    begin = time.perf_counter()
    rows = measures.rows(quick=options.quick)
    off = True if options.no_progress else None  # None: off by itself where there is no terminal
    with tqdm(total=rows + PARTS, desc="measuring", unit="part", disable=off) as bar:
        results = measure(bar, quick=options.quick)
    results["seconds"] = round(time.perf_counter() - begin)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.page:
        page.rewrite(options.page, results)
    say(f"done in {results['seconds']} s")


def measure(bar: tqdm, *, quick: bool) -> dict[str, Any]:
    """Take all measurements; the bar moves between them, never within."""
    sizes, seconds, least = extent(quick=quick)
    results: dict[str, Any] = {"quick": quick, "machine": described(), "grid": []}

    def keep(name: str, found: Any, shown: str = "") -> None:
        results[name] = found
        bar.update()
        if shown:
            say(shown)

    say(json.dumps(results["machine"]))
    for row in measures.grid(sizes, seconds, least):
        keep("grid", [*results["grid"], row], page.grid_line(row))
    keep("all cores", from_all_cores(quick=quick))
    found = measures.roofline(2 * seconds, least)
    keep("roofline", found, page.roofline_table(found))
    found = measures.ways((100, 400) if quick else (100, 400, 1600))
    keep("ways", found, page.ways_table(found))
    lengths = (400, 1600) if quick else (400, 1600, 6400)
    keep("memory", measures.way("square root", lengths, 32, 8))
    found = measures.growth(quick)
    keep("growth", found, page.growth_table(found))
    return results


def extent(*, quick: bool) -> tuple[tuple[Any, ...], float, int]:
    """Return the sizes of a grid, and the seconds and rounds that each takes at least."""
    return (measures.QUICK, 0.5, 3) if quick else (measures.SIZES, 1.0, 3)


def measure_on_all_cores(*, quick: bool) -> list[dict[str, Any]]:
    """Take the grid with all cores."""
    found = []
    for row in measures.layers(*extent(quick=quick), ALL_CORES):
        found.append(row)
        say(page.grid_line(row))
    return found


def from_all_cores(*, quick: bool) -> list[dict[str, Any]]:
    """Let a process of its own take the grid with all cores."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "all-cores.json")
        options = [FLAG, "--json", str(path), *(["--quick"] if quick else [])]
        subprocess.run([sys.executable, "-m", "benchmarks", *options], check=True)
        found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return found


def say(text: str) -> None:
    """Print at once, above the bar if there is one."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
