"""The loops over time against a literal one: step by step, with the cell's two methods and nothing at once.

The literal loop takes what `step` and `step_backward` say of one step, in the order of the steps, and sums
the outer products of each step. Its own truths are the triple loop over i, j, k (test_backward) and the
complex step (test_ways). The cells of the library and those of a reader's own go through both.
"""

import ast
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from closeness import assert_close
from nets import CELLS, OWN, Leaky, draw_mask, state

import bptt
from bptt.cells import layout_of
from bptt.network import loop
from bptt.network.traces import weighted_inputs

FACTORED = {name: cell for name, cell in CELLS.items() if name != "ResetBeforeGRU"}
FACTORED |= OWN
cells = pytest.mark.parametrize("name", FACTORED)
SIZES = (6, 3, 2, 4)  # T, B, n_below, n


def drawn(cell, dtype, mask, sizes=SIZES):
    steps, batch, below, n = sizes
    rng = np.random.default_rng([51, len(dtype)])
    layer = bptt.initialize(bptt.Stack((cell,)), (below, n, 1), rng, dtype).layers[0]
    x, d_a = (rng.normal(size=(steps, batch, k)).astype(dtype) for k in (below, n))
    first, last = (state(cell, rng, batch, n, dtype) for _ in range(2))
    return layer, x, first, draw_mask(rng, mask, steps, batch), d_a, last


def literal_forward(cell, layer, x, initial, mask):
    """Return the states after each step, and what each saved."""
    *_, own = layout_of(cell).split(layer)
    states, saved = [initial], []
    for t in range(len(x)):
        now = states[-1]
        new, kept = cell.step(*weighted_inputs(cell, layer, x[t], now[0]), *now, *own)
        if mask is not None:
            new = tuple(np.where(mask[t][:, None], a, b) for a, b in zip(new, now, strict=True))
        states.append(new)
        saved.append(kept)
    return states, saved


def literal_backward(cell, layer, x, run, mask, d_a, d_state):
    """Return ∂C/∂ parameters, input and initial state: every sum one step longer each time."""
    layout, (states, saved) = layout_of(cell), run
    w, u, _, own = layout.split(layer)
    d_w, d_b, d_x = np.zeros_like(w), np.zeros_like(w[0]), np.zeros_like(x)
    d_u, d_own = np.zeros_like(u) if u is not None else None, [np.zeros_like(p) for p in own]
    for t in reversed(range(len(x))):
        d_state = (d_state[0] + d_a[t], *d_state[1:])
        there = np.ones((x.shape[1], 1), bool) if mask is None else mask[t][:, None]
        passing, through = [tuple(d * m for d in d_state) for m in (~there, there)]
        d_z, d_past, more = cell.step_backward(*through, *states[t], *own, *saved[t])
        kinds = dict(zip(layout.weighted, d_z, strict=True))
        delta_x = np.concatenate([d for name, d in kinds.items() if name[0] in "zx"], axis=1)
        d_w, d_b, d_x[t] = d_w + x[t].T @ delta_x, d_b + delta_x.sum(axis=0), delta_x @ w.T
        d_state = tuple(d + p for d, p in zip(d_past, passing, strict=True))
        d_own = [total + now.sum(axis=0) for total, now in zip(d_own, more, strict=True)]
        if u is not None:
            delta_h = np.concatenate([d for name, d in kinds.items() if name[0] in "zh"], axis=1)
            d_u = d_u + states[t][0].T @ delta_h
            d_state = (d_state[0] + delta_h @ u.T, *d_state[1:])
    d_layer = (d_w, *(() if u is None else (d_u,)), d_b, *d_own)
    return d_layer, d_x, d_state


