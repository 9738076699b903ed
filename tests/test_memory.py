"""Checkpointing at T = 10,000: what is stored, in steps and in bytes, and what it costs in steps run.

Theory, counted without the library: every k steps T/k - 1 states wait while k steps are in memory with all
that their derivative needs; √T: 2 √T - 1; binomial with s states and pieces of p: s + p. The bytes that
follow from it are the bare states' (n numbers each, and the cost of an array object), a step's with all
that its derivative needs (as a full run of one piece measures it), and what any way returns: outputs and
∂C/∂x of all steps.
"""

import functools
import math
import tracemalloc
from functools import partial

import numpy as np
import pytest
from closeness import assert_close

import bptt
from bptt.algorithms import checkpointed
from bptt.network.loop import CHUNK

pytestmark = pytest.mark.untraced  # others run the same lines, once

ARRAYS = {bptt.Elman: 5, bptt.LSTM: 27, bptt.GRU: 18}  # at the peak of the way back, one a step
OBJECTS = 1 << 16  # array objects, the views of each step, closures
STEPS, BATCH, WIDTH = 10_000, 8, 32
SCHEDULES = {
    # name: schedule, states that wait at most, steps of a piece
    "every 400": (bptt.algorithms.every(400), 24, 400),
    "square root": (bptt.algorithms.square_root(), 99, 100),
    "binomial 100, pieces of 5": (bptt.algorithms.binomial(100, 5), 100, 5),
    "binomial 10, pieces of 100": (bptt.algorithms.binomial(10, 100), 10, 100),
}

STACK = bptt.Stack((bptt.Elman(),))
GATED = bptt.Stack((bptt.LSTM(), bptt.GRU()))  # states of three arrays, and seven gates
RNG = np.random.default_rng(40)
PARAMS = {
    STACK: bptt.initialize(STACK, (1, WIDTH, 1), RNG),
    GATED: bptt.initialize(GATED, (1, WIDTH, WIDTH, 1), RNG),
}
X, Y = RNG.uniform(-1, 1, (2, STEPS, BATCH, 1))


def cost(outputs, steps):
    return bptt.squared_error(outputs, Y[steps])


def measured(way, steps, stack=STACK):
    """Run one way; return its result and the most bytes that it held beyond its arguments."""
    way(stack, PARAMS[stack], X[:steps], cost)  # what a first call makes for good is not its own
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = way(stack, PARAMS[stack], X[:steps], cost)
        return result, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@functools.cache
def bytes_of_a_step(stack):
    """Return what a step takes with all that its derivative needs: the slope of the full run's memory."""
    long, short = (measured(bptt.full_bptt, steps, stack)[1] for steps in (400, 200))
    return (long - short) / 200


@functools.cache
def exact():
    return bptt.full_bptt(STACK, PARAMS[STACK], X, cost)


