"""Compiled cells: the same results as the plain loop, which the complex step and PyTorch hold.

The reference is the plain loop of the same cell on the same numbers: in float64 to 1e-12, in float32 to its rounding.
"""

import copy
import pickle
import threading

import numpy as np
import pytest
from closeness import assert_close, relative_errors
from nets import CELLS, EXACT, Swing, draw, gives
from test_arguments import LAYOUTS, in_the_other_byte_order

import bptt

numba = pytest.importorskip("numba")

from bptt.jit import cache, source

FACTORED = {name: cell for name, cell in CELLS.items() if name != "ResetBeforeGRU"}
TOLERANCE = {"float32": 2e-4, "float64": 1e-12}


class Leaky:
    """A reader's own cell with a parameter of its own, whose formula goes through a helper and np.where."""

    def step(self, z, a, k):
        n = self.bend(z)
        return (k * a + (1 - k) * n,), (z, n)

    def step_backward(self, d_a, a, k, z, n):
        slope = np.where(z > 0, 1, 0.25)
        return (d_a * (1 - k) * slope,), (d_a * k,), (d_a * (a - n),)

    def bend(self, z):
        return np.maximum(z, 0.0) + 0.25 * np.minimum(z, 0.0)


class Masked:
    """A reader's own cell that saves truth values, and counts with them as NumPy does."""

    def step(self, z, a):
        up, near = z > 0, np.abs(z) < 1
        return (0.5 * a + np.where(up + near, z, 0.1 * z),), (up, near)

    def step_backward(self, d_a, a, up, near):
        slope = 0.9 * (up + near) + 0.1 * (1 - (~up & ~near)) + 0.1 * ~(up + near)
        return (d_a * slope,), (0.5 * d_a,), ()


OWN = {"Leaky": Leaky(), "Swing": Swing(), "Masked": Masked()}
ACTIVATIONS = {
    "identity": bptt.identity,
    "relu": bptt.relu,
    "sigmoid": bptt.sigmoid,
    "own": bptt.Activation("own", lambda z: z / (1 + np.abs(z)), lambda z, a: (1 - np.abs(a)) ** 2),
}


def both(cells, seed, **options):
    """Return one setting twice: with the cells, and with them compiled."""
    plain = draw(cells, np.random.default_rng(seed), **options)
    stack = bptt.Stack(tuple(map(bptt.compiled, cells)), bptt.sigmoid)
    return plain, plain._replace(stack=stack)


def assert_same(cells, seed, **options):
    """Hold states, outputs and the whole gradient, with a cost of the final states, to the plain loop's."""
    plain, fast = both(cells, seed, **options)
    found = []
    for given in (plain, fast):
        trace = given.run()
        cost = given.cost(trace.outputs, slice(None))
        gradient = bptt.backward(trace, cost.d_outputs, trace.final)
        found.append((trace.outputs, trace.final, gradient))
    want, got = found
    assert_close(got, want, TOLERANCE[np.dtype(options.get("dtype", np.float64)).name])


