"""The literal reference: the sums of the derivation, index by index, in plain Python numbers.

Nothing here comes from `bptt`, nothing is a matrix product, and nothing is meant to be fast. Quantities
are dictionaries, so that ``delta[l, t, m, j]`` is δ of unit j in layer l at step t, for member m of the
batch. Layers run 1 to L (0 is the input, L the readout), steps 1 to T (0 is the initial state), as in
the formulas; units and members count from 0, as in NumPy.

    (FWD)  z^{l(t)}_j = Σ_i w^l_{ij} a^{l-1(t)}_i + Σ_i u^l_{ij} a^{l(t-1)}_i + b^l_j ,  a = a(z)
    (BP1)  δ^{L(t)}_j = ∂C/∂a^{L(t)}_j a'(z^{L(t)}_j)
    (BP2)  δ^{l(t)}_i = a'(z^{l(t)}_i) [ Σ_j w^{l+1}_{ij} δ^{l+1(t)}_j + Σ_j u^l_{ij} δ^{l(t+1)}_j ]
    (BP3)  ∂C/∂b^l_j = Σ_t δ^{l(t)}_j
    (BP4)  ∂C/∂w^l_{ij} = Σ_t a^{l-1(t)}_i δ^{l(t)}_j ,  ∂C/∂u^l_{ij} = Σ_t a^{l(t-1)}_i δ^{l(t)}_j
    (BP0)  ∂C/∂a^{l(0)}_i = Σ_j u^l_{ij} δ^{l(1)}_j ,    ∂C/∂x^{(t)}_i = Σ_j w^1_{ij} δ^{1(t)}_j

A batch adds a sum over its members to (BP3) and (BP4). A cost that also depends on the final state adds
its derivative ∂C/∂a^{l(T)} to the bracket of (BP2) at t = T.
"""

import math
from typing import NamedTuple


class Scalar(NamedTuple):
    """An activation of one number, and its derivative with respect to z."""

    a: object
    a_prime: object


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


