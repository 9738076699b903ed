"""PyTorch's nn.RNN, nn.LSTM and nn.GRU with the same weights: layers, directions, lengths, states.

Float64, relative to the largest entry of an array. A padded batch is a packed sequence there, a mask here;
the weights travel through `bptt.to_torch` and `bptt.from_torch`, which this holds as well.
"""

import numpy as np
import pytest
import torch
from closeness import assert_close

import bptt

pytestmark = pytest.mark.peer

STEPS, BATCH, WIDTH, BELOW = 9, 4, 5, 3
MODULES = {
    "RNN": (torch.nn.RNN, bptt.Elman()),
    "LSTM": (torch.nn.LSTM, bptt.LSTM()),
    "GRU": (torch.nn.GRU, bptt.GRU()),
}

kinds = pytest.mark.parametrize("kind", MODULES)
depths = pytest.mark.parametrize("depth", [1, 2, 3])
directions = pytest.mark.parametrize("both", [False, True], ids=["one direction", "both"])


def build(kind, depth, both, rng, dtype=np.float64):
    """Return a stack, its parameters, and PyTorch's module with the same."""
    module, cell = MODULES[kind]
    cells = (bptt.Bidirectional(cell, cell) if both else cell,) * depth
    stack = bptt.Stack(cells)
    params = bptt.initialize(stack, (BELOW, *[WIDTH] * depth, 1), rng, dtype)
    kwargs = {"bidirectional": both, "dtype": torch.from_numpy(params.readout.w).dtype}
    theirs = module(BELOW, WIDTH, depth, **kwargs)
    state = bptt.to_torch(stack.cells, params.layers)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return stack, params, theirs


def in_rows(states, arrays):
    """Return our states as PyTorch's: for each array one (layers x directions, B, n)."""
    flat = [one for layer in states for one in directions_of(layer)]
    return [np.stack([state[i] for state in flat]) for i in range(arrays)]


def directions_of(layer):
    return [layer] if isinstance(layer[0], np.ndarray) else list(layer)


def in_layers(rows, both):
    """Return PyTorch's states as ours."""
    states = [tuple(array[i] for array in rows) for i in range(len(rows[0]))]
    return tuple(zip(states[::2], states[1::2], strict=True)) if both else tuple(states)


def tensor(array):
    return torch.tensor(array, requires_grad=True)


def hidden(theirs, x, states, lengths):
    """Run PyTorch's module, packed where there are lengths."""
    given = tuple(states) if len(states) == 2 else states[0]
    if lengths is None:
        outputs, final = theirs(x, given)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        outputs, final = theirs(packed, given)
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, total_length=STEPS)
    return outputs, final if len(states) == 2 else (final,)


@kinds
@depths
@directions
@pytest.mark.parametrize("packed", [False, True], ids=["whole", "packed"])
def test_outputs_states_and_all_gradients(kind, depth, both, packed):
    rng = np.random.default_rng([30, depth, both, packed])
    stack, params, theirs = build(kind, depth, both, rng)
    arrays = 2 if kind == "LSTM" else 1
    lengths = [7, 9, 1, 4] if packed else None
    mask = None if lengths is None else bptt.lengths_to_mask(lengths, STEPS)
    x = rng.normal(size=(STEPS, BATCH, BELOW))
    rows = [rng.normal(size=(depth * (1 + both), BATCH, WIDTH)) for _ in range(arrays)]
    d_rows = [rng.normal(size=row.shape) for row in rows]
    d_hidden = rng.normal(size=(STEPS, BATCH, WIDTH * (1 + both)))
    if packed:
        d_hidden = d_hidden * mask[..., None]

    # The readout is left out on both sides: the top layer's outputs are what the cost sees.
    layers, below = [], x
    initial, d_final = in_layers(rows, both), in_layers(d_rows, both)
    for cell, layer, state in zip(stack.cells, params.layers, initial, strict=True):
        layers.append(bptt.layer_forward(cell, layer, below, state, mask))
        below = layers[-1].outputs
    d_a, gradients = d_hidden, []
    for trace, d_state in zip(reversed(layers), reversed(d_final), strict=True):
        gradients.insert(0, bptt.layer_backward(trace, d_a, d_state))
        d_a = gradients[0].x

    x_torch, rows_torch = tensor(x), [tensor(row) for row in rows]
    outputs, final = hidden(theirs, x_torch, rows_torch, lengths)
    cost = (outputs * torch.from_numpy(d_hidden)).sum()
    for state, d in zip(final, d_rows, strict=True):
        cost = cost + (state * torch.from_numpy(d)).sum()
    cost.backward()

    got = below if mask is None else below * mask[..., None]
    assert_close(got, outputs.detach().numpy(), 1e-10)
    finals = in_rows([trace.final for trace in layers], arrays)
    assert_close(finals, [state.detach().numpy() for state in final], 1e-10)
    assert_close(d_a, x_torch.grad.numpy(), 1e-10)
    initial_gradients = in_rows([gradient.initial for gradient in gradients], arrays)
    assert_close(initial_gradients, [row.grad.numpy() for row in rows_torch], 1e-10)
    for name, gradient in bptt.to_torch(stack.cells, [g.params for g in gradients]).items():
        want = getattr(theirs, name).grad.numpy()
        if name.startswith("bias_hh"):  # here: zero, or c of a GRU, which is one third of it
            n = len(want) // 3
            if kind == "GRU":
                assert_close(gradient[2 * n :], want[2 * n :], 1e-10)
        else:
            assert_close(gradient, want, 1e-10)