@pytest.mark.parametrize("mask", ["none", "lengths", "holes"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", [*FACTORED, *OWN])
def test_as_the_plain_loop_in_float64(name, layers, mask):
    assert_same([(FACTORED | OWN)[name]] * layers, [1, layers], mask=mask, batch=3)


@pytest.mark.parametrize("name", [*FACTORED, *OWN])
def test_as_the_plain_loop_in_float32(name):
    assert_same([(FACTORED | OWN)[name]], 2, mask="holes", batch=3, dtype=np.float32)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name):
    assert_same([bptt.Elman(ACTIVATIONS[name])], 3)


@pytest.mark.parametrize(
    ("batch", "below", "n"), [(1, 1, 1), (1, 5, 100), (4, 33, 16), (13, 8, 17)]
)
def test_every_shape_of_a_tile(batch, below, n):
    """Rows and columns that fill tiles of the products, and that do not; one sequence, one unit."""
    assert_same([bptt.LSTM()], [4, n], batch=batch, sizes=(below, n, 2))
    assert_same([bptt.GRU()], [5, n], batch=batch, sizes=(below, n, 2), mask="holes")


def test_more_steps_than_one_product_takes():
    assert_same([bptt.LSTM()], 6, steps=150, batch=1)
    assert_same([bptt.LSTM()], 7, steps=150, batch=3)


@pytest.mark.parametrize("mask", ["none", "holes"])
def test_both_directions(mask):
    cell = bptt.Bidirectional(bptt.LSTM(), bptt.GRU())
    plain, fast = both([cell], 8, mask=mask)
    assert isinstance(fast.stack.cells[0].forward, bptt.Compiled)
    assert_close(fast.by(bptt.full_bptt).gradient, plain.by(bptt.full_bptt).gradient, 1e-12)


@pytest.mark.parametrize("way", [way for way in EXACT if not way.startswith("scan")])
def test_every_way_to_the_gradient(way):
    plain, fast = both([bptt.LSTM(), Leaky()], 9, mask="lengths")
    got, _ = gives(fast.by(EXACT[way]), fast.at)
    want, _ = gives(plain.by(bptt.full_bptt), plain.at)
    for mine, theirs in zip(got, want, strict=False):
        assert_close(mine, theirs, 1e-11)


def test_truncated_as_the_plain_loop():
    plain, fast = both([bptt.GRU()], 10)
    cut = lambda *given: bptt.truncated_bptt(*given[:4], k1=2, k2=3)
    assert_close(fast.by(cut).gradient, plain.by(cut).gradient, 1e-12)


def test_hessian_vector_products():
    plain, fast = both([bptt.LSTM()], 11)
    found = [
        bptt.hessian_vector_product(
            given.stack, given.at.params, given.at.x, given.cost, given.at.params
        )
        for given in (fast, plain)
    ]
    assert_close(*found, 1e-11)


@pytest.mark.parametrize("name", ["LSTM", "Leaky"])
def test_check_cell_runs_the_compiled_loop(name):
    report = bptt.check_cell(bptt.compiled((FACTORED | OWN)[name]))
    assert report.ok, str(report)


def test_a_segment_of_a_trace():
    plain, fast = both([bptt.LSTM()], 12)
    found = []
    for given in (plain, fast):
        part = bptt.segment(given.run(), 2, 5)
        found.append(bptt.backward(part, np.ones_like(part.outputs)))
    assert_close(found[1], found[0], 1e-12)


def test_arrays_of_any_layout_and_read_only():
    cell, rng = bptt.GRU(), np.random.default_rng(13)
    params = bptt.initialize(bptt.Stack((cell,)), (3, 4, 1), rng).layers[0]
    x = rng.normal(size=(2, 5, 3)).transpose(1, 0, 2)
    d_a = rng.normal(size=(10, 2, 4))[::-2]
    fortran = type(params)(*map(np.asfortranarray, params))
    for array in (*fortran, x, d_a):
        array.flags.writeable = False
    want = bptt.layer_backward(bptt.layer_forward(cell, params, x), d_a)
    fast = bptt.compiled(cell)
    got = bptt.layer_backward(bptt.layer_forward(fast, fortran, x), d_a)
    assert_close(got, want, 1e-12)
    other = bptt.tree_map(in_the_other_byte_order, (params, x, d_a))
    got = bptt.layer_backward(bptt.layer_forward(fast, *other[:2]), other[2])
    assert_close(got, want, 1e-12)


def test_arrays_of_every_kind_run_through_one_compiled_function(monkeypatch):
    """Numba would compile anew for an array that is read-only, unaligned or of another byte order."""
    kinds, load = set(), cache.load

    def watched(text):
        def loop(name):
            def run(*given):
                kinds.add((name, *map(numba.typeof, given)))
                getattr(load(text), name)(*given)

            return run

        return cache.Program(loop("forward"), loop("backward"))

    monkeypatch.setattr(cache, "load", watched)
    cell, given = bptt.compiled(bptt.GRU()), (np.ones((5, 2, 3)), np.ones((2, 4)))
    params = bptt.initialize(bptt.Stack((cell,)), (3, 4, 1), 0).layers[0]
    for layout in (np.copy, *LAYOUTS, in_the_other_byte_order):
        own, x, state, d_a = bptt.tree_map(layout, (params, *given, np.ones((5, 2, 4))))
        bptt.layer_backward(bptt.layer_forward(cell, own, x, (state,)), d_a, (state,))
    assert len(kinds) == 2


def test_overflow_is_found():
    cell = bptt.compiled(bptt.Elman(bptt.identity))
    params = bptt.Recurrent(np.ones((1, 1)), np.full((1, 1), 1e10), np.zeros(1))
    with pytest.raises(FloatingPointError, match="a must stay finite"):
        bptt.layer_forward(cell, params, np.ones((100, 1, 1)))


def test_copies_and_pickles():
    cell = bptt.compiled(bptt.Elman(bptt.relu))
    for other in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert (
            repr(other) == repr(cell) == "Compiled(cell=Elman(activation=Activation(name='relu')))"
        )
        params = bptt.Recurrent(np.ones((1, 1)), np.ones((1, 1)), np.zeros(1))
        assert bptt.layer_forward(other, params, np.ones((3, 1, 1))).a.ravel().tolist() == [
            0,
            1,
            2,
            3,
        ]
    assert bptt.compiled(cell) == cell


class Scaled:
    """A reader's own cell with an attribute, which its formula multiplies with."""

    k = 0.5

    def step(self, z, a):
        return (self.k * z,), ()

    def step_backward(self, d_a, a):
        return (self.k * d_a,), (0.0,), ()


def test_what_was_compiled_stays_whatever_becomes_of_the_cell():
    """It, its copy and its pickle compute the same, in real and in complex numbers; compiled again, the new formula."""
    cell = Scaled()
    fast = bptt.compiled(cell)
    cell.k = 9.0
    params = bptt.Recurrent(np.ones((1, 1)), np.ones((1, 1)), np.zeros(1))
    for kind, factor in ((fast, 0.5), (bptt.compiled(cell), 9.0)):
        for one in (kind, copy.copy(kind), copy.deepcopy(kind), pickle.loads(pickle.dumps(kind))):
            for x in (np.ones((1, 1, 1)), np.ones((1, 1, 1), complex)):
                assert bptt.layer_forward(one, params, x).a[1, 0, 0] == factor


def test_a_formula_that_has_changed_since_is_not_copied():
    fast = bptt.compiled(Scaled())
    fast.cell.k = 9.0
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="the formula of Scaled has changed since it was comp"):
            copied(fast)


