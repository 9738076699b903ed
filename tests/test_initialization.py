"""Customs for the first parameters: orthogonal blocks, forget biases, and nothing else changed."""

from typing import NamedTuple

import numpy as np
import pytest
from nets import CELLS

import bptt

MIXED = bptt.Stack(
    (
        bptt.Elman(),
        bptt.Bidirectional(bptt.LSTM(), bptt.GRU()),
        bptt.Diagonal(),
        bptt.PeepholeLSTM(),
        bptt.ResetBeforeGRU(),
    )
)
SIZES = (2, 5, 6, 4, 3, 5, 1)


def draw(dtype=np.float64):
    return bptt.initialize(MIXED, SIZES, np.random.default_rng(70), dtype)


def named(params):
    return dict(bptt.tree_leaves(params))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_each_block_of_each_u_becomes_orthogonal(dtype, gain):
    params = draw(dtype)
    found = bptt.orthogonal_recurrent(MIXED, params, np.random.default_rng(71), gain)
    blocks = 0
    for name, leaf in named(found).items():
        assert leaf.dtype == dtype
        if not name.endswith(".u"):
            assert leaf.tobytes() == named(params)[name].tobytes()
            continue
        n = len(leaf)
        for block in np.split(leaf, leaf.shape[1] // n, axis=1):
            blocks += 1
            rounding = 20 * np.finfo(dtype).eps
            assert np.abs(block @ block.T - gain**2 * np.eye(n)).max() < rounding
    assert blocks == 1 + 4 + 3 + 4 + 3


def test_orthogonal_matrices_are_uniform():
    """The signs of QR are made unique: no entry, and no eigenvalue, prefers a side."""
    stack = bptt.Stack((bptt.Elman(),))
    params = bptt.initialize(stack, (1, 2, 1), np.random.default_rng(0))
    rng = np.random.default_rng(72)
    drawn = np.array(
        [bptt.orthogonal_recurrent(stack, params, rng).layers[0].u for _ in range(4000)]
    )
    assert np.abs(drawn.mean(axis=0)).max() < 5 * np.sqrt(0.5 / 4000)
    assert abs(np.linalg.det(drawn).mean()) < 5 / np.sqrt(4000)


def test_forget_biases_of_lstm_layers_and_nothing_else():
    params = draw()
    found = bptt.forget_bias(MIXED, params, 1.5)
    changed = {n for n, leaf in named(found).items() if (leaf != named(params)[n]).any()}
    assert changed == {"layers[1].forward.b", "layers[3].b"}
    # Without a value it is one, as Jozefowicz et al. (2015) recommend.
    assert (bptt.forget_bias(MIXED, params).layers[3].b[3:6] == 1).all()
    for before, after, n in (
        (params.layers[1].forward.b, found.layers[1].forward.b, 6),
        (params.layers[3].b, found.layers[3].b, 3),
    ):
        assert (after[n : 2 * n] == 1.5).all()
        others = np.r_[0:n, 2 * n : 4 * n]
        assert (after[others] == before[others]).all()


@pytest.mark.parametrize(
    "cell", [bptt.LSTM(), bptt.Bidirectional(bptt.PeepholeLSTM(), bptt.LSTM())]
)
def test_a_compiled_cell_gets_the_same_first_parameters(cell):
    """Compared with the same calls on the cell itself."""
    pytest.importorskip("numba")
    drawn = []
    for one in (cell, bptt.compiled(cell)):
        stack = bptt.Stack((one,))
        params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(74))
        params = bptt.orthogonal_recurrent(stack, params, np.random.default_rng(75))
        drawn.append(named(bptt.forget_bias(stack, params, 2.0)))
    assert drawn[0].keys() == drawn[1].keys()
    assert all((drawn[0][name] == drawn[1][name]).all() for name in drawn[0])
    assert any((leaf == 2.0).any() for leaf in drawn[1].values())


@pytest.mark.parametrize("name", CELLS)
def test_parameters_of_every_cell_are_drawn_within_their_bound(name):
    stack = bptt.Stack((CELLS[name],))
    params = bptt.initialize(stack, (7, 64, 1), np.random.default_rng(73))
    layer = params.layers[0]
    assert type(layer) is CELLS[name].parameters
    for part, leaf in named(layer).items():
        assert np.abs(leaf).max() <= 1 / 8, part
        assert np.abs(leaf).max() > 0.9 / 8, part


