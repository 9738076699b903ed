"""Malformed input of cells, sequences, ways, diagnostics and interop: refused in words."""

import re
from functools import partial

import numpy as np
import pytest

import bptt

STACK, PARAMS, X, Y = bptt.teaching.tiny()
RNG = np.random.default_rng(0)
SIZES = (1, 2, 1)


def stack_of(*cells):
    stack = bptt.Stack(cells)
    return stack, bptt.initialize(stack, (1, *(2 for _ in cells), 1), RNG)


LSTM, LSTM_PARAMS = stack_of(bptt.LSTM())
GRU, GRU_PARAMS = stack_of(bptt.GRU())
BEFORE, BEFORE_PARAMS = stack_of(bptt.ResetBeforeGRU())
DIAGONAL, DIAGONAL_PARAMS = stack_of(bptt.Diagonal())
PEEPHOLE, PEEPHOLE_PARAMS = stack_of(bptt.PeepholeLSTM())
BOTH, BOTH_PARAMS = stack_of(bptt.Bidirectional(bptt.Elman(), bptt.LSTM()))
THERE, BACK = BOTH_PARAMS.layers[0]
TRACE, BOTH_TRACE = bptt.forward(STACK, PARAMS, X), bptt.forward(BOTH, BOTH_PARAMS, X)
D, ONE = np.ones((3, 1, 1)), np.ones((1, 2))
PARTS = bptt.contributions(TRACE, D)
TORCH = bptt.to_torch(LSTM.cells, LSTM_PARAMS.layers)
WAYS = (bptt.full_bptt, bptt.checkpointed_bptt, bptt.scan_bptt, bptt.rtrl)


def cost(outputs, steps):
    return bptt.squared_error(outputs, Y[steps])


def with_layer(stack, params, **parts):
    layer = params.layers[0]._replace(**parts)
    return bptt.forward(stack, params._replace(layers=(layer,)), X)


def truncated(k1, k2, of=cost):
    return bptt.truncated_bptt(STACK, PARAMS, X, of, k1=k1, k2=k2)


def surrogate(stack, params, x, cost):
    return bptt.algorithms.surrogate(stack, params, x, cost, k1=1, k2=1)(params)


def product(vector, of=cost, params=PARAMS, stack=STACK, x=X):
    return bptt.hessian_vector_product(stack, params, x, of, vector)


def checkpointed(schedule):
    return bptt.checkpointed_bptt(STACK, PARAMS, X, cost, schedule=schedule)


def bias(*ks, **kwargs):
    return bptt.truncation_bias(STACK, PARAMS, X, cost, *ks, **kwargs)


def single(record):
    return bptt.tree_map(lambda leaf: leaf.astype(np.float32), record)


def returning(value=1.0, d_outputs=None):
    """Return a cost that is what it is told, whatever it is asked."""
    return lambda outputs, _: bptt.Cost(value, outputs if d_outputs is None else d_outputs)


def flax(**parts):
    return {
        "i": {"kernel": np.ones((1, 2)), "bias": np.ones(2)},
        "h": {"kernel": np.eye(2)},
    } | parts


T, V = TypeError, ValueError

