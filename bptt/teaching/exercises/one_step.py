"""Exercises on a single step: forward, errors, and the gradients of weights."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bptt._core.types import Array
from bptt.cells.activations import softmax
from bptt.checking.gradcheck import CostValue
from bptt.checking.gradcheck import complex_step as gradient
from bptt.network.backward import outer_sum
from bptt.teaching.exercises.tasks import Function, Given

B, T, N, BELOW = 4, 5, 3, 2

TASKS: dict[str, Function] = {}


def slope(z: Array) -> Array:
    """Return the derivative of tanh."""
    found: Array = 1 - np.tanh(z) ** 2
    return found


def normal(**shapes: tuple[int, ...]) -> Callable[[np.random.Generator], Given]:
    """Return a function that draws arrays by name."""
    return lambda rng: {name: rng.normal(size=shape) for name, shape in shapes.items()}


def _literal_step(x: Array, h: Array, w: Array, u: Array, b: Array) -> Array:
    a = np.zeros((len(x), len(b)))
    for row, j in np.ndindex(a.shape):
        below = sum(x[row, i] * w[i, j] for i in range(len(w)))
        past = sum(h[row, i] * u[i, j] for i in range(len(u)))
        a[row, j] = np.tanh(below + past + b[j])
    return a


TASKS["forward-step"] = Function(
    draw=normal(x=(B, BELOW), h=(B, N), w=(BELOW, N), u=(N, N), b=(N,)),
    truth=_literal_step,
    returns=("a",),
    mistakes=lambda x, h, w, u, b: {
        "h does not enter: a layer without a past.": np.tanh(x @ w + b),
        "the bias is missing.": np.tanh(x @ w + h @ u),
        "tanh is missing: this is the weighted input z.": x @ w + h @ u + b,
        "u is transposed: u[i, j] goes from unit i to unit j.": np.tanh(x @ w + h @ u.T + b),
    },
)

TASKS["output-error"] = Function(
    draw=normal(z=(B, N), y=(B, N)),
    truth=lambda z, y: gradient(lambda v: 0.5 * ((np.tanh(v) - y) ** 2).sum(), z),
    returns=("delta",),
    mistakes=lambda z, y: {
        "a'(z) is missing: the error goes back through tanh, too.": np.tanh(z) - y,
        "the sign is turned: it is output minus target.": (y - np.tanh(z)) * slope(z),
        "a factor 2: the cost has its half.": 2 * (np.tanh(z) - y) * slope(z),
        "a' is taken at a; it belongs to z.": (np.tanh(z) - y) * slope(np.tanh(z)),
    },
)


def _draw_classes(rng: np.random.Generator) -> Given:
    return {"z": rng.normal(size=(B, N)), "labels": rng.integers(N, size=B)}


def _class_cost(z: Array, labels: NDArray[np.intp]) -> CostValue:
    log_sum = np.log(np.exp(z).sum(axis=1))
    return (log_sum - z[np.arange(len(labels)), labels]).sum()


TASKS["softmax-error"] = Function(
    draw=_draw_classes,
    truth=lambda z, labels: gradient(lambda v: _class_cost(v, labels), z),
    returns=("delta",),
    mistakes=lambda z, labels: {
        "the targets are not subtracted: this is softmax(z).": softmax(z),
        "the sign is turned: it is output minus target.": np.eye(N)[labels] - softmax(z),
        "this is the gradient by the probabilities; delta is by z.": -np.eye(N)[labels]
        / softmax(z),
        "it is divided by B: the cost is a sum over the batch.": (softmax(z) - np.eye(N)[labels])
        / B,
    },
)

TASKS["hidden-error"] = Function(
    draw=normal(z=(B, N), w_above=(N, N), delta_above=(B, N)),
    truth=lambda z, w_above, delta_above: gradient(
        lambda v: (delta_above * (np.tanh(v) @ w_above)).sum(), z
    ),
    returns=("delta",),
    mistakes=lambda z, w_above, delta_above: {
        "a'(z) is missing.": delta_above @ w_above.T,
        "w is the wrong way round: in rows it is delta @ w.T.": slope(z) * (delta_above @ w_above),
        "a' is taken at a; it belongs to z.": slope(np.tanh(z)) * (delta_above @ w_above.T),
    },
)


def _affine(a_below: Array, delta: Array) -> tuple[Array, ...]:
    zero = np.zeros((a_below.shape[1], delta.shape[1])), np.zeros(delta.shape[1])
    return gradient(lambda at: (delta * (a_below @ at[0] + at[1])).sum(), zero)


TASKS["weight-gradients"] = Function(
    draw=normal(a_below=(B, N), delta=(B, N)),
    truth=_affine,
    returns=("d_w", "d_b"),
    mistakes=lambda a_below, delta: {
        "d_w is transposed: its rows belong to the layer below.": (
            delta.T @ a_below,
            delta.sum(axis=0),
        ),
        "the bias is shared by the batch: its errors are added up.": (a_below.T @ delta, delta),
        "a mean over the batch; the cost is a sum.": (a_below.T @ delta / B, delta.mean(axis=0)),
    },
)


TASKS["error-in-time"] = Function(
    draw=normal(z=(B, N), w_above=(N, N), delta_above=(B, N), u=(N, N), delta_next=(B, N)),
    truth=lambda z, w_above, delta_above, u, delta_next: gradient(
        lambda v: (np.tanh(v) @ w_above * delta_above + np.tanh(v) @ u * delta_next).sum(), z
    ),
    returns=("delta",),
    mistakes=lambda z, w_above, delta_above, u, delta_next: {
        "nothing comes from the future.": slope(z) * (delta_above @ w_above.T),
        "nothing comes from above.": slope(z) * (delta_next @ u.T),
        "u is transposed: in rows it is delta_next @ u.T.": (
            slope(z) * (delta_above @ w_above.T + delta_next @ u)
        ),
        "a'(z) stands before the sum: it multiplies both terms.": (
            slope(z) * (delta_above @ w_above.T) + delta_next @ u.T
        ),
        "a'(z) is missing.": delta_above @ w_above.T + delta_next @ u.T,
    },
)


def _tied(h: Array, delta: Array) -> Array:
    zero = np.zeros((h.shape[2], delta.shape[2]))
    return gradient(
        lambda u: sum((d * (p @ u)).sum() for p, d in zip(h, delta, strict=False)), zero
    )


TASKS["tied-weights"] = Function(
    draw=normal(h=(T + 1, B, N), delta=(T, B, N)),
    truth=_tied,
    returns=("d_u",),
    mistakes=lambda h, delta: {
        "each error meets the state that its step made; it belongs to the one it read.": (
            outer_sum(h[1:], delta)
        ),
        "one step is not enough: the contributions of all steps are added.": h[-2].T @ delta[-1],
        "this is the first step alone: = for += in a loop that runs backwards.": h[0].T @ delta[0],
        "the first step reads the initial state h[0]; it is left out.": (
            outer_sum(h[1:-1], delta[1:])
        ),
        "d_u is transposed: its rows belong to the state that was read.": (
            outer_sum(delta, h[:-1])
        ),
        "a mean over the steps; the gradient is a sum.": outer_sum(h[:-1], delta) / T,
    },
)


def _edges(w: Array, u: Array, delta: Array) -> tuple[Array, ...]:
    zero = np.zeros((len(delta), delta.shape[1], len(w))), np.zeros((delta.shape[1], len(u)))
    return gradient(lambda at: (delta * (at[0] @ w)).sum() + (delta[0] * (at[1] @ u)).sum(), zero)


TASKS["edges"] = Function(
    draw=normal(w=(BELOW, N), u=(N, N), delta=(T, B, N)),
    truth=_edges,
    returns=("d_x", "d_initial"),
    mistakes=lambda w, u, delta: {
        "d_initial takes the last step's error; the initial state is read by step 1.": (
            delta @ w.T,
            delta[-1] @ u.T,
        ),
        "d_initial has not gone through u.": (delta @ w.T, delta[0]),
        "u is transposed.": (delta @ w.T, delta[0] @ u),
        "d_x runs backwards: step 1 comes first.": ((delta @ w.T)[::-1], delta[0] @ u.T),
    },
)
