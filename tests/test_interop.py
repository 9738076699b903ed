"""Weight layouts of other libraries, without the libraries: names, shapes, refusals, and the way back.

That the layouts are theirs is held by the libraries themselves, in tests/peers: PyTorch, Flax (linen and nnx),
Keras and ONNX Runtime. The names and shapes that are written down here are those that these libraries give.
"""

import re
from dataclasses import dataclass
from functools import partial

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


def draw(cells, rng=None, dtype=np.float64, units=4):
    rng = rng or np.random.default_rng(80)
    return bptt.initialize(bptt.Stack(cells), (3, *(units for _ in cells), 1), rng, dtype).layers


def bits(record):
    return [(name, leaf.dtype, leaf.tobytes()) for name, leaf in bptt.tree_leaves(record)]


def signed_zeros(layer):
    """Return the parameters with zeros of both signs in every bias, which only bits tell apart."""

    def mark(array):
        found = array.copy()
        found[0], found[-1] = 0.0, -0.0
        return found

    return bptt.tree_map(lambda a: mark(a) if a.ndim == 1 else a, layer)


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
    cell, layer = PLAIN[kind], signed_zeros(draw((PLAIN[kind],), dtype=dtype)[0])
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
    layers = signed_zeros(draw(cells, dtype=dtype))
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


# Keras, ONNX and nnx: names and shapes of 4 units on 3 inputs, blocks by hand, there and back.


NNX = {
    "Elman": ("nnx", {"dense_i": {"kernel": (3, 4), "bias": (4,)}, "dense_h": {"kernel": (4, 4)}}),
    "LSTM": (
        "nnx",
        {f"{'if_' if g == 'f' else 'i' + g}": {"kernel": (3, 4)} for g in "ifgo"}
        | {f"h{g}": {"kernel": (4, 4), "bias": (4,)} for g in "ifgo"},
    ),
    "LSTM, in one": (
        "nnx.OptimizedLSTMCell",
        {"dense_i": {"kernel": (3, 16)}, "dense_h": {"kernel": (4, 16), "bias": (16,)}},
    ),
    "GRU": ("nnx", {"dense_i": {"kernel": (3, 12), "bias": (12,)}, "dense_h": {"kernel": (4, 12)}}),
}
KERAS = {
    "Elman": (bptt.Elman(bptt.softplus), 4, (4,)),
    "LSTM": (bptt.LSTM(), 16, (16,)),
    "GRU": (bptt.GRU(), 12, (2, 12)),
    "ResetBeforeGRU": (bptt.ResetBeforeGRU(), 12, (12,)),
}
SIGMOID_TANH = ["Sigmoid", "Tanh"]
ONNX = {
    "Elman": (bptt.Elman(), 4, {"activations": ["Tanh"]}),
    "Elman of relu": (bptt.Elman(bptt.relu), 4, {"activations": ["Relu"]}),
    "LSTM": (bptt.LSTM(), 16, {"activations": [*SIGMOID_TANH, "Tanh"]}),
    "PeepholeLSTM": (bptt.PeepholeLSTM(), 16, {"activations": [*SIGMOID_TANH, "Tanh"]}),
    "GRU": (bptt.GRU(), 12, {"activations": SIGMOID_TANH, "linear_before_reset": 1}),
    "ResetBeforeGRU": (
        bptt.ResetBeforeGRU(),
        12,
        {"activations": SIGMOID_TANH, "linear_before_reset": 0},
    ),
}
precise = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def twice(cell):
    return bptt.Bidirectional(cell, cell)


def shapes(tree):
    return {k: shapes(v) if isinstance(v, dict) else v.shape for k, v in tree.items()}


@precise
@pytest.mark.parametrize("name", NNX)
def test_to_nnx_and_back(name, dtype):
    cell, (form, want) = PLAIN[name.partition(",")[0]], NNX[name]
    layer = signed_zeros(draw((cell,), dtype=dtype)[0])
    if name == "GRU":
        layer = layer._replace(c=np.zeros_like(layer.c))
    tree = bptt.to_flax(cell, layer, form)
    assert shapes(tree) == want
    assert bits(bptt.from_flax(cell, tree)) == bits(layer)
    assert bits(bptt.from_flax(cell, {"params": tree})) == bits(layer)