SEQUENCES = [
    # masks and lengths
    (lambda: bptt.forward(STACK, PARAMS, X, None, np.ones((3, 1), int)), T, "mask must be boolean, got int64"),
    (lambda: bptt.forward(STACK, PARAMS, X, None, np.ones((3, 2), bool)), V, "mask must have shape (3, 1), got (3, 2)"),
    (lambda: bptt.forward(STACK, PARAMS, X, None, [[True], [True, False]]), T, "mask must be an array of numbers, got list"),
    (lambda: bptt.layer_forward(bptt.LSTM(), LSTM_PARAMS.layers[0], X, None, D[0] > 0), V, "mask must have shape (3, 1), got (1, 1)"),
    (lambda: bptt.rtrl(STACK, PARAMS, X, cost, None, np.ones((4, 1), bool)), V, "mask must have shape (3, 1), got (4, 1)"),
    (lambda: bptt.lengths_to_mask([1.0, 2.0]), T, "lengths must be integers, got float64"),
    (lambda: bptt.lengths_to_mask([True]), T, "lengths must be integers, got bool"),
    (lambda: bptt.lengths_to_mask([0, 2]), V, "lengths must be >= 1, got 0 to 2"),
    (lambda: bptt.lengths_to_mask([-1, -2]), V, "lengths must be >= 1, got -2 to -1"),
    (lambda: bptt.lengths_to_mask([3, 2], 2), V, "lengths must be from 1 to 2, got 2 to 3"),
    (lambda: bptt.lengths_to_mask([[1]]), V, "lengths must have shape (B,), B >= 1, got (1, 1)"),
    (lambda: bptt.lengths_to_mask([]), V, "lengths must have shape (B,), B >= 1, got (0,)"),
    (lambda: bptt.lengths_to_mask([[1], [1, 2]]), T, "lengths must be an array of numbers, got list"),
    (lambda: bptt.lengths_to_mask([1], 0), V, "steps must be >= 1, got 0"),
    (lambda: bptt.lengths_to_mask([1], 2.0), T, "steps must be an integer, got float (2.0)"),
    # both directions
    (lambda: bptt.Bidirectional(bptt.Elman, bptt.Elman()), T, "forward must be a cell, such as bptt.Elman(), got <class"),
    (lambda: bptt.Bidirectional(bptt.Elman(), BOTH.cells[0]), T, "backward must be a cell, such as bptt.Elman(), got Bidirectional"),
    (lambda: bptt.forward(BOTH, BOTH_PARAMS._replace(layers=(THERE,)), X), T, "params.layers[0] must be a BothDirections, got Recurrent"),
    (lambda: bptt.forward(BOTH, BOTH_PARAMS, X, (ONE,)), T, "initial[0] must be a tuple of 2 states, one a direction, got ndarray"),
    (lambda: bptt.forward(BOTH, BOTH_PARAMS, X, ((ONE,),)), V, "initial[0] must have 2 states, one a direction, got 1"),
    (lambda: bptt.forward(BOTH, BOTH_PARAMS, X, ((ONE, ONE),)), V, "initial[0][1] must have 2 arrays, a, c, got 1"),
    (lambda: bptt.backward(BOTH_TRACE, D, ((np.zeros((1, 3)), None),)), V, "d_final[0][0].a must have shape (1, 2), got (1, 3)"),
    (lambda: with_layer(BOTH, BOTH_PARAMS, backward=THERE), V, "params.layers[0].backward.u must have shape (n, 4n), got (2, 2)"),
    (lambda: with_layer(BOTH, BOTH_PARAMS, forward=THERE._replace(w=np.ones((3, 2)))), V, "params.layers[0].backward.w must have shape (3, 8), got (1, 8)"),
    (lambda: bptt.layer_backward(BOTH_TRACE.layers[0], D), V, "d_a must have shape (3, 1, 4), got (3, 1, 1)"),
    (lambda: bptt.layer_backward(BOTH_TRACE.layers[0], np.ones((3, 1, 4)), ONE), T, "d_final must be a tuple of 2 states, one a direction, got ndarray"),
    (lambda: bptt.teaching.proof.bench(recurrent="some"), V, "recurrent must be hidden, all or none, got str ('some')"),
    (lambda: bptt.teaching.tiny().cost(Y, 3), T, "steps must be a slice, got int (3)"),
    (lambda: bptt.teaching.EquationCheck.read(None), T, "text must be a str, got NoneType (None)"),
    (lambda: bptt.teaching.unroll(BOTH_TRACE), T, "trace.stack.cells[0] must be an Elman, got Bidirectional"),
    # cells
    (lambda: bptt.forward(LSTM, LSTM_PARAMS, X, (ONE,)), V, "initial[0] must have 2 arrays, a, c, got 1"),
    (lambda: bptt.forward(LSTM, LSTM_PARAMS, X, ((ONE, ONE.T),)), V, "initial[0].c must have shape (1, 2), got (2, 1)"),
    (lambda: with_layer(LSTM, LSTM_PARAMS, u=np.ones((2, 6))), V, "params.layers[0].u must have shape (n, 4n), got (2, 6)"),
    (lambda: with_layer(LSTM, LSTM_PARAMS, b=np.ones(2)), V, "params.layers[0].b must have shape (8,), got (2,)"),
    (lambda: bptt.forward(GRU, LSTM_PARAMS, X), T, "params.layers[0] must be a GRUParams, got Recurrent"),
    (lambda: with_layer(GRU, GRU_PARAMS, c=np.ones(3)), V, "params.layers[0].c must have shape (2,), got (3,)"),
    (lambda: with_layer(PEEPHOLE, PEEPHOLE_PARAMS, p_f=np.ones(8)), V, "params.layers[0].p_f must have shape (2,), got (8,)"),
    (lambda: bptt.Diagonal("tanh"), T, "activation must be an Activation, got str ('tanh')"),
    (lambda: with_layer(DIAGONAL, DIAGONAL_PARAMS, v=np.ones(3)), V, "params.layers[0].v must have shape (2,), got (3,)"),
    (lambda: with_layer(DIAGONAL, DIAGONAL_PARAMS, v=np.ones(())), V, "params.layers[0].v must have shape (2,), got ()"),
    (lambda: with_layer(DIAGONAL, DIAGONAL_PARAMS, v=np.full(2, np.nan)), V, "params.layers[0].v must be finite, got nan at index (0,)"),
    (lambda: with_layer(BEFORE, BEFORE_PARAMS, u=np.ones((3, 6))), V, "params.layers[0] must have arrays of shapes"),
    (lambda: bptt.forward(BEFORE, BEFORE_PARAMS, np.ones((3, 1, 2))), V, "x must have shape (T, B, 1), got (3, 1, 2)"),
]  # fmt: skip

