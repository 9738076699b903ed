"""Exercises on gates, and on other ways to the gradient: checkpoints, forward in time, scan, both ends."""

from collections.abc import Callable, Sequence

import numpy as np

from bptt._core.types import Array, Tree
from bptt.cells.activations import sigmoid
from bptt.checking.gradcheck import CostValue
from bptt.network.backward import backward
from bptt.network.forward import forward
from bptt.network.parameters import Params
from bptt.network.stack import Stack
from bptt.teaching.exercises.one_step import B, N, T, normal, slope
from bptt.teaching.exercises.over_time import _added, _draw_run, _linear_cost
from bptt.teaching.exercises.tasks import Answer, Function, Given, Result, gradient


def _leaky(z: Array, a_past: Array, k: Array) -> Result:
    leak = sigmoid(k)
    return (1 - leak) * a_past + leak * np.tanh(z)


def _leaky_back(d_a: Array, z: Array, a_past: Array, k: Array) -> tuple[Array, ...]:
    leak = sigmoid(k)
    d_k = (d_a * (np.tanh(z) - a_past) * leak * (1 - leak)).sum(axis=0)
    return d_a * leak * slope(z), d_a * (1 - leak), d_k


LEAKY = Function(
    draw=normal(("d_a", (B, N)), ("z", (B, N)), ("a_past", (B, N)), ("k", (N,))),
    truth=lambda d_a, z, a_past, k: gradient(lambda at: (d_a * _leaky(*at)).sum(), (z, a_past, k)),
    returns=("delta", "direct", "d_k"),
    mistakes={
        "the direct path is there: a_past goes into a, multiplied by 1 - leak.": (
            lambda d_a, z, a_past, k: (*_leaky_back(d_a, z, a_past, k)[:1], 0 * d_a, 0 * k)
        ),
        "the slope of tanh is missing in delta.": lambda d_a, z, a_past, k: (
            d_a * sigmoid(k),
            *_leaky_back(d_a, z, a_past, k)[1:],
        ),
        "the slope of the sigmoid is missing in d_k.": lambda d_a, z, a_past, k: (
            *_leaky_back(d_a, z, a_past, k)[:2],
            (d_a * (np.tanh(z) - a_past)).sum(axis=0),
        ),
        "k is shared by the batch: its contributions are added up.": lambda d_a, z, a_past, k: (
            *_leaky_back(d_a, z, a_past, k)[:2],
            d_a * (np.tanh(z) - a_past) * sigmoid(k) * (1 - sigmoid(k)),
        ),
    },
)


def _lstm(d_h: Array, d_c: Array, z: Sequence[Array], c_past: Array) -> CostValue:
    i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
    c = f * c_past + i * g
    return (d_h * o * np.tanh(c)).sum() + (d_c * c).sum()


def _lstm_back(without: str = "") -> Answer:
    """Return the backward half of an LSTM step, without one of its parts."""

    def back(
        d_h: Array, d_c: Array, z_i: Array, z_f: Array, z_g: Array, z_o: Array, c_past: Array
    ) -> tuple[Array, ...]:
        i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
        c = f * c_past + i * g
        through = 1 if without == "slope" else slope(c)
        total = d_h * o * through * (without != "h") + d_c * (without != "c")
        read = c if without == "past" else c_past
        gates = total * g * i * (1 - i), total * read * f * (1 - f), total * i * slope(z_g)
        return *gates, d_h * np.tanh(c) * o * (1 - o), total * f * (without != "direct")

    return back


LSTM_STEP = Function(
    draw=normal(*((name, (B, N)) for name in ("d_h", "d_c", "z_i", "z_f", "z_g", "z_o", "c_past"))),
    truth=lambda d_h, d_c, z_i, z_f, z_g, z_o, c_past: gradient(
        lambda at: _lstm(d_h, d_c, at[:4], at[4]), (z_i, z_f, z_g, z_o, c_past)
    ),
    returns=("delta_i", "delta_f", "delta_g", "delta_o", "d_c_past"),
    mistakes={
        "what comes from h is missing in the cell's error.": _lstm_back("h"),
        "what comes from the next cell state is missing: add, do not replace.": _lstm_back("c"),
        "the slope of tanh(c) is missing on the way from h to c.": _lstm_back("slope"),
        "the forget gate multiplies c_past, not c.": _lstm_back("past"),
        "the direct path is missing: c_past goes into c, multiplied by f.": _lstm_back("direct"),
    },
)


def _gru(d_a: Array, z_r: Array, z_s: Array, x_n: Array, h_n: Array, a_past: Array) -> CostValue:
    r, s = sigmoid(z_r), sigmoid(z_s)
    return (d_a * (s * a_past + (1 - s) * np.tanh(x_n + r * h_n))).sum()


def _gru_back(wrong: str = "") -> Answer:
    """Return the backward half of a GRU step that resets after the product, with one thing wrong."""

    def back(
        d_a: Array, z_r: Array, z_s: Array, x_n: Array, h_n: Array, a_past: Array
    ) -> tuple[Array, ...]:
        r, s = sigmoid(z_r), sigmoid(z_s)
        n = np.tanh(x_n + r * h_n)
        keep, let = (1 - s, s) if wrong == "swapped" else (s, 1 - s)
        delta_n = d_a * let * (1 if wrong == "slope" else 1 - n**2)
        delta_h = delta_n * (1 if wrong == "open" else r)
        delta_s = d_a * (a_past - n) * s * (1 - s)
        direct = d_a * keep * (wrong != "direct")
        return delta_n * h_n * r * (1 - r), delta_s, delta_n, delta_h, direct

    return back


