"""Exercises on gates, and on other ways to the gradient: checkpoints, forward in time, scan, both ends."""

import numpy as np

from bptt._core import Array, Tree
from bptt.algorithms.calls import segment
from bptt.cells.activations import sigmoid
from bptt.checking.cell_bugs import cut, posing
from bptt.checking.gradcheck import CostValue, complex_step
from bptt.network.backward import backward
from bptt.network.forward import forward
from bptt.network.stack import Params, Stack
from bptt.teaching.exercises.one_step import B, N, T, normal, slope
from bptt.teaching.exercises.over_time import draw_run, linear_cost
from bptt.teaching.exercises.tasks import Given, Known, Result, Tasks

TASKS = Tasks()


@TASKS.function(
    "leaky", normal(d_a=(B, N), z=(B, N), a_past=(B, N), k=(N,)), *("delta", "direct", "d_k")
)
def _leaky(d_a: Array, z: Array, a_past: Array, k: Array) -> Known:
    def cost(at: Tree) -> CostValue:
        z, a_past, k = at
        return (d_a * ((1 - sigmoid(k)) * a_past + sigmoid(k) * np.tanh(z))).sum()

    delta, direct, d_k = complex_step(cost, (z, a_past, k))
    d_leak, slope_of_leak = d_a * (np.tanh(z) - a_past), sigmoid(k) * (1 - sigmoid(k))
    return (delta, direct, d_k), {
        "the direct path is there: a_past goes into a, multiplied by 1 - leak.": (
            (delta, 0 * d_a, 0 * k)
        ),
        "the slope of tanh is missing in delta.": (d_a * sigmoid(k), direct, d_k),
        "the slope of the sigmoid is missing in d_k.": (delta, direct, d_leak.sum(axis=0)),
        "k is shared by the batch: its contributions are added up.": (
            (delta, direct, d_leak * slope_of_leak)
        ),
    }


@TASKS.function(
    "lstm-step",
    normal(**dict.fromkeys(("d_h", "d_c", "z_i", "z_f", "z_g", "z_o", "c_past"), (B, N))),
    *("delta_i", "delta_f", "delta_g", "delta_o", "d_c_past"),
)
def _lstm_step(d_h: Array, d_c: Array, **at: Array) -> Known:
    def back(wrong: str = "") -> Result:
        """Differentiate an LSTM step by the complex step, with one thing wrong."""

        def cost(at: Tree) -> CostValue:
            (z_i, z_f, z_g, z_o, c_past) = at
            i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
            c = f * (cut(c_past) if wrong == "direct" else c_past) + i * g
            if wrong == "past":
                c = posing(c, f * cut(c) + cut(f) * c_past + i * g)
            read = cut(c) if wrong == "h" else c
            tanh_c = posing(np.tanh(read), read) if wrong == "slope" else np.tanh(read)
            return (d_h * o * tanh_c + d_c * (cut(c) if wrong == "c" else c)).sum()

        return complex_step(cost, tuple(at.values()))

    return back(), {
        "what comes from h is missing in the cell's error.": back("h"),
        "what comes from the next cell state is missing: add, do not replace.": back("c"),
        "the slope of tanh(c) is missing on the way from h to c.": back("slope"),
        "the forget gate multiplies c_past, not c.": back("past"),
        "the direct path is missing: c_past goes into c, multiplied by f.": back("direct"),
    }


@TASKS.function(
    "gru-step",
    normal(**dict.fromkeys(("d_a", "z_r", "z_s", "x_n", "h_n", "a_past"), (B, N))),
    *("delta_r", "delta_s", "delta_x", "delta_h", "direct"),
)
def _gru_step(d_a: Array, **at: Array) -> Known:
    def back(wrong: str = "") -> Result:
        """Differentiate a GRU step that resets after the product, with one thing wrong."""

        def cost(at: Tree) -> CostValue:
            (z_r, z_s, x_n, h_n, a_past) = at
            r, s = sigmoid(z_r), sigmoid(z_s)
            z_n = x_n + (posing(r * h_n, r * cut(h_n) + h_n) if wrong == "open" else r * h_n)
            n = posing(np.tanh(z_n), z_n) if wrong == "slope" else np.tanh(z_n)
            a = s * (cut(a_past) if wrong == "direct" else a_past) + (1 - s) * n
            if wrong == "swapped":
                a = posing(a, (1 - cut(s)) * a_past + cut(s) * n + s * cut(a_past - n))
            return (d_a * a).sum()

        return complex_step(cost, tuple(at.values()))

    return back(), {
        "the reset gate is left out: h_n is multiplied by r.": back("open"),
        "s and 1 - s are swapped: here s keeps what was.": back("swapped"),
        "the slope of tanh is missing.": back("slope"),
        "the direct path is missing: a_past goes into a, multiplied by s.": back("direct"),
    }


