"""Weight layouts of other frameworks, without the frameworks: names, shapes, and the way back.

That they are PyTorch's is held by PyTorch itself, in tests/peers. Flax's were held to Flax 0.12 (JAX 0.10)
once: outputs and all gradients of SimpleCell, LSTMCell and GRUCell agreed to 1e-15, and the trees of
``init`` had the names and shapes that are written down here.
"""

import numpy as np
import pytest
from closeness import assert_close

import bptt

PLAIN = {"Elman": bptt.Elman(), "LSTM": bptt.LSTM(), "GRU": bptt.GRU()}
# Names and shapes of flax.linen's cells with 4 features on 3 inputs, as its init gives them.
FLAX = {
    "Elman": {"i": {"kernel": (3, 4), "bias": (4,)}, "h": {"kernel": (4, 4)}},
    "LSTM": {f"i{g}": {"kernel": (3, 4)} for g in "ifgo"}
    | {f"h{g}": {"kernel": (4, 4), "bias": (4,)} for g in "ifgo"},
    "GRU": {f"i{g}": {"kernel": (3, 4), "bias": (4,)} for g in "rzn"}
    | {
        "hr": {"kernel": (4, 4)},
        "hz": {"kernel": (4, 4)},
        "hn": {"kernel": (4, 4), "bias": (4,)},
    },
}

kinds = pytest.mark.parametrize("kind", PLAIN)


def draw(cells, rng=None, dtype=np.float64):
    rng = rng or np.random.default_rng(80)
    return bptt.initialize(bptt.Stack(cells), (3, *(4 for _ in cells), 1), rng, dtype).layers


def bits(record):
    return [(name, leaf.dtype, leaf.tobytes()) for name, leaf in bptt.tree_leaves(record)]


def run_flax(kind, tree, x, state):
    """Run Flax's cell, as its documentation has the equations, in plain NumPy."""

    def affine(part, value):
        return value @ tree[part]["kernel"] + tree[part].get("bias", 0.0)

    outputs, sigmoid = [], bptt.sigmoid
    h, c = state[0], state[-1]
    for now in x:
        if kind == "Elman":
            h = np.tanh(affine("i", now) + affine("h", h))
        elif kind == "LSTM":
            i, f, o = (sigmoid(affine(f"i{g}", now) + affine(f"h{g}", h)) for g in "ifo")
            c = f * c + i * np.tanh(affine("ig", now) + affine("hg", h))
            h = o * np.tanh(c)
        else:
            r, z = (sigmoid(affine(f"i{g}", now) + affine(f"h{g}", h)) for g in "rz")
            n = np.tanh(affine("in", now) + r * affine("hn", h))
            h = (1 - z) * n + z * h
        outputs.append(h)
    return np.array(outputs)


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_to_flax_and_back(kind, dtype):
    cell, (layer,) = PLAIN[kind], draw((PLAIN[kind],), dtype=dtype)
    tree = bptt.to_flax(cell, layer)
    assert {p: {k: a.shape for k, a in inner.items()} for p, inner in tree.items()} == FLAX[kind]
    again = bptt.from_flax(cell, tree)
    assert type(again) is type(layer)
    assert bits(again) == bits(layer)


@kinds
def test_flax_equations_with_our_weights(kind):
    cell, (layer,) = PLAIN[kind], draw((PLAIN[kind],))
    rng = np.random.default_rng(81)
    x, state = (
        rng.normal(size=(6, 2, 3)),
        tuple(rng.normal(size=(len(bptt.cells.state_names_of(cell)), 2, 4))),
    )
    trace = bptt.layer_forward(cell, layer, x, state)
    assert_close(trace.outputs, run_flax(kind, bptt.to_flax(cell, layer), x, state), 1e-14)


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("both", [False, True])
def test_to_torch_and_back(kind, dtype, both):
    cell = bptt.Bidirectional(PLAIN[kind], PLAIN[kind]) if both else PLAIN[kind]
    cells = (cell,) * 3
    layers = draw(cells, dtype=dtype)
    state = bptt.to_torch(cells, layers)
    blocks = {"Elman": 1, "LSTM": 4, "GRU": 3}[kind] * 4
    ends = ("", "_reverse") if both else ("",)
    want = {
        f"{name}_l{k}{end}": shape
        for k in range(3)
        for end in ends
        for name, shape in {
            "weight_ih": (blocks, 3 if k == 0 else 4 * len(ends)),
            "weight_hh": (blocks, 4),
            "bias_ih": (blocks,),
            "bias_hh": (blocks,),
        }.items()
    }
    assert {name: array.shape for name, array in state.items()} == want
    assert bits(bptt.from_torch(cells, state)) == bits(layers)
    assert bits(list(bptt.to_torch(cells, bptt.from_torch(cells, state)).values())) == bits(
        list(state.values())
    )


def test_two_biases_of_pytorch_act_as_one():
    """All of bias_hh is added to bias_ih, but for the block that a GRU's reset gate is applied to."""
    for kind, cell in PLAIN.items():
        state = bptt.to_torch((cell,), draw((cell,)))
        before = state["bias_ih_l0"].copy()
        own = state["bias_hh_l0"].copy()
        state["bias_hh_l0"] = own + np.arange(len(own))
        (layer,) = bptt.from_torch((cell,), state)
        n = len(layer.u)
        added = np.arange(len(own), dtype=float)
        if kind == "GRU":
            assert (layer.c == (own + added)[2 * n :]).all()
            added[2 * n :] = 0
        assert (layer.b == before + added).all()


@kinds
def test_mappings_share_no_memory_with_parameters(kind):
    cell, layers = PLAIN[kind], draw((PLAIN[kind],))
    mine = [leaf for _, leaf in bptt.tree_leaves(layers)]
    state, tree = bptt.to_torch((cell,), layers), bptt.to_flax(cell, layers[0])
    theirs = [*state.values(), *(a for inner in tree.values() for a in inner.values())]
    read = bptt.from_torch((cell,), state), bptt.from_flax(cell, tree)
    for array in theirs:
        assert not any(np.shares_memory(array, leaf) for leaf in mine)
        assert not any(np.shares_memory(array, leaf) for _, leaf in bptt.tree_leaves(read))
