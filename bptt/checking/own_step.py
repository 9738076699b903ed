"""A factored cell's own step: its derivatives by z_x, z_h, the state and own parameters, checked alone."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from bptt._core.types import Array
from bptt.checking.cell_bugs import LIKE, SIGMOID, TANH, same, slopes
from bptt.checking.jacobian import Arrays, Truth, jacobian
from bptt.checking.report import Check
from bptt.checking.suite import errors, true_gradient


class OwnStep(NamedTuple):
    """What a factored cell's step_backward returned for one step, and the truth."""

    check: Check
    names: list[str]
    at: Arrays
    got: Arrays
    want: Arrays


def step_check(
    name: str, cell: Any, at: Arrays, k: int, truth: Truth, rng: np.random.Generator
) -> OwnStep:
    """Check what a factored cell does at one step: its derivatives by z_x, z_h, state and own."""
    w, u, b, *own = at[:k]
    x, states = at[k][0], at[k + 1 :]
    s = len(states)
    point = [x @ w + b, states[0] @ u, *states, *own]

    def function(p: Arrays) -> Arrays:
        return list(cell.step(p[0], p[1], tuple(p[2 : 2 + s]), *p[2 + s :])[0])

    outs, saved = cell.step(point[0], point[1], tuple(states), *own)
    cotangents = [rng.normal(size=a.shape) for a in outs]
    delta_x, delta_h, direct, *d_own = cell.step_backward(tuple(cotangents), saved, *own)
    ways = direct if direct is not None else [np.zeros_like(a) for a in states]
    got = [np.array(g) for g in (delta_x, delta_h, *ways, *d_own)]
    want = true_gradient(point, cotangents, jacobian(function, point, truth, range(len(point))))
    names = ["delta_x", "delta_h", *(f"direct.{n}" for n in cell.state_names)]
    names += list(cell.parameters._fields[3:])
    return OwnStep(Check(name, errors(names, got, want), truth.tolerance), names, point, got, want)


def own_step_bugs(cell: Any, step: OwnStep) -> Iterator[tuple[str, str, str]]:
    """Guess from one step of a factored cell alone: whole tensors, then gate by gate."""
    wrong = step.check.faulty
    want = dict(zip(step.names, step.want, strict=True))
    got = dict(zip(step.names, step.got, strict=True))
    batch = len(step.at[0])
    for name in wrong:
        g, w = got[name], want[name]
        if g.shape != w.shape:
            if g.ndim and g.shape == (batch, *w.shape) and same(g.sum(axis=0), w):
                yield "not summed over the batch", name, "its sum over the batch is right"
            continue
        missing = "direct path missing" if name.startswith("direct") else "gradient missing"
        for bug, factor in (
            ("factor 2", 2.0),
            ("factor 2", 0.5),
            ("wrong sign", -1.0),
            (missing, 0.0),
        ):
            if same(g, factor * w):
                yield bug, name, f"{factor:g} times the true one"
        if same(g, w / batch):
            yield "mean over the batch", name, "divided by B"
    if "delta_h" in wrong and "delta_x" not in wrong and same(got["delta_h"], want["delta_x"]):
        yield "reset gate left out", "delta_h", "it is delta_x, but the two differ"
    yield from _gate_by_gate(cell, step, got["delta_x"], want["delta_x"])


def _gate_by_gate(
    cell: Any, step: OwnStep, got: Array, want: Array
) -> Iterator[tuple[str, str, str]]:
    """Compare the slope that each gate's error has with those of the known activations."""
    if got.shape != want.shape:
        return
    blocks = [np.split(a, cell.gates, axis=1) for a in (step.at[0] + step.at[1], got, want)]
    for k, (z, g, w) in enumerate(zip(*blocks, strict=True)):
        if errors(["_"], [g], [w])["_"] <= LIKE:
            continue
        for activation in (TANH, SIGMOID):
            a = activation(z)
            for bug, (_, slope) in slopes(activation).items():
                if same(g * activation.derivative(z, a), w * slope(z, a)):
                    yield bug, "delta_x", f"block {k} of the gates, if it is a {activation.name}"
