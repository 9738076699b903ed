"""float32 against float64, within a bound that is derived and not guessed.

A running error analysis: next to each quantity q goes a bound e(q) on |q in float32 - q in float64|. With
u the unit of rounding, a sum of n products has γ = (n + 2) u of its absolute terms (Higham, Accuracy and
Stability of Numerical Algorithms, section 3.1); what its factors are off by passes through their partners:

    e(z) = γ (|a||w| + |a⁻||u| + |b|) + e(a)|w| + e(a⁻)|u|
    e(a) = sup|a'| e(z) + 4 u max(1, |a|)
    e(a') = sup|a''| e(z) + 4 u
    e(s) = γ (|δ'||wᵀ| + |δ⁺||uᵀ|) + e(δ')|wᵀ| + e(δ⁺)|uᵀ|    for the bracket s of (BP2)
    e(δ) = |a'| e(s) + |s| e(a') + 2 u |δ|
    e(∂C/∂w) = Σ_t γ |a|ᵀ|δ| + e(a)ᵀ|δ| + |a|ᵀ e(δ)            and so for u and b

sup|a'| is at most 1 for all activations here; sup|a''| at most 1, and 0 where they are straight (no z of
these problems is so near to the kink of relu as the bound). Terms in u² are covered by a factor of 1.01.
"""

import numpy as np
import pytest
from problems import SEEDS, problem

import bptt

UNIT = 2.0**-24


def rounded_to_32(record):
    """Return the numbers of a record that float32 can represent, in float64."""
    return bptt.tree_map(lambda leaf: leaf.astype(np.float32).astype(np.float64), record)


def to_32(record):
    return bptt.tree_map(lambda leaf: leaf.astype(np.float32), record)


def product_bound(a, e_a, w):
    """Bound the error of a product a w whose left factor is off by e_a."""
    return (len(w) + 2) * UNIT * (np.abs(a) @ np.abs(w)) + e_a @ np.abs(w)


def sum_bound(a, e_a, delta, e_delta):
    """Bound the error of the sum over steps and sequences of aᵀ δ."""
    a, e_a, delta, e_delta = (q.reshape(-1, q.shape[-1]) for q in (a, e_a, delta, e_delta))
    gamma = (len(a) + 2) * UNIT
    return gamma * np.abs(a).T @ np.abs(delta) + e_a.T @ np.abs(delta) + np.abs(a).T @ e_delta


def slope_bound(activation, e_z):
    """Bound the error of a'(z) where z is off by e_z; the slope of a straight one is exact."""
    return np.zeros_like(e_z) if activation.name in {"relu", "identity"} else e_z + 4 * UNIT


def forward_bounds(trace):
    """Return e(a) with its initial state, and e(a'), of each layer; those of the readout last."""
    found, below = [], np.zeros_like(trace.x)
    for layer in trace.layers:
        w, u, b = layer.params
        e_a, e_slope = np.zeros_like(layer.a), np.zeros_like(layer.a[1:])
        for t in range(len(layer.x)):
            e_z = product_bound(layer.x[t], below[t], w) + product_bound(layer.a[t], e_a[t], u)
            e_z += 2 * UNIT * np.abs(b)
            e_a[t + 1] = e_z + 4 * UNIT * np.maximum(1, np.abs(layer.a[t + 1]))
            e_slope[t] = slope_bound(layer.cell.activation, e_z)
        found.append((e_a, e_slope))
        below = e_a[1:]
    e_z = product_bound(trace.layers[-1].a[1:], below, trace.params.readout.w)
    e_z += 2 * UNIT * np.abs(trace.params.readout.b)
    e_a = e_z + 4 * UNIT * np.maximum(1, np.abs(trace.outputs))
    return [*found, (e_a, slope_bound(trace.stack.output, e_z))]


def gradient_bounds(trace, d_outputs, d_final, gradient):
    """Return a bound for each entry of the gradient of the parameters."""
    forward = forward_bounds(trace)
    slope = trace.stack.output.derivative(trace.z, trace.outputs)
    e_above = np.abs(d_outputs) * forward[-1][1] + 2 * UNIT * np.abs(d_outputs * slope)
    ones = np.ones((*d_outputs.shape[:2], 1))
    top = (trace.layers[-1].a[1:], forward[-2][0][1:], gradient.delta[-1], e_above)
    zero = np.zeros_like(ones)
    readout = bptt.Affine(sum_bound(*top), sum_bound(ones, zero, gradient.delta[-1], e_above)[0])
    layers, w_above = [], trace.params.readout.w
    for l in reversed(range(len(trace.layers))):
        layer, (e_a, e_slope) = trace.layers[l], forward[l]
        delta, e_delta = gradient.delta[l], np.zeros_like(gradient.delta[l])
        s, e_s = d_final[l][0], np.zeros_like(d_final[l][0])
        for t in reversed(range(len(delta))):
            from_above = gradient.delta[l + 1][t] @ w_above.T
            s = s + from_above
            e_s = e_s + product_bound(gradient.delta[l + 1][t], e_above[t], w_above.T)
            e_s += UNIT * np.abs(s)
            slope = layer.cell.activation.derivative(*layer.saved[t])
            e_delta[t] = np.abs(slope) * e_s + np.abs(s) * e_slope[t] + 2 * UNIT * np.abs(delta[t])
            s = delta[t] @ layer.params.u.T
            e_s = product_bound(delta[t], e_delta[t], layer.params.u.T)
        below = np.zeros_like(layer.x) if l == 0 else forward[l - 1][0][1:]
        w = sum_bound(layer.x, below, delta, e_delta)
        u = sum_bound(layer.a[:-1], e_a[:-1], delta, e_delta)
        layers.insert(0, bptt.Recurrent(w, u, sum_bound(ones, zero, delta, e_delta)[0]))
        e_above, w_above = e_delta, layer.params.w
    return bptt.Params(tuple(layers), readout)


def float32_and_its_bounds(seed):
    """Return, array by array, the gradient in float32, in float64, and the bound on their difference."""
    given = problem(seed)
    at, d_final = rounded_to_32(given.at), rounded_to_32(given.d_final)
    trace = given.run(at)
    d_outputs = rounded_to_32(given.outputs_cost(trace).d_outputs)
    gradient = bptt.backward(trace, d_outputs, d_final)
    bounds = gradient_bounds(trace, d_outputs, d_final, gradient)
    single = bptt.backward(given.run(to_32(at)), to_32(d_outputs), to_32(d_final))
    records = (single.params, gradient.params, bounds)
    return [[leaf for _, leaf in bptt.tree_leaves(record)] for record in records]


@pytest.mark.parametrize("seed", SEEDS)
def test_float32_is_within_the_running_error_bound_of_float64(seed):
    for got, want, bound in zip(*float32_and_its_bounds(seed), strict=True):
        assert got.dtype == np.float32
        assert (np.abs(got - want) <= 1.01 * bound).all()


def test_the_bound_says_something():
    """A bound of any size would hold as well: the median one, relative to its array, is small."""
    relative = [
        bound.max() / np.abs(want).max()
        for seed in SEEDS
        for _, want, bound in zip(*float32_and_its_bounds(seed), strict=True)
        if want.any()
    ]
    assert np.median(relative) < 1e-4