WAYS_TO = [
    # the cost
    *((lambda w=w: w(STACK, PARAMS, X, None), T, "cost must be a function of outputs and steps, got NoneType (None)") for w in WAYS),
    *((lambda w=w: w(STACK, PARAMS, X, lambda o, _: o.sum()), T, "cost(outputs, steps) must be a Cost, got float64") for w in WAYS),
    *((lambda w=w: w(STACK, PARAMS, X, returning(d_outputs=np.ones((9, 1, 1)))), V, "d_outputs must have shape (") for w in WAYS),
    *((lambda w=w: w(STACK, PARAMS, X, returning(np.nan)), V, "cost must be finite, got nan") for w in WAYS),
    *((lambda w=w: w("S", PARAMS, X, cost), T, "stack must be a Stack, got str ('S')") for w in (*WAYS, surrogate)),
    *((lambda w=w: w(BOTH, BOTH_PARAMS, X, cost), T, "stack.cells[0] must read in one direction, got Bid") for w in (*WAYS[1:], surrogate)),
    (lambda: bptt.full_bptt(STACK, PARAMS, X, returning("1")), T, "cost must be a real number, got str ('1')"),
    (lambda: bptt.full_bptt(STACK, PARAMS, X, returning(np.ones(2))), T, "cost must be a real number, got ndarray"),
    (lambda: bptt.full_bptt(STACK, PARAMS, X, returning(d_outputs=D * np.inf)), V, "d_outputs must be finite, got inf at index (0, 0, 0)"),
    (lambda: bptt.full_bptt(STACK, PARAMS, X + 0j, cost), T, "outputs must have dtype float32 or float64, got complex128"),
    (lambda: truncated(3, 3, returning(d_outputs=np.ones((1, 1, 1)))), V, "d_outputs must have shape (3, 1, 1), got (1, 1, 1)"),
    (lambda: truncated(3, 3, returning(d_outputs=single(D))), T, "d_outputs must have the precision of outputs, float64, got float32"),
    (lambda: bptt.scan_bptt(STACK, PARAMS, X, returning(d_outputs=single(D))), T, "d_outputs must have the precision of outputs, float64, got float32"),
    # truncation
    (lambda: truncated(0, 1), V, "k1 must be >= 1, got 0"),
    (lambda: truncated(3, 2), V, "k2 must be >= k1 = 3, got 2: some costs would have no gradient at all"),
    (lambda: truncated(1.0, 2), T, "k1 must be an integer, got float (1.0)"),
    (lambda: truncated(1, 2.5), T, "k2 must be an integer, got float (2.5)"),
    (lambda: bptt.truncated_bptt(BOTH, BOTH_PARAMS, X, cost, k1=1, k2=1), T, "stack.cells[0] must read in one direction, got Bidirectional"),
    (lambda: bptt.algorithms.surrogate(BOTH, BOTH_PARAMS, X, cost, k1=1, k2=1), T, "stack.cells[0] must read in one direction, got Bidirectional"),
    (lambda: bptt.algorithms.surrogate(STACK, PARAMS, X, cost, k1=2, k2=1), V, "k2 must be >= k1 = 2, got 1"),
    (lambda: bptt.algorithms.surrogate(STACK, PARAMS, X, lambda o, _: o, k1=1, k2=1)(PARAMS), T, "cost(outputs, steps) must be a Cost, got ndarray"),
    # checkpoints
    (lambda: bptt.algorithms.every(0), V, "k must be >= 1, got 0"),
    (lambda: bptt.algorithms.every(2.0), T, "k must be an integer, got float (2.0)"),
    (lambda: bptt.algorithms.every(True), T, "k must be an integer, got bool (True)"),
    (lambda: bptt.algorithms.binomial(0), V, "states must be >= 1, got 0"),
    (lambda: bptt.algorithms.binomial("3"), T, "states must be an integer, got str ('3')"),
    (lambda: bptt.algorithms.binomial(3, 0), V, "piece must be >= 1, got 0"),
    (lambda: checkpointed(3), T, "schedule must be made by every, square_root or binomial, got int (3)"),
    (lambda: checkpointed(bptt.algorithms.every), T, "schedule must be made by every, square_root or binomial, got function (<function every"),
    (lambda: bptt.checkpointed_bptt(STACK, PARAMS, X + 0j, cost), T, "x must have dtype float32 or float64, got complex128"),
    # forward in time
    (lambda: bptt.rtrl(STACK, PARAMS, X[0], cost), V, "x must have shape (T, B, 1), got (1, 1)"),
    (lambda: bptt.rtrl(STACK, PARAMS.layers, X, cost), T, "params must be a Params, got tuple"),
    (lambda: bptt.rtrl(STACK, PARAMS, X, cost, (ONE,)), V, "initial must have 2 states, one a recurrent layer, got 1"),
    (lambda: bptt.uoro(STACK, PARAMS, X, cost, rng=-1), T, "rng must be a numpy.random.Generator or a seed >= 0, got int (-1)"),
    (lambda: bptt.uoro(STACK, PARAMS, np.ones((3, 2, 1)), cost, rng=RNG), V, "x must have shape (T, 1, 1), got (3, 2, 1)"),
    (lambda: bptt.uoro(STACK, single(PARAMS), single(X), cost, rng=RNG), T, "x must have dtype float64, got float32"),
    # segments, Jacobians, diagnostics
    (lambda: bptt.segment(TRACE.layers[0], 0, 1), T, "trace must be a Trace, got LayerTrace"),
    (lambda: bptt.segment(TRACE, 2, 2), V, "start and stop must be 0 <= start < stop <= 3, got 2, 2"),
    (lambda: bptt.segment(TRACE, -1, 2), V, "start and stop must be 0 <= start < stop <= 3, got -1, 2"),
    (lambda: bptt.segment(TRACE, 0, 4), V, "start and stop must be 0 <= start < stop <= 3, got 0, 4"),
    (lambda: bptt.segment(TRACE, 0.0, 2), T, "start must be an integer, got float (0.0)"),
    (lambda: bptt.segment(TRACE, 0, True), T, "stop must be an integer, got bool (True)"),
    (lambda: bptt.segment(TRACE, 0, "2"), T, "stop must be an integer, got str ('2')"),
    (lambda: bptt.segment(BOTH_TRACE, 0, 2), T, "trace.layers[0] must be a LayerTrace, got BidirectionalTrace"),
    (lambda: bptt.algorithms.step_jacobians(TRACE), T, "trace must be a LayerTrace, got Trace"),
    (lambda: bptt.jacobian_spectrum(BOTH_TRACE.layers[0]), T, "trace must be a LayerTrace, got BidirectionalTrace"),
    (lambda: bptt.contributions(TRACE.layers[0], D), T, "trace must be a Trace, got LayerTrace"),
    (lambda: bptt.contributions(TRACE, D[:2]), V, "d_outputs must have shape (3, 1, 1), got (2, 1, 1)"),
    (lambda: bptt.contributions(BOTH_TRACE, D), T, "trace.layers[0] must be a LayerTrace, got BidirectionalTrace"),
    (lambda: bptt.contributions(TRACE, D.astype(int)), T, "d_outputs must have dtype float32 or float64, got int64"),
    (lambda: bptt.contributions(TRACE, single(D)), T, "d_outputs must have the precision of trace.outputs, float64, got float32"),
    (lambda: PARTS.of_cost(3), V, "t must be from 0 to 2, got 3"),
    (lambda: PARTS.of_cost(-1), V, "t must be from 0 to 2, got -1"),
    (lambda: PARTS.of_cost(1.0), T, "t must be an integer, got float (1.0)"),
    (lambda: PARTS.of_cost("a"), T, "t must be an integer, got str ('a')"),
    (lambda: PARTS.through_step(3), V, "s must be from 0 to 2, got 3"),
    (lambda: PARTS.through_step(np.ones(1)), T, "s must be an integer, got ndarray"),
    (lambda: PARTS.total("a"), T, "band must be an integer, got str ('a')"),
    (lambda: PARTS.total(0), V, "band must be >= 1, got 0"),
    (lambda: bptt.delta_norms(TRACE), T, "gradient must be a Gradient, got Trace"),
    (lambda: bptt.delta_norms(checkpointed(None).gradient), T, "gradient.delta must hold the errors of each layer, got none"),
    (lambda: bptt.delta_norms(bptt.backward(BOTH_TRACE, D)), T, "gradient.delta[0] must be an array (T, B, n), got BothDirections"),
    (lambda: bptt.truncation_bias(STACK, PARAMS, X, returning(d_outputs=0 * D), [1]), V, "the full gradient must not be zero"),
    (lambda: bias([0]), V, "ks[0] must be >= 1, got 0"),
    (lambda: bias(3), V, "ks must be a sequence of one number or more, got 3"),
    (lambda: bias([]), V, "ks must be a sequence of one number or more, got []"),
    (lambda: bias([2, 1.5]), T, "ks[1] must be an integer, got float (1.5)"),
    # curvature
    (lambda: product(PARAMS.layers), V, "vector must have the 8 arrays of params, got 6"),
    (lambda: product("v"), T, "vector must be an array, or a tuple, list or mapping of arrays, got str"),
    (lambda: product(bptt.tree_map(lambda p: p * np.nan, PARAMS)), V, "vector.layers[0].w must be finite, got nan at index (0, 0)"),
    (lambda: product(single(PARAMS)), T, "vector.layers[0].w must have the precision of params.layers[0].w, float64, got float32"),
    (lambda: product(single(PARAMS), params=single(PARAMS), x=single(X)), T, "params.layers[0].w must have dtype float64, got float32"),
    (lambda: product(PARAMS, lambda o, _: bptt.Cost(0.0, o.real)), T, "cost must keep complex numbers: the imaginary part"),
    (lambda: product(PARAMS, lambda o, _: o.sum()), T, "cost(outputs, steps) must be a Cost, got complex128"),
    (lambda: product(PARAMS, lambda o, _: bptt.Cost(0.0, o[:1])), V, "d_outputs must have shape (3, 1, 1), got (1, 1, 1)"),
    (lambda: product(PARAMS, params=PARAMS.layers), T, "params must be a Params, got tuple"),
    (lambda: product(PARAMS, stack="S"), T, "stack must be a Stack, got str ('S')"),
]  # fmt: skip

