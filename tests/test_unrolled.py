"""The unrolled network: it computes what the recurrent one does, and its copies are what (TIE) sums.

That its gradient is that of the stack, is in test_backward.py, on all 200 problems.
"""

import numpy as np
import pytest
from closeness import assert_close
from problems import problem

import bptt


def run_unrolled(given):
    trace = given.run()
    unrolled = bptt.teaching.unroll(trace)
    run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    cotangent = unrolled.cotangent(given.outputs_cost(trace).d_outputs, given.d_final)
    return trace, unrolled, run, bptt.teaching.feedforward.backward(run, cotangent)


@pytest.mark.parametrize("seed", range(40))
def test_every_unit_of_the_unrolled_net_is_that_of_the_stack(seed):
    """Each block of each layer against the trace of the recurrent run."""
    trace, unrolled, run, _ = run_unrolled(problem(seed))
    steps, top = len(trace.x), len(trace.layers) + 1
    assert len(unrolled.layers) == steps * top
    for a, blocks in zip(run.a, unrolled.blocks, strict=True):
        assert sum(c.stop - c.start for c in blocks.values()) == a.shape[1]
        for (kind, l, t), columns in blocks.items():
            where = {
                "x": lambda _, t: trace.x[t - 1],
                "a": lambda l, t: trace.layers[l - 1].a[t],
                "y": lambda _, t: trace.outputs[t - 1],
            }
            assert_close(a[:, columns], where[kind](l, t), 1e-13)


@pytest.mark.parametrize("seed", range(40))
def test_gradients_of_the_copies_add_up(seed):
    """(TIE), summed here one by one, against backpropagation through time."""
    given = problem(seed)
    trace, unrolled, _, plain = run_unrolled(given)
    each = bptt.teaching.copies(unrolled, plain)
    assert len(each) == len(trace.x)
    total = bptt.tree_map(np.zeros_like, given.at.params)
    for copy in each:
        total = bptt.tree_map(lambda s, c: s + c, total, copy)
    assert_close(total, given.gradient().params, 1e-13)


def test_a_copy_is_the_gradient_of_its_step_alone():
    """The complex step through one copy of the weights, the others held: literally ∂C/∂w^{l(t)}."""
    given = problem(29)
    trace, unrolled, _, plain = run_unrolled(given)
    each = bptt.teaching.copies(unrolled, plain)
    cotangent = unrolled.cotangent(given.outputs_cost(trace).d_outputs, given.d_final)

    def cost(layers):
        run = bptt.teaching.feedforward.forward(layers, unrolled.x, unrolled.activations)
        return (run.outputs * cotangent).sum()

    whole = bptt.complex_step(cost, unrolled.layers)
    trusted = bptt.teaching.feedforward.Gradient(whole, plain.x, plain.delta)
    assert len(each) > 1
    assert_close(each, bptt.teaching.copies(unrolled, trusted), 1e-12)


def test_folding_gives_arrays_of_its_own():
    """Writing to a folded gradient leaves plain backpropagation's alone, for one step too."""
    tiny = bptt.teaching.tiny()
    for steps in 1, 3:
        trace = bptt.forward(tiny.stack, tiny.params, tiny.x[:steps])
        unrolled = bptt.teaching.unroll(trace)
        run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
        plain = bptt.teaching.feedforward.backward(run, unrolled.cotangent(trace.outputs))
        folded = bptt.teaching.fold(unrolled, plain)
        theirs = [leaf for _, leaf in bptt.tree_leaves(plain)]
        mine = [leaf for _, leaf in bptt.tree_leaves(folded)]
        assert not any(np.shares_memory(a, b) for a in mine for b in theirs)
