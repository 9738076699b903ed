"""Malformed input: each kind is refused with a message naming argument, expectation and what came.

One line a kind: what is called, the error, and what its message must say. The calls that must succeed, and
what they must leave alone, are in test_arguments.py.
"""

import re

import numpy as np
import pytest

import bptt
from bptt import Affine, Params, Recurrent

STACK = bptt.Stack((bptt.Elman(),))
ONE = Params((Recurrent(np.ones((2, 3)), np.eye(3), np.zeros(3)),), Affine(np.ones((3, 1)), np.zeros(1)))  # fmt: skip
LAYER, READOUT = ONE.layers[0], ONE.readout
X = np.ones((4, 2, 2))
TRACE = bptt.forward(STACK, ONE, X)
LAYER_TRACE = TRACE.layers[0]
D = np.ones((4, 2, 1))
FF = bptt.teaching.feedforward.forward([READOUT], np.ones((2, 3)), bptt.tanh)
UNROLLED = bptt.teaching.unroll(TRACE)
PLAIN = bptt.teaching.feedforward.backward(
    bptt.teaching.feedforward.forward(UNROLLED.layers, UNROLLED.x, UNROLLED.activations),
    UNROLLED.cotangent(D),
)
RNG = np.random.default_rng(0)
NAN, INF = np.nan, np.inf


def at(array, index, value):
    """Return a copy with one entry changed."""
    copy = np.array(array)
    copy[index] = value
    return copy


def forward(params=ONE, x=X, initial=None, stack=STACK):
    return bptt.forward(stack, params, x, initial)


def with_layer(**parts):
    return forward(ONE._replace(layers=(LAYER._replace(**parts),)))


def with_readout(**parts):
    return forward(ONE._replace(readout=READOUT._replace(**parts)))


def complex_trace():
    return forward(x=X.astype(complex))


class NoCell:
    """Lacks step_backward."""

    def step(self, z, a):
        """Never called."""


T, V, F = TypeError, ValueError, FloatingPointError

