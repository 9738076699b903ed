"""Timing of contenders against one another: interleaved, so that what slows one down slows all.

All of them run on one core (see `machine.one_core`). What is read is the time that the core spends on this
process, all its threads and the system's work for it included: what a clock on the wall would show if nothing
else wanted the core.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

ROUND = 2e-3  # seconds that a contender runs at least in each round


class Timed(NamedTuple):
    """What the rounds of some contenders gave.

    Attributes
    ----------
    ms
        For each contender, the median over rounds of milliseconds a call.
    ratios
        For each contender, the quartiles over rounds of its time over that of the first one: low, median, high.
    rounds
        How many rounds there were.
    """

    ms: dict[str, float]
    ratios: dict[str, tuple[float, float, float]]
    rounds: int


def interleaved(
    contenders: Mapping[str, Callable[[], Any]], seconds: float, least: int = 5
) -> Timed:
    """Time contenders in turn, round by round, for some seconds and at least some rounds."""
    calls = {name: _calls(run) for name, run in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    gc.collect()
    gc.disable()
    try:
        while time.perf_counter() < end or min(map(len, times.values())) < least:
            for name, run in contenders.items():
                times[name].append(_seconds(run, calls[name]))
    finally:
        gc.enable()
    first, *_ = times.values()
    ratios = {
        name: _quartiles([one / own for one, own in zip(each, first, strict=True)])
        for name, each in times.items()
    }
    ms = {name: 1e3 * statistics.median(each) for name, each in times.items()}
    return Timed(ms, ratios, len(first))


def _calls(run: Callable[[], Any]) -> int:
    """Warm up, and say how many calls fill a round."""
    run()
    return max(1, math.ceil(ROUND / max(_seconds(run, 2), 1e-7)))


def _seconds(run: Callable[[], Any], calls: int) -> float:
    begin = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - begin) / calls


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def exponent(sizes: list[int], values: list[float]) -> float:
    """Fit value = c size^p, and return p: the slope in logarithms."""
    return statistics.linear_regression(
        [math.log(s) for s in sizes], [math.log(v) for v in values]
    ).slope