AROUND = [
    # initialization
    (lambda: bptt.orthogonal_recurrent(STACK, PARAMS, 0.5), T, "rng must be a numpy.random.Generator or a seed >= 0, got float (0.5)"),
    (lambda: bptt.orthogonal_recurrent(STACK, PARAMS, RNG, 0.0), V, "gain must be a number > 0, got 0.0"),
    (lambda: bptt.orthogonal_recurrent(STACK.cells, PARAMS, RNG), T, "stack must be a Stack, got tuple"),
    (lambda: bptt.orthogonal_recurrent(STACK, LSTM_PARAMS, RNG), V, "params.layers must have 2 recurrent layers, got 1"),
    (lambda: bptt.forget_bias(LSTM, LSTM_PARAMS, "1"), T, "value must be a real number, got str ('1')"),
    (lambda: bptt.forget_bias(LSTM, LSTM_PARAMS, np.ones(2)), T, "value must be a real number, got ndarray"),
    (lambda: bptt.forget_bias(LSTM, LSTM_PARAMS, np.inf), V, "value must be finite, got inf"),
    (lambda: bptt.forget_bias(LSTM_PARAMS, LSTM), T, "stack must be a Stack, got Params"),
    # interop
    (lambda: bptt.to_torch(STACK, PARAMS.layers), T, "cells must be a tuple, got Stack"),
    (lambda: bptt.to_torch(DIAGONAL.cells, DIAGONAL_PARAMS.layers), T, "cells[0] must be a bptt.Elman, LSTM or GRU, got Diagonal"),
    (lambda: bptt.to_torch(PEEPHOLE.cells, PEEPHOLE_PARAMS.layers), T, "cells[0] must be a bptt.Elman, LSTM or GRU, got PeepholeLSTM"),
    (lambda: bptt.to_torch((bptt.Elman(bptt.softplus),), PARAMS.layers[:1]), T, "cells[0] must be an Elman of tanh or relu, got Elman"),
    (lambda: bptt.to_torch((*LSTM.cells, *GRU.cells), ()), T, "cells must be all of one kind, got LSTM() and GRU()"),
    (lambda: bptt.to_torch(STACK.cells, PARAMS.layers[:1]), V, "layers must have 2 recurrent layers, got 1"),
    (lambda: bptt.to_torch(LSTM.cells, PARAMS.layers[:1]), V, "layers[0].u must have shape (n, 4n), got (2, 2)"),
    (lambda: bptt.from_torch(("a",), {}), T, "cells[0] must be a bptt.Elman, LSTM or GRU, got 'a'"),
    (lambda: bptt.from_torch(LSTM.cells, 3), T, "state must be a mapping of names to arrays, got int (3)"),
    (lambda: bptt.from_torch(LSTM.cells, {}), V, "state must hold weight_hh_l0, got nothing"),
    (lambda: bptt.from_torch(LSTM.cells, TORCH | {"x": 1, 3: 1}), V, "state must hold nothing but these layers, got 3, x too"),
    (lambda: bptt.from_torch(LSTM.cells, TORCH | {"bias_hh_l0": np.ones(1)}), V, "state['bias_hh_l0'] must have shape (8,), got (1,)"),
    (lambda: bptt.from_torch(LSTM.cells, TORCH | {"bias_ih_l0": np.ones(8, int)}), T, "state['bias_ih_l0'] must have dtype float32 or float64, got int64"),
    (lambda: bptt.from_torch(GRU.cells, TORCH), V, "state['weight_hh_l0'] must have shape (3n, n), got (8, 2)"),
    (lambda: bptt.from_torch(STACK.cells, bptt.to_torch(STACK.cells, PARAMS.layers) | {"weight_ih_l1": np.ones((2, 3))}), V, "state['weight_ih_l1'] must have shape (2, 2), got (2, 3)"),
    (lambda: bptt.to_flax(BOTH.cells[0], BOTH_PARAMS.layers[0]), T, "cell must be a bptt.Elman, LSTM or GRU, got Bidirectional"),
    (lambda: bptt.to_flax(bptt.LSTM(), PARAMS.layers[0]), V, "layer.u must have shape (n, 4n), got (2, 2)"),
    (lambda: bptt.from_flax(bptt.LSTM(), {}), V, "tree must hold hi.kernel, got nothing"),
    (lambda: bptt.from_flax(bptt.LSTM(), [1]), T, "tree must be a mapping of names to arrays, got list ([1])"),
    (lambda: bptt.from_flax(bptt.Elman(), flax(i=np.ones(2))), V, "tree must hold i.kernel, got h.kernel, i"),
    (lambda: bptt.from_flax(bptt.Elman(), flax(i={"kernel": ONE, "bias": np.ones(3)})), V, "tree['i']['bias'] must have shape (2,), got (3,)"),
    (lambda: bptt.from_flax(bptt.Elman(), flax(h={"kernel": np.ones((3, 2))})), V, "tree['h']['kernel'] must have shape (n, n), got (3, 2)"),
    # trees
    (lambda: bptt.flatten((1.0,)), T, "record[0] must be an array, or a tuple, list or mapping of arrays, got float"),
    (lambda: bptt.flatten(PARAMS)[1](np.ones(3)), V, "vector must have shape (21,), got (3,)"),
]  # fmt: skip

