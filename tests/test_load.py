"""Under load and at extreme scales: threads, forks, signals, interrupts, strict error states, tiny and huge numbers.

The reference is what a call gives that runs alone; where a scale is changed, the same net at scale one.
"""

import copy
import doctest
import gc
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from types import FunctionType

import numpy as np
import pytest
from nets import CELLS

import bptt

ENGINES = {"plain": bptt.LSTM(), "compiled": bptt.compiled(bptt.LSTM())}
X = np.random.default_rng(0).normal(size=(8, 30, 4, 2))

engines = pytest.mark.parametrize("engine", ENGINES)


def gradient_of(cell, x, dtype=np.float64):
    """Return the gradient of a layer of three units as one vector."""
    stack = bptt.Stack([cell])
    params = bptt.initialize(stack, (2, 3, 1), 0, dtype)
    trace = bptt.forward(stack, params, x.astype(dtype))
    return bptt.flatten(bptt.backward(trace, trace.outputs).params)[0]


@engines
def test_eight_threads_get_what_one_gets(engine):
    cell = ENGINES[engine]
    alone = [gradient_of(cell, x) for x in X]
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda k: (k % 8, gradient_of(cell, X[k % 8])), range(400)):
            assert (found[1] == alone[found[0]]).all()


@engines
def test_spawned_processes_get_what_this_one_gets(engine):
    stack = bptt.Stack([ENGINES[engine]])
    params = bptt.initialize(stack, (2, 3, 1), 0)
    with get_context("spawn").Pool(1) as pool:
        (trace,) = pool.starmap(bptt.forward, [(stack, params, X[0])])
    assert (trace.outputs == bptt.forward(stack, params, X[0]).outputs).all()


# In a process of its own: threads and forks, and signals, are of a whole process.
SCRIPT = """if True:
    import os, random, signal, sys, threading, numpy as np, bptt
    engine, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cell = bptt.LSTM() if engine == "plain" else bptt.compiled(bptt.LSTM())
    stack = bptt.Stack([cell])
    params = bptt.initialize(stack, (2, 3, 1), 0)
    x = np.random.default_rng(0).normal(size=(30, 4, 2))

    def gradient():
        trace = bptt.forward(stack, params, x)
        return bptt.flatten(bptt.backward(trace, trace.outputs).params)[0]

    want = gradient()

    def fork():
        threading.Thread(target=lambda: [gradient() for _ in iter(int, 1)], daemon=True).start()
        for _ in range(count):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(not (gradient() == want).all())
            assert os.waitpid(child, 0)[1] == 0

    def handler():
        found = []
        signal.signal(signal.SIGALRM, lambda *_: found.append(gradient()))
        while len(found) < count:
            signal.setitimer(signal.ITIMER_REAL, 1e-4)
            assert (gradient() == want).all()
        assert all((one == want).all() for one in found)

    def interrupt():
        dice = random.Random(0)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        for _ in range(count):
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-5, 2e-3))
                while True:
                    gradient()
            except KeyboardInterrupt:
                assert (gradient() == want).all()

    {"fork": fork, "handler": handler, "interrupt": interrupt}[what]()
"""


