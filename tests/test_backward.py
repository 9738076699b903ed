"""Backpropagation through time against three truths, on the 200 random problems.

Relative errors are those of `closeness`. What was measured is ten times below what is asked.
"""

import numpy as np
import pytest
from closeness import assert_close
from problems import ACTIVATIONS, SEEDS, Where, literal, problem

import bptt

pytestmark = pytest.mark.untraced  # others run the same lines, once


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_is_that_of_the_literal_loops(seed):
    given = problem(seed)
    outputs, cost, gradient = literal(given)
    trace = given.run()
    assert_close(trace.outputs, outputs, 1e-13)
    assert given.outputs_cost(trace).value == pytest.approx(cost, rel=1e-13)
    assert_close(given.gradient(), gradient, 1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_is_that_of_the_complex_step(seed):
    given = problem(seed)
    gradient = given.gradient()
    trusted = bptt.complex_step(given.total, given.at)
    assert_close(Where(gradient.params, gradient.x, gradient.initial), trusted, 1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_is_that_of_plain_backpropagation_in_the_unrolled_net(seed):
    given = problem(seed)
    trace = given.run()
    unrolled = bptt.teaching.unroll(trace)
    run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    d_outputs = given.outputs_cost(trace).d_outputs
    plain = bptt.teaching.feedforward.backward(run, unrolled.cotangent(d_outputs, given.d_final))
    assert_close(given.gradient(), bptt.teaching.fold(unrolled, plain), 1e-13)


def test_the_problems_are_of_all_kinds():
    """What Show 3 promises of the table, counted: nothing of it is left to luck."""
    table = [problem(seed) for seed in SEEDS]
    assert len(table) == 200
    assert {len(p.stack.cells) for p in table} == {1, 2, 3}
    assert {len(p.at.x) for p in table} == set(range(1, 13))
    assert {p.at.x.shape[1] for p in table} == {1, 2, 3, 4}
    widths = {len(layer.u) for p in table for layer in p.at.params.layers}
    assert widths == {1, 2, 3, 4, 5}
    names = {function.name for function in ACTIVATIONS}
    assert {c.activation.name for p in table for c in p.stack.cells} == names
    assert {p.stack.output.name for p in table if p.cost == "squared_error"} == names
    assert {p.cost for p in table} == {"squared_error", "softmax_cross_entropy"}
    assert sum(p.mask is None for p in table) == 50
    assert sum(p.mask is not None and p.mask.dtype == bool for p in table) == 100
    assert all(np.abs(d[0]).min() > 0 for p in table for d in (*p.d_final, *p.at.initial))
    mixed = [p for p in table if len({c.activation.name for c in p.stack.cells}) > 1]
    assert len(mixed) > 50


@pytest.mark.parametrize("seed", [s for s in SEEDS[:60] if len(problem(s).at.x) > 1])
def test_two_segments_compose_to_the_whole(seed):
    """The cotangent of the second segment's initial state is that of the first one's final state."""
    given = problem(seed)
    params, x, initial = given.at
    cut = 1 + seed % (len(x) - 1)
    whole, gradient = given.run(), given.gradient()
    first = bptt.forward(given.stack, params, x[:cut], initial)
    second = bptt.forward(given.stack, params, x[cut:], first.final)
    assert_close(np.concatenate([first.outputs, second.outputs]), whole.outputs, 1e-14)
    d_outputs = given.outputs_cost(whole).d_outputs
    late = bptt.backward(second, d_outputs[cut:], given.d_final)
    early = bptt.backward(first, d_outputs[:cut], late.initial)
    composed = bptt.Gradient(
        params=bptt.tree_map(np.add, early.params, late.params),
        x=np.concatenate([early.x, late.x]),
        initial=early.initial,
        delta=tuple(np.concatenate(d) for d in zip(early.delta, late.delta, strict=True)),
    )
    assert_close(composed, gradient, 1e-13)


@pytest.mark.parametrize("seed", SEEDS[:30])
def test_layers_by_themselves_compose_to_the_stack(seed):
    """A stack by hand, of `layer_forward` and `layer_backward`: the same as `forward` and `backward`."""
    given = problem(seed)
    trace, gradient = given.run(), given.gradient()
    layers, below = [], given.at.x
    for cell, params, state in zip(
        given.stack.cells, given.at.params.layers, given.at.initial, strict=True
    ):
        layers.append(bptt.layer_forward(cell, params, below, state))
        below = layers[-1].a[1:]
    z = below @ given.at.params.readout.w + given.at.params.readout.b
    outputs = given.stack.output(z)
    assert_close(outputs, trace.outputs, 1e-14)
    delta = given.outputs_cost(trace).d_outputs * given.stack.output.derivative(z, outputs)
    d_a = delta @ given.at.params.readout.w.T
    for l in reversed(range(len(layers))):
        found = bptt.layer_backward(layers[l], d_a, given.d_final[l])
        assert_close(found.params, gradient.params.layers[l], 1e-14)
        assert_close(found.initial, gradient.initial[l], 1e-14)
        d_a = found.x
    assert_close(d_a, gradient.x, 1e-14)


def test_what_is_not_given_is_zero():
    """Without states and their cotangents, as with zeros; a state of one array may come bare."""
    given = problem(7)
    params, x, initial = given.at
    zeros = tuple((np.zeros_like(state[0]),) for state in initial)
    trace = bptt.forward(given.stack, params, x)
    assert_close(trace.outputs, bptt.forward(given.stack, params, x, zeros).outputs, 1e-300)
    d_outputs = given.outputs_cost(trace).d_outputs
    assert_close(bptt.backward(trace, d_outputs), bptt.backward(trace, d_outputs, zeros), 1e-300)
    bare = [d[0] for d in given.d_final]
    got = bptt.backward(trace, d_outputs, bare)
    assert_close(got, bptt.backward(trace, d_outputs, given.d_final), 1e-300)
    unrolled = bptt.teaching.unroll(trace)
    rows = unrolled.cotangent(d_outputs, given.d_final)
    assert_close(unrolled.cotangent(d_outputs, bare), rows, 1e-300)
    run = bptt.forward(given.stack, params, x, [state[0] for state in initial])
    assert_close(run.outputs, given.run().outputs, 1e-300)


@pytest.mark.parametrize("seed", SEEDS[:20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_has_the_type_of_what_it_is_the_gradient_of(seed, dtype):
    given = problem(seed)
    params, x, initial = bptt.tree_map(lambda leaf: leaf.astype(dtype), given.at)
    trace = bptt.forward(given.stack, params, x, initial)
    gradient = bptt.backward(trace, np.ones_like(trace.outputs))
    for got, of in (gradient.params, params), (gradient.x, x), (gradient.initial, initial):
        assert structure(got) == structure(of)
    assert structure(gradient.delta) == structure((*(t.a[1:] for t in trace.layers), trace.z))
    assert structure(trace.final) == structure(initial)


def structure(record):
    """Return the types, names, shapes and dtypes that a record is made of."""
    if isinstance(record, np.ndarray):
        return record.shape, record.dtype
    return type(record), tuple(structure(part) for part in record)
