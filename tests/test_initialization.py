"""Customs for the first parameters: orthogonal blocks, forget biases, and nothing else changed."""

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
