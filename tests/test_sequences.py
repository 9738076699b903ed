"""Padded batches, masks, segments and all ways, by Hypothesis: shapes, lengths, dtypes, cells.

`--hypothesis-profile=nightly` looks at 2,000 nets for each property. Sums over sequences and pieces are
held to 1e-13 of the largest entry of what is added (an array in which two directions cancel has no more
correct digits than they have); products of the same numbers, which BLAS may block otherwise where there
are more steps, to 1e-14; what is computed in the same order, bit for bit.
"""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from nets import CELLS, EXACT, OWN, At, draw, gives

import bptt

ONE_WAY = [*CELLS.values(), *OWN.values()]
BOTH_WAYS = [bptt.Bidirectional(one, other) for one in ONE_WAY[::3] for other in ONE_WAY[1::3]]
KINDS = st.sampled_from(["none", "lengths", "holes"])


@st.composite
def settings(draw_one, cells=ONE_WAY, masks=KINDS, depth=3, dtypes=(np.float64,), most=7):
    """Draw a net of any of the cells, of any small shape."""
    chosen = draw_one(st.lists(st.sampled_from(cells), min_size=1, max_size=depth))
    width = st.integers(1, 4)
    sizes = tuple(draw_one(width) for _ in range(len(chosen) + 2))
    rng = np.random.default_rng(draw_one(st.integers(0, 2**32 - 1)))
    return draw(
        chosen,
        rng,
        sizes=sizes,
        steps=draw_one(st.integers(1, most)),
        batch=draw_one(st.integers(1, 4)),
        mask=draw_one(masks),
        dtype=draw_one(st.sampled_from(dtypes)),
    )


def largest(record):
    return max(float(np.abs(leaf).max()) for _, leaf in bptt.tree_leaves(record))


def near(got, want, parts, tolerance=1e-13):
    """Hold each array to its twin, measured by the largest entry of the parts that were added up."""
    scale = max(largest(parts), 1e-300)
    difference = bptt.tree_map(np.subtract, got, want)
    assert largest(difference) <= tolerance * len(parts) * scale


def backward(net, trace, d_final=None):
    d_outputs = net.cost(trace.outputs, slice(0, len(trace.outputs))).d_outputs
    return bptt.backward(trace, d_outputs, d_final)


def sequence_alone(net, m):
    """Run sequence m by itself, without its padding: the steps that the mask leaves, and no mask."""
    there = np.flatnonzero(net.mask[:, m])
    alone = net._replace(
        at=At(
            net.at.params,
            net.at.x[there, m : m + 1],
            bptt.tree_map(lambda leaf: leaf[m : m + 1], net.at.initial),
        ),
        mask=None,
        targets=net.targets[there, m : m + 1],
        weights=net.weights[there, m : m + 1],
    )
    return there, alone


def check_against_sequences(net):
    garbage = np.where(net.mask[..., None], net.at.x, 1e3)  # what padding holds does not matter
    net = net._replace(at=net.at._replace(x=garbage))
    trace = net.run()
    whole = backward(net, trace, trace.final)
    parts = []
    for m in range(net.mask.shape[1]):
        there, alone = sequence_alone(net, m)
        run = alone.run()
        assert_close(trace.outputs[there, m : m + 1], run.outputs, 1e-13)
        assert_close(
            bptt.tree_map(lambda leaf, m=m: leaf[m : m + 1], trace.final), run.final, 1e-13
        )
        parts.append(backward(alone, run, run.final))
        near(whole.x[there, m : m + 1], parts[-1].x, [parts[-1][:3]])
        own = bptt.tree_map(lambda leaf, m=m: leaf[m : m + 1], whole.initial)
        near(own, parts[-1].initial, [parts[-1][:3]])
    total = bptt.tree_map(lambda *each: sum(each), *(part.params for part in parts))
    near(whole.params, total, [part.params for part in parts])
    assert not whole.x[~net.mask].any()


@given(settings(masks=st.just("lengths")))
def test_a_padded_batch_is_the_sum_of_its_sequences(net):
    """Outputs, final states, and the gradient of a cost of both, sequence by sequence."""
    check_against_sequences(net)


@given(settings(masks=st.just("lengths"), cells=ONE_WAY + BOTH_WAYS, depth=2, most=6))
def test_a_padded_batch_that_is_read_in_both_directions_too(net):
    """The backward layer starts at each sequence's own last step, not in the padding."""
    check_against_sequences(net)


@given(settings(depth=2), st.data())
def test_a_step_that_is_not_there_is_as_if_left_out(net, data):
    """Holes anywhere: the same for all sequences, against a run on the steps that are left."""
    steps = len(net.at.x)
    kept = data.draw(st.lists(st.booleans(), min_size=steps, max_size=steps).filter(any))
    there = np.flatnonzero(kept)
    mask = np.zeros(net.at.x.shape[:2], bool)
    mask[there] = True
    weights = net.weights * mask
    masked = net._replace(mask=mask, weights=weights)
    shorter = net._replace(
        at=net.at._replace(x=net.at.x[there]),
        mask=None,
        targets=net.targets[there],
        weights=weights[there],
    )
    trace, run = masked.run(), shorter.run()
    assert_close(trace.outputs[there], run.outputs, 1e-13)
    assert_close(trace.final, run.final, 1e-13)
    got, want = backward(masked, trace, trace.final), backward(shorter, run, run.final)
    near(got.params, want.params, [want.params] * len(there))
    near((got.initial, got.x[there]), (want.initial, want.x), [(want.initial, want.x)])


