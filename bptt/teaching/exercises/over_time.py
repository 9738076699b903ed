"""Exercises on loops over time: whole backward passes, far errors, pieces, truncation, masks."""

from collections.abc import Callable

import numpy as np

from bptt._core.types import Array, LayerParams, Mask, Saved, Tree
from bptt.algorithms import truncated
from bptt.algorithms.calls import CostOfSteps, full_bptt, segment
from bptt.cells import Elman
from bptt.cells.protocol import Recurrent
from bptt.checking.gradcheck import CostValue
from bptt.checking.gradcheck import complex_step as gradient
from bptt.network.backward import backward
from bptt.network.forward import forward
from bptt.network.parameters import Params
from bptt.network.stack import Stack, initialize
from bptt.teaching.exercises.one_step import BELOW, B, N, T, normal, slope
from bptt.teaching.exercises.tasks import Backward, Function, Given
from bptt.training.losses import squared_error
from bptt.training.optim import clip_by_global_norm, global_norm

TASKS: dict[str, Function | Backward] = {}


def _layer(rng: np.random.Generator) -> tuple[Recurrent, Array, Array]:
    shapes = (3, 2), (2, 2), (2,)
    params = Recurrent(*(rng.uniform(-0.8, 0.8, shape) for shape in shapes))
    return params, rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 2))


def elman_forward(params: Recurrent, x: Array, initial: Array) -> tuple[Array, Array, Saved]:
    """Run the layer of the exercise; saved are x and the states, h[t] that which step t reads."""
    w, u, b = params
    h = [initial]
    for x_t in x:
        h.append(np.tanh(x_t @ w + h[-1] @ u + b))
    states = np.array(h)
    return states[1:], states[-1], (x, states)


def masked_forward(
    params: Recurrent, x: Array, initial: Array, mask: Mask
) -> tuple[Array, Array, Saved]:
    """Run the same layer with a mask, (T, B): where it is False there is no step."""
    w, u, b = params
    h, a = [initial], []
    for x_t, there in zip(x, mask, strict=True):
        a.append(np.tanh(x_t @ w + h[-1] @ u + b))
        h.append(np.where(there[:, None], a[-1], h[-1]))
    states = np.array(h)
    return states[1:], states[-1], (x, states, np.array(a), mask)


TASKS["elman-backward"] = Backward(elman_forward, _layer)


def _last_cost(params: LayerParams, x: Array, y: Array) -> CostValue:
    zero = np.zeros((x.shape[1], len(params[1])))
    outputs, _, _ = elman_forward(params, x, zero)
    return 0.5 * ((outputs[-1] - y) ** 2).sum()


def _many_to_one(
    params: LayerParams, x: Array, y: Array, every: bool = False, reach: int = T
) -> tuple[Array, ...]:
    """Go back from the last step; wrongly, from every step, or not all the way."""
    w, u, b = params
    h = elman_forward(params, x, np.zeros((x.shape[1], len(u))))[2][1]
    d_w, d_u, d_b, d_h = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        here = h[t + 1] - y if every or t == len(x) - 1 else 0
        delta = (here + d_h) * (1 - h[t + 1] ** 2)
        d_w, d_u, d_b = d_w + x[t].T @ delta, d_u + h[t].T @ delta, d_b + delta.sum(axis=0)
        d_h = delta @ u.T * (t > len(x) - reach)
    return d_w, d_u, d_b


TASKS["many-to-one"] = Function(
    draw=normal(w=(BELOW, N), u=(N, N), b=(N,), x=(T, B, BELOW), y=(B, N)),
    truth=lambda w, u, b, x, y: gradient(lambda p: _last_cost(p, x, y), (w, u, b)),
    returns=("d_w", "d_u", "d_b"),
    mistakes=lambda w, u, b, x, y: {
        "the cost enters at every step; it reads the last output alone.": (
            _many_to_one((w, u, b), x, y, every=True)
        ),
        "the error stops at the last step; it goes on to all before.": (
            _many_to_one((w, u, b), x, y, reach=1)
        ),
    },
)


def _jacobian(z: Array, u: Array) -> Array:
    def a(k: int) -> Callable[[Array], CostValue]:
        return lambda d: np.tanh(z + d @ u)[k]

    return np.array([gradient(a(k), np.zeros(len(u))) for k in range(len(z))])


TASKS["step-jacobian"] = Function(
    draw=normal(z=(N,), u=(N, N)),
    truth=_jacobian,
    returns=("J",),
    mistakes=lambda z, u: {
        "J is transposed: row k is a_k, column i is the a_i of before.": slope(z) * u,
        "the slopes belong to the units that the step makes: to the rows.": u.T * slope(z),
        "the slopes are missing.": u.T,
    },
)


def _draw_power(rng: np.random.Generator) -> Given:
    return {
        "u": rng.normal(size=(N, N)),
        "g": rng.normal(size=(B, N)),
        "k": int(rng.integers(3, 6)),
    }


