"""Exercises on a single step: forward, errors, and the gradients of weights."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bptt._core import Array
from bptt.cells.activations import softmax
from bptt.checking.gradcheck import CostValue, complex_step
from bptt.network.backward import outer_sum
from bptt.teaching.exercises.tasks import Given, Known, Tasks

B, T, N, BELOW = 4, 5, 3, 2

TASKS = Tasks()


def slope(z: Array) -> Array:
    """Return the derivative of tanh."""
    found: Array = 1 - np.tanh(z) ** 2
    return found


def normal(**shapes: tuple[int, ...]) -> Callable[[np.random.Generator], Given]:
    """Return a function that draws arrays by name."""
    return lambda rng: {name: rng.normal(size=shape) for name, shape in shapes.items()}


@TASKS.function("forward-step", normal(x=(B, BELOW), h=(B, N), w=(BELOW, N), u=(N, N), b=(N,)), "a")
def _forward_step(x: Array, h: Array, w: Array, u: Array, b: Array) -> Known:
    a = np.zeros((B, N))
    for row, j in np.ndindex(a.shape):
        below = sum(x[row, i] * w[i, j] for i in range(BELOW))
        past = sum(h[row, i] * u[i, j] for i in range(N))
        a[row, j] = np.tanh(below + past + b[j])
    return a, {
        "h does not enter: a layer without a past.": np.tanh(x @ w + b),
        "the bias is missing.": np.tanh(x @ w + h @ u),
        "tanh is missing: this is the weighted input z.": x @ w + h @ u + b,
        "u is transposed: u[i, j] goes from unit i to unit j.": np.tanh(x @ w + h @ u.T + b),
    }


@TASKS.function("output-error", normal(z=(B, N), y=(B, N)), "delta")
def _output_error(z: Array, y: Array) -> Known:
    return complex_step(lambda v: 0.5 * ((np.tanh(v) - y) ** 2).sum(), z), {
        "a'(z) is missing: the error goes back through tanh, too.": np.tanh(z) - y,
        "the sign is turned: it is output minus target.": (y - np.tanh(z)) * slope(z),
        "a factor 2: the cost has its half.": 2 * (np.tanh(z) - y) * slope(z),
        "a' is taken at a; it belongs to z.": (np.tanh(z) - y) * slope(np.tanh(z)),
    }


def _draw_classes(rng: np.random.Generator) -> Given:
    return {"z": rng.normal(size=(B, N)), "labels": rng.integers(N, size=B)}


@TASKS.function("softmax-error", _draw_classes, "delta")
def _softmax_error(z: Array, labels: NDArray[np.intp]) -> Known:
    def cost(v: Array) -> CostValue:
        return (np.log(np.exp(v).sum(axis=1)) - v[np.arange(B), labels]).sum()

    p, y = softmax(z), np.eye(N)[labels]
    return complex_step(cost, z), {
        "the targets are not subtracted: this is softmax(z).": p,
        "the sign is turned: it is output minus target.": y - p,
        "this is the gradient by the probabilities; delta is by z.": -y / p,
        "it is divided by B: the cost is a sum over the batch.": (p - y) / B,
    }


@TASKS.function("hidden-error", normal(z=(B, N), w_above=(N, N), delta_above=(B, N)), "delta")
def _hidden_error(z: Array, w_above: Array, delta_above: Array) -> Known:
    return complex_step(lambda v: (delta_above * (np.tanh(v) @ w_above)).sum(), z), {
        "a'(z) is missing.": delta_above @ w_above.T,
        "w is the wrong way round: in rows it is delta @ w.T.": slope(z) * (delta_above @ w_above),
        "a' is taken at a; it belongs to z.": slope(np.tanh(z)) * (delta_above @ w_above.T),
    }


@TASKS.function("weight-gradients", normal(a_below=(B, N), delta=(B, N)), "d_w", "d_b")
def _weight_gradients(a_below: Array, delta: Array) -> Known:
    zero = np.zeros((N, N)), np.zeros(N)
    d_w, d_b = complex_step(lambda at: (delta * (a_below @ at[0] + at[1])).sum(), zero)
    return (d_w, d_b), {
        "d_w is transposed: its rows belong to the layer below.": (d_w.T, d_b),
        "the bias is shared by the batch: its errors are added up.": (d_w, delta),
        "a mean over the batch; the cost is a sum.": (d_w / B, d_b / B),
    }


@TASKS.function(
    "error-in-time",
    normal(z=(B, N), w_above=(N, N), delta_above=(B, N), u=(N, N), delta_next=(B, N)),
    "delta",
)
def _error_in_time(
    z: Array, w_above: Array, delta_above: Array, u: Array, delta_next: Array
) -> Known:
    def cost(v: Array) -> CostValue:
        return (np.tanh(v) @ w_above * delta_above + np.tanh(v) @ u * delta_next).sum()

    above, future = delta_above @ w_above.T, delta_next @ u.T
    return complex_step(cost, z), {
        "nothing comes from the future.": slope(z) * above,
        "nothing comes from above.": slope(z) * future,
        "u is transposed: in rows it is delta_next @ u.T.": slope(z) * (above + delta_next @ u),
        "a'(z) stands before the sum: it multiplies both terms.": slope(z) * above + future,
        "a'(z) is missing.": above + future,
    }


@TASKS.function("tied-weights", normal(h=(T + 1, B, N), delta=(T, B, N)), "d_u")
def _tied_weights(h: Array, delta: Array) -> Known:
    def cost(u: Array) -> CostValue:
        return sum((d * (past @ u)).sum() for past, d in zip(h, delta, strict=False))

    d_u = complex_step(cost, np.zeros((N, N)))
    return d_u, {
        "each error meets the state that its step made; it belongs to the one it read.": (
            outer_sum(h[1:], delta)
        ),
        "one step is not enough: the contributions of all steps are added.": h[-2].T @ delta[-1],
        "this is the first step alone: = for += in a loop that runs backwards.": h[0].T @ delta[0],
        "the first step reads the initial state h[0]; it is left out.": (
            outer_sum(h[1:-1], delta[1:])
        ),
        "d_u is transposed: its rows belong to the state that was read.": d_u.T,
        "a mean over the steps; the gradient is a sum.": d_u / T,
    }


@TASKS.function("edges", normal(w=(BELOW, N), u=(N, N), delta=(T, B, N)), "d_x", "d_initial")
def _edges(w: Array, u: Array, delta: Array) -> Known:
    def cost(at: tuple[Array, Array]) -> CostValue:
        return (delta * (at[0] @ w)).sum() + (delta[0] * (at[1] @ u)).sum()

    d_x, d_initial = complex_step(cost, (np.zeros((T, B, BELOW)), np.zeros((B, N))))
    return (d_x, d_initial), {
        "d_initial takes the last step's error; the initial state is read by step 1.": (
            d_x,
            delta[-1] @ u.T,
        ),
        "d_initial has not gone through u.": (d_x, delta[0]),
        "u is transposed.": (d_x, delta[0] @ u),
        "d_x runs backwards: step 1 comes first.": (d_x[::-1], d_initial),
    }
