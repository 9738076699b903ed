"""Minibatches and windows. The truths: one run over all sequences and all steps, and its gradient.

Where windows cut the gradient the truth is the complex step, on the surrogate that holds each window's
first state; where a run is interrupted it is the run that was not.
"""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from closeness import assert_close

import bptt

STACK = bptt.Stack((bptt.LSTM(), bptt.GRU(), bptt.Elman()))
T, B = 11, 7
LENGTHS = np.array([11, 3, 8, 11, 1, 5, 10])


def drawn(dtype=float, seed=0):
    rng = np.random.default_rng(seed)
    params = bptt.initialize(STACK, (2, 3, 4, 3, 2), rng)
    x, y = rng.normal(size=(2, T, B, 2)).astype(dtype)
    params = bptt.tree_map(lambda leaf: leaf.astype(dtype), params)
    return params, x, y, bptt.lengths_to_mask(LENGTHS, T)


def gradient(params, piece, state=None):
    """Return trace and gradient of one piece, minibatch or window."""
    trace = bptt.forward(STACK, params, piece.x, state, piece.mask)
    d_outputs = bptt.squared_error(trace.outputs, piece.targets, piece.mask).d_outputs
    return trace, bptt.backward(trace, d_outputs).params


def total(gradients):
    return bptt.tree_map(lambda *parts: sum(parts), *gradients)


