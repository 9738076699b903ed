"""The plain loop over time, as tutorials on recurrent networks in NumPy write it: a contender.

One sequence at a time, dictionaries of what each step left, `dw += outer` inside the loop. In our own
words, but in that manner: nothing is fused, nothing is taken out of the loop, nothing is reused, and a
batch is a loop over its sequences whose gradients are added.
"""

from typing import Any

import numpy as np

from benchmarks.peers import Contender
from benchmarks.problems import Problem


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return the logistic function."""
    return 1 / (1 + np.exp(-z))


def elman(layer: Any, x: np.ndarray, d_a: np.ndarray) -> Any:
    """Go through an Elman layer and back."""
    w, u, b = layer
    hs = {-1: np.zeros((x.shape[1], len(u)), x.dtype)}
    for t in range(len(x)):
        hs[t] = np.tanh(np.dot(x[t], w) + np.dot(hs[t - 1], u) + b)
    dw, du, db, dx = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), np.zeros_like(x)
    dh_next = np.zeros_like(hs[0])
    for t in reversed(range(len(x))):
        dh = d_a[t] + dh_next
        dz = (1 - hs[t] * hs[t]) * dh
        db += dz.sum(axis=0)
        dw += np.dot(x[t].T, dz)
        du += np.dot(hs[t - 1].T, dz)
        dx[t] = np.dot(dz, w.T)
        dh_next = np.dot(dz, u.T)
    return np.stack([hs[t] for t in range(len(x))]), dx, [dw, du, db]


def lstm(layer: Any, x: np.ndarray, d_a: np.ndarray) -> Any:
    """Go through an LSTM layer and back."""
    w, u, b = layer
    n = len(u)
    hs, cs, gates = (
        {-1: np.zeros((x.shape[1], n), x.dtype)},
        {-1: np.zeros((x.shape[1], n), x.dtype)},
        {},
    )
    for t in range(len(x)):
        z = np.dot(x[t], w) + np.dot(hs[t - 1], u) + b
        i, f = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n])
        g, o = np.tanh(z[:, 2 * n : 3 * n]), sigmoid(z[:, 3 * n :])
        gates[t] = i, f, g, o
        cs[t] = f * cs[t - 1] + i * g
        hs[t] = o * np.tanh(cs[t])
    dw, du, db, dx = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), np.zeros_like(x)
    dh_next, dc_next = np.zeros_like(hs[0]), np.zeros_like(cs[0])
    for t in reversed(range(len(x))):
        i, f, g, o = gates[t]
        dh = d_a[t] + dh_next
        tanh_c = np.tanh(cs[t])
        dc = dc_next + dh * o * (1 - tanh_c * tanh_c)
        di, df, dg, do = dc * g, dc * cs[t - 1], dc * i, dh * tanh_c
        dz = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)])
        db += dz.sum(axis=0)
        dw += np.dot(x[t].T, dz)
        du += np.dot(hs[t - 1].T, dz)
        dx[t] = np.dot(dz, w.T)
        dh_next, dc_next = np.dot(dz, u.T), dc * f
    return np.stack([hs[t] for t in range(len(x))]), dx, [dw, du, db]


def gru(layer: Any, x: np.ndarray, d_a: np.ndarray) -> Any:
    """Go through a GRU layer and back."""
    w, u, b, c = layer
    n = len(u)
    hs, kept = {-1: np.zeros((x.shape[1], n), x.dtype)}, {}
    for t in range(len(x)):
        zx, zh = np.dot(x[t], w) + b, np.dot(hs[t - 1], u)
        r, s = sigmoid(zx[:, :n] + zh[:, :n]), sigmoid(zx[:, n : 2 * n] + zh[:, n : 2 * n])
        m = zh[:, 2 * n :] + c
        new = np.tanh(zx[:, 2 * n :] + r * m)
        kept[t] = r, s, m, new
        hs[t] = (1 - s) * new + s * hs[t - 1]
    dw, du, db, dc = (np.zeros_like(p) for p in layer)
    dx, dh_next = np.zeros_like(x), np.zeros_like(hs[0])
    for t in reversed(range(len(x))):
        r, s, m, new = kept[t]
        dh = d_a[t] + dh_next
        dn = dh * (1 - s) * (1 - new * new)
        ds = dh * (hs[t - 1] - new) * s * (1 - s)
        dr = dn * m * r * (1 - r)
        dzx, dzh = np.hstack([dr, ds, dn]), np.hstack([dr, ds, dn * r])
        db += dzx.sum(axis=0)
        dc += (dn * r).sum(axis=0)
        dw += np.dot(x[t].T, dzx)
        du += np.dot(hs[t - 1].T, dzh)
        dx[t] = np.dot(dzx, w.T)
        dh_next = np.dot(dzh, u.T) + dh * s
    return np.stack([hs[t] for t in range(len(x))]), dx, [dw, du, db, dc]


LAYERS = {"Elman": elman, "LSTM": lstm, "GRU": gru}


def tutorial(problem: Problem) -> Contender:
    """Take the gradient of one layer as a tutorial does: sequence by sequence."""
    (params,) = problem.layers
    layer = LAYERS[problem.cell]

    def run() -> Any:
        outputs, d_x = np.empty_like(problem.x), np.empty_like(problem.x)
        total = [np.zeros_like(p) for p in params]
        for m in range(problem.x.shape[1]):
            one = slice(m, m + 1)
            outputs[:, one], d_x[:, one], found = layer(
                params, problem.x[:, one], problem.d_a[:, one]
            )
            total = [whole + part for whole, part in zip(total, found, strict=True)]
        return outputs, d_x, total

    return Contender(run, lambda found: [*found[:2], *found[2]])
