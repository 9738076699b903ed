"""Exercises on loops over time: whole backward passes, far errors, pieces, truncation, masks."""

from collections.abc import Callable

import numpy as np

from bptt._core import Array, LayerParams, Mask, Saved, Tree
from bptt.algorithms import truncated
from bptt.algorithms.calls import CostOfSteps, full_bptt, segment
from bptt.cells import Elman, Recurrent
from bptt.checking.gradcheck import CostValue, complex_step
from bptt.network.backward import backward
from bptt.network.forward import forward
from bptt.network.stack import Params, Stack, initialize
from bptt.network.traces import Trace
from bptt.teaching.exercises.one_step import BELOW, B, N, T, normal, slope
from bptt.teaching.exercises.tasks import Backward, Given, Known, Result, Tasks
from bptt.training.losses import squared_error
from bptt.training.optim import clip_by_global_norm, global_norm

TASKS = Tasks()


def _layer(rng: np.random.Generator) -> tuple[Recurrent, Array, Array]:
    params = Recurrent(*(rng.uniform(-0.8, 0.8, shape) for shape in ((3, 2), (2, 2), (2,))))
    return params, rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 2))


def elman_forward(params: Recurrent, x: Array, initial: Array) -> tuple[Array, Array, Saved]:
    """Run the layer of the exercise; saved are x and the states, h[t] that which step t reads."""
    everywhere = np.ones(x.shape[:2], bool)
    outputs, final, (_, states, *_) = masked_forward(params, x, initial, everywhere)
    return outputs, final, (x, states)


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


@TASKS.function(
    "many-to-one",
    normal(w=(BELOW, N), u=(N, N), b=(N,), x=(T, B, BELOW), y=(B, N)),
    *("d_w", "d_u", "d_b"),
)
def _many_to_one(w: Array, u: Array, b: Array, x: Array, y: Array) -> Known:
    def differentiated(x: Array, initial: Array, first: int = -1) -> Result:
        """Differentiate the cost of the outputs from the first on, in a run of its own."""

        def cost(params: LayerParams) -> CostValue:
            outputs, _, _ = elman_forward(params, x, initial)
            return 0.5 * ((outputs[first:] - y) ** 2).sum()

        return complex_step(cost, (w, u, b))

    start = np.zeros((B, N))
    _, before_last, _ = elman_forward(Recurrent(w, u, b), x[:-1], start)
    return differentiated(x, start), {
        "the cost enters at every step; it reads the last output alone.": (
            differentiated(x, start, first=0)
        ),
        "the error stops at the last step; it goes on to all before.": (
            differentiated(x[-1:], before_last)
        ),
    }


@TASKS.function("step-jacobian", normal(z=(N,), u=(N, N)), "J")
def _step_jacobian(z: Array, u: Array) -> Known:
    def row(k: int) -> Array:
        return complex_step(lambda d: np.tanh(z + d @ u)[k], np.zeros(N))

    return np.array([row(k) for k in range(N)]), {
        "J is transposed: row k is a_k, column i is the a_i of before.": slope(z) * u,
        "the slopes belong to the units that the step makes: to the rows.": u.T * slope(z),
        "the slopes are missing.": u.T,
    }


def _draw_power(rng: np.random.Generator) -> Given:
    u, g = rng.normal(size=(N, N)), rng.normal(size=(B, N))
    return {"u": u, "g": g, "k": int(rng.integers(3, 6))}


@TASKS.function("carry-back", _draw_power, "carried")
def _carry_back(u: Array, g: Array, k: int) -> Known:
    power = np.linalg.matrix_power
    return complex_step(lambda d: (d @ power(u, k) * g).sum(), np.zeros_like(g)), {
        "u is the wrong way round: back it is g @ u.T.": g @ power(u, k),
        "one step too few.": g @ power(u.T, k - 1),
        "one step only.": g @ u.T,
    }


def _draw_clip(rng: np.random.Generator) -> Given:
    gradients = rng.normal(size=(N, N)), rng.normal(size=N)
    long = float(np.sqrt(sum((g**2).sum() for g in gradients)))
    return {"gradients": gradients, "limit": long * (0.5 if rng.random() < 0.7 else 2.0)}