KINDS = [
    # forward: the input
    (lambda: forward(x=np.ones((4, 2))), V, "x must have shape (T, B, 2), got (4, 2)"),
    (lambda: forward(x=np.ones((4, 2, 5))), V, "x must have shape (T, B, 2), got (4, 2, 5)"),
    (lambda: forward(x=np.ones((0, 2, 2))), V, "x must not be empty (T >= 1, B >= 1), got shape (0, 2, 2)"),
    (lambda: forward(x=np.ones((4, 0, 2))), V, "x must not be empty (T >= 1, B >= 1), got shape (4, 0, 2)"),
    (lambda: forward(x=X > 0), T, "x must have dtype float32 or float64, got bool; convert"),
    (lambda: forward(x=X.astype(object)), T, "x must have dtype float32 or float64, got object"),
    (lambda: forward(x=X.astype(np.float16)), T, "x must have dtype float32 or float64, got float16"),
    (lambda: forward(x=X.astype(str)), T, "x must have dtype float32 or float64, got <U"),
    (lambda: forward(x=X.astype(np.float32)), T, "x must have the precision of params.layers[0].w, float64, got float32"),
    (lambda: forward(x=at(X, (2, 1, 0), NAN)), V, "x must be finite, got nan at index (2, 1, 0)"),
    (lambda: forward(x=at(X, (0, 0, 1), -INF)), V, "x must be finite, got -inf at index (0, 0, 1)"),
    (lambda: forward(x=[[[1.0, 2.0]], [[1.0]]]), T, "x must be an array of numbers, got list"),
    (lambda: forward(x=None), T, "x must have dtype float32 or float64, got object"),
    (lambda: bptt.value_and_grad(STACK, ONE, X, None), T, "cost must be a function of outputs, got NoneType (None)"),
    (lambda: bptt.value_and_grad(STACK, ONE, X, lambda outputs: 1.0), T, "cost(outputs) must be a"),
    # forward: stack and parameters
    (lambda: forward(stack="elman"), T, "stack must be a Stack, got str ('elman')"),
    (lambda: forward(params=[LAYER]), T, "params must be a Params, got list"),
    (lambda: forward(ONE._replace(layers=LAYER.w)), T, "params.layers must be a tuple of 1 recurrent layers, got ndarray"),
    (lambda: forward(ONE._replace(layers=(LAYER, LAYER))), V, "params.layers must have 1 recurrent layers, got 2"),
    (lambda: forward(ONE._replace(layers=(READOUT,))), T, "params.layers[0] must be a Recurrent, got Affine"),
    (lambda: forward(ONE._replace(readout=LAYER)), T, "params.readout must be an Affine, got Recurrent"),
    (lambda: with_layer(u=np.ones((3, 4))), V, "params.layers[0].u must have shape (n, n), got (3, 4)"),
    (lambda: with_layer(u=np.ones(3)), V, "params.layers[0].u must have shape (n, n), got (3,)"),
    (lambda: with_layer(w=np.ones((2, 4))), V, "params.layers[0].w must have shape (n_below, 3), got (2, 4)"),
    (lambda: with_layer(w=np.ones((0, 3))), V, "params.layers[0].w must not be empty (n_below >= 1), got shape (0, 3)"),
    (lambda: with_layer(b=np.ones((1, 3))), V, "params.layers[0].b must have shape (3,), got (1, 3)"),
    (lambda: with_layer(b=at(LAYER.b, 1, NAN)), V, "params.layers[0].b must be finite, got nan at index (1,)"),
    (lambda: with_layer(w=LAYER.w.astype(np.float32)), T, "params.layers[0].u must have the precision of params.layers[0].w, float32, got float64"),
    (lambda: with_readout(w=np.ones((2, 1))), V, "params.readout.w must have shape (3, n), got (2, 1)"),
    (lambda: with_readout(b=np.ones(2)), V, "params.readout.b must have shape (1,), got (2,)"),
    (lambda: with_readout(w=np.ones((3, 0)), b=np.ones(0)), V, "params.readout.w must not be empty (n >= 1), got shape (3, 0)"),
    (lambda: with_readout(w=np.ones((3, 1), int)), T, "params.readout.w must have dtype float32 or float64, got int64"),
    # forward: the initial state
    (lambda: forward(initial=np.zeros((2, 3))), T, "initial must be a tuple of 1 states, one a recurrent layer, got ndarray"),
    (lambda: forward(initial=()), V, "initial must have 1 states, one a recurrent layer, got 0"),
    (lambda: forward(initial=(np.zeros((3, 2)),)), V, "initial[0].a must have shape (2, 3), got (3, 2)"),
    (lambda: forward(initial=((),)), V, "initial[0] must have 1 arrays, a, got 0"),
    (lambda: forward(initial=(0.0,)), T, "initial[0] must be a tuple of 1 arrays, a, got float (0.0)"),
    (lambda: forward(initial=(np.full((2, 3), NAN),)), V, "initial[0].a must be finite, got nan at index (0, 0)"),
    (lambda: forward(initial=(np.zeros((2, 3), np.float32),)), T, "initial[0][0] must have the precision of params.layers[0].w"),
    # layer_forward
    (lambda: bptt.layer_forward(bptt.Elman, LAYER, X), T, "cell must be a cell, such as bptt.Elman(), got <class"),
    (lambda: bptt.layer_forward(NoCell(), LAYER, X), T, "cell must be a cell, such as bptt.Elman(), got <"),
    (lambda: bptt.layer_forward(bptt.Elman(), READOUT, X), T, "params must be a Recurrent, got Affine"),
    (lambda: bptt.layer_forward(bptt.Elman(), LAYER, X[0]), V, "x must have shape (T, B, 2), got (2, 2)"),
    (lambda: bptt.layer_forward(bptt.Elman(), LAYER, X, np.zeros(3)), V, "initial.a must have shape (2, 3), got (3,)"),
    (lambda: bptt.layer_forward(bptt.Elman(), LAYER, X.astype(np.float32)), T, "x must have the precision of params.w, float64, got float32"),
    (lambda: bptt.layer_forward(bptt.Elman(), LAYER, X, (np.zeros((2, 3), np.float32),)), T, "initial[0] must have the precision of params.w, float64, got float32"),
    (lambda: bptt.layer_forward(bptt.Elman(), LAYER._replace(b=LAYER.b.astype(np.float32)), X), T, "params.b must have the precision of params.w, float64, got float32"),
    # backward
    (lambda: bptt.backward(LAYER_TRACE, D), T, "trace must be a Trace, got LayerTrace"),
    (lambda: bptt.backward(TRACE, D[:3]), V, "d_outputs must have shape (4, 2, 1), got (3, 2, 1)"),
    (lambda: bptt.backward(TRACE, D.astype(int)), T, "d_outputs must have dtype float32 or float64, got int64"),
    (lambda: bptt.backward(TRACE, D.astype(np.float32)), T, "d_outputs must have the precision of trace.outputs, float64, got float32"),
    (lambda: bptt.backward(TRACE, D + 0j), T, "d_outputs must have dtype float32 or float64, got complex128"),
    (lambda: bptt.backward(TRACE, at(D, (3, 1, 0), INF)), V, "d_outputs must be finite, got inf at index (3, 1, 0)"),
    (lambda: bptt.backward(complex_trace(), D), T, "trace.outputs must have dtype float32 or float64, got complex128"),
    (lambda: bptt.backward(TRACE, D, (np.ones((2, 2)),)), V, "d_final[0].a must have shape (2, 3), got (2, 2)"),
    (lambda: bptt.backward(TRACE, D, [None, None]), V, "d_final must have 1 states, one a recurrent layer, got 2"),
    (lambda: bptt.backward(TRACE, D, (np.ones((2, 3), np.float32),)), T, "d_final[0][0] must have the precision of trace.outputs"),
    # layer_backward
    (lambda: bptt.layer_backward(TRACE, D), T, "trace must be a LayerTrace, got Trace"),
    (lambda: bptt.layer_backward(LAYER_TRACE, np.ones((4, 2, 3), np.float32)), T, "d_a must have the precision of trace.outputs, float64, got float32"),
    (lambda: bptt.layer_backward(LAYER_TRACE, np.ones((4, 2, 3)), (np.ones((2, 3), np.float32),)), T, "d_final[0] must have the precision of trace.outputs, float64, got float32"),
    (lambda: bptt.layer_backward(LAYER_TRACE, D), V, "d_a must have shape (4, 2, 3), got (4, 2, 1)"),
    (lambda: bptt.layer_backward(complex_trace().layers[0], D), T, "trace.outputs must have dtype float32 or float64, got complex128"),
    (lambda: bptt.layer_backward(LAYER_TRACE, np.ones((4, 2, 3)), ()), V, "d_final must have 1 arrays, a, got 0"),
    # feedforward
    (lambda: bptt.teaching.feedforward.forward(READOUT.w, X[0], bptt.tanh), T, "layers must be a tuple of one Affine or more, got array"),
    (lambda: bptt.teaching.feedforward.forward([], X[0], bptt.tanh), V, "layers must be a tuple of one Affine or more, got []"),
    (lambda: bptt.teaching.feedforward.forward([LAYER], X[0], bptt.tanh), T, "layers[0] must be an Affine, got Recurrent"),
    (lambda: bptt.teaching.feedforward.forward([READOUT, READOUT], X[0], bptt.tanh), V, "layers[1].w must have shape (1, n), got (3, 1)"),
    (lambda: bptt.teaching.feedforward.forward([READOUT], X[0], bptt.tanh), V, "x must have shape (B, 3), got (2, 2)"),
    (lambda: bptt.teaching.feedforward.forward([READOUT], np.ones((2, 3), np.float32), bptt.tanh), T, "x must have the precision of layers[0].w, float64, got float32"),
    (lambda: bptt.teaching.feedforward.forward([READOUT], np.ones((2, 3)), np.tanh), T, "activations must be a tuple of 1 activations, got ufunc"),
    (lambda: bptt.teaching.feedforward.forward([READOUT], np.ones((2, 3)), [np.tanh]), T, "activations[0] must be an Activation, got ufunc"),
    (lambda: bptt.teaching.feedforward.forward([READOUT], np.ones((2, 3)), [bptt.tanh] * 2), V, "activations must have 1 activations, got 2"),
    (lambda: bptt.teaching.feedforward.backward(TRACE, D), T, "trace must be a bptt.teaching.feedforward.Trace, got Trace"),
    (lambda: bptt.teaching.feedforward.backward(FF, np.ones((2, 2))), V, "d_outputs must have shape (2, 1), got (2, 2)"),
    (lambda: bptt.teaching.feedforward.backward(FF, np.ones((2, 1), np.float32)), T, "d_outputs must have the precision of trace.outputs, float64, got float32"),
    # the unrolled network
    (lambda: bptt.teaching.unroll(LAYER_TRACE), T, "trace must be a Trace, got LayerTrace"),
    (lambda: UNROLLED.cotangent(D[1:]), V, "d_outputs must have shape (4, 2, 1), got (3, 2, 1)"),
    (lambda: UNROLLED.cotangent(D, (np.ones((3, 2)),)), V, "d_final[0].a must have shape (2, 3), got (3, 2)"),
    (lambda: UNROLLED.cotangent(D.astype(np.float32)), T, "d_outputs must have the precision of trace.outputs"),
    (lambda: bptt.teaching.copies(TRACE, PLAIN), T, "unrolled must be an Unrolled, got Trace"),
    (lambda: bptt.teaching.fold(UNROLLED, D), T, "gradient must be a Gradient, got ndarray"),
    (lambda: bptt.teaching.fold(UNROLLED, bptt.teaching.feedforward.backward(FF, [[1.0], [1.0]])), V, "gradient.layers must have the 16 arrays of unrolled.layers, got 2"),
]  # fmt: skip

