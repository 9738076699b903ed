"""Records: what they print, how they add up, and that copies behave as their originals.

The references are NumPy's own sums and products, array by array, and the original's results.
"""

import copy
import pickle
import warnings

import numpy as np
import pytest
from nets import CELLS

import bptt

STACK = bptt.Stack([bptt.LSTM(), bptt.Elman(bptt.relu)])
PARAMS = bptt.initialize(STACK, (1, 8, 3, 2), 0)
X = np.random.default_rng(1).normal(size=(20, 4, 1))


def leaves(record):
    return [leaf for _, leaf in bptt.tree_leaves(record)]


def test_shapes_are_printed_in_place_of_numbers():
    assert repr(PARAMS) == str(PARAMS) == (
        "Params(layers=(Recurrent(w=(1, 32), u=(8, 32), b=(32,)), Recurrent(w=(8, 3), u=(3, 3), b=(3,))), "
        "readout=Affine(w=(3, 2), b=(2,)))  # 364 numbers"
    )  # fmt: skip
    trace = bptt.forward(STACK, PARAMS, X)
    assert "x=(20, 4, 1)" in repr(trace)
    assert len(repr(trace)) < 2000
    cost = bptt.squared_error(trace.outputs, trace.outputs)
    assert repr(cost) == "Cost(value=0.0, d_outputs=(20, 4, 2))  # 160 numbers"
    assert repr(bptt.Affine(np.array(3.0), [None] * 5)).startswith("Affine(w=3.0, b=(None, None, ")
    assert "... 5 in all" in repr(bptt.Affine(np.array(3.0), [None] * 5))


def test_sums_differences_and_products_are_taken_array_by_array():
    double, half = PARAMS + PARAMS, 0.5 * PARAMS
    assert type(double) is bptt.Params
    for array, more, less in zip(leaves(PARAMS), leaves(double), leaves(half), strict=True):
        np.testing.assert_array_equal(more, array + array)
        np.testing.assert_array_equal(less, array * 0.5)
    assert all((array == 0).all() for array in leaves(double - PARAMS - PARAMS))
    for one, other in zip(leaves(sum([PARAMS, PARAMS])), leaves(PARAMS * 2), strict=True):
        np.testing.assert_array_equal(one, other)
    single = bptt.initialize(STACK, (1, 8, 3, 2), 0, np.float32)
    assert all(leaf.dtype == np.float32 for leaf in leaves(np.float64(2) * single + single))


