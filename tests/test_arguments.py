"""What the library leaves alone: it writes to no argument, needs no layout, and shares no memory unsaid.

The truths here are the arguments before the call, and the same call on plain contiguous arrays.
"""

from functools import partial

import numpy as np
import pytest
from closeness import assert_close
from problems import problem

import bptt
from bptt._core.validation import all_finite

GIVEN = problem(29)  # two layers or more, several steps and sequences, squared error
SIZES = (GIVEN.at.x.shape[2], *(len(layer.b) for layer in GIVEN.at.params.layers), 2)
RNG = np.random.default_rng(11)
PARAMS = bptt.initialize(GIVEN.stack, SIZES, RNG)
OUTPUTS = RNG.normal(size=(*GIVEN.at.x.shape[:2], 2))
MASK = RNG.random(OUTPUTS.shape[:2])
CLASSES = RNG.integers(0, 2, OUTPUTS.shape[:2])
LAYER = PARAMS.layers[0]
STATES, FINAL = GIVEN.at.initial, GIVEN.d_final
X = GIVEN.at.x
RULES = bptt.GradientDescent(0.1), bptt.Momentum(0.1), bptt.Adam(0.1)


def run(params, x, initial, d_outputs, d_final):
    trace = bptt.forward(GIVEN.stack, params, x, initial)
    return trace.outputs, trace.final, bptt.backward(trace, d_outputs, d_final)


def run_layer(params, x, initial, d_a, d_final):
    trace = bptt.layer_forward(GIVEN.stack.cells[0], params, x, initial)
    return trace.states, bptt.layer_backward(trace, d_a, d_final)


def run_feedforward(layers, x, d_outputs):
    trace = bptt.teaching.feedforward.forward(layers, x, bptt.softplus)
    return trace.z, trace.a, bptt.teaching.feedforward.backward(trace, d_outputs)


def run_unrolled(params, x, initial, d_outputs, d_final):
    unrolled = bptt.teaching.unroll(bptt.forward(GIVEN.stack, params, x, initial))
    trace = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    plain = bptt.teaching.feedforward.backward(trace, unrolled.cotangent(d_outputs, d_final))
    return bptt.teaching.copies(unrolled, plain), bptt.teaching.fold(unrolled, plain)


def cost(function, *arguments):
    value, d_outputs = function(*arguments)
    return np.asarray(value), d_outputs


def check(at, gradient):
    report = bptt.check_gradient(lambda at: (at[0] ** 2).sum(), at, gradient)
    central = bptt.central_difference(lambda at: (at[0] ** 2).sum(), at)
    return np.array([*report.errors.values(), report.error]), central


def update(params, gradient):
    """All rules, twice in a row."""
    found = []
    for rule in RULES:
        new, state = rule.update(params, gradient, rule.init(params))
        found.append(rule.update(new, gradient, state)[0])
    return found


CALLS = {
    "forward, backward": (run, (PARAMS, X, STATES, OUTPUTS, FINAL)),
    "layer_forward, layer_backward": (
        run_layer,
        (LAYER, X, STATES[0], RNG.normal(size=(*X.shape[:2], len(LAYER.b))), FINAL[0]),
    ),
    "feedforward": (
        run_feedforward,
        ((PARAMS.readout,), OUTPUTS[0] @ PARAMS.readout.w.T, OUTPUTS[0]),
    ),
    "unroll, copies, fold": (run_unrolled, (PARAMS, X, STATES, OUTPUTS, FINAL)),
    "squared_error": (partial(cost, bptt.squared_error), (OUTPUTS, OUTPUTS[::-1] + 1, MASK)),
    "softmax_cross_entropy": (partial(cost, bptt.softmax_cross_entropy), (OUTPUTS, CLASSES, MASK)),
    "softmax": (bptt.softmax, (OUTPUTS,)),
    "check_gradient, central_difference": (check, ((X, X), (2 * X, 0 * X))),
    "compare": (lambda *args: np.array(bptt.compare(*args).error), (X, X + 1)),
    "update": (update, (PARAMS, bptt.tree_map(np.cos, PARAMS))),
    "clip_by_global_norm": (lambda g: bptt.clip_by_global_norm(g, 0.1)[0], (PARAMS,)),
    "global_norm": (lambda g: np.array(bptt.global_norm(g)), (PARAMS,)),
    "tree_map": (lambda *args: bptt.tree_map(np.add, *args), (PARAMS, PARAMS)),
}