KINDS = [*SEQUENCES, *WAYS_TO, *AROUND]


@pytest.mark.parametrize(("call", "kind", "message"), KINDS)
def test_malformed_input_is_refused_in_words(call, kind, message):
    with pytest.raises(kind, match="^" + re.escape(message)) as caught:
        call()
    assert type(caught.value) is kind


def test_a_gradient_that_explodes_is_refused_by_every_way():
    """δ grows by 1e10 a step, past the range of float64: FloatingPointError, never a silent infinity."""
    layer = bptt.Recurrent(np.ones((1, 1)), np.full((1, 1), 1e10), np.zeros(1))
    params = bptt.Params((layer,), bptt.Affine(np.ones((1, 1)), np.zeros(1)))
    stack = bptt.Stack((bptt.Elman(bptt.identity),))
    x = np.zeros((40, 1, 1))

    def last(outputs, steps):
        d = np.zeros_like(outputs)
        if steps.stop == 40:
            d[-1] = 1
        return bptt.Cost(0.0, d)

    for way in WAYS:
        with pytest.raises(FloatingPointError, match="must stay finite"):
            way(stack, params, x, last)
    x[0] = 1e300
    for way in (bptt.checkpointed_bptt, bptt.rtrl):
        with pytest.raises(FloatingPointError, match="must stay finite"):
            way(stack, params, x, last)