def epoch(arrays, seed=5, **options):
    return bptt.minibatches(*arrays, rng=np.random.default_rng(seed), **options)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_gradients_of_minibatches_add_up_to_that_of_the_whole_batch(size):
    params, *arrays = drawn()
    whole = gradient(params, bptt.training.Minibatch(*arrays, None))[1]
    added = total([gradient(params, batch)[1] for batch in epoch(arrays, size=size)])
    assert_close(added, whole, 1e-13)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_each_sequence_is_in_one_minibatch_with_what_is_its_own(size):
    _, x, y, mask = drawn()
    batches = epoch((x, y, mask), size=size)
    members = np.concatenate([batch.members for batch in batches])
    assert sorted(members) == list(range(B))
    assert [len(batch.members) for batch in batches] == [size] * (B // size) + [B % size][
        : B % size
    ]
    assert len(batches) == len(list(batches)) == -(-B // size)
    for batch in batches:
        for at, m in enumerate(batch.members):
            assert (batch.x[:, at] == x[:, m]).all()
            assert (batch.targets[:, at] == y[:, m]).all()
            assert (batch.mask[:, at] == mask[:, m]).all()


def test_the_last_minibatch_is_left_out_on_request_and_only_if_it_is_smaller():
    _, *arrays = drawn()
    assert [len(batch.members) for batch in epoch(arrays, size=3, drop_last=True)] == [3, 3]
    assert len(epoch(arrays, size=7, drop_last=True)) == 1


def test_the_order_is_that_of_the_generator_and_no_other():
    _, *arrays = drawn()
    rng = np.random.default_rng(5)
    orders = [
        np.concatenate([b.members for b in bptt.minibatches(*arrays, size=2, rng=rng)])
        for _ in range(3)
    ]
    truth = np.random.default_rng(5)
    assert all((order == truth.permutation(B)).all() for order in orders)
    assert not all((one == other).all() for one, other in pairwise(orders))


def test_an_epoch_goes_on_where_it_was_interrupted():
    _, *arrays = drawn()
    whole, again = epoch(arrays, size=2), epoch(arrays, size=2)
    for k in range(len(whole) + 1):
        rest = [*whole[:k], *again[k:]]
        assert len(again[k:]) == len(whole) - k
        for batch, want in zip(rest, whole, strict=True):
            assert [part.tobytes() for part in batch] == [part.tobytes() for part in want]
    assert (whole[-1].members == list(whole)[-1].members).all()
    with pytest.raises(IndexError):
        whole[len(whole)]


@pytest.mark.parametrize("length", [1, 2, 4, 10, 11])
def test_windows_with_carried_states_are_one_run_over_all_steps(length):
    params, x, y, mask = drawn()
    whole = bptt.forward(STACK, params, x, mask=mask)
    state, outputs = None, []
    for window in bptt.windows(x, y, mask, length=length):
        trace, _ = gradient(params, window, state)
        outputs.append(trace.outputs.copy())
        state = bptt.carry_state(trace)
    assert_close((np.concatenate(outputs), *state), (whole.outputs, *whole.final), 1e-13)


@pytest.mark.parametrize("length", [1, 3, 4, 11])
def test_the_gradient_of_windows_is_that_of_the_truncated_surrogate(length):
    steps = T - T % length  # where a last window is shorter, the surrogate's last piece is not
    params, x, y, mask = drawn()
    x, y, mask = x[:steps], y[:steps], mask[:steps]

    def cost(outputs, steps):
        return bptt.squared_error(outputs, y[steps], mask[steps])

    state, gradients = None, []
    for window in bptt.windows(x, y, mask, length=length):
        trace, found = gradient(params, window, state)
        gradients.append(found)
        state = bptt.carry_state(trace)
    frozen = bptt.algorithms.surrogate(STACK, params, x, cost, None, mask, k1=length, k2=length)
    assert_close(total(gradients), bptt.complex_step(frozen, params), 1e-13)


def test_windows_are_all_steps_in_order_as_views():
    _, x, y, mask = drawn()
    windows = bptt.windows(x, y, mask, length=4)
    assert [window.steps for window in windows] == [slice(0, 4), slice(4, 8), slice(8, 11)]
    for window in windows:
        for part, whole in zip(window[:3], (x, y, mask), strict=True):
            assert (part == whole[window.steps]).all()
            assert np.shares_memory(part, whole)
    assert len(bptt.windows(x, length=4, drop_last=True)) == 2
    assert bptt.windows(x, length=4)[1:][0].steps == slice(4, 8)


def test_carried_states_are_copies():
    params, x, *_ = drawn()
    trace = bptt.forward(STACK, params, x)
    carried = bptt.carry_state(trace)
    before = bptt.tree_map(np.copy, carried)
    for layer in trace.layers:
        for array in layer.states:
            array[...] = 0
    for (_, one), (_, other) in zip(*map(bptt.tree_leaves, (carried, before)), strict=True):
        assert (one == other).all()
        assert one.base is None


def test_parallel_streams_are_stretches_side_by_side():
    series = np.arange(2 * 23).reshape(23, 2)
    streams = bptt.parallel_streams(series, 4)
    assert streams.shape == (5, 4, 2)
    assert (streams == np.stack([series[5 * b : 5 * b + 5] for b in range(4)], axis=1)).all()
    assert np.shares_memory(streams, series)
    assert bptt.parallel_streams(list(range(6)), 6).tolist() == [list(range(6))]


def test_each_row_of_streams_in_windows_goes_on_where_it_was():
    """Row b, over all windows, is a run of its own over stretch b."""
    params, *_ = drawn()
    series = np.random.default_rng(3).normal(size=(26, 2))
    state, outputs = None, []
    for window in bptt.windows(bptt.parallel_streams(series, 3), length=3):
        trace = bptt.forward(STACK, params, window.x, state)
        outputs.append(trace.outputs)
        state = bptt.carry_state(trace)
    alone = [bptt.forward(STACK, params, series[8 * b : 8 * b + 8, None]).outputs for b in range(3)]
    assert_close((np.concatenate(outputs),), (np.concatenate(alone, axis=1),), 1e-13)


def test_float32_stays_float32():
    params, *arrays = drawn(np.float32)
    for batch in epoch(arrays, size=3):
        state = None
        for window in bptt.windows(*batch[:3], length=4):
            trace, found = gradient(params, window, state)
            state = bptt.carry_state(trace)
            leaves = bptt.tree_leaves((window.x, window.targets, state, found))
            assert {leaf.dtype for _, leaf in leaves} == {np.dtype("float32")}
    assert bptt.parallel_streams(arrays[0], 2).dtype == np.float32


def test_targets_may_be_classes_and_arguments_are_left_alone():
    _, x, *_ = drawn()
    classes = np.arange(T * B).reshape(T, B)
    for array in (x, classes):
        array.flags.writeable = False
    batch = epoch((x, classes), size=2)[0]
    assert (batch.targets == classes[:, batch.members]).all()
    assert batch.mask is None
    batch.x[:] = 0  # a copy, and so writable
    assert bptt.windows(x[:, ::2], classes[:, ::2], length=3)[3].targets.shape == (2, 4)
    assert bptt.windows(x, length=3)[0].targets is None


def test_a_file_is_read_window_by_window(tmp_path):
    written = np.memmap(tmp_path / "long", np.float32, "w+", shape=(6, 2, 1))
    written[:] = np.nan  # what is not asked for is not looked at
    written[:2] = 1
    windows = bptt.windows(written, length=2)
    assert np.shares_memory(windows[0].x, written)
    assert (windows[0].x == 1).all()


@pytest.mark.parametrize("form", [">f4", ">i8"])
def test_a_file_of_another_byte_order_is_read_window_by_window(form, tmp_path):
    """Only what is cut is converted: no more memory than a window takes."""
    written = np.memmap(tmp_path / "long", form, "w+", shape=(100_000, 2, 3))
    written[:] = 7
    tracemalloc.start()
    window = bptt.windows(written, length=2)[1]
    batch = bptt.minibatches(written[:4], size=1, rng=0)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**16
    for x in window.x, batch.x:
        assert x.dtype.isnative
        assert (x == 7).all()


def test_a_progress_bar_knows_its_total():
    """What tqdm and its like need: a length, and iteration; and a loop is that of the plain sequence."""
    _, *arrays = drawn()
    for pieces in (epoch(arrays, size=2), bptt.windows(*arrays, length=4)):
        assert len(pieces) == sum(1 for _ in pieces)
        assert [piece.x.tobytes() for piece in pieces] == [
            pieces[k].x.tobytes() for k in range(len(pieces))
        ]


X, Y, MASK = np.zeros((4, 3, 2)), np.zeros((4, 3, 1)), np.ones((4, 3), bool)
RNG = np.random.default_rng(0)
TWO_WAYS = bptt.Stack((bptt.Bidirectional(bptt.Elman(), bptt.Elman()),))


def two_ways():
    params = bptt.initialize(TWO_WAYS, (2, 3, 1), np.random.default_rng(0))
    return bptt.forward(TWO_WAYS, params, X)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: bptt.minibatches(X[0], size=1, rng=RNG), ValueError, r"x must have shape \(T, B, n\), got \(3, 2\)"),
        (lambda: bptt.minibatches(X[:, :0], size=1, rng=RNG), ValueError, r"x must not be empty \(T >= 1, B >= 1, n >= 1\)"),
        (lambda: bptt.minibatches(X > 0, size=1, rng=RNG), TypeError, r"x must have dtype float32 or float64 or an integer type, got bool; convert"),
        (lambda: bptt.minibatches(X, Y[:, :2], size=1, rng=RNG), ValueError, r"targets must have shape \(4, 3, \.\.\.\), got \(4, 2, 1\)"),
        (lambda: bptt.minibatches(X, Y > 0, size=1, rng=RNG), TypeError, "targets must be numbers or classes, got bool"),
        (lambda: bptt.minibatches(X, Y, MASK[:3], size=1, rng=RNG), ValueError, r"mask must have shape \(4, 3\), got \(3, 3\)"),
        (lambda: bptt.minibatches(X, Y, MASK * 1.0, size=1, rng=RNG), TypeError, "mask must be boolean, got float64"),
        (lambda: bptt.minibatches(X, size=4, rng=RNG), ValueError, "size must be from 1 to 3, got 4"),
        (lambda: bptt.minibatches(X, size=0, rng=RNG), ValueError, "size must be from 1 to 3, got 0"),
        (lambda: bptt.minibatches(X, size=1.0, rng=RNG), TypeError, "size must be an integer, got float"),
        (lambda: bptt.minibatches(X, size=1, rng=-7), TypeError, r"rng must be a numpy.random.Generator or a seed >= 0, got int \(-7\)"),
        (lambda: bptt.minibatches(X, size=1, rng=RNG, drop_last=1), TypeError, r"drop_last must be a bool, got int \(1\)"),
        (lambda: bptt.windows(X[0], length=1), ValueError, r"x must have shape \(T, B, n\), got \(3, 2\)"),
        (lambda: bptt.windows(X, length=5), ValueError, "length must be from 1 to 4, got 5"),
        (lambda: bptt.windows(X, length=True), TypeError, "length must be an integer, got bool"),
        (lambda: bptt.windows(X, length=2, drop_last=None), TypeError, "drop_last must be a bool, got NoneType"),
        (lambda: bptt.carry_state(X), TypeError, "trace must be a Trace, got ndarray"),
        (lambda: bptt.carry_state(two_ways()), TypeError, r"trace.layers\[0\] must be a LayerTrace, got Bidirect"),
        (lambda: bptt.parallel_streams(np.array(1.0), 1), ValueError, r"sequence must have shape \(T, \.\.\.\), got \(\)"),
        (lambda: bptt.parallel_streams([[1], [1, 2]], 1), TypeError, "sequence must be an array of numbers, got list"),
        (lambda: bptt.parallel_streams(X, 5), ValueError, "number must be from 1 to 4, got 5"),
        (lambda: bptt.parallel_streams(X, 0), ValueError, "number must be from 1 to 4, got 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