TASKS["carry-back"] = Function(
    draw=_draw_power,
    truth=lambda u, g, k: gradient(
        lambda d: (d @ np.linalg.matrix_power(u, k) * g).sum(), np.zeros_like(g)
    ),
    returns=("carried",),
    mistakes=lambda u, g, k: {
        "u is the wrong way round: back it is g @ u.T.": g @ np.linalg.matrix_power(u, k),
        "one step too few.": g @ np.linalg.matrix_power(u.T, k - 1),
        "one step only.": g @ u.T,
    },
)


def _draw_clip(rng: np.random.Generator) -> Given:
    gradients = rng.normal(size=(N, N)), rng.normal(size=N)
    long = float(np.sqrt(sum((g**2).sum() for g in gradients)))
    return {"gradients": gradients, "limit": long * (0.5 if rng.random() < 0.7 else 2.0)}


TASKS["clip"] = Function(
    draw=_draw_clip,
    truth=lambda gradients, limit: clip_by_global_norm(gradients, limit)[0],
    returns=("clipped",),
    mistakes=lambda gradients, limit: {
        "each array is scaled by its own norm: that turns the direction.": tuple(
            clip_by_global_norm(g, limit)[0] for g in gradients
        ),
        "entries are clipped one by one: that turns the direction.": tuple(
            np.clip(g, -limit, limit) for g in gradients
        ),
        "a gradient shorter than the limit stays as it is.": tuple(
            g * limit / global_norm(gradients) for g in gradients
        ),
    },
)


def _draw_run(rng: np.random.Generator) -> Given:
    stack = Stack(cells=(Elman(),))
    params = initialize(stack, (BELOW, N, 1), rng)
    return {"stack": stack, "params": params, "x": rng.normal(size=(6, B, BELOW))}


def _draw_windows(rng: np.random.Generator) -> Given:
    y = rng.normal(size=(6, B, 1))
    return {**_draw_run(rng), "cost": lambda a, steps: squared_error(a, y[steps]), "k": 2}


def _fresh_windows(stack: Stack, params: Params, x: Array, cost: CostOfSteps, k: int) -> Tree:
    pieces = [slice(s, s + k) for s in range(0, len(x), k)]
    runs = [(forward(stack, params, x[steps]), steps) for steps in pieces]
    parts: list[Tree] = [backward(r, cost(r.outputs, steps).d_outputs).params for r, steps in runs]
    return sum(parts)


TASKS["windows"] = Function(
    draw=_draw_windows,
    truth=lambda stack, params, x, cost, k: gradient(
        truncated.surrogate(stack, params, x, cost, k1=k, k2=k), params
    ),
    returns=("gradient",),
    mistakes=lambda stack, params, x, cost, k: {
        "each window starts from zero; the state is carried on, only the error stops.": (
            _fresh_windows(stack, params, x, cost, k)
        ),
        "this is the full gradient: between windows no error passes.": (
            full_bptt(stack, params, x, cost).gradient.params
        ),
    },
)


def _draw_pieces(rng: np.random.Generator) -> Given:
    trace = forward(**_draw_run(rng))
    d_outputs = rng.normal(size=trace.outputs.shape)
    first, second = segment(trace, 0, 4), segment(trace, 4, 6)
    return {"first": first, "d_first": d_outputs[:4], "second": second, "d_second": d_outputs[4:]}


def _linear_cost(stack: Stack, x: Array, d_outputs: Array) -> Callable[[Params], CostValue]:
    return lambda params: (d_outputs * forward(stack, params, x).outputs).sum()


TASKS["hand-over"] = Function(
    draw=_draw_pieces,
    truth=lambda first, d_first, second, d_second: gradient(
        _linear_cost(
            first.stack, np.concatenate([first.x, second.x]), np.concatenate([d_first, d_second])
        ),
        first.params,
    ),
    returns=("gradient",),
    mistakes=lambda first, d_first, second, d_second: {
        "the second piece's error for its initial state is not handed to the first.": (
            backward(first, d_first).params + backward(second, d_second).params
        ),
        "the gradients of both pieces are added.": (
            backward(first, d_first, backward(second, d_second).initial).params
        ),
    },
)

TASKS["masked-backward"] = Backward(masked_forward, _layer, masked=True)


def _draw_padded(rng: np.random.Generator) -> Given:
    lengths = np.array([T, 2, 3, 1])
    outputs, y = rng.normal(size=(2, T, B, 1))
    return {"outputs": outputs, "y": y, "mask": np.arange(T)[:, None] < lengths}


def _mean_cost(outputs: Array, y: Array, mask: Mask) -> CostValue:
    return 0.5 * ((outputs - y) ** 2 * mask[:, :, None]).sum() / mask.sum()


TASKS["mean-cost"] = Function(
    draw=_draw_padded,
    truth=lambda outputs, y, mask: gradient(lambda a: _mean_cost(a, y, mask), outputs),
    returns=("d_outputs",),
    mistakes=lambda outputs, y, mask: {
        "padding is counted in the mean: divide by the steps that are there.": (
            (outputs - y) * mask[:, :, None] / mask.size
        ),
        "padding has a cost: it has none.": (outputs - y) / mask.sum(),
        "padding has a cost, and is counted in the mean.": (outputs - y) / mask.size,
        "a sum; the cost is a mean.": (outputs - y) * mask[:, :, None],
    },
)