GRU_STEP = Function(
    draw=normal(*((name, (B, N)) for name in ("d_a", "z_r", "z_s", "x_n", "h_n", "a_past"))),
    truth=lambda d_a, **z: gradient(lambda at: _gru(d_a, *at), tuple(z.values())),
    returns=("delta_r", "delta_s", "delta_x", "delta_h", "direct"),
    mistakes={
        "the reset gate is left out: h_n is multiplied by r.": _gru_back("open"),
        "s and 1 - s are swapped: here s keeps what was.": _gru_back("swapped"),
        "the slope of tanh is missing.": _gru_back("slope"),
        "the direct path is missing: a_past goes into a, multiplied by s.": _gru_back("direct"),
    },
)


def _draw_checkpoint(rng: np.random.Generator) -> Given:
    return {**_draw_run(rng), "d_outputs": rng.normal(size=(6, B, 1)), "k": 2}


def _without_hand_over(stack: Stack, params: Params, x: Array, d_outputs: Array, k: int) -> Tree:
    state, parts = None, []
    for s in range(0, len(x), k):
        run = forward(stack, params, x[s : s + k], state)
        parts.append(backward(run, d_outputs[s : s + k]).params)
        state = run.final
    return _added(parts)


CHECKPOINTS = Function(
    draw=_draw_checkpoint,
    truth=lambda stack, params, x, d_outputs, **_: gradient(
        _linear_cost(stack, x, d_outputs), params
    ),
    returns=("gradient",),
    mistakes={
        "no piece hands its error to the one before: these are windows.": _without_hand_over,
        "this is the first piece alone: add the gradients of all.": (
            lambda stack, params, x, d_outputs, k: (
                backward(
                    forward(stack, params, x[:k]),
                    d_outputs[:k],
                    backward(
                        forward(stack, params, x[k:], forward(stack, params, x[:k]).final),
                        d_outputs[k:],
                    ).initial,
                ).params
            )
        ),
    },
)


def _influence(P: Array, a_past: Array, z: Array, u: Array) -> Array:
    def a(k: int) -> Callable[[Array], CostValue]:
        return lambda v: np.tanh(z + (a_past + np.tensordot(P, v - u, 2)) @ v - a_past @ u)[k]

    return np.array([gradient(a(k), u) for k in range(len(z))])


def _next_influence(
    P: Array, a_past: Array, z: Array, u: Array, by: Array | float, here: int = 1
) -> Array:
    immediate = here * np.einsum("i,jk->kij", a_past, np.eye(len(z)))
    found: Array = by * (np.einsum("mk,mij->kij", u, P) + immediate)
    return found


def _slopes(z: Array) -> Array:
    return slope(z)[:, None, None]


RTRL_STEP = Function(
    draw=normal(("P", (N, N, N)), ("a_past", (N,)), ("z", (N,)), ("u", (N, N))),
    truth=_influence,
    returns=("P_next",),
    mistakes={
        "this is the immediate derivative alone; the past state depends on u, too.": (
            lambda P, a_past, z, u: _next_influence(0 * P, a_past, z, u, _slopes(z))
        ),
        "the immediate derivative is missing: u itself stands in this step.": (
            lambda P, a_past, z, u: _next_influence(P, a_past, z, u, _slopes(z), here=0)
        ),
        "u is transposed: unit m of before reaches unit k by u[m, k].": (
            lambda P, a_past, z, u: (
                _slopes(z)
                * (np.einsum("km,mij->kij", u, P) + np.einsum("i,jk->kij", a_past, np.eye(len(z))))
            )
        ),
        "the slopes are missing.": lambda P, a_past, z, u: _next_influence(P, a_past, z, u, 1),
    },
)


def _composed(beta1: Array, J1: Array, beta2: Array, J2: Array) -> tuple[Array, Array]:
    def both(row: Array) -> Array:
        moved: Array = beta1 + (beta2 + row @ J2) @ J1
        return moved

    shift = both(np.zeros(N))
    return shift, np.array([both(row) - shift for row in np.eye(N)])


COMPOSE = Function(
    draw=normal(("beta1", (N,)), ("J1", (N, N)), ("beta2", (N,)), ("J2", (N, N))),
    truth=_composed,
    returns=("beta", "J"),
    mistakes={
        "the order is reversed: (beta2, J2) acts first.": (
            lambda beta1, J1, beta2, J2: (beta2 + beta1 @ J2, J1 @ J2)
        ),
        "beta2 goes through the second map, too.": (
            lambda beta1, J1, beta2, J2: (beta1 + beta2, J2 @ J1)
        ),
    },
)


def _both(w_there: Array, w_back: Array, delta_there: Array, delta_back: Array) -> Array:
    x = np.zeros((T, B, len(w_there)))
    return gradient(
        lambda x: (delta_there * (x @ w_there)).sum() + (delta_back * (x[::-1] @ w_back)).sum(), x
    )


BOTH_DIRECTIONS = Function(
    draw=normal(
        ("w_there", (2, N)),
        ("w_back", (2, N)),
        ("delta_there", (T, B, N)),
        ("delta_back", (T, B, N)),
    ),
    truth=_both,
    returns=("d_x",),
    mistakes={
        "the second layer has read x from the end: turn its part round.": (
            lambda w_there, w_back, delta_there, delta_back: (
                delta_there @ w_there.T + delta_back @ w_back.T
            )
        ),
        "x is read by both layers: add what both say.": (
            lambda w_there, delta_there, **_: delta_there @ w_there.T
        ),
    },
)

TASKS: dict[str, Function] = {
    "leaky": LEAKY,
    "lstm-step": LSTM_STEP,
    "gru-step": GRU_STEP,
    "checkpoints": CHECKPOINTS,
    "rtrl-step": RTRL_STEP,
    "compose": COMPOSE,
    "both-directions": BOTH_DIRECTIONS,
}
