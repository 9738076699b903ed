"""An outside autograd: PyTorch with the same weights gives the same outputs, gradients, updates.

PyTorch keeps a weight as (to, from), the transpose of ours, and two biases where one is identifiable:
ours goes into one of them, and zero into the other. Tolerances are relative to the largest entry of an
array: 1e-6 in float32, 1e-12 in float64.
"""

import numpy as np
import pytest
import torch
from closeness import assert_close

import bptt

pytestmark = pytest.mark.peer

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}
CASES = [
    (depth, name, dtype, seed)
    for depth in (1, 2, 3)
    for name in ("tanh", "relu")
    for dtype in TOLERANCE
    for seed in range(5)
]

precise = pytest.mark.parametrize("dtype", TOLERANCE)


def tensor(array):
    return torch.tensor(np.array(array), requires_grad=array.dtype.kind == "f")


def rnn_like(params, function):
    """Build torch's own RNN and readout with our weights."""
    width, dtype = len(params.layers[0].u), torch.from_numpy(params.readout.w).dtype
    rnn = torch.nn.RNN(len(params.layers[0].w), width, len(params.layers), function, dtype=dtype)
    readout = torch.nn.Linear(width, params.readout.w.shape[1], dtype=dtype)
    with torch.no_grad():
        for l, (w, u, b) in enumerate(params.layers):
            getattr(rnn, f"weight_ih_l{l}").copy_(torch.from_numpy(w.T.copy()))
            getattr(rnn, f"weight_hh_l{l}").copy_(torch.from_numpy(u.T.copy()))
            getattr(rnn, f"bias_ih_l{l}").copy_(torch.from_numpy(b))
            getattr(rnn, f"bias_hh_l{l}").zero_()
        readout.weight.copy_(torch.from_numpy(params.readout.w.T.copy()))
        readout.bias.copy_(torch.from_numpy(params.readout.b))
    return rnn, readout


def gradient_of(rnn, readout, depth):
    """Read torch's gradient as a record of ours."""
    layers = tuple(
        bptt.Recurrent(
            getattr(rnn, f"weight_ih_l{l}").grad.numpy().T,
            getattr(rnn, f"weight_hh_l{l}").grad.numpy().T,
            getattr(rnn, f"bias_ih_l{l}").grad.numpy(),
        )
        for l in range(depth)
    )
    return bptt.Params(
        layers, bptt.Affine(readout.weight.grad.numpy().T, readout.bias.grad.numpy())
    )


@pytest.mark.parametrize(("depth", "name", "dtype", "seed"), CASES)
def test_rnn(depth, name, dtype, seed):
    """Outputs, final states, and the gradients of weights, biases, inputs and h0: against nn.RNN."""
    rng = np.random.default_rng([13, depth, seed])
    steps, batch, width = (int(k) for k in rng.integers(2, 12, 3))
    stack = bptt.Stack((bptt.Elman(getattr(bptt, name)),) * depth)
    params = bptt.initialize(stack, (3, *[width] * depth, 2), rng, dtype)
    x = rng.normal(size=(steps, batch, 3)).astype(dtype)
    h0, d_final = rng.normal(size=(2, depth, batch, width)).astype(dtype)
    targets = rng.normal(size=(steps, batch, 2)).astype(dtype)

    trace = bptt.forward(stack, params, x, tuple(h0))
    d_outputs = bptt.squared_error(trace.outputs, targets).d_outputs
    gradient = bptt.backward(trace, d_outputs, tuple(d_final))

    rnn, readout = rnn_like(params, name)
    x_torch, h_torch = tensor(x), tensor(h0)
    hidden, final = rnn(x_torch, h_torch)
    outputs = readout(hidden)
    cost = 0.5 * ((outputs - torch.from_numpy(targets)) ** 2).sum()
    (cost + (final * torch.from_numpy(d_final)).sum()).backward()

    assert_close(trace.outputs, outputs.detach().numpy(), TOLERANCE[dtype])
    assert_close(
        [state[0] for state in trace.final], list(final.detach().numpy()), TOLERANCE[dtype]
    )
    assert_close(gradient.params, gradient_of(rnn, readout, depth), TOLERANCE[dtype])
    assert_close(gradient.x, x_torch.grad.numpy(), TOLERANCE[dtype])
    assert_close(
        [state[0] for state in gradient.initial], list(h_torch.grad.numpy()), TOLERANCE[dtype]
    )