def alone(engine, what, count):
    """Run a part of the script in a process of its own."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT]
    subprocess.run([*command, engine, what, str(count)], check=True, timeout=300)


posix = pytest.mark.skipif(os.name == "nt", reason="fork, and signals")


@posix
@engines
def test_forks_while_a_thread_computes(engine):
    alone(engine, "fork", 30)


@posix
@engines
def test_a_signal_handler_may_compute(engine):
    alone(engine, "handler", 30)


@posix
@engines
def test_an_interrupt_anywhere_leaves_the_next_call_right(engine):
    alone(engine, "interrupt", 100)


@engines
@pytest.mark.parametrize("kind", [copy.copy, copy.deepcopy])
def test_a_copy_of_what_is_in_use_shares_nothing_with_it(engine, kind):
    """Cell, stack, parameters and trace, copied between two calls."""
    stack = bptt.Stack([ENGINES[engine]])
    params = bptt.initialize(stack, (2, 3, 1), 0)
    trace = bptt.forward(stack, params, X[0])
    other = bptt.forward(kind(stack), kind(params), X[1])
    both = [bptt.backward(t, np.ones_like(t.outputs)).params for t in (trace, other)]
    again = [bptt.forward(stack, params, x) for x in X[:2]]
    for one, two in zip((trace, other), again, strict=True):
        assert (one.outputs == two.outputs).all()
    for one, two in zip(both, again, strict=True):
        want = bptt.backward(two, np.ones_like(two.outputs)).params
        assert (bptt.flatten(one)[0] == bptt.flatten(want)[0]).all()


def kept_after_calls(cell, units):
    """Return the bytes that remain of calls of a layer, for each number of steps from 1 to 8."""
    stack = bptt.Stack([cell])
    params = bptt.initialize(stack, (2, units, 1), 0)

    def call(steps):
        trace = bptt.forward(stack, params, np.ones((steps, 4, 2)))
        bptt.backward(trace, np.ones_like(trace.outputs))

    call(1)
    tracemalloc.start()
    call(1)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for steps in range(1, 9):
        call(steps)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return kept


@pytest.mark.parametrize("cell", [*ENGINES.values(), bptt.GRU(), bptt.Elman()], ids=str)
def test_after_a_call_nothing_is_kept_but_what_the_caller_holds(cell):
    assert kept_after_calls(cell, 300) < 1 << 14  # u alone has 2.9 MB


PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (bptt, bptt.algorithms, bptt.cells, bptt.checking, bptt.training, bptt.teaching)
    for name in getattr(module, "__all__", ())
    if isinstance(getattr(module, name), (type, FunctionType))
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_under_the_strictest_error_state(name):
    """Its own example, in which it is called; warnings are errors here."""
    found = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name)
    with np.errstate(all="raise"):
        runner = doctest.DocTestRunner()
        for example in found:
            runner.run(example)
    assert runner.failures == 0


def test_the_same_without_assertions():
    """All examples of the package's public names, with `python -O` and warnings as errors."""
    code = "import doctest, bptt, sys; sys.exit(sum(doctest.run_docstring_examples(getattr(bptt, n), {}, name=n) is not None for n in bptt.__all__))"
    done = subprocess.run(
        [sys.executable, "-O", "-W", "error", "-c", code],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""  # doctest prints what differs


SCALES = (1e-30, 1e-12, 1e-3, 1.0, 1e3, 1e12, 1e30)


def outcomes_at_all_scales(cell, dtype, seed):
    """Run a net at every scale: return how many gave numbers, and how many said that they explode; never NaN."""
    stack, found = bptt.Stack([cell, cell]), Counter()
    drawn = bptt.initialize(stack, (2, 3, 3, 1), seed, dtype)
    for scale in SCALES:
        params = bptt.tree_map(lambda a, scale=scale: (a * scale).astype(a.dtype), drawn)
        for steps in (1, 40):
            x = X[0][:1].repeat(steps, axis=0).astype(dtype)
            try:
                trace = bptt.forward(stack, params, x)
                gradient = bptt.backward(trace, np.ones_like(trace.outputs))
            except FloatingPointError as error:
                assert scale > 1, error  # noqa: PT017
                assert "explode" in str(error) or "overflow" in str(error)  # noqa: PT017
                found["exploded"] += 1
            else:
                for _, array in bptt.tree_leaves((trace.outputs, gradient)):
                    assert np.isfinite(array).all()
                    assert array.dtype == dtype
                found["numbers"] += 1
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_weights_of_any_scale_give_numbers_or_say_that_they_explode(name, dtype):
    """Never NaN, and never called exploded where weights are small, or gates saturated."""
    assert outcomes_at_all_scales(CELLS[name], dtype, 0).total() == 2 * len(SCALES)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [-1e4, -200, -40, 40, 200, 1e4])
