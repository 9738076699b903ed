"""A reader's own cell of some twenty lines, which inherits nothing: what it takes, and what it goes through.

That its gradient is right, by every way, masked and in both directions, is held where the library's cells are:
test_ways.py and test_sequences.py, and by the literal loop of test_loop.py.
"""

import gc
import inspect
import weakref
from functools import partial

import numpy as np
import pytest
from closeness import assert_close
from nets import OWN, Leaky, Memory, Swing, draw

import bptt
from bptt.cells import layout

pytestmark = pytest.mark.untraced  # others run the same lines, once


@pytest.mark.parametrize("cell", [Leaky, Swing, Memory])
def test_a_cell_takes_twenty_lines(cell):
    assert len(inspect.getsource(cell).splitlines()) <= 20
    assert cell.__bases__ == (object,)
    assert isinstance(cell(), bptt.Cell)


def test_the_rest_of_the_library(tmp_path):
    """Curvature, contributions, Jacobians, initialization, files, update rules."""
    given = draw([bptt.GRU(), *OWN.values()], np.random.default_rng(50))
    params, x, initial = given.at
    vector = bptt.tree_map(np.cos, params)
    product = bptt.hessian_vector_product(given.stack, params, x, given.cost, vector, initial)

    def gradient(p):
        return bptt.full_bptt(given.stack, p, x, given.cost, initial).gradient.params

    up, down = (
        gradient(bptt.tree_map(lambda p, v, h=h: p + h * v, params, vector)) for h in (1e-5, -1e-5)
    )
    assert_close(product, bptt.tree_map(lambda a, b: (a - b) / 2e-5, up, down), 1e-7)
    trace = given.run()
    d_outputs = given.cost(trace.outputs, slice(0, 7)).d_outputs
    assert_close(bptt.contributions(trace, d_outputs).total(), gradient(params), 1e-12)
    for layer in trace.layers:
        assert bptt.jacobian_spectrum(layer).singular_values.shape[:2] == (7, 2)
    drawn = bptt.orthogonal_recurrent(given.stack, params, np.random.default_rng(0))
    assert_close(bptt.forget_bias(given.stack, drawn, 0.0).readout, params.readout, 1e-300)
    bptt.save(tmp_path / "own.npz", params)
    assert_close(bptt.load(tmp_path / "own.npz", like=params), params, 1e-300)
    rule = bptt.Adam()
    moved, _ = rule.update(params, gradient(params), rule.init(params))
    assert type(moved.layers[0]) is type(params.layers[0])


@pytest.mark.parametrize("cell", OWN.values(), ids=OWN)
def test_it_can_be_checked(cell):
    assert bptt.check_cell(cell).ok


def test_states_not_given_are_zero_arrays_for_each_name():
    given = draw([Memory()], np.random.default_rng(51))
    params, x, initial = given.at
    zeros = bptt.tree_map(np.zeros_like, initial)
    ran = bptt.forward(given.stack, params, x), bptt.forward(given.stack, params, x, zeros)
    assert_close(ran[0].outputs, ran[1].outputs, 1e-300)
    alone = bptt.layer_forward(Memory(), params.layers[0], x)
    assert_close(alone.final, ran[1].final[0], 1e-300)


class ListsOfShapes(bptt.ResetBeforeGRU):
    """Says the shapes of its parameters in lists."""

    def shapes(self, n_below, n):
        return [[n_below, 3 * n], [n, 3 * n], [3 * n]]


def test_shapes_may_be_lists():
    """Compared with the same cell that says them in tuples."""
    runs = []
    for cell in (ListsOfShapes(), bptt.ResetBeforeGRU()):
        stack = bptt.Stack((cell,))
        trace = bptt.forward(stack, bptt.initialize(stack, (2, 3, 1), 0), np.ones((2, 1, 2)))
        runs.append((trace.outputs, bptt.backward(trace, np.ones((2, 1, 1))).x))
    assert all((a == b).all() for a, b in zip(*runs, strict=True))
    assert bptt.check_cell(ListsOfShapes()).ok


def test_its_parameters_are_a_record_like_the_others():
    """Compared with the sums and products of the arrays, and with the printed form of an LSTM's record."""
    stack = bptt.Stack((Leaky(),))
    layer = bptt.initialize(stack, (2, 3, 1), 0).layers[0]
    for got, factor in ((layer + layer, 2), (2 * layer, 2), (layer - layer, 0), (layer * 0.5, 0.5)):
        assert type(got) is type(layer)
        for one, twin in zip(got, layer, strict=True):
            np.testing.assert_array_equal(one, factor * twin)
    assert repr(layer) == "Parameters(w=(2, 3), u=(3, 3), b=(3,), r=(3,))  # 21 numbers"


def test_its_parameters_stay_valid_however_many_cells_there_are():
    stack = bptt.Stack((Leaky(),))
    params, x = bptt.initialize(stack, (2, 3, 1), 0), np.ones((2, 1, 2))
    before = bptt.forward(stack, params, x)
    for k in range(300):
        layout.record_type(("w", "b", f"own_{k}"))
    assert bptt.forward(stack, params, x).outputs.tolist() == before.outputs.tolist()


class Named:
    """A weighted input z_1; a state and own parameters that begin with its letters and are none."""

    def step(self, z_1, xi, zeta, h1):
        return (np.tanh(z_1) + xi * zeta + h1,), ()

    def step_backward(self, d_xi, xi, zeta, h1):
        return (d_xi,), (d_xi * zeta,), (d_xi * xi, d_xi)


def test_weighted_inputs_are_one_letter_or_a_letter_and_an_underscore():
    """As the docstring of `bptt.Cell` says."""
    found = bptt.cells.layout_of(Named())
    assert found == bptt.cells.Layout(("z_1",), ("xi",), ("zeta", "h1"), ())
    assert found.fields == ("w", "u", "b", "zeta", "h1")


def test_a_cell_that_is_gone_leaves_nothing_behind():
    """Neither do functions, of an instance or built by hand, nor what they close over."""

    class Table:
        pass

    def made():
        table = Table()

        class Own:
            def step(self, z, a):
                return (np.tanh(z),), (table,)

            def step_backward(self, d_a, a, n):
                return (d_a,), (0.0,), ()

        own, bare = Own(), Own()
        bare.step, bare.step_backward = partial(own.step), partial(own.step_backward)
        return own, bare, weakref.ref(table)

    *cells, table = made()
    for cell in cells:
        assert bptt.cells.layout_of(cell).weighted == ("z",)
    del cell, cells
    gc.collect()
    assert table() is None


class Around(Leaky):
    """A cell that keeps for itself what the names in another one say, under a name that it likes."""

    def __init__(self):
        self.layout = bptt.cells.layout_of(bptt.GRU())


class Untold(Leaky):
    """A cell with a property of that name, which fails."""

    @property
    def layout(self):
        raise ValueError


@pytest.mark.parametrize("cell", [Around, Untold])
def test_an_attribute_of_a_formula_does_not_say_what_its_names_do(cell):
    assert bptt.cells.layout_of(cell()) == bptt.cells.layout_of(Leaky())
    assert bptt.check_cell(cell()).ok


def test_methods_of_which_no_weak_reference_can_be_made_are_read_too():
    class Step:
        __slots__ = ()

        def __call__(self, z, a):
            return Leaky.step(self, z, a, 0 * a)

    class Own:
        step, step_backward = Step(), lambda _, d_a, a, n: ((d_a * (1 - n**2),), (0.0,), ())

    assert bptt.cells.layout_of(Own()).states == ("a",)