def test_a_layer_above_both_directions_sees_both():
    params = draw()
    assert params.layers[2].w.shape == (12, 4)
    assert bptt.forward(MIXED, params, np.ones((2, 1, 2))).outputs.shape == (2, 1, 1)


class ForgetFirst(bptt.LSTM):
    """Right, with the forget gate's block the first."""

    def step(self, z_f, z_i, z_g, z_o, a, c):
        return super().step(z_i, z_f, z_g, z_o, a, c)

    def step_backward(self, d_a, d_c, a, c, i, not_i, f, not_f, g, o, not_o, tanh_c):
        saved = i, not_i, f, not_f, g, o, not_o, tanh_c
        (d_i, d_f, d_g, d_o), *others = super().step_backward(d_a, d_c, a, c, *saved)
        return (d_f, d_i, d_g, d_o), *others


class OtherNames(NamedTuple):
    """The record of a recurrent layer, as another library names its arrays."""

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray


class Renamed(ForgetFirst):
    """With other names in its record."""

    parameters = OtherNames


@pytest.mark.parametrize(
    "cell", [ForgetFirst(), Renamed(), bptt.Bidirectional(Renamed(), ForgetFirst())]
)
def test_subclasses_have_their_own_order_and_names(cell):
    """The block is that of z_f in `step`, the array that of its place: nothing else changes."""
    stack = bptt.Stack((cell,))
    params = bptt.tree_map(np.zeros_like, bptt.initialize(stack, (2, 3, 1), 0))
    for layer in bptt.forget_bias(stack, params, 5.0).layers:
        for one in layer if isinstance(layer, bptt.BothDirections) else (layer,):
            w, u, b = one
            assert b.tolist() == [5.0] * 3 + [0.0] * 9
            assert not w.any()
            assert not u.any()
    for layer in bptt.orthogonal_recurrent(stack, params, 0).layers:
        for one in layer if isinstance(layer, bptt.BothDirections) else (layer,):
            for block in np.split(one[1], 4, axis=1):
                assert np.abs(block @ block.T - np.eye(3)).max() < 20 * np.finfo(float).eps


def test_an_lstm_without_a_forget_gate_of_that_name_is_refused():
    class Unnamed(bptt.LSTM):
        def step(self, z_1, z_2, z_3, z_4, a, c):
            return super().step(z_1, z_2, z_3, z_4, a, c)

    stack = bptt.Stack((Unnamed(),))
    with pytest.raises(ValueError, match=r"Unnamed.step must take z_f, .* got z_1, z_2"):
        bptt.forget_bias(stack, bptt.initialize(stack, (2, 3, 1), 0))


@pytest.mark.parametrize("number", [1e39, 10**400], ids=["1e39", "10**400"])
def test_numbers_that_the_parameters_cannot_hold_are_refused(number):
    stack = bptt.Stack((bptt.LSTM(),))
    params = bptt.initialize(stack, (2, 3, 1), 0, np.float32)
    with pytest.raises(ValueError, match=r"value must be .*, got (1e|an int of 1329)"):
        bptt.forget_bias(stack, params, number)
    with pytest.raises(ValueError, match=r"gain must be .*, got (1e|an int of 1329)"):
        bptt.orthogonal_recurrent(stack, params, 0, gain=number)


class LowRank(bptt.ResetBeforeGRU):
    """Has a u of another shape than its blocks would have; it is never run here."""

    def __init__(self, *shape):
        object.__setattr__(self, "shape", shape)

    def shapes(self, n_below, n):
        return (n_below, n), self.shape, (n,)


@pytest.mark.parametrize("shape", [(4, 3), (4, 5), (12, 4), (4,)])
def test_a_u_without_square_blocks_is_refused(shape):
    stack = bptt.Stack((LowRank(*shape),))
    params = bptt.initialize(stack, (2, 4, 1), 0)
    with pytest.raises(ValueError, match=r"^u of LowRank must have shape \(n, g n\), got "):
        bptt.orthogonal_recurrent(stack, params, 0)