@TASKS.function("clip", _draw_clip, "clipped")
def _clip(gradients: tuple[Array, ...], limit: float) -> Known:
    norm = global_norm(gradients)
    return clip_by_global_norm(gradients, limit)[0], {
        "each array is scaled by its own norm: that turns the direction.": tuple(
            clip_by_global_norm(g, limit)[0] for g in gradients
        ),
        "entries are clipped one by one: that turns the direction.": tuple(
            np.clip(g, -limit, limit) for g in gradients
        ),
        "a gradient shorter than the limit stays as it is.": tuple(
            g * limit / norm for g in gradients
        ),
    }


def draw_run(rng: np.random.Generator) -> Given:
    """Draw a network of one layer, and an input for it."""
    stack = Stack(cells=(Elman(),))
    params = initialize(stack, (BELOW, N, 1), rng)
    return {"stack": stack, "params": params, "x": rng.normal(size=(6, B, BELOW))}


def _draw_windows(rng: np.random.Generator) -> Given:
    y = rng.normal(size=(6, B, 1))
    return {**draw_run(rng), "cost": lambda a, steps: squared_error(a, y[steps]), "k": 2}


@TASKS.function("windows", _draw_windows, "gradient")
def _windows(stack: Stack, params: Params, x: Array, cost: CostOfSteps, k: int) -> Known:
    fresh: Tree = 0
    for steps in (slice(s, s + k) for s in range(0, len(x), k)):
        trace = forward(stack, params, x[steps])
        fresh = fresh + backward(trace, cost(trace.outputs, steps).d_outputs).params
    return complex_step(truncated.surrogate(stack, params, x, cost, k1=k, k2=k), params), {
        "each window starts from zero; the state is carried on, only the error stops.": fresh,
        "this is the full gradient: between windows no error passes.": (
            full_bptt(stack, params, x, cost).gradient.params
        ),
    }


def _draw_pieces(rng: np.random.Generator) -> Given:
    trace = forward(**draw_run(rng))
    d_outputs = rng.normal(size=trace.outputs.shape)
    first, second = segment(trace, 0, 4), segment(trace, 4, 6)
    return {"first": first, "d_first": d_outputs[:4], "second": second, "d_second": d_outputs[4:]}


def linear_cost(stack: Stack, x: Array, d_outputs: Array) -> Callable[[Params], CostValue]:
    """Return a cost of the parameters whose derivative by the outputs is given."""
    return lambda params: (d_outputs * forward(stack, params, x).outputs).sum()


@TASKS.function("hand-over", _draw_pieces, "gradient")
def _hand_over(first: Trace, d_first: Array, second: Trace, d_second: Array) -> Known:
    x, d_outputs = np.concatenate([first.x, second.x]), np.concatenate([d_first, d_second])
    late = backward(second, d_second)
    return complex_step(linear_cost(first.stack, x, d_outputs), first.params), {
        "the second piece's error for its initial state is not handed to the first.": (
            backward(first, d_first).params + late.params
        ),
        "the gradients of both pieces are added.": backward(first, d_first, late.initial).params,
    }


TASKS["masked-backward"] = Backward(masked_forward, _layer, masked=True)


def _draw_padded(rng: np.random.Generator) -> Given:
    lengths = np.array([T, 2, 3, 1])
    outputs, y = rng.normal(size=(2, T, B, 1))
    return {"outputs": outputs, "y": y, "mask": np.arange(T)[:, None] < lengths}


@TASKS.function("mean-cost", _draw_padded, "d_outputs")
def _mean_cost(outputs: Array, y: Array, mask: Mask) -> Known:
    there, gap = mask[:, :, None], outputs - y
    kept = gap * there
    return complex_step(lambda a: 0.5 * ((a - y) ** 2 * there).sum() / mask.sum(), outputs), {
        "padding is counted in the mean: divide by the steps that are there.": kept / mask.size,
        "padding has a cost: it has none.": gap / mask.sum(),
        "padding has a cost, and is counted in the mean.": gap / mask.size,
        "a sum; the cost is a mean.": kept,
    }