@precise
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", KERAS)
def test_to_keras_and_back(name, both, dtype):
    one, blocks, bias = KERAS[name]
    cell = twice(one) if both else one
    layer = signed_zeros(draw((cell,), dtype=dtype)[0])
    named = bptt.interop.to_keras(cell, layer)
    want = {"kernel": (3, blocks), "recurrent_kernel": (4, blocks), "bias": bias}
    assert shapes(named) == (
        dict.fromkeys(("forward_layer", "backward_layer"), want) if both else want
    )
    again = bptt.interop.from_keras(cell, named)
    assert type(again) is type(layer)
    assert bits(again) == bits(layer)


def test_keras_orders_the_gates_of_a_gru_otherwise():
    """By hand: z, r, h there is r, s, n here, with s = z; the second row of the bias holds c last."""
    layer = draw((bptt.GRU(),))[0]
    named = bptt.interop.to_keras(bptt.GRU(), layer)
    for ours, theirs in ((layer.w, named["kernel"]), (layer.b, named["bias"][0])):
        r, s, n = np.split(ours, 3, axis=-1)
        assert (theirs == np.concatenate([s, r, n], axis=-1)).all()
    assert (named["bias"][1] == np.concatenate([np.zeros(8), layer.c])).all()
    named["bias"][1] += np.arange(12.0)
    read = bptt.interop.from_keras(bptt.GRU(), named)
    r, s, n = np.split(layer.b, 3)
    assert_close(read.b, np.concatenate([r + np.arange(4.0, 8), s + np.arange(4.0), n]), 1e-15)
    assert_close(read.c, layer.c + np.arange(8.0, 12), 1e-15)


@precise
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", ONNX)
def test_to_onnx_and_back(name, both, dtype):
    one, blocks, want = ONNX[name]
    cell, count = (twice(one), 2) if both else (one, 1)
    layer = signed_zeros(draw((cell,), dtype=dtype)[0])
    inputs, attributes = bptt.interop.to_onnx(cell, layer)
    peepholes = {"P": (count, 12)} if name == "PeepholeLSTM" else {}
    assert (
        shapes(inputs)
        == {
            "W": (count, blocks, 3),
            "R": (count, blocks, 4),
            "B": (count, 2 * blocks),
        }
        | peepholes
    )
    direction = "bidirectional" if both else "forward"
    expected = {"hidden_size": 4, "direction": direction} | want
    expected["activations"] = want["activations"] * count
    assert attributes == expected
    again = bptt.interop.from_onnx(cell, inputs, attributes)
    assert type(again) is type(layer)
    assert bits(again) == bits(layer)


def test_onnx_orders_gates_and_peepholes_otherwise():
    """By hand: i, o, f, c there is i, f, g, o here, and P is in the order i, o, f."""
    cell = bptt.PeepholeLSTM()
    layer = draw((cell,))[0]
    inputs, _ = bptt.interop.to_onnx(cell, layer)
    i, f, g, o = np.split(layer.u, 4, axis=1)
    assert (inputs["R"][0] == np.concatenate([i, o, f, g], axis=1).T).all()
    assert (inputs["P"][0] == np.concatenate([layer.p_i, layer.p_o, layer.p_f])).all()


def test_attributes_as_an_onnx_file_has_them_and_its_defaults():
    """Bytes, any case, absent ones that are ONNX's defaults: what `get_attribute_value` gives."""
    lstm, relu = bptt.LSTM(), bptt.Elman(bptt.relu)
    inputs, _ = bptt.interop.to_onnx(lstm, draw((lstm,))[0])
    given = {"activations": [b"sigmoid", b"TANH", b"tanh"], "direction": b"forward", "layout": 1}
    read = bptt.interop.from_onnx(lstm, inputs, given | {"input_forget": 0})
    assert bits(read) == bits(bptt.interop.from_onnx(lstm, inputs, {"hidden_size": 4}))
    rnn, _ = bptt.interop.to_onnx(relu, draw((relu,))[0])
    with pytest.raises(ValueError, match=r"must be \['Relu'\] .*got \['Tanh'\], ONNX's default"):
        bptt.interop.from_onnx(relu, rnn, {})