@pytest.mark.parametrize("engine", ENGINES)
def test_gates_that_are_dead_or_saturated_give_numbers(engine, bias, dtype):
    """All gates far out on one side: the gradient is small, or zero, and never called exploded."""
    cell = ENGINES[engine]
    params = bptt.initialize(bptt.Stack([cell]), (2, 3, 1), 0, dtype).layers[0]
    trace = bptt.layer_forward(
        cell, params._replace(b=params.b * 0 + dtype(bias)), X[0].astype(dtype)
    )
    gradient = bptt.layer_backward(trace, np.ones_like(trace.outputs))
    for _, array in bptt.tree_leaves((trace.outputs, gradient)):
        assert np.isfinite(array).all()
    assert np.abs(trace.outputs).max() <= 1 or bias > 0


def hold_long_sequence_against_halves(cell, steps, dtype=np.float64, close=1e-9):
    """Run a layer over one long sequence in one call, and over its two halves."""
    x = np.random.default_rng(5).normal(size=(steps, 1, 2)).astype(dtype)
    params = bptt.initialize(bptt.Stack([cell]), (2, 3, 1), 0, dtype).layers[0]
    whole = bptt.layer_forward(cell, params, x)
    half = bptt.layer_forward(cell, params, x[: steps // 2])
    rest = bptt.layer_forward(cell, params, x[steps // 2 :], half.final)
    assert (whole.outputs[steps // 2 :] == rest.outputs).all()
    gradient = bptt.layer_backward(whole, np.ones_like(whole.outputs))
    late = bptt.layer_backward(rest, np.ones_like(rest.outputs))
    early = bptt.layer_backward(half, np.ones_like(half.outputs), late.initial)
    np.testing.assert_allclose(gradient.params.u, early.params.u + late.params.u, rtol=close)
    np.testing.assert_allclose(gradient.initial[0], early.initial[0], rtol=close)


@engines
def test_a_very_long_sequence(engine):
    """20,000 steps in one call, against the states of two halves."""
    hold_long_sequence_against_halves(ENGINES[engine], 20_000)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sizes_of_zero_are_refused(axis):
    stack = bptt.Stack([bptt.GRU()])
    params = bptt.initialize(stack, (2, 3, 1), 0)
    shape = [5, 4, 2]
    shape[axis] = 0
    with pytest.raises(ValueError, match="x must"):
        bptt.forward(stack, params, np.zeros(shape))
    with pytest.raises(ValueError, match="x must"):
        bptt.layer_forward(bptt.GRU(), params.layers[0], np.zeros(shape))


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e20])
def test_diagnoses_of_what_explodes_and_what_vanishes(scale):
    """In float32: norms, cosines and clipped gradients of a cost that is `scale` times another."""
    stack = bptt.Stack([bptt.GRU()])
    params = bptt.initialize(stack, (2, 3, 1), 0, np.float32)
    x, factor = X[0].astype(np.float32), np.float32(scale)

    def cost(times):
        return lambda outputs, steps: bptt.Cost(
            (outputs.sum() * times).item(), np.full_like(outputs, times)
        )

    one, other = (bptt.full_bptt(stack, params, x, cost(s)) for s in (np.float32(1), factor))
    norms = [bptt.delta_norms(result.gradient)[0] for result in (one, other)]
    np.testing.assert_allclose(norms[1], norms[0] * factor, rtol=1e-4, atol=0)
    found = [bptt.truncation_bias(stack, params, x, cost(s), [1, 5, 30]) for s in (1, factor)]
    np.testing.assert_allclose(found[1].cosine, found[0].cosine, rtol=1e-4)
    np.testing.assert_allclose(found[1].norm, found[0].norm, rtol=1e-4)
    sizes = [bptt.global_norm(result.gradient.params) for result in (one, other)]
    np.testing.assert_allclose(sizes[1], sizes[0] * factor, rtol=1e-4)
    clipped, _ = bptt.clip_by_global_norm(other.gradient.params, 1e-30)
    np.testing.assert_allclose(bptt.global_norm(clipped), 1e-30, rtol=1e-4)