calls = pytest.mark.parametrize(("call", "arguments"), CALLS.values(), ids=CALLS)


def every_second(array):
    """Return equal numbers, each axis strided: every second entry of an array twice as large."""
    wide = np.full([2 * size for size in array.shape], 77, array.dtype)
    view = wide[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


def backward_in_memory(array):
    """Return equal numbers, whose first axis runs backward in memory."""
    return array[::-1].copy()[::-1]


def read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def in_the_other_byte_order(array):
    return array.astype(array.dtype.newbyteorder("S"))


def unaligned(array):
    """Return equal numbers, which begin at an odd address."""
    return (
        np.frombuffer(b" " + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape)
    )


LAYOUTS = [np.asfortranarray, every_second, backward_in_memory, read_only, unaligned]


@calls
def test_arguments_are_never_written_to(call, arguments):
    before = [leaf.tobytes() for _, leaf in bptt.tree_leaves(arguments)]
    call(*arguments)
    assert [leaf.tobytes() for _, leaf in bptt.tree_leaves(arguments)] == before


@calls
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_in_memory_gives_the_same(call, arguments, layout):
    """To rounding: the matrix library sums in another order for another layout."""
    want = call(*arguments)
    got = call(*bptt.tree_map(layout, arguments))
    assert_close(as_tuple(got), as_tuple(want), 1e-14)


def test_a_dtype_is_taken_in_the_byte_order_of_this_machine():
    other = np.dtype(np.float32).newbyteorder("S")
    params = bptt.initialize(bptt.Stack((bptt.LSTM(),)), (2, 3, 1), 0, other)
    assert {leaf.dtype for _, leaf in bptt.tree_leaves(params)} == {np.dtype(np.float32)}
    assert all(leaf.dtype.isnative for _, leaf in bptt.tree_leaves(params))


def as_tuple(record):
    return record if isinstance(record, tuple) else (record,)


@calls
def test_results_share_no_memory_with_arguments(call, arguments):
    given = [leaf for _, leaf in bptt.tree_leaves(arguments)]
    results = call(*arguments)
    if call is run_feedforward:  # a[0] is x itself: said in the docstring of the trace
        results = (results[0], results[1][1:], results[2])
    for name, leaf in bptt.tree_leaves(as_tuple(results)):
        assert not any(np.shares_memory(leaf, other) for other in given), name


def test_what_a_trace_keeps_by_reference_is_the_input_and_the_parameters():
    """As the docstring of `forward` says: these, and not the initial state."""
    trace = bptt.forward(GIVEN.stack, PARAMS, X, STATES)
    assert trace.x is X
    assert trace.layers[0].x is X
    for (_, kept), (_, own) in zip(
        bptt.tree_leaves(trace.params), bptt.tree_leaves(PARAMS), strict=True
    ):
        assert kept is own
    for layer, state in zip(trace.layers, STATES, strict=True):
        assert not np.shares_memory(layer.a, state[0])
    assert bptt.teaching.feedforward.forward(
        [PARAMS.readout], OUTPUTS[0] @ PARAMS.readout.w.T, bptt.tanh
    )


def test_one_call_does_not_see_another():
    """A second run, forward and back, leaves what the first returned alone."""
    arguments = (PARAMS, X, STATES, OUTPUTS, FINAL)
    first = run(*arguments)
    before = [leaf.tobytes() for _, leaf in bptt.tree_leaves(first)]
    run(*bptt.tree_map(lambda leaf: -leaf, arguments))
    assert [leaf.tobytes() for _, leaf in bptt.tree_leaves(first)] == before


def test_nested_lists_do_for_arrays():
    """Where numbers are data, Python's own are as good as NumPy's."""
    got = bptt.forward(GIVEN.stack, PARAMS, X.tolist(), STATES).outputs
    assert_close(got, bptt.forward(GIVEN.stack, PARAMS, X, STATES).outputs, 1e-14)


ONE = np.ones((1, 1))


def line(u, activation=bptt.identity):
    """Return a stack of one unit with recurrent weight u, and its parameters."""
    params = bptt.Params(
        (bptt.Recurrent(ONE, np.full((1, 1), u), np.zeros(1)),), bptt.Affine(ONE, np.zeros(1))
    )
    return bptt.Stack((bptt.Elman(activation),)), params


@pytest.mark.parametrize("u", [1e10, -1e10])
def test_a_forward_run_that_overflows_says_where(u):
    """a^(t) is about u^(t-1): past 1e308 at t = 32, the 33rd entry with the initial state."""
    stack, params = line(u)
    message = r"layers\[0\]\.a must stay finite, got -?inf first at index \(32, 0, 0\)"
    with pytest.raises(FloatingPointError, match=message):
        bptt.forward(stack, params, np.ones((40, 1, 1)))
    with pytest.raises(FloatingPointError, match=r"^a must stay finite"):
        bptt.layer_forward(stack.cells[0], params.layers[0], np.ones((40, 1, 1)))


def test_a_readout_that_overflows_is_no_silent_infinity():
    stack, params = line(0.5)
    large = params._replace(readout=bptt.Affine(np.full((1, 1), 1e308), np.full(1, 1e308)))
    with pytest.raises(FloatingPointError, match="outputs must stay finite"):
        bptt.forward(stack, large, np.ones((2, 1, 1)))


def test_an_exploding_gradient_is_no_silent_infinity():
    """δ^(t) = u^(T-t), while zero inputs keep every activation at zero."""
    stack, params = line(1e10)
    x, d_outputs = np.zeros((40, 1, 1)), np.zeros((40, 1, 1))
    d_outputs[-1] = 1
    message = r"gradient\.delta\[0\] must stay finite, got inf"
    with pytest.raises(FloatingPointError, match=message):
        bptt.backward(bptt.forward(stack, params, x), d_outputs)
    trace = bptt.layer_forward(stack.cells[0], params.layers[0], x)
    with pytest.raises(FloatingPointError, match=r"gradient\.delta must stay finite"):
        bptt.layer_backward(trace, d_outputs)


@pytest.mark.parametrize(
    ("x", "d_outputs", "w", "name"),
    [
        (1e200, 1e200, 1.0, r"params\.layers\[0\]\.w"),
        (0.0, 1e308, 1.0, r"params\.layers\[0\]\.b"),
        (1e-300, 1e200, 1e200, r"x"),
    ],
)
def test_a_gradient_that_overflows_after_the_errors_is_found_too(x, d_outputs, w, name):
    """δ is finite in these; a product or a sum with it is not."""
    stack, params = line(0.0)
    layer = params.layers[0]._replace(w=np.full((1, 1), w))
    params = params._replace(layers=(layer,))
    trace = bptt.forward(stack, params, np.full((2, 1, 1), x))
    with pytest.raises(FloatingPointError, match=rf"gradient\.{name} must stay finite, got inf"):
        bptt.backward(trace, np.full((2, 1, 1), d_outputs))


@pytest.mark.parametrize(
    ("w", "x", "d_outputs", "name"),
    [
        (1e200, 1e-200, 1e200, r"gradient\.x"),
        (1.0, 1e200, 1e200, r"gradient\.layers\[0\]\.w"),
        (1.0, 0.0, 1e308, r"gradient\.layers\[0\]\.b"),
    ],
)
def test_feedforward_overflow_is_no_silent_infinity(w, x, d_outputs, name):
    layer = bptt.Affine(np.full((1, 1), w), np.zeros(1))
    trace = bptt.teaching.feedforward.forward([layer], np.full((2, 1), x), bptt.identity)
    with pytest.raises(FloatingPointError, match=f"{name} must stay finite, got inf"):
        bptt.teaching.feedforward.backward(trace, np.full((2, 1), d_outputs))
    with pytest.raises(FloatingPointError, match=r"a\[1\] must stay finite, got inf"):
        bptt.teaching.feedforward.forward([layer], np.full((1, 1), 1e308 * 1.7 / w), cube())


def cube():
    return bptt.Activation("cube", lambda z: z**3, lambda z, _: 3 * z**2)


def test_what_comes_from_an_activation_of_ones_own_is_looked_at_too():
    """NaN from outside its domain, on the way there; infinity from its derivative, on the way back."""
    root = bptt.Activation("root", np.sqrt, lambda _, a: 0.5 / a)
    stack, params = line(0.0, root)
    said = (
        r"layers\[0\]\.a must stay finite, got nan .* overflowed, or a function has no value there;"
    )
    with pytest.raises(FloatingPointError, match=said):
        bptt.forward(stack, params, -np.ones((1, 1, 1)))
    steep = bptt.Activation("steep", np.tanh, lambda z, _: np.exp(1e4 * np.abs(z) + z))
    stack, params = line(0.0, steep)
    trace = bptt.forward(stack, params, np.ones((1, 1, 1)))
    with pytest.raises(FloatingPointError, match=r"gradient\.delta\[0\] must stay finite, got inf"):
        bptt.backward(trace, np.ones((1, 1, 1)))


WHOLE = RNG.integers(-3, 4, (5, 2, SIZES[0]))
TARGETS = RNG.integers(-3, 4, (5, 2, 2))


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int16, list])
def test_integers_take_the_precision_of_what_they_meet(precision, kind):
    """Truth: the same call on floating-point numbers of the parameters' precision."""
    params = bptt.tree_map(lambda array: array.astype(precision), PARAMS)
    x, y = abs(WHOLE), abs(TARGETS)
    given = (x.tolist(), y.tolist()) if kind is list else (x.astype(kind), y.astype(kind))

    def both(x, y):
        return bptt.value_and_grad(GIVEN.stack, params, x, lambda a: bptt.squared_error(a, y))

    (value, found), (true, wanted) = both(*given), both(x.astype(precision), y.astype(precision))
    assert value == true
    for (_, a), (_, b) in zip(bptt.tree_leaves(found), bptt.tree_leaves(wanted), strict=True):
        assert a.dtype == precision
        assert (a == b).all()
    layer = bptt.layer_forward(GIVEN.stack.cells[0], params.layers[0], given[0])
    assert layer.a.dtype == precision