def test_directions_of_onnx_may_have_activations_of_their_own():
    cell = bptt.Bidirectional(bptt.Elman(), bptt.Elman(bptt.relu))
    layer = draw((cell,))[0]
    inputs, attributes = bptt.interop.to_onnx(cell, layer)
    assert attributes["activations"] == ["Tanh", "Relu"]
    assert bits(bptt.interop.from_onnx(cell, inputs, attributes)) == bits(layer)


# Biases that are not there.


def without_bias(layer):
    return bptt.tree_map(lambda a: np.zeros_like(a) if a.ndim == 1 else a, layer)


@pytest.mark.parametrize("both", [False, True])
@kinds
def test_modules_without_bias(kind, both):
    """PyTorch's bias=False, Keras's use_bias=False, no B in ONNX: zeros here; there only if they are zeros."""
    cell = twice(PLAIN[kind]) if both else PLAIN[kind]
    layer = draw((cell,))[0]
    zero = without_bias(layer)
    state = bptt.to_torch((cell,), (zero,), bias=False)
    assert not [name for name in state if "bias" in name]
    assert bits(bptt.from_torch((cell,), state)) == bits((zero,))
    named = bptt.interop.to_keras(cell, zero, bias=False)
    assert bits(bptt.interop.from_keras(cell, named)) == bits(zero)
    inputs, attributes = bptt.interop.to_onnx(cell, zero)
    del inputs["B"]
    assert bits(bptt.interop.from_onnx(cell, inputs, attributes)) == bits(zero)
    side = ".forward" if both else ""
    with pytest.raises(ValueError, match=rf"layers\[0\]{side}.b must be zero for bias=False, got "):
        bptt.to_torch((cell,), (layer,), bias=False)
    with pytest.raises(ValueError, match=rf"layer{side}.b must be zero for use_bias=False, got "):
        bptt.interop.to_keras(cell, layer, bias=False)


def test_only_the_recurrent_bias_of_a_gru_is_in_the_way():
    zero = without_bias(draw((bptt.GRU(),))[0])
    layer = zero._replace(c=np.array([0, 0.5, 0, 0]))
    for call, what in (
        (lambda: bptt.to_torch((bptt.GRU(),), (layer,), bias=False), "bias=False"),
        (lambda: bptt.interop.to_keras(bptt.GRU(), layer, bias=False), "use_bias=False"),
        (lambda: bptt.to_flax(bptt.GRU(), layer, "nnx"), "nnx.GRUCell, which has no such bias"),
    ):
        with pytest.raises(ValueError, match=rf"c must be zero for {what}, got 0.5 in it"):
            call()


def test_a_bias_that_flax_does_not_have_acts():
    """Row 6 of the inputs that failed: ``ii.bias`` of an LSTM was dropped. It is added, as Flax would."""
    for kind, part, form in (("LSTM", "ii", "linen"), ("LSTM", "dense_i", "nnx.OptimizedLSTMCell")):
        cell = PLAIN[kind]
        layer = draw((cell,))[0]
        tree = bptt.to_flax(cell, layer, form)
        tree[part]["bias"] = np.full(tree[part]["kernel"].shape[1], 3.0)
        read = bptt.from_flax(cell, tree)
        want = layer.b.copy()
        want[: len(tree[part]["bias"])] += 3
        assert bits(read) == bits(layer._replace(b=want))
    tree = bptt.to_flax(bptt.GRU(), layer := without_bias(draw((bptt.GRU(),))[0]), "nnx")
    tree["dense_h"]["bias"] = np.arange(12.0)
    read = bptt.from_flax(bptt.GRU(), tree)
    assert read.b.tolist() == [*range(8), 0, 0, 0, 0]
    assert read.c.tolist() == [8, 9, 10, 11]
    assert (read.u == layer.u).all()


# What is refused, and by which name.


@dataclass(frozen=True)
class OwnLSTM(bptt.LSTM):
    """A subclass that adds nothing; the layouts cannot know that."""


@dataclass(frozen=True)
class OwnElman(bptt.Elman):
    """A subclass that adds nothing; the layouts cannot know that."""


@dataclass(frozen=True)
class OwnGRU(bptt.GRU):
    """A subclass that adds nothing; the layouts cannot know that."""