@precise
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "softplus"])
def test_activation(name, dtype):
    """Values and derivatives: against torch's function of the same name."""
    z = np.linspace(-9, 9, 100).astype(dtype)
    z_torch = tensor(z)
    a_torch = getattr(torch.nn.functional if name == "softplus" else torch, name)(z_torch)
    a_torch.sum().backward()
    activation = getattr(bptt, name)
    a = activation(z)
    assert_close(a, a_torch.detach().numpy(), TOLERANCE[dtype])
    assert_close(activation.derivative(z, a), z_torch.grad.numpy(), TOLERANCE[dtype])


@precise
def test_softmax_cross_entropy(dtype):
    """Value and derivative, with weights as the mask: against cross_entropy without its mean."""
    rng = np.random.default_rng(14)
    logits, classes = 3 * rng.normal(size=(5, 4, 6)).astype(dtype), rng.integers(0, 6, (5, 4))
    mask = rng.random((5, 4)).astype(dtype) * (rng.random((5, 4)) < 0.7).astype(dtype)
    z = tensor(logits)
    rows, right = z.reshape(-1, 6), torch.from_numpy(classes.ravel())
    each = torch.nn.functional.cross_entropy(rows, right, reduction="none")
    total = (each * torch.from_numpy(mask.ravel())).sum()
    total.backward()
    value, d_logits = bptt.softmax_cross_entropy(logits, classes, mask)
    assert value == pytest.approx(total.item(), rel=TOLERANCE[dtype])
    assert_close(d_logits, z.grad.numpy(), TOLERANCE[dtype])
    softmax = torch.softmax(z, -1).detach().numpy()
    assert_close(bptt.softmax(logits), softmax, TOLERANCE[dtype])


@precise
def test_squared_error(dtype):
    """Value and derivative: against half of mse_loss without its mean."""
    rng = np.random.default_rng(15)
    outputs, targets = rng.normal(size=(2, 5, 4, 3)).astype(dtype)
    a = tensor(outputs)
    total = 0.5 * torch.nn.functional.mse_loss(a, torch.from_numpy(targets), reduction="sum")
    total.backward()
    value, d_outputs = bptt.squared_error(outputs, targets)
    assert value == pytest.approx(total.item(), rel=TOLERANCE[dtype])
    assert_close(d_outputs, a.grad.numpy(), TOLERANCE[dtype])


@precise
@pytest.mark.parametrize(
    ("rule", "optimizer"),
    [
        (bptt.GradientDescent(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (bptt.Momentum(0.05, 0.8), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8)),
        (bptt.Adam(), torch.optim.Adam),
        (
            bptt.Adam(0.03, 0.8, 0.95, 1e-4),
            lambda p: torch.optim.Adam(p, lr=0.03, betas=(0.8, 0.95), eps=1e-4),
        ),
    ],
    ids=lambda value: repr(value) if not callable(value) else "torch",
)
def test_update_rule(rule, optimizer, dtype):
    """Thirty updates with the same gradients: against torch.optim."""
    rng = np.random.default_rng(16)
    theta = rng.normal(size=(4, 3)).astype(dtype)
    parameter = torch.nn.Parameter(torch.tensor(theta))
    other, state = optimizer([parameter]), rule.init(theta)
    for _ in range(30):
        gradient = rng.normal(size=(4, 3)).astype(dtype)
        parameter.grad = torch.tensor(gradient)
        other.step()
        theta, state = rule.update(theta, gradient, state)
    assert_close(theta, parameter.detach().numpy(), TOLERANCE[dtype])


@pytest.mark.parametrize("limit", [0.1, 100.0])
def test_clipping(limit):
    """Against clip_grad_norm_, whose 1e-6 in the denominator is all that differs."""
    rng = np.random.default_rng(17)
    gradient = tuple(rng.normal(size=shape) for shape in [(4, 3), (3,)])
    parameters = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in gradient]
    for parameter, g in zip(parameters, gradient, strict=True):
        parameter.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
    clipped, before = bptt.clip_by_global_norm(gradient, limit)
    assert before == pytest.approx(norm.item(), rel=1e-14)
    assert_close(clipped, tuple(p.grad.numpy() for p in parameters), 1e-6)