SCALAR = {
    "identity": Scalar(lambda z: z, lambda _: 1.0),
    "tanh": Scalar(math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "sigmoid": Scalar(sigmoid, lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2),
    "relu": Scalar(lambda z: max(z, 0.0), lambda z: 1.0 if z > 0 else 0.0),
    "softplus": Scalar(lambda z: math.log(1 + math.exp(z)), lambda z: 1 / (1 + math.exp(-z))),
    # Not of the library: the pair that a user of it brings along.
    "squash": Scalar(lambda z: z / math.sqrt(1 + z * z), lambda z: (1 + z * z) ** -1.5),
}


class Net(NamedTuple):
    """Weights by layer, ``w[l][i][j]``, ``u[l][i][j]``, ``b[l][j]``, and ``names[l]`` of activations.

    Index 0 of each list is None, for the input has no weights; so is u of the readout.
    """

    w: list
    u: list
    b: list
    names: list
    n: list  # units of layers 0 to L
    L: int
    T: int
    B: int


class Run(NamedTuple):
    """z[l, t, m, j] and a[l, t, m, j]."""

    z: dict
    a: dict


def forward(net, x, initial):
    """Run the net on x[t - 1][m][i] from initial[l - 1][m][i]: (FWD)."""
    w, u, b, names, n, L, T, B = net
    z, a = {}, {}
    for m in range(B):
        for t in range(1, T + 1):
            for i in range(n[0]):
                a[0, t, m, i] = x[t - 1][m][i]
        for l in range(1, L):
            for i in range(n[l]):
                a[l, 0, m, i] = initial[l - 1][m][i]
        for t in range(1, T + 1):
            for l in range(1, L + 1):
                for j in range(n[l]):
                    # (FWD)
                    total = b[l][j]
                    for i in range(n[l - 1]):
                        total += w[l][i][j] * a[l - 1, t, m, i]
                    if l < L:
                        for i in range(n[l]):
                            total += u[l][i][j] * a[l, t - 1, m, i]
                    z[l, t, m, j] = total
                    a[l, t, m, j] = SCALAR[names[l]].a(total)
    return Run(z, a)


def errors(net, run, d_outputs, d_final):
    """Return delta[l, t, m, j] of all layers and steps: (BP1) and (BP2)."""
    w, u, _, names, n, L, T, B = net
    delta = {}
    for m in range(B):
        for l in range(1, L):
            for i in range(n[l]):
                delta[l, T + 1, m, i] = 0.0  # no step comes after the last
        for t in range(T, 0, -1):
            for j in range(n[L]):
                # (BP1)
                slope = SCALAR[names[L]].a_prime(run.z[L, t, m, j])
                delta[L, t, m, j] = d_outputs[t - 1][m][j] * slope
            for l in range(L - 1, 0, -1):
                for i in range(n[l]):
                    # (BP2)
                    total = d_final[l - 1][m][i] if t == T else 0.0
                    for j in range(n[l + 1]):
                        total += w[l + 1][i][j] * delta[l + 1, t, m, j]
                    for j in range(n[l]):
                        total += u[l][i][j] * delta[l, t + 1, m, j]
                    delta[l, t, m, i] = SCALAR[names[l]].a_prime(run.z[l, t, m, i]) * total
    return delta


class Gradient(NamedTuple):
    """∂C/∂w[l], ∂C/∂u[l], ∂C/∂b[l] (None where the net has None), ∂C/∂x and ∂C/∂initial."""

    w: list
    u: list
    b: list
    x: list
    initial: list


def gradient(net, run, delta):
    """Return the derivatives with respect to all that the net depends on: (BP3), (BP4), (BP0)."""
    w, u, _, _, n, L, T, B = net
    a = run.a
    d_w, d_u, d_b = [None], [None], [None]
    for l in range(1, L + 1):
        d_w.append([[0.0] * n[l] for _ in range(n[l - 1])])
        d_u.append([[0.0] * n[l] for _ in range(n[l])] if l < L else None)
        d_b.append([0.0] * n[l])
        for m in range(B):
            for t in range(1, T + 1):
                for j in range(n[l]):
                    # (BP3)
                    d_b[l][j] += delta[l, t, m, j]
                    # (BP4)
                    for i in range(n[l - 1]):
                        d_w[l][i][j] += a[l - 1, t, m, i] * delta[l, t, m, j]
                    if l < L:
                        for i in range(n[l]):
                            d_u[l][i][j] += a[l, t - 1, m, i] * delta[l, t, m, j]
    # (BP0)
    initial = [
        [
            [sum(u[l][i][j] * delta[l, 1, m, j] for j in range(n[l])) for i in range(n[l])]
            for m in range(B)
        ]
        for l in range(1, L)
    ]
    x = [
        [
            [sum(w[1][i][j] * delta[1, t, m, j] for j in range(n[1])) for i in range(n[0])]
            for m in range(B)
        ]
        for t in range(1, T + 1)
    ]
    return Gradient(d_w, d_u, d_b, x, initial)


def squared_error(outputs, targets, mask):
    """Return C = ½ Σ_t Σ_m mask Σ_j (a_j - y_j)² and ∂C/∂a, both as the sums say."""
    cost, d_outputs = 0.0, []
    for step, step_targets, step_mask in zip(outputs, targets, mask, strict=True):
        d_outputs.append([])
        for a, y, weight in zip(step, step_targets, step_mask, strict=True):
            d_outputs[-1].append([0.0] * len(a))
            for j in range(len(a)):
                if weight:
                    cost += 0.5 * weight * (a[j] - y[j]) ** 2
                    d_outputs[-1][-1][j] = weight * (a[j] - y[j])
    return cost, d_outputs


def softmax_cross_entropy(logits, classes, mask):
    """Return C = -Σ_t Σ_m mask log softmax(z)_c and ∂C/∂z, both as the sums say."""
    cost, d_logits = 0.0, []
    for step, step_classes, step_mask in zip(logits, classes, mask, strict=True):
        d_logits.append([])
        for z, c, weight in zip(step, step_classes, step_mask, strict=True):
            total = sum(math.exp(z_k) for z_k in z)
            d_logits[-1].append([0.0] * len(z))
            for j in range(len(z)):
                if weight:
                    y = 1.0 if j == c else 0.0
                    cost -= weight * y * math.log(math.exp(z[j]) / total)
                    d_logits[-1][-1][j] = weight * (math.exp(z[j]) / total - y)
    return cost, d_logits


COSTS = {"squared_error": squared_error, "softmax_cross_entropy": softmax_cross_entropy}