@pytest.mark.parametrize("own", [OwnLSTM(), OwnElman(), OwnGRU()])
def test_a_subclass_of_a_cell_is_refused(own):
    """It may compute something else; here each would have had the layout of its base, or Elman's."""
    layer = draw((own,))[0]
    for cell in (own, twice(own)):
        for call in (
            lambda cell=cell: bptt.to_torch((cell,), (layer,)),
            lambda cell=cell: bptt.from_torch((cell,), {}),
            lambda cell=cell: bptt.to_flax(cell, layer),
            lambda cell=cell: bptt.from_flax(cell, {}),
            lambda cell=cell: bptt.interop.to_keras(cell, layer),
            lambda cell=cell: bptt.interop.from_keras(cell, {}),
            lambda cell=cell: bptt.interop.to_onnx(cell, layer),
            lambda cell=cell: bptt.interop.from_onnx(cell, {}, {}),
        ):
            with pytest.raises(
                TypeError, match=r"must be a bptt\.\w.* or \w+(, got Bi| itself, not of)"
            ):
                call()


def test_a_compiled_cell_has_the_layout_of_its_formula():
    for cell in PLAIN.values():
        layer = draw((cell,))[0]
        compiled = bptt.compiled(cell)
        for one, other in (
            (bptt.to_torch((compiled,), (layer,)), bptt.to_torch((cell,), (layer,))),
            (bptt.interop.to_keras(compiled, layer), bptt.interop.to_keras(cell, layer)),
            (bptt.interop.to_onnx(compiled, layer)[0], bptt.interop.to_onnx(cell, layer)[0]),
        ):
            assert bits(list(one.values())) == bits(list(other.values()))
        assert bits(bptt.from_flax(compiled, bptt.to_flax(compiled, layer))) == bits(layer)


LSTM, GRU, BEFORE = bptt.LSTM(), bptt.GRU(), bptt.ResetBeforeGRU()
TREE = bptt.to_flax(LSTM, draw((LSTM,))[0])
STATE = bptt.to_torch((LSTM,), draw((LSTM,)))
NAMED = bptt.interop.to_keras(GRU, draw((GRU,))[0])
INPUTS, ATTRIBUTES = bptt.interop.to_onnx(LSTM, draw((LSTM,))[0])
GRU_INPUTS, GRU_ATTRIBUTES = bptt.interop.to_onnx(GRU, draw((GRU,))[0])
UNEQUAL = bptt.BothDirections(
    draw((LSTM,))[0],
    bptt.initialize(bptt.Stack((LSTM,)), (3, 5, 1), 0).layers[0],
)


def keras(cell=GRU, **changed):
    return bptt.interop.from_keras(cell, NAMED | changed)


def onnx(cell=LSTM, attributes=ATTRIBUTES, **changed):
    return bptt.interop.from_onnx(cell, INPUTS | changed, attributes)


def gru_onnx(cell, **changed):
    return bptt.interop.from_onnx(cell, GRU_INPUTS, GRU_ATTRIBUTES | changed)