LINEAR = bptt.Stack((bptt.Elman(bptt.identity),))
SUMMED = (
    *WAYS,
    *(partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.every(k)) for k in (1, 3)),
    partial(bptt.checkpointed_bptt, schedule=bptt.algorithms.binomial(2)),
    *(partial(bptt.truncated_bptt, k1=k, k2=k) for k in (1, 2, 4)),
    partial(bptt.scan_bptt, parallel=False),
)


@pytest.mark.parametrize("way", SUMMED)
@pytest.mark.parametrize("recurrent", [0.0, 1.0])
@pytest.mark.parametrize("readout", [0.0, 1.0])
def test_a_sum_over_steps_that_overflows_is_no_silent_infinity(way, recurrent, readout):
    """Each step's share, 2e38, is a float32; that of four steps is not."""
    full = lambda value, *shape: np.full(shape, value, np.float32)
    layer = bptt.Recurrent(full(1, 1, 1), full(recurrent, 1, 1), full(0, 1))
    params = bptt.Params((layer,), bptt.Affine(full(readout, 1, 1), full(0, 1)))
    large = lambda outputs, _: bptt.Cost(0.0, np.full_like(outputs, 2e38))
    with pytest.raises(FloatingPointError, match=r"^[a-z].* must stay finite, got inf first at"):
        way(LINEAR, params, full(1, 4, 1, 1), large)


