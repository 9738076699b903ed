"""What is measured: the grid against peers, the roofline, memory and time of all ways, and growth."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import bptt
from benchmarks import peers, problems
from benchmarks.problems import CELLS, Problem, draw
from benchmarks.timing import ONE_CORE, Clock, exponent, interleaved
from benchmarks.tutorial import tutorial

CLOSE = {"float32": 2e-4, "float64": 1e-10}  # of the largest entry of an array
LONG = 256  # units from which on a loop over sequences would take minutes
EXTRA = (
    # what, options: one setting each beside the float32 layers of the grid
    ("float64", {"dtype": "float64"}),
    ("stack of 2", {"depth": 2}),
    ("mask", {"masked": True}),
)


def grid(sizes: tuple[Any, ...], seconds: float, least: int) -> Iterator[dict[str, Any]]:
    """Time every cell at every size against all peers, after a look at whether they agree."""
    yield from layers(sizes, seconds, least, ONE_CORE)
    for what, options in EXTRA:
        for cell in CELLS:
            yield against_peers(draw(cell, (100, 32, 64), **options), what, seconds, least)


def layers(
    sizes: tuple[Any, ...], seconds: float, least: int, clock: Clock
) -> Iterator[dict[str, Any]]:
    """Time a layer of every cell at every size; on all cores against PyTorch and JAX alone."""
    for cell in CELLS:
        for size in sizes:
            yield against_peers(draw(cell, size), "", seconds, least, clock)


def rows(*, quick: bool) -> int:
    """Return how many rows the grid has."""
    return len(CELLS) * (len(QUICK if quick else SIZES) + len(EXTRA))


def against_peers(
    problem: Problem, what: str, seconds: float, least: int, clock: Clock = ONE_CORE
) -> dict[str, Any]:
    """Time one problem."""
    contenders = {
        "ours": peers.ours(problem),
        "compiled": peers.ours(problem, compiled=True),
        "torch": peers.torch(problem),
        "jax": peers.jax(problem),
    }
    if not what and clock is ONE_CORE:
        contenders["hips"] = peers.hips(problem)
        if problem.sizes[2] < LONG:
            contenders["tutorial"] = tutorial(problem)
    off = worst_difference(problem, contenders)
    runs = {name: one.run for name, one in contenders.items()}
    timed = interleaved(runs, seconds, least, clock)
    steps, batch, n = problem.sizes
    return {
        "cell": problem.cell,
        "T": steps,
        "B": batch,
        "n": n,
        "what": what,
        "ms": rounded(timed.ms),
        "ratio": {name: rounded(ratio) for name, ratio in timed.ratios.items() if name != "ours"},
        "over compiled": rounded(timed.over("compiled")),
        "rounds": timed.rounds,
        "differs": float(f"{off:.1e}"),
    }


def worst_difference(problem: Problem, contenders: dict[str, Any]) -> float:
    """Return by how much the gradients differ at most; refuse to time what does not agree."""
    there = 1.0 if problem.mask is None else problem.mask[:, :, None]
    outputs, *rest = contenders["ours"].arrays(contenders["ours"].run())
    want = [np.array(array, np.float64) for array in (outputs * there, *rest)]
    worst = 0.0
    for name, one in contenders.items():
        outputs, *rest = one.arrays(one.run())
        for array, truth in zip((outputs * there, *rest), want, strict=True):
            off = float(np.abs(array - truth).max() / np.abs(truth).max())
            if not off < CLOSE[problem.x.dtype.name]:
                msg = f"{problem.cell} {problem.sizes}: {name} differs by {off:.1e}"
                raise AssertionError(msg)
            worst = max(worst, off)
    return worst


def roofline(seconds: float, least: int) -> list[dict[str, Any]]:
    """Compare the rate of multiplications with those of one large product, and of many small ones, in the same rounds."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 1024, 1024)).astype("float32")
    out = np.empty_like(one)
    strips, block, pieces = (
        one.reshape(-1, 16, 512),
        other[:512, :64].copy(),
        out[:128].reshape(-1, 16, 64),
    )
    found = []
    for cell in CELLS:
        problem = draw(cell, (100, 64, 512))
        steps, batch, n = problem.sizes
        blocks = problem.layers[0].u.shape[1] // n
        flops = 3 * 2 * 2 * steps * batch * n * n * blocks  # forward once, backward twice; w and u
        runs = {
            "ours": peers.ours(problem).run,
            "compiled": peers.ours(problem, compiled=True).run,
            "large": partial(np.matmul, one, other, out),
            "small": partial(np.matmul, strips, block, pieces),
        }
        timed = interleaved(runs, seconds, least)
        of = {"ours": flops, "compiled": flops, "large": 2 * 1024**3, "small": 2 * 64 * 1024**2}
        rate = {name: rounded(of[name] / ms / 1e6) for name, ms in timed.ms.items()}
        best = max("large", "small", key=rate.__getitem__)
        share = tuple(flops / of[best] * r for r in timed.ratios[best])
        fast = flops / of[best] * timed.over("compiled")[best][1]
        row = {"cell": cell, "T": steps, "B": batch, "n": n, "GFLOP/s": rate}
        found.append({**row, "share": rounded(share), "compiled": rounded(fast)})
    return found