def test_records_are_equal_if_all_their_numbers_are():
    """Those of two runs, a state in a dict, and parts that are no arrays, among them."""
    same, other = (bptt.initialize(STACK, (1, 8, 3, 2), seed) for seed in (0, 1))
    assert same == PARAMS
    assert other != PARAMS
    assert PARAMS in (other, same)
    assert not same != PARAMS  # noqa: SIM202 - the operator !=
    assert PARAMS.readout != PARAMS
    assert PARAMS != 3
    assert PARAMS._replace(layers=PARAMS.layers[:1]) != PARAMS
    one, another = (bptt.forward(STACK, params, X) for params in (PARAMS, same))
    assert one == another
    assert one != another._replace(stack=bptt.Stack([bptt.LSTM(), bptt.Elman()]))
    first, second, third = (bptt.Adam().init({"w": np.zeros(n)}) for n in (2, 2, 3))
    assert first == second != third


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PARAMS + PARAMS.readout, r"Params \+ must have a Params on both sides, got Affine"),
        (lambda: () + PARAMS, r"Params \+ must have a Params on both sides, got tuple"),  # noqa: RUF005
        (lambda: PARAMS * "a", r"Params \* must have a real number on the other side, got str"),
        (lambda: True * PARAMS, r"Params \* must have a real number on the other side, got bool"),
        (lambda: bptt.forward(STACK, PARAMS, X) * 2, r"Trace \* is not defined: record\.stack must be an array"),
    ],
)  # fmt: skip
def test_a_record_is_never_joined_or_repeated(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_an_error_of_a_sum_says_on_which_side():
    wide = bptt.Affine(np.ones((2, 3)), np.ones(3))
    message = r"^right side\.w must have shape \(2, 3\), that of left side\.w, got \(1, 3\)$"
    with pytest.raises(ValueError, match=message):
        wide + wide._replace(w=np.ones((1, 3)))


@pytest.mark.parametrize("name", CELLS)
def test_cells_stacks_parameters_and_traces_can_be_copied(name):
    stack = bptt.Stack([CELLS[name]])
    params = bptt.initialize(stack, (1, 3, 1), 0)
    trace = bptt.forward(stack, params, X)
    want = bptt.backward(trace, np.ones_like(trace.outputs))
    for made in (copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        found = bptt.forward(made(stack), made(params), X)
        np.testing.assert_array_equal(found.outputs, trace.outputs)
        got = made(bptt.backward(made(trace), np.ones_like(trace.outputs)))
        for one, other in zip(leaves(got.params), leaves(want.params), strict=True):
            np.testing.assert_array_equal(one, other)


def test_pieces_are_copied_with_what_they_are_cut_from():
    """Compared with the pieces before their data changed."""
    x = np.random.default_rng(0).normal(size=(5, 4, 1))
    cut = {
        "windows": bptt.windows(x, x, length=2),
        "some windows": bptt.windows(x, length=2)[1:],
        "minibatches": bptt.minibatches(x, size=3, rng=0, mask=np.ones((5, 4), bool)),
    }
    want = {name: [piece.x.copy() for piece in pieces] for name, pieces in cut.items()}
    pairs = [(n, copy.deepcopy(p)) for n, p in cut.items()]
    pairs += [(n, pickle.loads(pickle.dumps(p))) for n, p in cut.items()]
    x[...] = 0
    for name, pieces in pairs:
        for piece, before in zip(pieces, want[name], strict=True):
            np.testing.assert_array_equal(piece.x, before)


@pytest.mark.parametrize(
    "schedule",
    [bptt.algorithms.every(3), bptt.algorithms.square_root(), bptt.algorithms.binomial(3, 2)],
)
def test_schedules_can_be_pickled(schedule):
    for steps in (1, 7, 100):
        assert pickle.loads(pickle.dumps(schedule))(steps) == schedule(steps)


def test_restore_can_be_pickled_and_returns_copies():
    vector, restore = bptt.flatten(bptt.teaching.tiny().params)
    found, want = pickle.loads(pickle.dumps(restore))(vector), restore(vector)
    for one, other in zip(leaves(found), leaves(want), strict=True):
        np.testing.assert_array_equal(one, other)
    vector[...] = np.nan
    assert all(np.isfinite(leaf).all() for leaf in (*leaves(found), *leaves(want)))


def test_seeds_and_lists_are_taken_where_numpy_takes_them():
    by_seed = bptt.initialize(bptt.Stack([bptt.GRU()]), [1, 4, 1], 3)
    (again,) = bptt.from_torch([bptt.GRU()], bptt.to_torch([bptt.GRU()], [by_seed.layers[0]]))
    np.testing.assert_equal(again, by_seed.layers[0])
    by_rng = bptt.initialize(bptt.Stack((bptt.GRU(),)), (1, 4, 1), np.random.default_rng(3))
    for one, other in zip(leaves(by_seed), leaves(by_rng), strict=True):
        np.testing.assert_array_equal(one, other)


MASKED = np.ma.masked_array([[5.0, 1.0]], mask=[[True, False]])


class Lazy:
    """Becomes a masked array when it is asked for an array, as those of Dask do."""

    def __array__(self, dtype=None, copy=None):
        """Return the masked array."""
        return MASKED


@pytest.mark.parametrize(
    "call",
    [
        lambda: bptt.squared_error(MASKED, [[0.0, 0.0]]),
        lambda: bptt.squared_error([[0.0, 0.0]], MASKED),
        lambda: bptt.squared_error([MASKED[0]], [[0.0, 0.0]]),
        lambda: bptt.softmax_cross_entropy(MASKED, [0]),
        lambda: bptt.GradientDescent(0.1).update((np.ones((1, 2)),), (MASKED,), ()),
        lambda: bptt.Adam().init(MASKED),
        lambda: bptt.global_norm((MASKED,)),
        lambda: bptt.tree_map(np.add, np.ones((1, 2)), MASKED),
        lambda: bptt.compare((MASKED,), (MASKED,)),
        lambda: bptt.forward(STACK, PARAMS, np.ma.masked_array(X)),
        lambda: bptt.lengths_to_mask(np.ma.masked_array([1, 2]), 3),
        lambda: bptt.minibatches(np.ma.masked_array(X), size=1, rng=0),
        lambda: bptt.softmax(np.asmatrix([[1.0, 2.0]])),
        lambda: bptt.squared_error(Lazy(), [[0.0, 0.0]]),
    ],
)
def test_subclasses_of_arrays_are_refused(call):
    """As plain arrays they would lose what they add: a masked array its mask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of np.matrix
        with pytest.raises(TypeError, match="must be a plain NumPy array, got numpy"):
            call()


def test_an_array_in_a_file_is_an_array(tmp_path):
    np.save(tmp_path / "x.npy", X)
    outputs = bptt.forward(STACK, PARAMS, np.load(tmp_path / "x.npy", mmap_mode="r")).outputs
    np.testing.assert_array_equal(outputs, bptt.forward(STACK, PARAMS, X).outputs)


def test_norms_overflow_and_vanish_only_where_the_number_itself_does():
    for scale in (1e-25, 1e20):
        trace = bptt.forward(
            bptt.Stack([bptt.Elman(bptt.identity)]),
            bptt.initialize(bptt.Stack([bptt.Elman(bptt.identity)]), (1, 2, 1), 0, np.float32),
            X.astype(np.float32),
        )
        gradient = bptt.backward(trace, np.full_like(trace.outputs, scale))
        norms = bptt.delta_norms(gradient)
        assert norms.dtype == np.float32
        np.testing.assert_allclose(norms[-1], 2 * scale, rtol=1e-6)  # four equal numbers


def test_underflow_is_no_error_whoever_calls():
    with np.errstate(all="raise"):
        cost = bptt.softmax_cross_entropy(np.float32([[0, -100]]), [0])
        assert 3.7e-44 < cost.value < 3.9e-44  # e^-100, below the smallest normal number
        tiny = np.full((3, 1, 1), 1e-200)
        trace = bptt.forward(STACK, PARAMS, tiny)
        bptt.backward(trace, 1e-200 * trace.outputs)


def steps_cost(outputs, steps):
    return bptt.squared_error(outputs, 0 * outputs)


def test_the_functions_that_are_returned_can_be_pickled():
    """An unrolled net has activations of its own, and a surrogate is a function."""
    tiny = bptt.teaching.tiny()
    unrolled = bptt.teaching.unroll(bptt.forward(tiny.stack, tiny.params, tiny.x))
    again = pickle.loads(pickle.dumps(unrolled))
    run, want = (
        bptt.teaching.feedforward.forward(net.layers, net.x, net.activations)
        for net in (again, unrolled)
    )
    np.testing.assert_array_equal(run.outputs, want.outputs)
    problem = tiny.stack, tiny.params, tiny.x, steps_cost
    surrogate = bptt.algorithms.surrogate(*problem, k1=1, k2=2)
    assert pickle.loads(pickle.dumps(surrogate))(tiny.params) == surrogate(tiny.params)


@pytest.mark.parametrize(
    "way", ["full_bptt", "scan_bptt", "truncated_bptt", "checkpointed_bptt", "rtrl", "uoro"]
)
def test_a_final_state_does_not_keep_the_states_of_all_steps(way):
    tiny = bptt.teaching.tiny()
    options = {
        "truncated_bptt": {"k1": 1, "k2": 2},
        "checkpointed_bptt": {"schedule": bptt.algorithms.every(3)},
        "uoro": {"rng": 0},
    }
    found = getattr(bptt, way)(tiny.stack, tiny.params, tiny.x, steps_cost, **options.get(way, {}))
    for final in leaves(found.final):
        assert final.base is None or len(final.base) <= 2  # of one step: before and after
    # Nor does an empty ∂C/∂x keep the input.
    assert found.gradient.x.size or found.gradient.x.base is None
