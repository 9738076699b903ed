r"""Truncated backpropagation through time: the error goes back a limited number of steps.

Every k1 steps, the costs of these k1 steps are carried back through the last k2 steps, k2 >= k1:

.. math::

   \widehat{\nabla} C = \sum_{c} \; \sum_{s = s_c + 1}^{e_c} \frac{\partial^+ z^{(s)}}{\partial \theta}
       \, \delta_c^{(s)} , \qquad e_c = \min(c \, k_1, T) , \quad
   s_c = \max(0, e_c - k_2)                                                             && \text{(TRUNC)}

where :math:`\delta_c` is the error of the costs of steps :math:`(c - 1) k_1 + 1` to :math:`e_c` alone.
Two cases have names. With k1 = k2 the sequence is cut into windows, and the state, but no gradient, is
carried from one to the next. (If k1 does not divide T, the last pass has fewer costs, and still goes back
through k2 steps.) With k1 = 1 every cost reaches back k2 steps, or to the start.

A truncated gradient is not the gradient of C. It is the exact gradient of a surrogate, the sum of the
costs of all pieces, each run from a state that is held constant; `surrogate` is that function, and so a
truncated gradient can be checked like any other.

Sources: Williams & Peng (1990), BPTT(h; h'); Jaeger (2002); Sutskever (2013), section 2.8.6, for the
names k1 and k2.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Scalar, Tree, validation
from bptt._core.tree import arrays_in, tree_map
from bptt.algorithms.calls import (
    CostOfSteps,
    Result,
    add,
    ask,
    checked,
    cost_of,
    final_of,
    one_direction,
    segment,
)
from bptt.network.backward import Gradient, backward
from bptt.network.forward import Initial, MaskLike, forward
from bptt.network.stack import Params, Stack
from bptt.network.traces import Trace

__all__ = ["surrogate", "truncated_bptt"]


def truncated_bptt(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
    *,
    k1: int,
    k2: int,
) -> Result:
    """Take a truncated gradient: every k1 steps, back through the last k2.

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`; layers of one direction.
    cost
        A function of outputs and the steps they belong to, see `bptt.algorithms.CostOfSteps`.
    k1
        How many steps between one backward pass and the next.
    k2
        Through how many steps each goes; k1 or more. With T or more the gradient is exact.

    Returns
    -------
    Result
        With the truncated gradient; its `Gradient.delta` holds the sums over all passes. Its
        ``stored`` is through how many steps one pass goes, and so what a run in windows would hold;
        this function, which is there to study truncation, runs the whole sequence first.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.forward` and `bptt.backward` do; also if k2 < k1, or a layer reads in both directions.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> result = bptt.truncated_bptt(tiny.stack, tiny.params, tiny.x, cost, k1=1, k2=2)
    >>> result.stored
    2
    """
    one_direction(stack)
    k1, k2 = _sizes(k1, k2)
    trace = forward(stack, params, x, initial, mask)
    value, steps = 0.0, len(trace.x)
    total: Tree = None
    for now, start, piece in _pieces(trace, k1, k2):
        d_piece = np.zeros_like(piece.outputs)
        cost_now, d_piece[now.start - start :] = cost_of(cost, trace.outputs[now], now)
        value += cost_now
        # (TRUNC)
        total = _added(total, backward(piece, d_piece), start, steps)
    return checked(Result(value, total, trace.outputs, final_of(trace), min(k2, steps)))


def surrogate(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
    *,
    k1: int,
    k2: int,
) -> Callable[[Params], float | Scalar]:
    """Return the function of which `truncated_bptt` is the exact gradient.

    The states that the pieces start from are computed once, here, and are constants from then on.

    Parameters
    ----------
    stack, params, x, cost, initial, mask, k1, k2
        As for `truncated_bptt`.

    Returns
    -------
    callable
        Takes parameters, complex ones too, and returns the sum of the costs of all pieces; it can be
        pickled if `cost` can.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `truncated_bptt` does; what is wrong with `cost` is seen when the function is called.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> problem = tiny.stack, tiny.params, tiny.x, cost
    >>> frozen = bptt.algorithms.surrogate(*problem, k1=1, k2=2)
    >>> gradient = bptt.truncated_bptt(*problem, k1=1, k2=2).gradient.params
    >>> bptt.check_gradient(frozen, tiny.params, gradient, tolerance=1e-12).ok
    True
    """
    one_direction(stack)
    k1, k2 = _sizes(k1, k2)
    return partial(_surrogate, forward(stack, params, x, initial, mask), cost, k1, k2)


def _surrogate(trace: Trace, cost: CostOfSteps, k1: int, k2: int, at: Params) -> float | Scalar:
    value: float | Scalar = 0.0
    for now, start, piece in _pieces(trace, k1, k2):
        frozen = tuple(tuple(s[0] for s in layer.states) for layer in piece.layers)
        run = forward(trace.stack, at, piece.x, frozen, piece.layers[0].mask)
        # (surrogate)
        value = value + ask(cost, run.outputs[now.start - start :], now).value
    validation.computed("cost", np.asarray(value))
    return value


def _sizes(k1: int, k2: int) -> tuple[int, int]:
    every, reach = validation.size("k1", k1), validation.size("k2", k2)
    if reach < every:
        msg = f"k2 must be >= k1 = {every}, got {reach}: some costs would have no gradient at all"
        raise ValueError(msg)
    return every, reach


def _pieces(trace: Trace, k1: int, k2: int) -> Iterator[tuple[slice, int, Trace]]:
    """Yield the steps whose costs enter together, where their way back ends, and the run from there on."""
    for first in range(0, len(trace.x), k1):
        now = slice(first, min(first + k1, len(trace.x)))
        start = max(0, now.stop - k2)
        yield now, start, segment(trace, start, now.stop)


def _added(total: Gradient | None, piece: Gradient, start: int, steps: int) -> Gradient:
    """Add the gradient of a piece to that of the whole, in the steps where it belongs."""
    here = piece.x, piece.delta
    if total is None:
        params, initial = piece.params, piece.initial
        whole = tree_map(lambda part: np.zeros((steps, *part.shape[1:]), part.dtype), here)
    else:
        params, whole = add(total.params, piece.params), (total.x, total.delta)
        initial = add(total.initial, piece.initial) if start == 0 else total.initial
    with np.errstate(all="ignore"):
        for sums, part in zip(arrays_in(whole), arrays_in(here), strict=True):
            there = sums[start : start + len(part)]
            np.add(there, part, out=there)
    return Gradient(params, whole[0], initial, whole[1])