def test_integers_pass_through_what_cuts_them():
    for window in bptt.windows(WHOLE, TARGETS, length=2):
        assert window.x.dtype == WHOLE.dtype
    assert bptt.parallel_streams(WHOLE[:, :1], 2).dtype == WHOLE.dtype
    for batch in bptt.minibatches(WHOLE, TARGETS, size=1, rng=0):
        assert batch.x.dtype == WHOLE.dtype


def test_value_and_grad_is_forward_cost_and_backward():
    trace = bptt.forward(GIVEN.stack, PARAMS, X, STATES)
    cost, d_outputs = bptt.squared_error(trace.outputs, OUTPUTS)
    wanted = bptt.backward(trace, d_outputs).params
    value, found = bptt.value_and_grad(
        GIVEN.stack, PARAMS, X, lambda outputs: bptt.squared_error(outputs, OUTPUTS), STATES
    )
    assert value == cost
    assert bptt.compare(found, wanted, tolerance=1e-300).ok


LAYOUTS_IN_MEMORY = {
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "last two axes exchanged": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
    "every second": lambda a: a[..., ::2],
    "backward": lambda a: a[..., ::-1],
    "repeated": lambda a: np.broadcast_to(a, (2, *a.shape)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("laid", LAYOUTS_IN_MEMORY.values(), ids=LAYOUTS_IN_MEMORY)
@pytest.mark.parametrize("axes", [2, 3, 4])
def test_numbers_that_are_not_finite_are_found_in_every_layout(axes, laid, dtype):
    """Against np.isfinite, also where the sum, or the sum of squares, overflows."""
    shape = (2, 3, 4, 5)[:axes]
    for value in (0.0, 1.0, np.finfo(dtype).max, -np.finfo(dtype).max, np.nan, np.inf, -np.inf):
        one = np.ones(shape, dtype)
        one.flat[0] = value
        for array in (laid(one), laid(np.full(shape, value, dtype))):
            assert all_finite(array) == np.isfinite(array).all()