class Remembers(Scaled):
    """A reader's own cell that saves the state before its step, and then another array."""

    def step(self, z, a):
        return (self.k * a + np.tanh(z) * a,), (a, np.tanh(z))

    def step_backward(self, d_a, a, old, n):
        return (d_a * old * (1 - n**2),), (d_a * (self.k + n),), ()


def test_a_state_that_a_step_saves_is_the_one_before_it():
    assert_same([Remembers()], 17)


@pytest.mark.parametrize("name", ["Größe", "A\\x", 'Quoted"""', "{name}", "two\nlines"])
def test_any_name_of_a_class_stands_in_the_text_of_its_loops(name):
    """The reference is the plain loop; the name is told where compiling is."""
    kind = type(name, (Scaled,), {})
    assert_same([kind()], 16)
    program = bptt.compiled(kind())._program(np.dtype(np.float64))
    assert program.forward.about == f"The loops over time of {name} in float64"


def test_a_cell_that_cannot_be_copied_is_refused():
    cell = Scaled()
    cell.lock = threading.Lock()
    with pytest.raises(TypeError, match="Scaled cannot be compiled: it cannot be copied: cannot p"):
        bptt.compiled(cell)


BROKEN = {
    # what: which text of the loops becomes which
    "the state after a step read in place of the one before": ("BACKWARD", "after, before = before, after", "pass"),
    "no path through u": ("BACKWARD", "i_h, now = r * n, r * stride,", "i_h, now = r * n, 0 * r,"),
    "no error passes where a mask says no step": ("BACKWARD", "if masked and not mask[t * rows + r]:", "if False:"),
    "the state changes where a mask says no step": ("FORWARD", "if masked and not mask[t * rows + r]:", "if False:"),
    "the input of another step": ("FORWARD", "i_h = (t * rows + r)", "i_h = r"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_loop_that_is_broken_is_found(what, monkeypatch):
    """`check_cell` runs the loop that users run: broken, it is called wrong."""
    where, old, new = BROKEN[what]
    text = getattr(source, where)
    assert text.count(old) == 1
    monkeypatch.setattr(source, where, text.replace(old, new))
    assert not bptt.check_cell(bptt.compiled(bptt.Elman())).ok


def test_float32_stays_float32():
    _, fast = both([bptt.LSTM()], 14, dtype=np.float32)
    result = fast.by(bptt.full_bptt)
    assert {leaf.dtype.name for _, leaf in bptt.tree_leaves(result.gradient)} == {"float32"}


def test_large_negative_gates_keep_their_digits():
    """Input gates of bias -18: a gate of 1.5e-8, in float32 against float64 of the plain loop."""
    cell, found = bptt.LSTM(), {}
    for dtype, run in ((np.float64, cell), (np.float32, bptt.compiled(cell))):
        rng = np.random.default_rng(15)
        params = bptt.initialize(bptt.Stack((cell,)), (3, 4, 1), rng, dtype).layers[0]
        b = params.b.copy()
        b[:4] = -18
        trace = bptt.layer_forward(
            run, params._replace(b=b), rng.normal(size=(6, 2, 3)).astype(dtype)
        )
        found[dtype] = trace.states
    errors = relative_errors(found[np.float32], found[np.float64])
    assert max(errors.values()) < 3e-6