@kinds
@depths
@directions
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_travel_both_ways_bit_for_bit(kind, depth, both, dtype):
    """There and back: the same bits; PyTorch's own two biases are added, and its outputs kept."""
    rng = np.random.default_rng([31, depth, both])
    stack, params, theirs = build(kind, depth, both, rng, dtype)
    state = {name: array.numpy() for name, array in theirs.state_dict().items()}
    again = bptt.from_torch(stack.cells, state)
    pairs = zip(bptt.tree_leaves(again), bptt.tree_leaves(params.layers), strict=True)
    for (name, got), (other, want) in pairs:
        assert (name, got.dtype, got.tobytes()) == (other, want.dtype, want.tobytes())
    there = bptt.to_torch(stack.cells, again)
    assert {name: array.tobytes() for name, array in there.items()} == {
        name: array.tobytes() for name, array in state.items()
    }


@kinds
@depths
@directions
def test_weights_that_pytorch_drew_give_its_outputs(kind, depth, both):
    """A module as it comes, with both of its biases: read, run, compared."""
    torch.manual_seed(depth)
    module, cell = MODULES[kind]
    theirs = module(BELOW, WIDTH, depth, bidirectional=both, dtype=torch.float64)
    cells = (bptt.Bidirectional(cell, cell) if both else cell,) * depth
    layers = bptt.from_torch(cells, {k: v.numpy() for k, v in theirs.state_dict().items()})
    below = x = np.random.default_rng(32).normal(size=(STEPS, BATCH, BELOW))
    for one, layer in zip(cells, layers, strict=True):
        below = bptt.layer_forward(one, layer, below).outputs
    assert_close(below, theirs(torch.from_numpy(x))[0].detach().numpy(), 1e-10)


@kinds
@depths
def test_a_whole_stack_with_its_readout(kind, depth):
    """`forward` and `backward`, with a cross-entropy over padded sequences."""
    rng = np.random.default_rng([33, depth])
    _, cell = MODULES[kind]
    stack = bptt.Stack((cell,) * depth)
    params = bptt.initialize(stack, (BELOW, *[WIDTH] * depth, 6), rng)
    _, _, theirs = build(kind, depth, False, rng)
    state = bptt.to_torch(stack.cells, params.layers)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    readout = torch.nn.Linear(WIDTH, 6, dtype=torch.float64)
    with torch.no_grad():
        readout.weight.copy_(torch.from_numpy(params.readout.w.T.copy()))
        readout.bias.copy_(torch.from_numpy(params.readout.b))
    mask = bptt.lengths_to_mask([3, 9, 8, 5], STEPS)
    x, classes = rng.normal(size=(STEPS, BATCH, BELOW)), rng.integers(0, 6, (STEPS, BATCH))

    def cost(outputs, steps):
        return bptt.softmax_cross_entropy(outputs, classes[steps], mask[steps])

    result = bptt.full_bptt(stack, params, x, cost, None, mask)
    x_torch = tensor(x)
    logits = readout(theirs(x_torch)[0])
    chosen = torch.from_numpy(mask)
    total = torch.nn.functional.cross_entropy(
        logits[chosen], torch.from_numpy(classes)[chosen], reduction="sum"
    )
    total.backward()
    assert result.value == pytest.approx(total.item(), rel=1e-12)
    assert_close(result.gradient.x, x_torch.grad.numpy(), 1e-10)
    want = bptt.Affine(readout.weight.grad.numpy().T, readout.bias.grad.numpy())
    assert_close(result.gradient.params.readout, want, 1e-10)
    for name, got in bptt.to_torch(stack.cells, result.gradient.params.layers).items():
        if not name.startswith("bias_hh"):
            assert_close(got, getattr(theirs, name).grad.numpy(), 1e-10)
