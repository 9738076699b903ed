"""Recurrent layers as an engineer writes them, with a loop over time of their own; they are right."""

import numpy as np

import bptt

ELMAN = """
def forward(params, x, initial, mask):
    w, u, b = params
    h, a = [initial], []
    for t in range(len(x)):
        a.append(np.tanh(x[t] @ w + h[t] @ u + b))
        h.append(np.where(mask[t][:, None], a[t], h[t]))
    h = np.array(h)
    return h[1:], h[-1], (x, h, a, mask)

def backward(params, saved, d_outputs, d_final):
    w, u, b = params
    x, h, a, mask = saved
    d_w, d_u, d_b = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
    d_x = np.zeros_like(x)
    d_next = d_final
    for t in reversed(range(len(x))):
        d_h = d_outputs[t] + d_next
        there = mask[t][:, None]
        delta = d_h * (1 - a[t] ** 2) * there
        d_w += x[t].T @ delta
        d_u += h[t].T @ delta
        d_b += delta.sum(axis=0)
        d_x[t] = delta @ w.T
        d_next = delta @ u.T + d_h * ~there
    return (d_w, d_u, d_b), d_x, d_next
"""

# Gates in the order f, i, o, g; peepholes in the order i, f, o.
LSTM = """
def forward(params, x, initial):
    w, u, b, (p_i, p_f, p_o) = params["w"], params["u"], params["b"], np.split(params["p"], 3)
    h, c, saved = initial["h"], initial["c"], []
    outputs = []
    for t in range(len(x)):
        h_past, c_past = h, c
        z_f, z_i, z_o, z_g = np.split(x[t] @ w + h @ u + b, 4, axis=1)
        f, i, g = sigmoid(z_f + p_f * c), sigmoid(z_i + p_i * c), np.tanh(z_g)
        c = f * c + i * g
        o = sigmoid(z_o + p_o * c)
        h = o * np.tanh(c)
        outputs.append(h)
        saved.append((x[t], h_past, c_past, f, i, o, g, c))
    return np.array(outputs), {"h": h, "c": c}, saved

def backward(params, saved, d_outputs, d_final):
    w, u, b, (p_i, p_f, p_o) = params["w"], params["u"], params["b"], np.split(params["p"], 3)
    d_h, d_c = d_final["h"], d_final["c"]
    grads = {name: np.zeros_like(p) for name, p in params.items()}
    d_x = []
    for t in reversed(range(len(saved))):
        x, h_past, c_past, f, i, o, g, c = saved[t]
        d_h = d_h + d_outputs[t]
        d_o = d_h * np.tanh(c) * o * (1 - o)
        later = d_c
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_c = d_c + d_o * p_o
        d_f = d_c * c_past * f * (1 - f)
        d_i = d_c * g * i * (1 - i)
        d_g = d_c * i * (1 - g ** 2)
        delta = np.concatenate([d_f, d_i, d_o, d_g], axis=1)
        grads["w"] += x.T @ delta
        grads["u"] += h_past.T @ delta
        grads["b"] += delta.sum(axis=0)
        peeks = np.concatenate([d_i * c_past, d_f * c_past, d_o * c], axis=1)
        grads["p"] += peeks.sum(axis=0)
        d_x.insert(0, delta @ w.T)
        d_h = delta @ u.T
        d_c = d_c * f + d_i * p_i + d_f * p_f
    return grads, np.array(d_x), {"h": d_h, "c": d_c}
"""

# Gates in the order s, r, n; s is how much of n comes in. The first resets after the product.
GRU_AFTER = """
def forward(params, x, initial):
    w, u, b, c = params
    h, saved, outputs = initial, [], []
    for t in range(len(x)):
        x_s, x_r, x_n = np.split(x[t] @ w + b, 3, axis=1)
        h_s, h_r, h_n = np.split(h @ u, 3, axis=1)
        s, r = sigmoid(x_s + h_s), sigmoid(x_r + h_r)
        n = np.tanh(x_n + r * (h_n + c))
        saved.append((x[t], h, s, r, n, h_n + c))
        h = s * n + (1 - s) * h
        outputs.append(h)
    return np.array(outputs), h, saved

def backward(params, saved, d_outputs, d_final):
    w, u, b, c = params
    d_w, d_u, d_b, d_c = map(np.zeros_like, params)
    d_x, d_h = [], d_final
    for t in reversed(range(len(saved))):
        x, h, s, r, n, product = saved[t]
        d_h = d_h + d_outputs[t]
        d_n = d_h * s * (1 - n ** 2)
        d_s = d_h * (n - h) * s * (1 - s)
        gated = d_n * r
        d_r = d_n * product * r * (1 - r)
        delta = np.concatenate([d_s, d_r, d_n], axis=1)
        delta_h = np.concatenate([d_s, d_r, gated], axis=1)
        d_w += x.T @ delta
        d_u += h.T @ delta_h
        d_b += delta.sum(axis=0)
        d_c += gated.sum(axis=0)
        d_x.insert(0, delta @ w.T)
        d_h = d_h * (1 - s) + delta_h @ u.T
    return (d_w, d_u, d_b, d_c), np.array(d_x), d_h
"""