ONE = np.ones(1)
REFUSED = [
    # PyTorch
    (lambda: bptt.from_torch((LSTM,), STATE | {"weight_hr_l0": np.ones((2, 4))}), "state must be that of a module without proj_size, which no cell here has, got weight_hr_l0"),
    (lambda: bptt.from_torch((twice(LSTM),), {"weight_hr_l0_reverse": ONE, "weight_hr_l0": ONE}), "state must be that of a module without proj_size, which no cell here has, got weight_hr_l0, weight_hr_l0_reverse"),
    (lambda: bptt.from_torch((LSTM,), {k: v for k, v in STATE.items() if k != "bias_hh_l0"}), "state must hold bias_hh_l0, got bias_ih_l0, weight_hh_l0, weight_ih_l0"),
    (lambda: bptt.from_torch((LSTM,), STATE | {"bias_hh_l0": np.ones(16, np.float32)}), "state['bias_hh_l0'] must have the precision of state['weight_hh_l0'], float64, got float32"),
    (lambda: bptt.from_torch((LSTM, LSTM), STATE | {k.replace("l0", "l1"): v for k, v in STATE.items()}), "state['weight_ih_l1'] must have shape (16, 4), got (16, 3)"),
    (lambda: bptt.to_torch((LSTM,), (bptt.tree_map(lambda a: a + 0j, draw((LSTM,))[0]),)), "layers[0].w must have dtype float32 or float64, got complex128"),
    (lambda: bptt.from_torch((bptt.Elman(bptt.sigmoid),), {}), "cells[0] must be an Elman of tanh or relu, got Elman(activation=Activation(name='sigmoid'))"),
    (lambda: bptt.from_torch((bptt.Bidirectional(LSTM, GRU),), {}), "cells must be all of one kind, got LSTM() and GRU()"),
    (lambda: bptt.from_torch((), {}), "cells must hold one cell or more, got ()"),
    (lambda: bptt.to_torch((), ()), "cells must hold one cell or more, got ()"),
    (lambda: bptt.to_torch((twice(LSTM),), (UNEQUAL,)), "layers must all have the same number of units, PyTorch's hidden_size, got [4, 5]"),
    # Flax
    (lambda: bptt.from_flax(LSTM, TREE | {"iq": {"kernel": ONE}}), "tree must hold nothing but the kernels and biases of a LSTM, got iq.kernel too"),
    (lambda: bptt.from_flax(LSTM, TREE | {"ii": TREE["ii"] | {"scale": ONE}}), "tree must hold nothing but the kernels and biases of a LSTM, got ii.scale too"),
    (lambda: bptt.from_flax(LSTM, TREE | {"empty": {}}), "tree must hold nothing but the kernels and biases of a LSTM, got empty too"),
    (lambda: bptt.from_flax(LSTM, {"params": TREE, "batch_stats": {"mean": ONE}}), "tree must hold hi.kernel, got batch_stats.mean, params.hf.bias"),
    (lambda: bptt.from_flax(LSTM, {"params": ONE}), "tree['params'] must be a mapping of names to arrays, got ndarray"),
    (lambda: bptt.from_flax(LSTM, {"params": TREE | {"hi": {"kernel": np.ones((4, 3)), "bias": np.ones(4)}}}), "tree['params']['hi']['kernel'] must have shape (n, n), got (4, 3)"),
    (lambda: bptt.from_flax(LSTM, TREE | {"hf": {"kernel": np.ones((4, 4))}}), "tree must hold hf.bias, got hf.kernel, hg.bias"),
    (lambda: bptt.from_flax(LSTM, {k: v for k, v in TREE.items() if k != "if"} | {"if_": {}}), "tree must hold if_.kernel, got hf.bias"),
    (lambda: bptt.from_flax(LSTM, {"dense_h": {"kernel": np.ones((4, 12))}}), "tree['dense_h']['kernel'] must have shape (n, 4n), got (4, 12)"),
    (lambda: bptt.from_flax(GRU, TREE), "tree must hold hr.kernel, got hf.bias"),
    (lambda: bptt.to_flax(LSTM, draw((LSTM,))[0], "haiku"), "form must be 'linen' or 'nnx' or 'nnx.OptimizedLSTMCell' for LSTM, got 'haiku'"),
    (lambda: bptt.to_flax(GRU, draw((GRU,))[0], "nnx.OptimizedLSTMCell"), "form must be 'linen' or 'nnx' for GRU, got 'nnx.OptimizedLSTMCell'"),
    # Keras
    (lambda: keras(seed_generator_state=ONE), "weights must hold nothing but a kernel, a recurrent_kernel and a bias, got seed_generator_state too"),
    (lambda: keras(BEFORE), "weights['bias'] must be that of a GRU with reset_after=False, got shape (2, 12): that is a bptt.GRU"),
    (lambda: keras(bias=np.ones(12)), "weights['bias'] must be that of a GRU with reset_after=True, got shape (12,): that is a bptt.ResetBeforeGRU"),
    (lambda: keras(bias=[[1.0, 2.0], [1.0]]), "weights['bias'] must be an array of numbers, got list"),
    (lambda: keras(bias=np.ones(11)), "weights['bias'] must have shape (2, 12), got (11,)"),
    (lambda: keras(LSTM), "weights['recurrent_kernel'] must have shape (n, 4n), got (4, 12)"),
    (lambda: keras(kernel=np.ones((3, 8))), "weights['kernel'] must have shape (n_below, 12), got (3, 8)"),
    (lambda: bptt.interop.from_keras(GRU, {}), "weights must hold recurrent_kernel, got nothing"),
    (lambda: bptt.interop.from_keras(GRU, [ONE]), "weights must be a mapping of names to arrays, got list"),
    (lambda: bptt.interop.from_keras(twice(GRU), NAMED), "weights must hold forward_layer.recurrent_kernel, got bias, kernel, recurrent_kernel"),
    (lambda: bptt.interop.from_keras(GRU, {"forward_layer": NAMED, "backward_layer": NAMED}), "weights must hold recurrent_kernel, got backward_layer.bias"),
    (lambda: bptt.interop.from_keras(twice(GRU), {"forward_layer": NAMED, "backward_layer": NAMED | {"kernel": np.ones((2, 12))}}), "weights['backward_layer']['kernel'] must have shape (3, 12), got (2, 12)"),
    (lambda: bptt.interop.to_keras(bptt.PeepholeLSTM(), ()), "cell must be a bptt.Elman, LSTM, GRU or ResetBeforeGRU, got PeepholeLSTM()"),
    (lambda: bptt.interop.to_keras(bptt.Bidirectional(LSTM, bptt.Diagonal()), ()), "cell.backward must be a bptt.Elman, LSTM, GRU or ResetBeforeGRU, got Diagonal"),
    # ONNX
    (lambda: onnx(P=np.ones((1, 12))), "inputs must hold no P (peepholes) for a bptt.LSTM; a bptt.PeepholeLSTM has them"),
    (lambda: onnx(bptt.PeepholeLSTM()), "inputs must hold P, got B, R, W"),
    (lambda: onnx(initial_h=ONE), "inputs must hold nothing but W, R and B, got initial_h too"),
    (lambda: onnx(bptt.PeepholeLSTM(), P=np.ones((1, 12)), X=ONE), "inputs must hold nothing but W, R, B and P, got X too"),
    (lambda: onnx(R=np.ones((1, 12, 4))), "inputs['R'] must have shape (1, 4n, n), got (1, 12, 4)"),
    (lambda: onnx(B=np.ones((1, 16))), "inputs['B'] must have shape (1, 32), got (1, 16)"),
    (lambda: onnx(twice(LSTM)), "inputs['R'] must have shape (2, 4n, n), got (1, 16, 4)"),
    (lambda: onnx(attributes=[1]), "attributes must be a mapping of names to values, got list ([1])"),
    (lambda: onnx(attributes=ATTRIBUTES | {"clip": 3.0}), "attributes must not have clip, which LSTM() does not do, got 3.0"),
    (lambda: onnx(attributes=ATTRIBUTES | {"activation_alpha": [0.1]}), "attributes must not have activation_alpha, which LSTM() does not do, got [0.1]"),
    (lambda: onnx(attributes=ATTRIBUTES | {"linear_before_reset": 1}), "attributes must not have linear_before_reset, which LSTM() does not do, got 1"),
    (lambda: onnx(attributes=ATTRIBUTES | {"input_forget": 1}), "attributes['input_forget'] must be 0 for LSTM(), got 1"),
    (lambda: onnx(attributes=ATTRIBUTES | {"hidden_size": 5}), "attributes['hidden_size'] must be 4 for LSTM(), got 5"),
    (lambda: onnx(attributes=ATTRIBUTES | {"direction": b"reverse"}), "attributes['direction'] must be 'forward' for LSTM(), got 'reverse'"),
    (lambda: onnx(attributes=ATTRIBUTES | {"activations": [b"Sigmoid", b"Relu", b"Tanh"]}), "attributes['activations'] must be ['Sigmoid', 'Tanh', 'Tanh'] for LSTM(), got ['Sigmoid', 'Relu', 'Tanh']"),
    (lambda: gru_onnx(GRU, linear_before_reset=0), "attributes['linear_before_reset'] must be 1 for GRU(), got 0"),
    (lambda: gru_onnx(BEFORE), "attributes['linear_before_reset'] must be 0 for ResetBeforeGRU(), got 1"),
    (lambda: bptt.interop.from_onnx(GRU, GRU_INPUTS, {}), "attributes['linear_before_reset'] must be 1 for GRU(), got 0, ONNX's default"),
    (lambda: bptt.interop.to_onnx(bptt.Diagonal(), ()), "cell must be a bptt.Elman, LSTM, PeepholeLSTM, GRU or ResetBeforeGRU, got Diagonal"),
    (lambda: bptt.interop.to_onnx(bptt.Bidirectional(LSTM, GRU), ()), "cell must be of one kind in both directions, got Bidirectional(forward=LSTM(), backward=GRU())"),
    (lambda: bptt.interop.to_onnx(bptt.Elman(bptt.identity), ()), "cell must have an activation that ONNX has (tanh, relu, sigmoid, softplus), got identity"),
    (lambda: bptt.interop.to_onnx(twice(LSTM), UNEQUAL), "layer must have as many units in both directions, got 4 and 5"),
    (lambda: bptt.interop.from_onnx(LSTM, 3, {}), "inputs must be a mapping of names to arrays, got int (3)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_is_not_read_is_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(message)):
        call()


def ways_there_and_back():
    """Yield each layout: its name, the parameters, and the functions to it and back."""
    for kind, cell in PLAIN.items():
        forms = {name: form for name, (form, _) in NNX.items() if name.partition(",")[0] == kind}
        for form in ("linen", *forms.values()):
            there, back = partial(bptt.to_flax, cell, form=form), partial(bptt.from_flax, cell)
            yield f"flax {form}, {kind}", cell, there, back
        for one in (cell, twice(cell)):
            yield (
                f"torch, {one}",
                one,
                lambda layer, one=one: bptt.to_torch((one,), (layer,)),
                lambda state, one=one: bptt.from_torch((one,), state)[0],
            )
    for cell, *_ in KERAS.values():
        for one in (cell, twice(cell)):
            there, back = (
                partial(f, one) for f in (bptt.interop.to_keras, bptt.interop.from_keras)
            )
            yield f"keras, {one}", one, there, back
    for cell, *_ in ONNX.values():
        for one in (cell, twice(cell)):
            yield (
                f"onnx, {one}",
                one,
                lambda layer, one=one: bptt.interop.to_onnx(one, layer)[0],
                lambda inputs, one=one: bptt.interop.from_onnx(
                    one, inputs, bptt.interop.to_onnx(one, draw((one,), units=2)[0])[1]
                ),
            )


WAYS = {name: way for name, *way in ways_there_and_back()}


def mappings_in(given):
    """Return a mapping and those in it, the outer one first."""
    inner = [
        one for value in given.values() if isinstance(value, dict) for one in mappings_in(value)
    ]
    return [given, *inner]


def bytes_of(given):
    """Return the contents of all arrays of a mapping and of those in it."""
    return [
        array.tobytes()
        for one in mappings_in(given)
        for array in one.values()
        if not isinstance(array, dict)
    ]


@pytest.mark.parametrize("name", WAYS)
def test_a_conversion_drops_no_entry_and_no_name(name):
    """Each entry of each array, changed by itself, changes the result; a name that is not known is refused.

    The reference is what is read, or written, without the change.
    """
    cell, there, back = WAYS[name]
    (layer,) = draw((cell,), units=2)
    if name.startswith("flax nnx, GRU"):
        layer = layer._replace(c=np.zeros(2))
    given, read = there(layer), bits(layer)
    for mapping in mappings_in(given):
        for key, array in mapping.items():
            if isinstance(array, dict):
                continue
            for entry in np.ndindex(array.shape):
                kept, array[entry] = array[entry], 7.0
                assert bits(back(given)) != read, (key, entry)
                array[entry] = kept
        mapping["a name of its own"] = np.ones(2)
        with pytest.raises(ValueError, match=r"a name of its own( too|,|\.)"):
            back(given)
        del mapping["a name of its own"]
    assert bits(back(given)) == read
    want = bytes_of(given)
    for where, array in bptt.tree_leaves(layer):
        for entry in np.ndindex(array.shape):
            kept, array[entry] = array[entry], 7.0
            try:
                assert bytes_of(there(layer)) != want, (where, entry)
            except ValueError as error:  # nnx has no such bias
                assert (name, where) == ("flax nnx, GRU", "c"), error  # noqa: PT017
            array[entry] = kept


@pytest.mark.parametrize("name", WAYS)
def test_mappings_are_the_callers(name):
    """No array shares memory with the parameters or with what is read, and all are writable."""
    cell, there, back = WAYS[name]
    (layer,) = draw((cell,), units=2)
    if name.startswith("flax nnx, GRU"):
        layer = layer._replace(c=np.zeros(2))
    given = there(layer)
    own = [leaf for _, leaf in bptt.tree_leaves((layer, back(given)))]
    for array in (a for one in mappings_in(given) for a in one.values() if not isinstance(a, dict)):
        assert not any(np.shares_memory(array, leaf) for leaf in own)
        array[...] = 7


def sized(cell, *sizes):
    """Return layers of these numbers of units on 3 inputs."""
    return bptt.initialize(bptt.Stack((cell,) * len(sizes)), (3, *sizes, 1), 0).layers


@kinds
@pytest.mark.parametrize("both", [False, True])
def test_layers_that_no_module_of_pytorch_holds_are_refused(kind, both):
    """A module has one hidden_size, reads one direction or two, and each layer fits the one below."""
    cell = PLAIN[kind]
    cell = twice(cell) if both else cell
    assert len(bptt.to_torch((cell,) * 3, draw((cell,) * 3))) == 3 * 4 * (1 + both)
    for wrong in ((4, 5), (5, 4), (4, 4, 6), (1, 4)):
        message = (
            r"layers must all have the same number of units, PyTorch's hidden_size, got \[\d, \d\]"
        )
        with pytest.raises(ValueError, match=message):
            bptt.to_torch((cell,) * len(wrong), sized(cell, *wrong))
    lone = sized(cell, 4)[0]
    with pytest.raises(ValueError, match=r"layers\[1\]\S*\.w must have shape \(\d, \d+\), got"):
        bptt.to_torch((cell,) * 2, (lone, lone))
    for cells in ((PLAIN[kind], twice(PLAIN[kind])), (twice(PLAIN[kind]), PLAIN[kind])):
        layers = bptt.initialize(bptt.Stack(cells), (3, 4, 4, 1), 0).layers
        for call in (lambda a=cells, b=layers: bptt.to_torch(a, b), lambda a=cells: bptt.from_torch(a, {})):  # fmt: skip
            with pytest.raises(TypeError, match="cells must all be Bidirectional or none, got 1"):
                call()


def test_the_c_of_a_gru_keeps_its_digits():
    """A c of float64 in a layer of float32, compared with itself."""
    cell = bptt.GRU()
    layer = draw((cell,), dtype=np.float32)[0]._replace(c=np.array([0.1, 0.2, 0.3, 0.7]))
    written = {
        "torch": bptt.to_torch((cell,), (layer,))["bias_hh_l0"][8:],
        "keras": bptt.interop.to_keras(cell, layer)["bias"][1, 8:],
        "flax": bptt.to_flax(cell, layer)["hn"]["bias"],
        "onnx": bptt.interop.to_onnx(cell, layer)[0]["B"][0, 20:],
    }
    for library, found in written.items():
        assert (found == layer.c).all(), library


def test_attributes_of_onnx_may_be_arrays():
    cell = bptt.GRU()
    inputs, attributes = bptt.interop.to_onnx(cell, draw((cell,))[0])
    for name, value, words in (
        ("activations", np.array(["Tanh", "Tanh"]), "must be .* got .'Tanh', 'Tanh'.$"),
        ("layout", np.array([1, 2]), "must be 0 or 1, got array"),
        ("layout", 7, "must be 0 or 1, got 7"),
    ):
        with pytest.raises(ValueError, match=rf"attributes\['{name}'\] {words}"):
            bptt.interop.from_onnx(cell, inputs, attributes | {name: value})
    right = {"activations": np.array(["sigmoid", "tanh"]), "layout": np.array(1)}
    again = bptt.interop.from_onnx(cell, inputs, attributes | right)
    assert bits(again) == bits(bptt.interop.from_onnx(cell, inputs, attributes))


class Parameter:
    """An array that refuses to become NumPy's, as one of PyTorch that requires a gradient."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        """Refuse."""
        raise self.error


@pytest.mark.parametrize(
    "error", [RuntimeError("requires grad, detach it"), TypeError("unsupported type BFloat16")]
)
def test_arrays_of_other_libraries_that_are_not_handed_out_are_named(error):
    state = bptt.to_torch((bptt.LSTM(),), draw((bptt.LSTM(),)))
    state["weight_ih_l0"] = Parameter(error)
    with pytest.raises(
        TypeError,
        match=rf"state\['weight_ih_l0'\] must be an array of numbers, got Parameter: {error}",
    ):
        bptt.from_torch((bptt.LSTM(),), state)
