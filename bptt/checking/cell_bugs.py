"""Bugs in the mathematics of a step, made on purpose in cells that are recognized by what they compute.

A layer is recognized when its states are those of a known cell with the same parameters, in any order of
the gates. Then every product of that cell's derivative can be left out, or taken wrongly, one at a time.
"""

from collections.abc import Callable
from itertools import permutations

import numpy as np

from bptt._core.types import Array
from bptt.cells import activations
from bptt.checking.gru_bugs import Slope, gru_bugs
from bptt.checking.jacobian import Arrays
from bptt.checking.sweep import Bugs, Pull, Steps, sweep

SIGMOID, TANH = activations.sigmoid, activations.tanh
KNOWN = (TANH, SIGMOID, activations.softplus, activations.relu, activations.identity)
OF_A: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda a: 1 - a**2,
    "sigmoid": lambda a: a * (1 - a),
}

LIKE = 1e-8


def slopes(activation: activations.Activation) -> dict[str, tuple[str, Slope]]:
    """Return the wrong derivatives of an activation, by the name of the bug."""
    name, true = activation.name, activation.derivative
    wrong: dict[str, tuple[str, Slope]] = {
        "a' missing": ("1 for its derivative", lambda z, _: np.ones_like(z)),
        "a' at a instead of z": (f"{name}'(a)", lambda _, a: true(a, activation(a))),
        "a in place of a'": (f"{name}(a)", lambda _, a: activation(a)),
    }
    if name in OF_A:
        wrong["a' formula of a, given z"] = ("z put into it", lambda z, _: OF_A[name](z))
    return wrong


def cell_bugs(steps: Steps, cotangents: Arrays) -> Bugs:
    """Make all bugs of the cell that a layer is recognized as."""
    if steps.w is None or steps.u is None or steps.b is None:
        return
    z_x = steps.x @ steps.params[steps.w] + steps.params[steps.b]
    z_h = steps.past @ steps.params[steps.u]
    gates = z_x.shape[2] // steps.past.shape[2]
    if gates == 1:
        yield from _elman_bugs(steps, z_x + z_h, cotangents)
    if gates == 4 and len(steps.states) == 2:
        yield from _lstm_bugs(steps, z_x + z_h, cotangents)
    if gates == 3:
        yield from gru_bugs(steps, z_x, z_h, cotangents, slopes)


def same(a: Array, b: Array) -> bool:
    """Say whether two arrays are the same but for rounding."""
    return bool(np.abs(a - b).max() <= LIKE * max(1e-3, np.abs(b).max()))


def contributions(
    steps: Steps, t: int, delta: Array, more: dict[int, Array], d_past: Arrays
) -> Arrays:
    """Lay out what a step gives to each leaf, (B, entries), from its δ."""
    found: Arrays = [np.zeros((len(delta), p.size)) for p in steps.params]
    w, u, b = steps.w or 0, steps.u or 0, steps.b or 0  # a recognized cell has all three
    found[w] = (steps.x[t][:, :, None] * delta[:, None]).reshape(len(delta), -1)
    found[u] = (steps.past[t][:, :, None] * delta[:, None]).reshape(len(delta), -1)
    found[b] = delta
    for i, own in more.items():
        found[i] = own.reshape(len(delta), -1)
    return [*found, delta @ steps.params[w].T, *d_past]


def _elman_bugs(steps: Steps, z: Array, cotangents: Arrays) -> Bugs:
    a = steps.states[0][1:]
    u = steps.params[steps.u or 0]
    for activation in KNOWN:
        if not same(activation(z), a):
            continue
        for name, (evidence, slope) in slopes(activation).items():

            def pull(t: int, row: Arrays, slope: Slope = slope) -> Arrays:
                delta = (row[0] + row[1]) * slope(z[t], a[t])
                return contributions(steps, t, delta, {}, [delta @ u.T])

            yield name, evidence, sweep(steps, pull, cotangents).record()


