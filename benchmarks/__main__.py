"""Run all measurements: `python -m benchmarks [--quick] [--json FILE] [--page FILE]`."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import described, one_core

one_core()  # before NumPy, PyTorch and JAX start their threads

from benchmarks import measures, page


def main() -> None:
    """Measure, show each result as it comes, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer sizes, fewer rounds: within 3 minutes"
    )
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--page", type=Path, help="the page whose tables are to be written anew")
    options = parser.parse_args()
    begin = time.perf_counter()
    results = measure(quick=options.quick)
    results["seconds"] = round(time.perf_counter() - begin)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.page:
        page.rewrite(options.page, results)
    say(f"done in {results['seconds']} s")


def measure(*, quick: bool) -> dict[str, Any]:
    """Take all measurements."""
    seconds, least = (0.5, 3) if quick else (1.0, 3)
    results: dict[str, Any] = {"quick": quick, "machine": described(), "grid": []}
    say(json.dumps(results["machine"]))
    for row in measures.grid(measures.QUICK if quick else measures.SIZES, seconds, least):
        results["grid"].append(row)
        say(page.grid_line(row))
    results["roofline"] = measures.roofline(2 * seconds, least)
    say(page.roofline_table(results["roofline"]))
    results["ways"] = measures.ways((100, 400) if quick else (100, 400, 1600, 6400))
    say(page.ways_table(results["ways"]))
    results["memory"] = measures.way(
        "square root", (400, 1600) if quick else (400, 1600, 6400), 32, 8
    )
    results["allocations"] = measures.allocations()
    results["growth"] = measures.growth(quick)
    say(page.growth_table(results["growth"]))
    return results


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


main()
