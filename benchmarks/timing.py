"""Timing of contenders against one another: interleaved, so that what slows one down slows all.

On one core (see `machine.one_core`), what is read is the time that the core spends on this process, all its
threads and the system's work for it included: what a clock on the wall would show if nothing else wanted the
core. On all cores it is that clock; and since the threads of one contender look out for work for some
milliseconds after its call, the next one waits until they are asleep.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

ROUND = 10e-3  # seconds that a contender runs at least in each round


class Clock(NamedTuple):
    """What is read, and how long every round waits before it.

    Attributes
    ----------
    read
        Returns seconds.
    pause
        Seconds that threads of others need to fall asleep.
    """

    read: Callable[[], float]
    pause: float


ONE_CORE = Clock(time.process_time, 0.0)
ALL_CORES = Clock(time.perf_counter, 0.03)


class Timed(NamedTuple):
    """What the rounds of some contenders gave.

    Attributes
    ----------
    times
        For each contender, the seconds that a call took in each round.
    """

    times: dict[str, list[float]]

    @property
    def ms(self) -> dict[str, float]:
        """For each contender, the median over rounds of milliseconds a call."""
        return {name: 1e3 * statistics.median(each) for name, each in self.times.items()}

    @property
    def ratios(self) -> dict[str, tuple[float, float, float]]:
        """The times of all over those of the first contender, see `over`."""
        return self.over(next(iter(self.times)))

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return len(next(iter(self.times.values())))

    def over(self, base: str) -> dict[str, tuple[float, float, float]]:
        """Return for each contender the quartiles over rounds of its time over that of `base`: low, median, high."""
        return {
            name: _quartiles([one / own for one, own in zip(each, self.times[base], strict=True)])
            for name, each in self.times.items()
        }


def interleaved(
    contenders: Mapping[str, Callable[[], Any]],
    seconds: float,
    least: int = 5,
    clock: Clock = ONE_CORE,
) -> Timed:
    """Time contenders in turn, round by round, for some seconds and at least some rounds."""
    calls = {name: _calls(run, clock) for name, run in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    gc.collect()
    gc.disable()
    try:
        while time.perf_counter() < end or min(map(len, times.values())) < least:
            for name, run in contenders.items():
                times[name].append(_seconds(run, calls[name], clock))
    finally:
        gc.enable()
    return Timed(times)


def _calls(run: Callable[[], Any], clock: Clock) -> int:
    """Warm up, and say how many calls fill a round."""
    run()
    return max(1, math.ceil(ROUND / max(_seconds(run, 1, clock), 1e-7)))


def _seconds(run: Callable[[], Any], calls: int, clock: Clock) -> float:
    """Time some calls, after one that finds in the caches what the contender before has left there."""
    time.sleep(clock.pause)
    run()
    begin = clock.read()
    for _ in range(calls):
        run()
    return (clock.read() - begin) / calls


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def exponent(sizes: list[int], values: list[float]) -> float:
    """Fit value = c size^p, and return p: the slope in logarithms."""
    return statistics.linear_regression(
        [math.log(s) for s in sizes], [math.log(v) for v in values]
    ).slope
