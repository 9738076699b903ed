"""Time one data-parallel gradient on 1, 2 and 4 workers of a local cluster: `python -m benchmarks.workers`.

With ``--page docs/howto/dask.md`` the table of the page is written anew. Unlike the other benchmarks this one is not
kept on one core, and reads the clock on the wall: what is measured is how several cores and the messages between
processes share the work. Clusters take turns, round by round.
"""

import argparse
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

import bptt
from benchmarks.machine import processor

WORKERS, ROUNDS = (1, 2, 4), 15
SHARDS, EACH, STEPS, UNITS = 8, 16, 100, 128
STACK = bptt.Stack(cells=(bptt.GRU(), bptt.GRU()))


def load(shard: int) -> Any:
    """Draw the sequences of a shard."""
    return np.random.default_rng((5, shard)).normal(size=(2, STEPS, EACH, 3))


def gradient_of(params: Any, data: Any) -> Any:
    """Return the gradient of a shard's cost."""
    x, y = data
    trace = bptt.forward(STACK, params, x)
    return bptt.backward(trace, bptt.squared_error(trace.outputs, y).d_outputs).params


def total(parts: list[Any]) -> Any:
    """Add up gradients, in the order of the shards."""
    whole = parts[0]
    for part in parts[1:]:
        whole = bptt.tree_map(np.add, whole, part)
    return whole


def on_cluster(stack: ExitStack, workers: int, params: Any) -> Callable[[], Any]:
    """Start a cluster that the stack will close; return its step, the gradient over all shards."""
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    )
    client = stack.enter_context(Client(stack.enter_context(cluster)))
    held = client.map(load, range(SHARDS))

    def step() -> Any:
        sent = client.scatter(params, broadcast=True, hash=False)
        return total(client.gather(client.map(gradient_of, [sent] * SHARDS, held, pure=False)))

    return step


def agree(steps: dict[int, Callable[[], Any]]) -> None:
    """Refuse to time what does not give the same gradient."""
    truth, *others = (bptt.flatten(run())[0] for run in steps.values())
    for found in others:
        off = np.linalg.norm(found - truth) / np.linalg.norm(truth)
        if not off < 1e-13:
            msg = f"gradients differ by {off:.1e}"
            raise AssertionError(msg)


def measure() -> str:
    """Return the table: workers (0: none, in this process), seconds of a step, quartiles."""
    params = bptt.initialize(STACK, (3, UNITS, UNITS, 3), np.random.default_rng(0))
    shards = [load(shard) for shard in range(SHARDS)]
    with ExitStack() as stack:
        steps: dict[int, Callable[[], Any]] = {
            0: lambda: total([gradient_of(params, data) for data in shards])
        }
        steps |= {workers: on_cluster(stack, workers, params) for workers in WORKERS}
        agree(steps)
        times: dict[int, list[float]] = {workers: [] for workers in steps}
        for _ in range(ROUNDS):
            for workers, run in steps.items():
                begin = time.perf_counter()
                run()
                times[workers].append(time.perf_counter() - begin)
    lines = [
        f"{workers:7} {middle:8.3f} {low:8.3f} {high:8.3f}"
        for workers, each in times.items()
        for low, middle, high in [statistics.quantiles(each, n=4, method="inclusive")]
    ]
    return "\n".join(["workers  seconds      low     high", *lines])


def where() -> str:
    """Name the machine, in one line."""
    today = datetime.now(UTC).date().isoformat()
    return f"{processor()}; {os.cpu_count()} cores; Python {platform.python_version()}, NumPy {np.__version__}; {today}"


def main() -> None:
    """Measure, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--page", type=Path, help="the page whose table is to be written anew")
    page = parser.parse_args().page
    table = f"# {where()}\n{measure()}"
    sys.stdout.write(f"{table}\n")
    if page:
        text = page.read_text("utf-8")
        place = re.compile(r'^(measured = """\n).*?^(""")', re.MULTILINE | re.DOTALL)
        page.write_text(place.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), "utf-8")


if __name__ == "__main__":  # a worker reads this file again
    main()