class _LSTM:
    """An LSTM's run: gates by name, wherever they stand, and one wrong thing on the way back."""

    def __init__(self, steps: Steps, z: Array, order: tuple[str, ...], p: int | None) -> None:
        n = steps.past.shape[2]
        self.steps, self.order, self.p_at = steps, order, p
        self.z = {name: z[:, :, k * n : (k + 1) * n] for k, name in enumerate(order)}
        peeks = [np.zeros(n)] * 3 if p is None else np.split(steps.params[p], 3)
        self.p = dict(zip("ifo", peeks, strict=True))
        self.c_past, self.c = steps.states[1][:-1], steps.states[1][1:]
        for gate, seen in (("i", self.c_past), ("f", self.c_past), ("o", self.c)):
            self.z[gate] = self.z[gate] + self.p[gate] * seen
        self.gate = {k: TANH(v) if k == "g" else SIGMOID(v) for k, v in self.z.items()}

    def fits(self) -> bool:
        i, f, g, o = (self.gate[k] for k in "ifgo")
        a = self.steps.states[0][1:]
        return same(f * self.c_past + i * g, self.c) and same(o * np.tanh(self.c), a)

    def slope(self, gate: str, t: int, wrong: dict[str, Slope]) -> Array:
        z, a = self.z[gate][t], self.gate[gate][t]
        right = (TANH if gate == "g" else SIGMOID).derivative
        return wrong.get(gate, right)(z, a)

    def pull(self, bug: str = "", wrong: dict[str, Slope] | None = None) -> Pull:
        """Return the way back through a step, with one bug, or with wrong slopes of some gates."""
        slope = wrong or {}

        def pull(t: int, row: Arrays) -> Arrays:
            i, f, g, o = (self.gate[k][t] for k in "ifgo")
            c_past, c, d_c = self.c_past[t], self.c[t], row[2]
            d_a, tanh_c = row[0] + row[1], np.tanh(self.c[t])
            later = d_c
            d_o = d_a * tanh_c * self.slope("o", t, slope)
            of_tanh = {
                "tanh(c) derivative missing": 1.0,
                "tanh applied twice": 1 - np.tanh(tanh_c) ** 2,
            }
            through_a = d_a * o * of_tanh.get(bug, 1 - tanh_c**2)
            d_c = through_a if bug == "cell error overwritten" else d_c + through_a
            d_c = d_c + d_o * self.p["o"] * (bug != "peephole to o missing")
            d_i = d_c * g * self.slope("i", t, slope)
            d_f = d_c * (c if bug == "c_t for c_(t-1)" else c_past) * self.slope("f", t, slope)
            d_g = d_c * i * self.slope("g", t, slope)
            direct = (later if bug == "path through a missing in c" else d_c) * f
            direct = direct * (bug != "direct path missing")
            if bug != "peepholes to the past missing":
                direct = direct + d_i * self.p["i"] + d_f * self.p["f"]
            errors_of = {"i": d_i, "f": d_f, "g": d_g, "o": d_o}
            delta = np.concatenate([errors_of[k] for k in self.order], axis=1)
            past = [delta @ self.steps.params[self.steps.u or 0].T, direct]
            more = {}
            if self.p_at is not None:
                seen = [d_i * c_past, d_f * c_past, d_o * c]
                more[self.p_at] = np.concatenate(seen, axis=1)
            return contributions(self.steps, t, delta, more, past)

        return pull


LSTM_BUGS = {
    "tanh(c) derivative missing": "1 for 1 - tanh²(c)",
    "tanh applied twice": "1 - tanh²(tanh c)",
    "cell error overwritten": "what comes from c(t+1) is lost",
    "c_t for c_(t-1)": "δ of f is made with the new c",
    "path through a missing in c": "c(t-1) gets f times what came from c(t+1) alone",
    "direct path missing": "f ∂C/∂c does not arrive",
    "peephole to o missing": "p_o δ_o does not reach c",
    "peepholes to the past missing": "p_i δ_i + p_f δ_f do not reach c(t-1)",
}


def _lstm_bugs(steps: Steps, z: Array, cotangents: Arrays) -> Bugs:
    n = steps.past.shape[2]
    peeks = next((i for i, p in enumerate(steps.params) if p.shape == (3 * n,)), None)
    for order in permutations("ifgo"):
        lstm = _LSTM(steps, z, order, peeks)
        if lstm.fits():
            yield from _of_lstm(lstm, cotangents)
            return


def _of_lstm(lstm: _LSTM, cotangents: Arrays) -> Bugs:
    for bug, evidence in LSTM_BUGS.items():
        yield bug, evidence, sweep(lstm.steps, lstm.pull(bug), cotangents).record()
    sigma, squash = slopes(SIGMOID), slopes(TANH)
    for name in sigma:
        for gates in ("i", "f", "g", "o", "ifo", "ifgo"):
            wrong = {k: (squash if k == "g" else sigma)[name][1] for k in gates}
            made = sweep(lstm.steps, lstm.pull("", wrong), cotangents).record()
            yield name, f"gate {gates}" if len(gates) == 1 else f"gates {', '.join(gates)}", made