WAYS: dict[str, Callable[..., bptt.algorithms.Result]] = {
    "full": bptt.full_bptt,
    "truncated, 20": partial(bptt.truncated_bptt, k1=20, k2=20),
    "every 20": partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.every(20)),
    "square root": partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.square_root()),
    "binomial 10": partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.binomial(10, 5)),
    "scan": bptt.scan_bptt,
    "RTRL": bptt.rtrl,
}


def ways(steps: tuple[int, ...], n: int = 8, batch: int = 1) -> list[dict[str, Any]]:
    """Time all ways to the gradient of one Elman net, and take their memory beyond what they return."""
    return [way(name, steps, n, batch) for name in WAYS]


def way(name: str, steps: tuple[int, ...], n: int, batch: int) -> dict[str, Any]:
    """Measure one way at some lengths."""
    stack = bptt.Stack((bptt.Elman(),))
    rng = np.random.default_rng(7)
    params = bptt.initialize(stack, (1, n, 1), rng)
    ms, kilobytes = [], []
    for length in steps:
        x, y = rng.normal(size=(2, length, batch, 1))
        problem = (stack, params, x, lambda a, t, y=y: bptt.squared_error(a, y[t]))
        WAYS[name](*problem)
        begin = time.process_time()
        WAYS[name](*problem)
        ms.append(1e3 * (time.process_time() - begin))
        kilobytes.append(peak_bytes(lambda problem=problem: WAYS[name](*problem)) / 1024)
    return {
        "way": name,
        "T": list(steps),
        "n": n,
        "B": batch,
        "ms": rounded(ms),
        "KiB": rounded(kilobytes),
        "exponent": rounded(exponent(list(steps), kilobytes)),
    }


def peak_bytes(run: Callable[[], bptt.algorithms.Result]) -> int:
    """Return the most bytes held beyond the arguments, less the outputs and ∂C/∂x that are returned."""
    tracemalloc.start()
    try:
        result = run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return peak - result.outputs.nbytes - result.gradient.x.nbytes


def growth(quick: bool) -> list[dict[str, Any]]:
    """Time the gradient of an Elman layer as T, B and n double."""
    axes = {
        "T": [(t, 16, 64) for t in ((100, 400, 1600) if quick else (100, 300, 1000, 3000, 10_000))],
        "B": [(100, b, 64) for b in (1, 2, 4, 8, 16, 32, 64, 128)],
        "n": [(50, 16, n) for n in (16, 32, 64, 128, 256, 512)],
    }
    found = []
    for axis, sizes in axes.items():
        runs = {str(size): peers.ours(draw("Elman", size)).run for size in sizes}
        timed = interleaved(runs, 0.5 if quick else 3, 3)
        along = [size["TBn".index(axis)] for size in sizes]
        ms = [timed.ms[str(size)] for size in sizes]
        others = {name: size for name, size in zip("TBn", sizes[0], strict=True) if name != axis}
        row = {"axis": axis, "others": others, "at": along, "ms": rounded(ms)}
        found.append({**row, "exponent": rounded(exponent(along, ms))})
    return found


def rounded(value: Any) -> Any:
    """Round numbers to four digits, wherever they stand."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}")


SIZES, QUICK = problems.GRID, problems.QUICK