GRU_BEFORE = """
def forward(params, x, initial):
    w, u, b = params
    h, saved, outputs = initial, [], []
    for t in range(len(x)):
        x_s, x_r, x_n = np.split(x[t] @ w + b, 3, axis=1)
        u_s, u_r, u_n = np.split(u, 3, axis=1)
        s, r = sigmoid(x_s + h @ u_s), sigmoid(x_r + h @ u_r)
        n = np.tanh(x_n + (r * h) @ u_n)
        saved.append((x[t], h, s, r, n))
        h = s * n + (1 - s) * h
        outputs.append(h)
    return np.array(outputs), h, saved

def backward(params, saved, d_outputs, d_final):
    w, u, b = params
    u_s, u_r, u_n = np.split(u, 3, axis=1)
    d_w, d_u, d_b = map(np.zeros_like, params)
    d_x, d_h = [], d_final
    for t in reversed(range(len(saved))):
        x, h, s, r, n = saved[t]
        d_h = d_h + d_outputs[t]
        d_n = d_h * s * (1 - n ** 2)
        d_s = d_h * (n - h) * s * (1 - s)
        d_reset = d_n @ u_n.T
        d_r, to_h, d_u_n = d_reset * h * r * (1 - r), d_reset * r, (r * h).T @ d_n
        delta = np.concatenate([d_s, d_r, d_n], axis=1)
        d_w += x.T @ delta
        d_u += np.concatenate([h.T @ d_s, h.T @ d_r, d_u_n], axis=1)
        d_b += delta.sum(axis=0)
        d_x.insert(0, delta @ w.T)
        d_h = d_h * (1 - s) + d_s @ u_s.T + d_r @ u_r.T + to_h
    return (d_w, d_u, d_b), np.array(d_x), d_h
"""


def functions(source):
    """Run the text of a layer; return forward and backward."""
    names = {"np": np, "sigmoid": bptt.sigmoid, "SUMS": {}}
    exec(compile(source, "a planted layer", "exec"), names)  # noqa: S102
    return names["forward"], names["backward"]


def check(source, seed=0, like=None):
    """Check a layer made from the layer `like`, on random numbers; no two sizes are equal."""
    like = like or source
    rng = np.random.default_rng(seed)
    steps, batch, n_below, n = 5, 4, 3, 2
    gates = {ELMAN: 1, LSTM: 4}.get(like, 3)
    own = {LSTM: [(3 * n,)], GRU_AFTER: [(n,)]}.get(like, [])
    shapes = [(n_below, gates * n), (n, gates * n), (gates * n,), *own]
    params = tuple(rng.uniform(-0.6, 0.6, shape) for shape in shapes)
    x, h, c = (rng.normal(size=s) for s in ((steps, batch, n_below), (batch, n), (batch, n)))
    if gates == 4:
        params, h = dict(zip(("w", "u", "b", "p"), params, strict=True)), {"h": h, "c": c}
    if gates == 1:
        params = bptt.Recurrent(*params)
    masked = gates == 1
    return bptt.check_layer(*functions(source), params, x, h, masked=masked, seed=seed)


def replaced(source, *replacements):
    """Return a layer's text with some lines replaced."""
    for right, wrong in replacements:
        assert source.count(right) == 1, right
        source = source.replace(right, wrong)
    return source


def check_elman(*replacements):
    """Check the Elman layer with some lines replaced."""
    return check(replaced(ELMAN, *replacements), like=ELMAN)