def _draw_checkpoint(rng: np.random.Generator) -> Given:
    return {**draw_run(rng), "d_outputs": rng.normal(size=(6, B, 1)), "k": 2}


@TASKS.function("checkpoints", _draw_checkpoint, "gradient")
def _checkpoints(stack: Stack, params: Params, x: Array, d_outputs: Array, k: int) -> Known:
    run = forward(stack, params, x)
    pieces = [(segment(run, s, s + k), d_outputs[s : s + k]) for s in range(0, len(x), k)]
    windows: list[Tree] = [backward(*piece).params for piece in pieces]
    rest = backward(segment(run, k, len(x)), d_outputs[k:])
    return complex_step(linear_cost(stack, x, d_outputs), params), {
        "no piece hands its error to the one before: these are windows.": sum(windows),
        "this is the first piece alone: add the gradients of all.": (
            backward(*pieces[0], rest.initial).params
        ),
    }


@TASKS.function("rtrl-step", normal(P=(N, N, N), a_past=(N,), z=(N,), u=(N, N)), "P_next")
def _rtrl_step(P: Array, a_past: Array, z: Array, u: Array) -> Known:
    def row(k: int) -> Array:
        def a(v: Array) -> CostValue:
            return np.tanh(z + (a_past + np.tensordot(P, v - u, 2)) @ v - a_past @ u)[k]

        return complex_step(a, u)

    slopes, carried = slope(z)[:, None, None], np.einsum("mk,mij->kij", u, P)
    immediate = np.einsum("i,jk->kij", a_past, np.eye(N))
    return np.array([row(k) for k in range(N)]), {
        "this is the immediate derivative alone; the past state depends on u, too.": (
            slopes * immediate
        ),
        "the immediate derivative is missing: u itself stands in this step.": slopes * carried,
        "u is transposed: unit m of before reaches unit k by u[m, k].": (
            slopes * (np.einsum("km,mij->kij", u, P) + immediate)
        ),
        "the slopes are missing.": carried + immediate,
    }


@TASKS.function("compose", normal(beta1=(N,), J1=(N, N), beta2=(N,), J2=(N, N)), "beta", "J")
def _compose(beta1: Array, J1: Array, beta2: Array, J2: Array) -> Known:
    def both(row: Array) -> Array:
        moved: Array = beta1 + (beta2 + row @ J2) @ J1
        return moved

    shift = both(np.zeros(N))
    return (shift, np.array([both(row) - shift for row in np.eye(N)])), {
        "the order is reversed: (beta2, J2) acts first.": (beta2 + beta1 @ J2, J1 @ J2),
        "beta2 goes through the second map, too.": (beta1 + beta2, J2 @ J1),
    }


@TASKS.function(
    "both-directions",
    normal(w_there=(2, N), w_back=(2, N), delta_there=(T, B, N), delta_back=(T, B, N)),
    "d_x",
)
def _both_directions(w_there: Array, w_back: Array, delta_there: Array, delta_back: Array) -> Known:
    def cost(x: Array) -> CostValue:
        return (delta_there * (x @ w_there)).sum() + (delta_back * (x[::-1] @ w_back)).sum()

    from_there = delta_there @ w_there.T
    return complex_step(cost, np.zeros((T, B, 2))), {
        "the second layer has read x from the end: turn its part round.": (
            from_there + delta_back @ w_back.T
        ),
        "x is read by both layers: add what both say.": from_there,
    }