class Directions(bptt.ResetBeforeGRU):
    """Of an input the direction alone, which padding of zeros has not."""

    def unfactored_step(self, params, x, state):
        length = np.sqrt((x * x).sum(axis=1, keepdims=True))
        new, saved = super().unfactored_step(params, x / length, state)
        return new, (x / length, length, saved)

    def unfactored_backward(self, params, d_state, saved):
        y, length, saved = saved
        d_params, d_y, d_past = super().unfactored_backward(params, d_state, saved)
        return d_params, (d_y - y * (d_y * y).sum(axis=1, keepdims=True)) / length, d_past


@pytest.mark.parametrize("way", [bptt.full_bptt, bptt.rtrl, bptt.checkpointed_bptt])
@pytest.mark.parametrize("lengths", [[4, 2], [2, 2]])
def test_padding_may_be_where_an_unfactored_cell_has_no_value(way, lengths):
    """Of what stands in a gap, (mask-step) takes nothing: another number there changes no bit."""
    stack, params, x, _ = bptt.teaching.random_net((Directions(),), (3, 4, 1), 4, 2)
    mask = bptt.lengths_to_mask(lengths, 4)

    def gradient(fill):
        found = np.where(mask[:, :, None], x, fill)
        cost = lambda outputs, _: bptt.squared_error(outputs, 0 * outputs)
        return way(stack, params, found, cost, mask=mask).gradient

    one, other = gradient(1.0), gradient(0.0)
    np.testing.assert_array_equal(bptt.flatten(one)[0], bptt.flatten(other)[0])
    assert bptt.check_cell(Directions()).ok


@given(settings(cells=ONE_WAY + BOTH_WAYS, masks=st.just("none"), depth=2))
def test_a_mask_of_all_steps_changes_nothing(net):
    everything = net._replace(mask=np.ones(net.at.x.shape[:2], bool))
    got, want = backward(everything, everything.run()), backward(net, net.run())
    pairs = zip(bptt.tree_leaves(got), bptt.tree_leaves(want), strict=True)
    assert all((a == b).all() for (_, a), (_, b) in pairs)


@given(settings(), st.sampled_from(sorted(EXACT)))
def test_all_ways_agree(net, way):
    want = net.by(bptt.full_bptt)
    got, of = gives(net.by(EXACT[way]), want.gradient)
    near(got, of, [of] * len(net.at.x))