@cells
@pytest.mark.parametrize("mask", ["none", "lengths", "holes"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("chunk", [loop.CHUNK, 1, 12, 24])
def test_the_loops_are_the_literal_one(name, mask, dtype, chunk, monkeypatch):
    """In float64 to rounding, in float32 to its own; in chunks of one step, of two, and of all."""
    monkeypatch.setattr(loop, "CHUNK", chunk)
    cell, bound = FACTORED[name], {"float64": 1e-13, "float32": 2e-5}[dtype]
    layer, x, initial, there, d_a, d_final = drawn(cell, dtype, mask)
    trace = bptt.layer_forward(cell, layer, x, initial, there)
    found = bptt.layer_backward(trace, d_a, d_final)
    run = literal_forward(cell, layer, x, initial, there)
    want = literal_backward(cell, layer, x, run, there, d_a, d_final)
    assert_close(trace.states, tuple(map(np.stack, zip(*run[0], strict=True))), bound)
    assert_close((tuple(found.params), found.x, found.initial), want, bound)
    assert type(found.params) is type(layer)
    assert {leaf.dtype for _, leaf in bptt.tree_leaves(found)} == {np.dtype(dtype)}


@cells
def test_intermediates_are_what_each_step_saved(name):
    cell = FACTORED[name]
    layer, x, initial, there, *_ = drawn(cell, "float64", "holes")
    trace = bptt.layer_forward(cell, layer, x, initial, there)
    _, saved = literal_forward(cell, layer, x, initial, there)
    found = trace.intermediates
    assert list(found) == list(dict.fromkeys(layout_of(cell).weighted + layout_of(cell).saved))
    for k, kept in enumerate(layout_of(cell).saved):
        assert_close(found[kept], np.stack([step[k] for step in saved]), 1e-13)


class ByRows(bptt.Elman):
    """Counts rows as the protocol allows: all arrays have the shape (rows, n)."""

    def step(self, z, a):
        rows, n = z.shape
        return super().step(z + np.zeros((rows, n)), a)


def test_intermediates_too_come_from_arrays_of_rows():
    layer, x, *_ = drawn(bptt.Elman(), "float64", "none")
    plain, by_rows = (bptt.layer_forward(cell, layer, x) for cell in (bptt.Elman(), ByRows()))
    assert_close(by_rows.intermediates, plain.intermediates, 1e-15)


def test_an_unfactored_cell_has_no_intermediates():
    cell = CELLS["ResetBeforeGRU"]
    layer, x, *_ = drawn(cell, "float64", "none")
    with pytest.raises(TypeError, match=r"cell must be a formula, .* got ResetBeforeGRU"):
        _ = bptt.layer_forward(cell, layer, x).intermediates


class TooFew(bptt.ResetBeforeGRU):
    """Its two methods return all but their last part."""

    def unfactored_step(self, params, x, state):
        return super().unfactored_step(params, x, state)[:-1]

    def unfactored_backward(self, params, d_state, saved):
        return super().unfactored_backward(params, d_state, saved)[:-1]


def test_the_shapes_that_an_unfactored_cell_must_return_are_said():
    """Those of the state and the parameters; what is saved may have any form."""
    kind = bptt.ResetBeforeGRU()
    layer, x, *_ = drawn(kind, "float64", "none")
    (_, batch, below), n = x.shape, len(layer.u)
    state = f"(({batch}, {n}),)"
    message = f"TooFew.unfactored_step must return the tuple (new_state {state}, saved), got"
    with pytest.raises(TypeError, match=re.escape(message)):
        bptt.layer_forward(TooFew(), layer, x)
    trace = bptt.layer_forward(kind, layer, x)
    message = (
        "TooFew.unfactored_backward must return the tuple "
        f"(d_params (({below}, {3 * n}), ({n}, {3 * n}), ({3 * n},)), "
        f"d_x ({batch}, {below}), d_state {state}), got"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        bptt.layer_backward(trace._replace(cell=TooFew()), np.ones(trace.a[1:].shape))


@cells
def test_a_cell_has_its_formula_itself(name):
    kind = type(FACTORED[name])
    assert {getattr(kind, m).__qualname__ for m in ("step", "step_backward")} == {
        f"{kind.__name__}.{m}" for m in ("step", "step_backward")
    }


def test_the_formula_of_a_cell_stands_in_one_place():
    """No class of `bptt` has a derivative but those that are cells, each one, and the protocol."""
    classes = [
        node.name
        for file in Path(bptt.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(getattr(part, "name", "") == "step_backward" for part in node.body)
    ]
    assert sorted(classes) == ["Cell", "Diagonal", "Elman", "GRU", "LSTM", "PeepholeLSTM"]


@cells
def test_what_a_run_leaves_can_be_pickled(name):
    cell = FACTORED[name]
    layer, x, initial, there, d_a, _ = drawn(cell, "float64", "holes")
    trace = bptt.layer_forward(cell, layer, x, initial, there)
    again = pickle.loads(pickle.dumps(trace))
    assert_close(bptt.layer_backward(again, d_a), bptt.layer_backward(trace, d_a), 0)


def test_no_memory_is_kept_by_a_finished_call():
    """What is returned owns its memory, but for δ: a gradient keeps no array of the loop alive."""
    cell = bptt.LSTM()
    layer, x, initial, there, d_a, _ = drawn(cell, "float32", "none")
    found = bptt.layer_backward(bptt.layer_forward(cell, layer, x, initial, there), d_a)
    assert all(array.base is None for array in found.initial)


ARRAY = np.ones((3, 4))


class Wrong:
    """A cell whose two methods return what they are told."""

    def __init__(self, forward, backward=None):
        self.forward, self.backward = forward, backward

    def step(self, z, a, k):
        return self.forward(z, a)

    def step_backward(self, d_a, a, k, n):
        return self.backward(d_a)


def right(z, a):
    return (z,), (z,)


REFUSED = {
    "bare state": (lambda z, a: (z, (z,)), None, r"Wrong\.step must return 2 tuples, new_state, saved, got \(ndarray \(3, 4\), \(ndarray"),
    "no tuple": (lambda z, a: z, None, r"Wrong\.step must return 2 tuples, new_state, saved, got ndarray \(3, 4\)"),
    "two states": (lambda z, a: ((z, a), (z,)), None, r"Wrong\.step: new_state must be the tuple \(a,\), got \(ndarray \(3, 4\), ndarray"),
    "nothing saved": (lambda z, a: ((z,), ()), None, r"Wrong\.step: saved must be the tuple \(n,\), got \(\)"),
    "shape": (lambda z, a: ((z[:1],), (z,)), None, r"Wrong\.step: new_state: a must have the shape of the arguments, \(3, 4\), got ndarray \(1, 4\)"),
    "a number": (lambda z, a: ((0.0,), (z,)), None, r"Wrong\.step: new_state: a must have the shape of the arguments, \(3, 4\), got float"),
    "two of three": (right, lambda d: ((d,), (d,)), r"Wrong\.step_backward must return 3 tuples, d_weighted, d_state, d_own"),
    "summed": (right, lambda d: ((d,), (d,), (d.sum(axis=0),)), r"Wrong\.step_backward: d_own: d_k must have the shape of the arguments, \(18, 4\), got ndarray \(4,\)"),
    "none of own": (right, lambda d: ((d,), (d,), ()), r"Wrong\.step_backward: d_own must be the tuple \(d_k,\), got \(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_the_protocol_is_named(name):
    forward, backward, message = REFUSED[name]
    cell = Wrong(forward, backward)
    layer, x, initial, _, d_a, _ = drawn(cell, "float64", "none")
    with pytest.raises(TypeError, match=message):
        bptt.layer_backward(bptt.layer_forward(cell, layer, x, initial), d_a)


def cell_of(step, back):
    return type("Odd", (), {"step": step, "step_backward": back})()


NAMES = {
    "no weighted input": (lambda self, a: 0, lambda self, d_a, a: 0, r"the parameters of Odd\.step must begin with weighted inputs.*got a$"),
    "h alone": (lambda self, h, a: 0, lambda self, d_a, a: 0, "must begin with weighted inputs"),
    "order": (lambda self, h_n, z, a: 0, lambda self, d_a, a: 0, "must begin with weighted inputs"),
    "no state": (lambda self, z: 0, lambda self, z: 0, r"the parameters of Odd\.step_backward must be d_\.\.\."),
    "state not repeated": (lambda self, z, a: 0, lambda self, d_a, n: 0, r"then a, as in step after the weighted inputs z, then what step saves; got d_a, n"),
    "a state called h": (lambda self, z, h: 0, lambda self, d_h, h, n: 0, r"then a state, which step lacks, as in step after the weighted inputs z, h, then what step saves; got d_h, h, n"),
    "free": (lambda self, *args: 0, lambda self, d_a, a: 0, r"Odd\.step must name its parameters one by one, .* got \*args"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_say_nothing_are_refused_when_a_stack_is_made(name):
    step, back, message = NAMES[name]
    with pytest.raises(TypeError, match=message):
        bptt.Stack((cell_of(step, back),))


def test_a_record_that_does_not_fit_the_names_is_refused():
    cell = type("Odd", (Leaky,), {"parameters": bptt.Recurrent})()
    with pytest.raises(
        TypeError, match=r"Odd\.parameters must be a named tuple of w, u, b, r, got"
    ):
        bptt.Stack((cell,))


class Idle:
    """A cell with a parameter that does nothing, whose derivative is the number zero; a has a direct path."""

    def step(self, z, a, k):
        return (np.tanh(z) + 0.5 * a,), (np.tanh(z),)

    def step_backward(self, d_a, a, k, n):
        return (d_a * (1 - n**2),), (0.5 * d_a,), (0.0,)


def test_a_direct_path_stays_beside_a_parameter_that_does_nothing():
    """The reference is the complex step; without a mask, which needs a column for that path in any case."""
    report = bptt.check_cell(Idle())
    assert report.ok, str(report)