MORE_KINDS = [
    # stacks, cells, activations
    (lambda: bptt.Stack({bptt.Elman()}), T, "cells must be a tuple, got set"),
    (lambda: bptt.Stack(()), V, "cells must hold one cell or more, got ()"),
    (lambda: bptt.Stack((bptt.Elman,)), T, "cells[0] must be a cell, such as bptt.Elman(), got <class"),
    (lambda: bptt.Stack((bptt.Elman(), bptt.tanh)), T, "cells[1] must be a cell, such as bptt.Elman(), got Activation"),
    (lambda: bptt.Stack((bptt.Elman(),), np.tanh), T, "output must be an Activation, got ufunc"),
    (lambda: bptt.Elman("tanh"), T, "activation must be an Activation, got str ('tanh')"),
    (lambda: bptt.Activation(np.tanh, np.tanh, np.multiply), T, "name must be a str, got ufunc"),
    (lambda: bptt.Activation("f", 1.0, np.multiply), T, "function must be callable, got float"),
    (lambda: bptt.Activation("f", np.tanh, None), T, "derivative must be callable, got NoneType"),
    (lambda: bptt.Activation("f", lambda z: z[0], np.multiply), V, "function of f must keep shape and dtype, float32 (2, 3), got float32 (3,)"),
    (lambda: bptt.Activation("f", lambda z: z.sum().item(), np.multiply), V, "function of f must keep shape and dtype, float32 (2, 3), got float"),
    (lambda: bptt.Activation("f", lambda z: z * np.float64(2), np.multiply), V, "function of f must keep shape and dtype, float32 (2, 3), got float64 (2, 3)"),
    (lambda: bptt.Activation("f", bptt.softmax, lambda z, a: a * (1 - a)), V, "function of f must act on every entry by itself, got other numbers where other entries changed"),
    (lambda: bptt.Activation("f", lambda z: z / np.abs(z).max(), np.multiply), V, "function of f must act on every entry by itself, got other numbers where other entries changed"),
    (lambda: bptt.Activation("f", np.tanh, lambda z, a: (1 - a**2) * z.var(axis=0)), V, "derivative of f must act on every entry by itself, got other numbers where other entries changed"),
    (lambda: bptt.Activation("f", np.tanh, lambda _z, _a: 1.0), V, "derivative of f must keep shape and dtype, float32 (2, 3), got float"),
    (lambda: bptt.softmax(1.0), V, "z must have shape (..., n), got ()"),
    (lambda: bptt.softmax([]), V, "z must not be empty (... >= 1, n >= 1), got shape (0,)"),
    (lambda: bptt.softmax([1, 2]), T, "z must have dtype float32 or float64, got int64; convert"),
    (lambda: bptt.softmax([1.0, NAN]), V, "z must be finite, got nan at index (1,)"),
    # initialize
    (lambda: bptt.initialize(bptt.Elman(), (1, 2, 1), RNG), T, "stack must be a Stack, got Elman"),
    (lambda: bptt.initialize(STACK, (1, 2, 1), 0.5), T, "rng must be a numpy.random.Generator or a seed >= 0, got float (0.5)"),
    (lambda: bptt.initialize(STACK, (1, 1), RNG), V, "sizes must have 3 numbers, n_0 to n_L, got 2"),
    (lambda: bptt.initialize(STACK, 3, RNG), T, "sizes must be a tuple of 3 numbers, n_0 to n_L, got int (3)"),
    (lambda: bptt.initialize(STACK, (1, 0, 1), RNG), V, "sizes[1] must be >= 1, got 0"),
    (lambda: bptt.initialize(STACK, (1, 2.0, 1), RNG), T, "sizes[1] must be an integer, got float (2.0)"),
    (lambda: bptt.initialize(STACK, (1, True, 1), RNG), T, "sizes[1] must be an integer, got bool (True)"),
    (lambda: bptt.initialize(STACK, (1, 2, 1), RNG, int), T, "dtype must be float32 or float64, got int64"),
    (lambda: bptt.initialize(STACK, (1, 2, 1), RNG, "double precision"), T, "dtype must be float32 or float64, got str"),
    # costs
    (lambda: bptt.squared_error(1.0, 1.0), V, "outputs must have shape (..., n), got ()"),
    (lambda: bptt.squared_error(D, D[1:]), V, "targets must have shape (4, 2, 1), got (3, 2, 1)"),
    (lambda: bptt.squared_error(D, D > 0), T, "targets must have dtype float32 or float64, got bool; convert"),
    (lambda: bptt.squared_error(D, D.astype(np.float32)), T, "targets must have the precision of outputs, float64, got float32"),
    (lambda: bptt.squared_error(D, at(D, (1, 0, 0), NAN)), V, "targets (where they count) must be finite, got nan at index (1, 0, 0)"),
    (lambda: bptt.squared_error(D, at(D, (1, 0, 0), NAN), np.ones((4, 2))), V, "targets (where they count) must be finite, got nan"),
    (lambda: bptt.squared_error([[1.0], [2.0]], [[1.0], [1.0, 2.0]]), T, "targets must be an array of numbers, got list"),
    (lambda: bptt.squared_error(at(D, (0, 0, 0), NAN), D), V, "outputs must be finite, got nan at index (0, 0, 0)"),
    (lambda: bptt.squared_error(D, D, np.ones((4, 2, 1))), V, "mask must have shape (4, 2), got (4, 2, 1)"),
    (lambda: bptt.squared_error(D, D, np.ones((4, 2), int)), T, "mask must be boolean or float, got int64"),
    (lambda: bptt.squared_error(D, D, -np.ones((4, 2))), V, "mask must be >= 0, got -1.0"),
    (lambda: bptt.squared_error(D, D, at(np.ones((4, 2)), (1, 1), NAN)), V, "mask must be finite, got nan at index (1, 1)"),
    (lambda: bptt.squared_error(D, D, [[True], [True, False]]), T, "mask must be an array of numbers, got list"),
    (lambda: bptt.softmax_cross_entropy(D, np.zeros((4, 1), int)), V, "classes must have shape (4, 2), got (4, 1)"),
    (lambda: bptt.softmax_cross_entropy(D, np.zeros((4, 2))), T, "classes must be integers, got float64"),
    (lambda: bptt.softmax_cross_entropy([[0.0, 0.0]], [2]), V, "classes must be from 0 to 1, got 2"),
    (lambda: bptt.softmax_cross_entropy([[0.0, 0.0]], [-1]), V, "classes must be from 0 to 1, got -1"),
    (lambda: bptt.softmax_cross_entropy([[0.0, INF]], [0]), V, "logits must be finite, got inf at index (0, 1)"),
    (lambda: bptt.softmax_cross_entropy([[0.0], [0.0]], [[0], [0, 0]]), T, "classes must be an array of numbers, got list"),
    # records
    (lambda: bptt.tree_map(np.copy, (1.0,)), T, "record[0] must be an array, or a tuple, list or mapping of arrays, got float"),
    (lambda: bptt.tree_leaves({1: X, "1": X}), V, "record must have keys by which its arrays get different names, got [1, '1']"),
    (lambda: bptt.tree_map(np.copy, ({"a.b": X, "a": {"b": X}},)), V, "record[0] must have keys by which its arrays get different names, got ['a.b', 'a']"),
    (lambda: bptt.tree_leaves({"w": "X"}), T, "w must be an array, or a tuple, list or mapping of arrays, got str"),
    # gradient checks
    (lambda: bptt.complex_step(lambda z: z.sum(), X.astype(np.float32)), T, "at must have dtype float64, got float32"),
    (lambda: bptt.complex_step(lambda _: 0j, ONE._replace(readout=(X, X > 0))), T, "at.readout[1] must have dtype float64, got bool"),
    (lambda: bptt.complex_step(lambda z: z.real.sum(), X), T, "cost must return a complex number when its argument is complex, got float64"),
    (lambda: bptt.complex_step(lambda z: z, X), T, "cost must return one number, got ndarray"),
    (lambda: bptt.complex_step(lambda z: bptt.squared_error(z, X), X), T, "cost must return one number, got Cost (Cost(value="),
    (lambda: bptt.complex_step(lambda z: z.sum() * NAN, X), F, "cost must stay finite, got"),
    (lambda: bptt.complex_step(lambda z: z.sum(), at(X, (0, 0, 0), NAN)), V, "at must be finite, got nan at index (0, 0, 0)"),
    (lambda: bptt.complex_step(lambda _: 0j, ()), V, "at must hold one number or more, got none"),
    (lambda: bptt.central_difference(lambda z: z, X), T, "cost must return one number, got ndarray"),
    (lambda: bptt.central_difference(lambda z: bptt.squared_error(z, X), X), T, "cost must return one number, got Cost (Cost(value="),
    (lambda: bptt.central_difference(lambda _: 1j, X), T, "cost must return a real number, got complex (1j)"),
    (lambda: bptt.central_difference(lambda _: None, X), T, "cost must return a real number, got NoneType (None)"),
    (lambda: bptt.central_difference(lambda _: INF, X), F, "cost must stay finite, got inf"),
    (lambda: bptt.central_difference(np.sum, X, step=0.0), V, "step must be a number > 0, got 0.0"),
    (lambda: bptt.central_difference(np.sum, X, step=1e-20), V, "step must be at least 2.2e-16, or it would not move an entry, got 1e-20"),
    (lambda: bptt.compare(X, X[1:]), V, "gradient must have shape (3, 2, 2), that of trusted, got (4, 2, 2)"),
    (lambda: bptt.compare((X,), (X, X)), V, "gradient must have the 2 arrays of trusted, got 1"),
    (lambda: bptt.compare(READOUT, (READOUT.w, READOUT.b)), V, "gradient must have the structure of trusted, got gradient.w for trusted[0]"),
    (lambda: bptt.compare(READOUT._replace(b=np.ones(2)), READOUT), V, "gradient.b must have shape (1,), that of trusted.b, got (2,)"),
    (lambda: bptt.compare(X, X * INF), V, "trusted must be finite, got inf at index (0, 0, 0)"),
    (lambda: bptt.compare(X * INF, X * INF), V, "gradient must be finite, got inf at index (0, 0, 0)"),
    (lambda: bptt.compare(X + 1j, X), T, "gradient must have dtype float32 or float64 or an integer type, got complex128"),
    (lambda: bptt.compare(X > 0, X), T, "gradient must have dtype float32 or float64 or an integer type, got bool"),
    (lambda: bptt.compare(X, X.astype(str)), T, "trusted must have dtype float32 or float64 or an integer type, got <U"),
    (lambda: bptt.compare(X, X.astype(object)), T, "trusted must have dtype float32 or float64 or an integer type, got object"),
    (lambda: bptt.compare((), ()), V, "gradient must hold one number or more, got none"),
    (lambda: bptt.compare(X, X, tolerance=-1.0), V, "tolerance must be a number > 0, got -1.0"),
    # update rules
    (lambda: bptt.GradientDescent(0), V, "rate must be a number > 0, got 0"),
    (lambda: bptt.GradientDescent("fast"), T, "rate must be a real number, got str ('fast')"),
    (lambda: bptt.GradientDescent(True), T, "rate must be a real number, got bool (True)"),
    (lambda: bptt.GradientDescent(10**400), V, "rate must be a number that float64 can hold, got an int of 1329 bits"),
    (lambda: bptt.GradientDescent(INF), V, "rate must be a number > 0, got inf"),
    (lambda: bptt.Momentum(0.1, 1.0), V, "momentum must be a number >= 0 and < 1.0, got 1.0"),
    (lambda: bptt.Momentum(0.1, -0.5), V, "momentum must be a number >= 0 and < 1.0, got -0.5"),
    (lambda: bptt.Adam(beta1=NAN), V, "beta1 must be a number >= 0 and < 1.0, got nan"),
    (lambda: bptt.Adam(beta2=X), T, "beta2 must be a real number, got ndarray"),
    (lambda: bptt.Adam(epsilon=0.0), V, "epsilon must be a number > 0, got 0.0"),
    (lambda: bptt.Adam(epsilon=1e-50).update(*[np.zeros(2, "f4")] * 2, bptt.Adam().init(np.zeros(2, "f4"))), V, "epsilon must be > 0 in float32, the precision of params, got 1e-50"),
    (lambda: bptt.Adam().init(X.astype(int)), T, "params must have dtype float32 or float64, got int64"),
    (lambda: bptt.Adam().update(X, X, ()), T, "state must be an AdamState, got tuple (())"),
    *((lambda u=u: bptt.Adam().update(X, X, bptt.Adam().init(X)._replace(updates=u)), kind, f"state.updates must be {words}")
      for u, kind, words in [
        (np.array(2.7), T, "an integer, got float64 ("),
        (2.0, T, "an integer, got float (2.0)"),
        (np.array(NAN), T, "an integer, got float64 ("),
        (np.array([1, 2]), T, "an integer, got ndarray (array([1, 2]))"),
        ("x", T, "an integer, got str ('x')"),
        ([[1], [1, 2]], T, "an integer, got list ([[1], [1, 2]])"),
        (None, T, "an integer, got NoneType (None)"),
        (np.array(True), T, "an integer, got bool"),
        (np.array(-1), V, "from 0 to 9223372036854775806, got -1"),
        (np.array(2**64 - 1, np.uint64), V, "from 0 to 9223372036854775806, got 18446744073709551615"),
      ]),
    (lambda: bptt.Adam().update(X, X, bptt.Adam().init(X)._replace(square=at(0 * X, (1, 0, 1), -5.0))), V, "state.square must be >= 0, got -5.0 at index (1, 0, 1)"),
    (lambda: bptt.GradientDescent(0.1).update(X, X, bptt.Adam().init(X)), T, "state must be (), as init returns it, got AdamState"),
    (lambda: bptt.GradientDescent(0.1).update(X, X, None), T, "state must be (), as init returns it, got NoneType (None)"),
    (lambda: bptt.GradientDescent(0.1).update(X, X, X), T, "state must be (), as init returns it, got ndarray"),
    (lambda: bptt.Adam().update(X, X, bptt.Adam().init(X[1:])), V, "state.mean must have shape (4, 2, 2), that of params, got (3, 2, 2)"),
    (lambda: bptt.Momentum(0.1).update(X, X, X[1:]), V, "state must have shape (4, 2, 2), that of params, got (3, 2, 2)"),
    (lambda: bptt.GradientDescent(0.1).update(READOUT, LAYER, ()), V, "gradient must have the 2 arrays of params, got 3"),
    (lambda: bptt.GradientDescent(0.1).update(X, X.astype(np.float32), ()), T, "gradient must have the precision of params, float64, got float32"),
    (lambda: bptt.GradientDescent(0.1).update(READOUT, READOUT._replace(b=np.array([NAN])), ()), V, "gradient.b must be finite, got nan at index (0,)"),
    (lambda: bptt.global_norm((X, "u")), T, "record[1] must be an array, or a tuple, list or mapping of arrays, got str"),
    (lambda: bptt.global_norm(X > 0), T, "record must have dtype float32 or float64, got bool"),
    (lambda: bptt.clip_by_global_norm(X, 0.0), V, "limit must be a number > 0, got 0.0"),
    (lambda: bptt.clip_by_global_norm(at(X, (0, 0, 0), INF), 1.0), V, "gradient must be finite, got inf at index (0, 0, 0)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), [*KINDS, *MORE_KINDS])
def test_malformed_input_is_refused_in_words(call, kind, message):
    with pytest.raises(kind, match="^" + re.escape(message)) as caught:
        call()
    assert type(caught.value) is kind


class Other:
    """An Elman cell in all but type."""

    step, step_backward = bptt.Elman().step, bptt.Elman().step_backward


def test_only_elman_cells_unroll():
    trace = forward(stack=bptt.Stack((Other(),)))
    with pytest.raises(TypeError, match=r"trace\.stack\.cells\[0\] must be an Elman, got Other"):
        bptt.teaching.unroll(trace)


class Twice(bptt.Elman):
    """Computes something else than the cell that it inherits from."""

    def step(self, z, a):
        return (2 * a,), (z, a)


def test_what_an_unrolled_net_would_drop_is_refused():
    """The other step of a subclass, and a mask."""
    with pytest.raises(
        TypeError, match=r"cells\[0\] must be an Elman itself, not of a subclass, got"
    ):
        bptt.teaching.unroll(forward(stack=bptt.Stack((Twice(),))))
    with pytest.raises(ValueError, match=r"^trace must be of a run without a mask"):
        bptt.teaching.unroll(bptt.forward(STACK, ONE, X, mask=bptt.lengths_to_mask([4, 2])))


def test_a_cell_with_gates_names_its_shape():
    gated = type("Gated", (Other,), {"step": lambda self, z_p, z_q, a: None})()
    with pytest.raises(ValueError, match=r"params\.u must have shape \(n, 2n\), got \(3, 3\)"):
        bptt.layer_forward(gated, LAYER, X)