@given(settings(dtypes=(np.float32, np.float64)), st.sampled_from(sorted(EXACT)))
def test_shapes_and_dtypes_of_all_ways(net, way):
    result = net.by(EXACT[way])
    got, of = gives(result, net.at)
    for (_, a), (_, b) in zip(bptt.tree_leaves(got), bptt.tree_leaves(of), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert type(result.gradient.params) is bptt.Params
    assert (result.outputs.shape, result.outputs.dtype) == (net.targets.shape, net.at.x.dtype)
    assert 1 <= result.stored <= len(net.at.x)


@given(settings(depth=2), st.integers(1, 8), st.integers(0, 4))
def test_truncated_is_the_gradient_of_its_surrogate(net, k1, more):
    """Along a random direction, by the complex step: one number a net, exact to rounding."""
    params, x, initial = net.at
    problem = net.stack, params, x, net.cost, initial, net.mask
    found = bptt.truncated_bptt(*problem, k1=k1, k2=k1 + more).gradient.params
    rng = np.random.default_rng(0)
    vector = bptt.tree_map(lambda p: rng.normal(size=p.shape), params)
    moved = bptt.tree_map(lambda p, v: p + 1e-30j * v, params, vector)
    slope = bptt.algorithms.surrogate(*problem, k1=k1, k2=k1 + more)(moved).imag / 1e-30
    flat, along = bptt.flatten(found)[0], bptt.flatten(vector)[0]
    assert abs(flat @ along - slope) <= 1e-12 * max(np.abs(flat * along).sum(), 1e-300)


@given(settings(cells=ONE_WAY + BOTH_WAYS, depth=2))
def test_any_gradient_is_that_of_the_complex_step(net):
    """Along a random direction in parameters, inputs and initial states."""
    trace = net.run()
    gradient = backward(net, trace)
    rng = np.random.default_rng(1)
    vector = bptt.tree_map(lambda p: rng.normal(size=p.shape), net.at)
    moved = bptt.tree_map(lambda p, v: p + 1e-30j * v, net.at, vector)
    slope = net.total(moved).imag / 1e-30
    flat = bptt.flatten((gradient.params, gradient.x, gradient.initial))[0]
    along = bptt.flatten(vector)[0]
    assert abs(flat @ along - slope) <= 1e-11 * max(np.abs(flat * along).sum(), 1e-300)


@given(settings(), st.data())
def test_segments_of_a_trace_compose(net, data):
    """Cut anywhere, go back through the pieces, last one first: the whole gradient."""
    trace = net.run()
    steps = len(trace.x)
    cuts = data.draw(st.sets(st.integers(1, steps - 1))) if steps > 1 else set()
    edges = [0, *sorted(cuts), steps]
    d_outputs = net.cost(trace.outputs, slice(0, steps)).d_outputs
    whole = bptt.backward(trace, d_outputs, trace.final)
    d_state, parts = trace.final, []
    for a, b in reversed(list(pairwise(edges))):
        parts.append(bptt.backward(bptt.segment(trace, a, b), d_outputs[a:b], d_state))
        d_state = parts[-1].initial
    total = bptt.tree_map(lambda *each: sum(each), *(part.params for part in parts))
    near(total, whole.params, [part.params for part in parts])
    assert_close(d_state, whole.initial, 1e-14)
    assert_close(np.concatenate([part.x for part in reversed(parts)]), whole.x, 1e-14)


@given(settings(cells=BOTH_WAYS, depth=1))
def test_both_directions_are_two_layers_by_hand(net):
    """One reads forward, one reads the reversed sequence: outputs side by side, gradients added."""
    params, x, (initial,) = net.at
    cell, layer = net.stack.cells[0], params.layers[0]
    turned = None if net.mask is None else net.mask[::-1]
    there = bptt.layer_forward(cell.forward, layer.forward, x, initial[0], net.mask)
    back = bptt.layer_forward(cell.backward, layer.backward, x[::-1], initial[1], turned)
    both = bptt.layer_forward(cell, layer, x, initial, net.mask)
    n = there.outputs.shape[2]
    outputs = np.concatenate([there.outputs, back.outputs[::-1]], axis=2)
    assert (both.outputs == outputs).all()
    got = bptt.layer_backward(both, both.outputs, both.final)
    one = bptt.layer_backward(there, outputs[..., :n], there.final)
    two = bptt.layer_backward(back, outputs[::-1, :, n:], back.final)
    assert_close(got.params, bptt.BothDirections(one.params, two.params), 1e-14)
    assert_close(got.initial, bptt.BothDirections(one.initial, two.initial), 1e-14)
    near(got.x, one.x + two.x[::-1], [one.x, two.x])


@given(settings(depth=2, masks=st.just("none")), st.data())
def test_windows_continue_a_sequence(net, data):
    """A run from where another ended is the rest of the longer run, but for the rounding of products of other sizes."""
    params, x, initial = net.at
    cut = data.draw(st.integers(1, len(x)))
    first = bptt.forward(net.stack, params, x[:cut], initial)
    whole = net.run()
    assert_close(first.outputs, whole.outputs[:cut], 1e-13)
    if cut < len(x):
        second = bptt.forward(net.stack, params, x[cut:], first.final)
        near(second.final, whole.final, [params, x, initial])


@given(settings(depth=1, masks=st.just("lengths")))
def test_a_learned_initial_state_that_a_batch_shares(net):
    """One row for all sequences: its gradient is the sum of theirs, by the complex step."""
    shared = tuple(tuple(array[:1] for array in layer) for layer in net.at.initial)

    def spread(row):
        batch = net.at.x.shape[1]
        return bptt.tree_map(lambda leaf: np.tile(leaf, (batch, 1)), row)

    at = net.at._replace(initial=spread(shared))
    summed = bptt.tree_map(
        lambda leaf: leaf.sum(axis=0, keepdims=True), backward(net, net.run(at)).initial
    )
    want = bptt.complex_step(lambda row: net.total(at._replace(initial=spread(row))), shared)
    near(summed, want, [want], 1e-11)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 3))
def test_lengths_make_a_mask(lengths, more):
    mask = bptt.lengths_to_mask(lengths, max(lengths) + more)
    assert mask.shape == (max(lengths) + more, len(lengths))
    assert mask.sum(axis=0).tolist() == lengths
    assert all(mask[:n, i].all() for i, n in enumerate(lengths))
    assert (bptt.lengths_to_mask(lengths) == mask[: max(lengths)]).all()


@given(settings(depth=2), st.sampled_from([1, 2, 3]), st.booleans())
def test_any_piece_and_any_number_of_states(net, piece, binomial):
    """The count of stored steps is what the schedule promises, and the gradient is exact."""
    steps = len(net.at.x)
    states = 1 + steps % 3
    schedule = bptt.algorithms.binomial(states, piece) if binomial else bptt.algorithms.every(piece)
    result = net.by(partial(bptt.checkpointed_bptt, schedule=schedule))
    want = net.by(bptt.full_bptt).gradient
    near(result.gradient[:3], want[:3], [want[:3]] * steps)
    pieces = -(-steps // piece)
    kept = min(states, pieces - 1) if binomial else pieces - 1
    assert result.stored == kept + min(piece, steps)
