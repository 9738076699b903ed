"""Bugs of gated recurrent units, of both kinds, made on purpose (see `bptt.checking.cell_bugs`)."""

from collections.abc import Callable
from itertools import permutations, product
from typing import TypeAlias

import numpy as np

from bptt._core.types import Array
from bptt.cells.activations import Activation, sigmoid, tanh
from bptt.checking.jacobian import Arrays
from bptt.checking.sweep import Bugs, Pull, Steps, sweep

GRU_BUGS = (  # how the sweep calls it, name, evidence
    ("other", "other GRU's reset", "δ of r, u's gradient and the way to the past are the other's"),
    ("other r", "other GRU's reset", "δ of r alone is the other's"),
    ("open", "reset gate left out", "δ of n reaches the past without r"),
    ("swapped", "update gate swapped", "s and 1 - s change places on the way back"),
    ("direct", "direct path missing", "what is kept of ∂C/∂a does not arrive"),
)


Slope: TypeAlias = Callable[[Array, Array], Array]  # a derivative, right or wrong, of z and a


class _GRU:
    """A GRU's run: gates by name, where r acts (before or after the product), and which way s goes."""

    def __init__(
        self,
        steps: Steps,
        z: tuple[Array, Array],
        order: tuple[str, ...],
        before: bool,
        turned: bool,
    ) -> None:
        n = steps.past.shape[2]
        self.steps, self.order, self.before, self.turned, self.n = steps, order, before, turned, n
        x, h = ({k: a[:, :, j * n : j * n + n] for j, k in enumerate(order)} for a in z)
        u = steps.params[steps.u or 0]
        self.u = {k: u[:, j * n : j * n + n] for j, k in enumerate(order)}
        self.c_at = next(
            (i for i, p in enumerate(steps.params) if p.shape == (n,) and i != steps.b), None
        )
        c = 0.0 if self.c_at is None else steps.params[self.c_at]
        self.z = {k: x[k] + h[k] for k in "rs"}
        self.r, self.s = sigmoid(self.z["r"]), sigmoid(self.z["s"])
        self.product = (self.r * steps.past) @ self.u["n"] if before else h["n"] + c
        self.z["n"] = x["n"] + (self.product if before else self.r * self.product)
        self.new = np.tanh(self.z["n"])

    def weights(self, t: int) -> tuple[Array, Array]:
        """Return what multiplies n and what multiplies the past."""
        s = self.s[t]
        return (s, 1 - s) if self.turned else (1 - s, s)

    def fits(self) -> bool:
        steps = range(len(self.s))
        a = [
            self.weights(t)[0] * self.new[t] + self.weights(t)[1] * self.steps.past[t]
            for t in steps
        ]
        return bool(np.abs(np.array(a) - self.steps.states[0][1:]).max() <= 1e-9)

    def pull(self, bug: str = "", wrong: dict[str, Slope] | None = None) -> Pull:
        """Return the way back through a step, with one bug, or with wrong slopes of some gates."""
        slopes = {"r": sigmoid.derivative, "s": sigmoid.derivative, "n": tanh.derivative} | (
            wrong or {}
        )
        before = self.before ^ (bug == "other")

        def pull(t: int, row: Arrays) -> Arrays:
            r, s, new, past = self.r[t], self.s[t], self.new[t], self.steps.past[t]
            d_a = row[0] + row[1]
            of_new, of_past = self.weights(t)
            if bug == "swapped":
                of_new, of_past = of_past, of_new
            d_n = d_a * of_new * slopes["n"](self.z["n"][t], new)
            d_s = d_a * (past - new) * (-1 if self.turned else 1) * slopes["s"](self.z["s"][t], s)
            gated = d_n if bug == "open" else d_n * r
            back = d_n @ self.u["n"].T  # to r ⊙ a, if r acts before the product
            other_r = before ^ (bug == "other r")
            product = self.product[t] if other_r == self.before else past @ self.u["n"]
            d_r = (back * past if other_r else d_n * product) * slopes["r"](self.z["r"][t], r)
            delta = {"r": d_r, "s": d_s, "n": d_n}
            left = {"r": past, "s": past, "n": r * past if before else past}
            to_u = {"r": d_r, "s": d_s, "n": d_n if before else gated}
            d_past = d_a * of_past * (bug != "direct")
            d_past = d_past + d_r @ self.u["r"].T + d_s @ self.u["s"].T
            open_ = bug == "open"
            d_past = d_past + (back * (1 if open_ else r) if before else gated @ self.u["n"].T)
            return self._laid_out(t, delta, left, to_u, d_past)

        return pull

    def _laid_out(
        self,
        t: int,
        delta: dict[str, Array],
        left: dict[str, Array],
        to_u: dict[str, Array],
        d_past: Array,
    ) -> Arrays:
        steps, batch = self.steps, len(d_past)
        found: Arrays = [np.zeros((batch, p.size)) for p in steps.params]
        whole = np.concatenate([delta[k] for k in self.order], axis=1)
        outer = [left[k][:, :, None] * to_u[k][:, None] for k in self.order]
        w, u, b = steps.w or 0, steps.u or 0, steps.b or 0
        found[w] = (steps.x[t][:, :, None] * whole[:, None]).reshape(batch, -1)
        found[u] = np.concatenate(outer, axis=2).reshape(batch, -1)
        found[b] = whole
        if self.c_at is not None:
            found[self.c_at] = to_u["n"]
        return [*found, whole @ steps.params[w].T, d_past]


def gru_bugs(
    steps: Steps,
    z_x: Array,
    z_h: Array,
    cotangents: Arrays,
    slopes: Callable[[Activation], dict[str, tuple[str, Slope]]],
) -> Bugs:
    """Make all bugs of a GRU, if the layer is one."""
    for order, before, turned in product(permutations("rsn"), (False, True), (False, True)):
        gru = _GRU(steps, (z_x, z_h), order, before, turned)
        if not gru.fits():
            continue
        for bug, called, evidence in GRU_BUGS:
            yield called, evidence, sweep(steps, gru.pull(bug), cotangents).record()
        sigma, squash = slopes(sigmoid), slopes(tanh)
        for name in sigma:
            for gates in ("r", "s", "n", "rs", "rsn"):
                wrong = {k: (squash if k == "n" else sigma)[name][1] for k in gates}
                made = sweep(steps, gru.pull("", wrong), cotangents).record()
                yield name, f"gate {', '.join(gates)}", made
        return