@pytest.mark.parametrize(
    "way",
    [
        bptt.checkpointed_bptt,
        bptt.rtrl,
        partial(bptt.uoro, rng=0),
        partial(bptt.truncated_bptt, k1=1, k2=2),
        surrogate,
    ],
)
def test_a_cost_that_overflows_as_its_pieces_are_added_is_no_silent_infinity(way):
    large = lambda outputs, _: bptt.Cost(1e308, np.zeros_like(outputs))
    with pytest.raises(FloatingPointError, match="cost must stay finite, got inf"):
        way(STACK, PARAMS, X, large)


def test_sums_of_contributions_that_overflow_are_no_silent_infinity():
    full = lambda value, *shape: np.full(shape, value, np.float32)
    layer = bptt.Recurrent(full(1, 1, 1), full(1, 1, 1), full(0, 1))
    params = bptt.Params((layer,), bptt.Affine(full(1, 1, 1), full(0, 1)))
    x = full(0, 4, 1, 1)
    x[0] = 1
    parts = bptt.contributions(bptt.forward(LINEAR, params, x), full(9e37, 4, 1, 1))
    calls = (parts.total, lambda: parts.of_cost(3), lambda: parts.through_step(0))
    for call in calls:
        with pytest.raises(FloatingPointError, match=r"^sum\..* must stay finite, got inf"):
            call()
    matrix = full(3e38, 1, 1, 5)
    with pytest.raises(FloatingPointError, match="norms must stay finite, got inf"):
        parts._replace(matrix=matrix).norms()


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint64])
def test_integers_of_numpy_count_like_those_of_python(kind):
    """Sums and products of small ones would wrap around, and those of uint64 be floats."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 1, 1)), rng.normal(size=(300, 1, 1))
    problem = STACK, PARAMS, x, lambda outputs, steps: bptt.squared_error(outputs, y[steps])

    def same(way, *numbers):
        one, other = (way(*(of(n) for n in numbers)) for of in (kind, int))
        for (_, a), (_, b) in zip(bptt.tree_leaves(one), bptt.tree_leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)

    by = lambda schedule: bptt.checkpointed_bptt(*problem, schedule=schedule).gradient.params
    same(lambda k: by(bptt.algorithms.every(k)), 16)
    same(lambda states, piece: by(bptt.algorithms.binomial(states, piece)), 3, 100)
    for k1, k2 in ((16, 16), (50, 100)):
        same(lambda a, b: bptt.truncated_bptt(*problem, k1=a, k2=b).gradient.params, k1, k2)
    same(lambda a, b: np.asarray(bptt.algorithms.surrogate(*problem, k1=a, k2=b)(PARAMS)), 50, 100)
    same(lambda k: bptt.truncation_bias(*problem, [k], windowed=True), 100)
    trace = bptt.forward(STACK, PARAMS, x)
    same(lambda a, b: bptt.segment(trace, a, b).outputs, 16, 127)
    short = bptt.segment(trace, 0, 3)
    parts = bptt.contributions(short, D)
    same(parts.of_cost, 2)
    same(parts.through_step, 2)
    same(parts.total, 2)