def scratch(stack, result, piece):
    """Return the bytes that the way back takes for its factors, a chunk of steps at a time."""
    n_bytes = result.final[0][0].nbytes
    columns = max(ARRAYS[type(cell)] for cell in stack.cells)
    return columns * n_bytes * min(piece, CHUNK // (BATCH * WIDTH))


def theory(stack, result, waiting, piece):
    """Return the bytes that follow from a schedule."""
    state = sum(leaf.nbytes for _, leaf in bptt.tree_leaves(result.final))
    returned = result.outputs.nbytes + result.gradient.x.nbytes
    constant = 3 * sum(
        leaf.nbytes for _, leaf in bptt.tree_leaves(PARAMS[stack])
    )  # sums, wᵀ and uᵀ
    constant += scratch(stack, result, piece) + OBJECTS
    return returned + constant + waiting * state + piece * bytes_of_a_step(stack)


@pytest.mark.parametrize("name", SCHEDULES)
def test_states_bytes_and_gradient_at_ten_thousand_steps(name):
    schedule, waiting, piece = SCHEDULES[name]
    way = partial(bptt.checkpointed_bptt, schedule=schedule)
    result, found = measured(way, STEPS)
    assert result.stored == waiting + piece == schedule(STEPS).expected(STEPS)
    ratio = found / theory(STACK, result, waiting, piece)
    assert abs(ratio - 1) < 0.1
    want = exact()
    assert result.value == pytest.approx(want.value, rel=1e-13)
    assert_close(result.gradient[:3], want.gradient[:3], 1e-12)
    assert_close((result.outputs, result.final), (want.outputs, want.final), 1e-13)


@pytest.mark.parametrize("name", ["square root", "binomial 100, pieces of 5"])
def test_bytes_of_a_deeper_net_with_gates(name):
    """A state of three arrays, and products with the input that are seven arrays wide."""
    schedule, waiting, piece = SCHEDULES[name]
    steps = 900
    way = partial(bptt.checkpointed_bptt, schedule=schedule)
    result, found = measured(way, steps, GATED)
    if name == "square root":
        waiting, piece = 29, 30
    assert result.stored == waiting + piece
    ratio = found / theory(GATED, result, waiting, piece)
    assert abs(ratio - 1) < 0.1


def test_a_long_run_takes_no_more_states_than_its_schedule_says():
    """Twice the steps, the same number of states: the bytes grow by what is returned alone."""
    way = partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.binomial(10, 50))
    short, long = (measured(way, steps)[1] for steps in (1500, 3000))
    assert (long - short) == pytest.approx(1500 * BATCH * 2 * 8, rel=0.1)


def fewest(steps, states):
    """Solve the dynamic program: fewest steps run again to reverse `steps`, with `states` to keep."""

    @functools.cache
    def advances(l, s):
        if l == 1:
            return 0
        if s == 1:
            return l * (l - 1) // 2
        return min(m + advances(l - m, s - 1) + advances(m, s) for m in range(1, l))

    return advances(steps, states)


@pytest.mark.parametrize("states", range(1, 8))
def test_binomial_runs_the_fewest_steps_there_are(states, monkeypatch):
    """For each T up to 30, counted step by step, against the dynamic program."""
    ran = []
    original = checkpointed.run_to_final

    def counting(stack, params, x, *rest):
        ran.append(len(x))
        return original(stack, params, x, *rest)

    monkeypatch.setattr(checkpointed, "run_to_final", counting)
    tiny = bptt.teaching.tiny()
    for steps in range(1, 31):
        ran.clear()
        x = np.ones((steps, 1, 1))
        result = bptt.checkpointed_bptt(
            tiny.stack,
            tiny.params,
            x,
            lambda outputs, _: bptt.squared_error(outputs, np.zeros_like(outputs)),
            schedule=bptt.algorithms.binomial(states),
        )
        assert sum(ran) == fewest(steps, states)
        assert result.stored == min(states, steps - 1) + 1


@pytest.mark.parametrize(("states", "runs"), [(2, 3), (3, 3), (5, 2), (1, 6)])
def test_binomial_reaches_as_far_as_its_name_says(states, runs):
    """With s states and r runs of any step, binomial(s + r, s) steps: not one less, not one more."""
    reach = math.comb(states + runs, states)
    # One more step costs r + 1 more runs of some step: the slope of the optimum breaks at the reach.
    before = fewest(reach, states) - fewest(reach - 1, states)
    after = fewest(reach + 1, states) - fewest(reach, states)
    assert (before, after) == (runs, runs + 1)


@pytest.mark.parametrize("name", ["every 400", "square root"])
def test_schedules_with_one_level_run_each_step_at_most_twice(name, monkeypatch):
    ran = []
    original = checkpointed.run_to_final
    monkeypatch.setattr(
        checkpointed, "run_to_final", lambda *args: (ran.append(len(args[2])), original(*args))[1]
    )
    small = partial(bptt.checkpointed_bptt, schedule=SCHEDULES[name][0])
    small(STACK, PARAMS[STACK], X[:1000], cost)
    assert sum(ran) <= 1000
