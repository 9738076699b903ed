"""The trials of issue 15 in large numbers: kills, damaged files, full disks, writers, load and scales.

pytest tries each of these with small numbers. This program, ``python tests/large_numbers.py [SHARE [TRIAL ...]]``,
takes some minutes and prints a table, a line for each trial as soon as it is done. SHARE is a part of the numbers, as
0.1; TRIAL is the name of a function, as ``load``: without one all run.
An assertion fails at the first loss. It needs a system with `fork` and, for the compiled engine, Numba.
"""

import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import test_foreign_files
import test_load
import test_snapshots
from nets import CELLS

import bptt

SHARE = float(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else 1.0
BIG = np.zeros((200, 500))  # 0.8 MB: a kill comes in the middle of a write
Row = tuple[str, int, str]


def number(whole: int) -> int:
    """Return this share of a number of trials, one at least."""
    return max(1, round(whole * SHARE))


def forked(work: Callable[[], object]) -> int:
    """Run work in a process of its own, which has everything imported already; return its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    """Wait for a process; return its exit status, or the negative number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_writers(folder: Path) -> Iterator[Row]:
    """Kill a writer at any moment: the file is the last one that was told of, or the one after it."""
    dice = random.Random(0)
    for suffix in test_foreign_files.SUFFIXES:
        path, kills, seen = folder / f"killed{suffix}", number(500), Counter()
        for _ in range(kills):
            out, into = os.pipe()
            child = forked(partial(write_for_ever, path, into))
            os.close(into)
            told = os.read(out, 8)  # it has written once
            time.sleep(dice.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
            assert ended(child) == -signal.SIGKILL
            while more := os.read(out, 1 << 16):
                told += more
            os.close(out)
            last = int.from_bytes(told[-8:], "little")
            found = bptt.load(path, BIG)
            assert (found == found[0, 0]).all()
            assert found[0, 0] in {last, last + 1}
            seen["the next" if found[0, 0] == last + 1 else "the last"] += 1
        left = len(list(folder.glob("*"))) - 1  # unfinished files of those that were killed
        yield (
            f"writers killed, {suffix}",
            kills,
            f"0 lost; {told_of(seen)}; {left} killed in a write",
        )
        for one in folder.iterdir():
            one.unlink()


def write_for_ever(path: Path, into: int) -> None:
    """Save arrays of 0, 1, 2, ..., and tell of each that has been saved."""
    for k in range(1 << 30):
        bptt.save(path, np.full_like(BIG, k))
        os.write(into, k.to_bytes(8, "little"))


def killed_runs(folder: Path) -> Iterator[Row]:
    """Kill a run that keeps snapshots, again and again; it ends with the bits of one that nobody killed."""
    dice, steps, kills = random.Random(1), number(1500), number(240)

    def run(name: str) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["run", str(folder / name), str(steps), "alone"]
        exec(test_snapshots.RUN, {})  # noqa: S102

    assert ended(forked(lambda: run("whole"))) == 0
    done = 0
    while done < kills:
        child = forked(lambda: run("killed"))
        time.sleep(dice.uniform(0, 0.06))
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        os.kill(child, signal.SIGKILL)
        ended(child)
        done += 1
    assert ended(forked(lambda: run("killed"))) == 0
    name = f"step-{steps:010}.safetensors"
    whole, again = ((folder / kind / name).read_bytes() for kind in ("whole", "killed"))
    assert whole == again
    yield "runs with snapshots killed", done, f"the same bits after {steps} steps"


def damaged_files(folder: Path) -> Iterator[Row]:
    """Change one to eight bits, or cut a file short: refused, or the contents are what they were."""
    net = bptt.initialize(bptt.Stack([bptt.LSTM(), bptt.GRU()]), (2, 4, 3, 1), 0)
    for suffix in test_foreign_files.SUFFIXES:
        path, dice, seen = folder / f"net{suffix}", random.Random(15), Counter()
        bptt.save(path, net)
        whole, want = path.read_bytes(), test_foreign_files.bits(net)
        for k in range(number(3000)):
            data = bytearray(whole)
            if k % 4 == 3:
                del data[dice.randrange(len(data)) :]
            else:
                for _ in range(dice.randint(1, 8)):
                    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            path.write_bytes(data)
            try:
                found = bptt.load(path, net)
            except ValueError:
                seen["refused"] += 1
            else:
                assert test_foreign_files.bits(found) == want
                seen["loaded right"] += 1
        yield f"damaged files, {suffix}", seen.total(), f"0 loaded wrong; {told_of(seen)}"


def full_disks(folder: Path) -> Iterator[Row]:
    """Let a write end after any number of bytes: the old file stays, and no other."""
    small, dice = test_foreign_files.SMALL, random.Random(2)
    for suffix in test_foreign_files.SUFFIXES:
        path = folder / f"kept{suffix}"
        bptt.save(path, small)

        def write(room: int, path: Path = path) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
            try:
                bptt.save(path, np.ones((200, 50)))
            except OSError:
                os._exit(7)

        for _ in range(number(500)):
            room = dice.randrange(80_000)
            assert ended(forked(partial(write, room))) == 7
            assert test_foreign_files.bits(bptt.load(path, small)) == test_foreign_files.bits(small)
            assert [one.name for one in folder.iterdir()] == [path.name]
        path.unlink()
        yield f"full disks, {suffix}", number(500), "0 lost, 0 files left behind"


def save_often(path: Path, record: np.ndarray, count: int) -> None:
    """Save the same record again and again."""
    for _ in range(count):
        bptt.save(path, record)


def writers_at_once(folder: Path) -> Iterator[Row]:
    """Two writers of one file, and a reader meanwhile: it sees the one or the other, whole."""
    for suffix in test_foreign_files.SUFFIXES:
        path, like, count, reads = folder / f"both{suffix}", np.zeros((60, 50)), number(1000), 0
        bptt.save(path, like)
        children = [forked(partial(save_often, path, like + k, count)) for k in (1, 2)]
        while children:
            found = bptt.load(path, like)
            assert (found == found[0, 0]).all()
            assert found[0, 0] in {0, 1, 2}
            reads += 1
            for child in tuple(children):
                number_of, status = os.waitpid(child, os.WNOHANG)
                if number_of:
                    assert status == 0
                    children.remove(child)
        assert [one.name for one in folder.iterdir()] == [path.name]
        path.unlink()
        yield f"writes of two at once, {suffix}", 2 * count, f"{reads} reads, each whole"


def hostile_files(folder: Path) -> Iterator[Row]:
    """Small files that claim, or inflate, to gigabytes: refused with less than 1 MiB asked for."""
    test_foreign_files.test_little_memory_is_asked_for_whatever_a_file_says(folder)
    yield "files that ask for memory", len(list(folder.iterdir())), "refused, below 1 MiB each"


def load(_: Path) -> Iterator[Row]:
    """Threads, forks, signal handlers and interrupts, in both engines."""
    for engine, cell in test_load.ENGINES.items():
        alone, calls = [test_load.gradient_of(cell, x) for x in test_load.X], number(8000)

        def one(k: int, cell: object = cell) -> tuple[int, np.ndarray]:
            return k % 8, test_load.gradient_of(cell, test_load.X[k % 8])

        with ThreadPoolExecutor(8) as threads:
            assert all((found == alone[k]).all() for k, found in threads.map(one, range(calls)))
        yield f"calls by eight threads, {engine}", calls, "bits of a call alone"
        for what, whole in (("fork", 500), ("handler", 1000), ("interrupt", 7000)):
            test_load.alone(engine, what, number(whole))
            yield f"{what}s, {engine}", number(whole), "the next call is right, bit for bit"


def strict(_: Path) -> Iterator[Row]:
    """Every public function with `np.errstate(all="raise")`."""
    for name in test_load.PUBLIC:
        test_load.test_every_public_function_under_the_strictest_error_state(name)
    yield "public functions, all errors raised", len(test_load.PUBLIC), "0 failed"


def scales(_: Path) -> Iterator[Row]:
    """Weights from 1e-30 to 1e30, gates far out, one step and 200,000."""
    seen: Counter[str] = Counter()
    cells = [*CELLS.values(), *test_load.ENGINES.values()]
    for cell in cells:
        for dtype in (np.float32, np.float64):
            for seed in range(number(5)):
                seen += test_load.outcomes_at_all_scales(cell, dtype, seed)
    yield "nets, weights of 1e-30 to 1e30, T = 1, 40", seen.total(), f"0 NaN; {told_of(seen)}"
    gates = [-1e4, -200, -40, 40, 200, 1e4]
    for engine in test_load.ENGINES:
        for bias in gates:
            for dtype in (np.float32, np.float64):
                test_load.test_gates_that_are_dead_or_saturated_give_numbers(engine, bias, dtype)
    yield "layers with gates dead or saturated", 4 * len(gates), "numbers"
    steps = number(200_000)
    for engine, cell in (*test_load.ENGINES.items(), ("plain GRU", bptt.GRU())):
        test_load.hold_long_sequence_against_halves(cell, steps)
        test_load.hold_long_sequence_against_halves(cell, steps, np.float32, 1e-3)
        yield f"steps in one call, {engine}, both precisions", steps, "as two halves"


def memory(_: Path) -> Iterator[Row]:
    """Count what remains of eight calls of a layer of 1,500 units."""
    for engine, cell in test_load.ENGINES.items():
        kept = test_load.kept_after_calls(cell, units := number(1500))
        assert kept < 1 << 14
        yield f"bytes kept, LSTM of {units} units, T = 1 .. 8, {engine}", 8, f"{kept} bytes"


def told_of(seen: Counter[str]) -> str:
    """Return counts as words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))


TRIALS = (
    *(killed_writers, killed_runs, damaged_files, full_disks, writers_at_once, hostile_files),
    *(load, strict, scales, memory),
)

if __name__ == "__main__":
    print("| trial | number | result | seconds |\n|---|---|---|---|", flush=True)  # noqa: T201
    for trial in TRIALS:
        if sys.argv[2:] and trial.__name__ not in sys.argv[2:]:
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            for what, count, result in trial(Path(folder)):
                seconds = time.monotonic() - begun
                print(f"| {what} | {count:,} | {result} | {seconds:.0f} |", flush=True)  # noqa: T201
                begun = time.monotonic()
