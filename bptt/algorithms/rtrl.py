r"""Real-time recurrent learning: the exact gradient, carried forward in time.

Let S be the state of all layers, and P its influence matrix, the total derivative with respect to the
parameters. Then

.. math::

   P^{(t)} = \frac{\partial S^{(t)}}{\partial \theta}
      = J^{(t)} P^{(t-1)} + \frac{\partial^+ S^{(t)}}{\partial \theta} ,
   \qquad J^{(t)} = \frac{\partial S^{(t)}}{\partial S^{(t-1)}}                         && \text{(RTRL)}

   \frac{\partial C^{(t)}}{\partial \theta} = \frac{\partial^+ C^{(t)}}{\partial S^{(t)}} P^{(t)}
      + \frac{\partial^+ C^{(t)}}{\partial \theta}

No step is stored, and the gradient is known after every step. The price is the product J P: with n
units there are about n² parameters, so P has n³ entries and a step costs n⁴ operations.

This works for any cell: J and the immediate derivative are taken from the vector-Jacobian product of one step,
one row of the state at a time.

`uoro` keeps, in place of P, a random matrix of rank one whose mean is P. It is as cheap as
backpropagation, unbiased, and noisy.

Sources: Williams & Zipser (1989); Tallec & Ollivier (2018) for UORO; Marschall, Cho & Savin (2020).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Tree, validation
from bptt._core.tree import flatten, tree_leaves, tree_map
from bptt.algorithms.calls import CostOfSteps, Result, Walk, add
from bptt.checking.gradcheck import NOT_ANALYTIC, TINY
from bptt.network.backward import Gradient, backward
from bptt.network.forward import Initial, MaskLike, run_forward
from bptt.network.stack import Params, Seed, Stack
from bptt.network.traces import States, Trace

__all__ = ["rtrl", "uoro"]

SAME = 1e-8  # far above the rounding of two ways to one number, far below what a trap does to it


def rtrl(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
) -> Result:
    """Take the exact gradient forward in time: (RTRL).

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`; layers of one direction.
    cost
        A function of outputs and the steps they belong to, see `bptt.algorithms.CostOfSteps`. It is asked step by
        step, the first one first.

    Returns
    -------
    Result
        With the exact gradient with respect to parameters and initial states, one step stored; without
        `Gradient.delta`, and with ``Gradient.x`` of zero steps: influences of inputs are not carried.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.forward` and `bptt.backward` do; also if a layer reads in both directions.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> bptt.rtrl(tiny.stack, tiny.params, tiny.x, cost).gradient.params.readout.b.round(4)
    array([3.6583])
    """
    walk = Walk(stack, params, x, cost, initial, mask)
    no_params, no_initial = none = tree_map(np.zeros_like, (walk.params, walk.initial))
    _, record = flatten(none)
    # P of each sequence: a row for each number of its state, a column for each parameter and each initial
    # state. Before the first step a state depends on itself alone.
    influence = [
        np.array([flatten((no_params, unit))[0] for unit in _units(walk.initial, b)])
        for b in range(walk.x.shape[1])
    ]
    total, state = none, walk.initial
    for t in range(len(walk.x)):
        # ∂C(t)/∂s(t-1), and what this step adds by itself
        trace, direct = walk.forward_and_backward(t, t + 1, state)
        state = trace.final
        for b, carried in enumerate(influence):
            with np.errstate(all="ignore"):
                of_past = _row(direct.initial, b) @ carried
            total = add(total, record(of_past))  # (rtrl-cost)
            influence[b] = _onward(trace, b, carried)
        total = add(total, (direct.params, no_initial))
    d_params, d_initial = total
    return walk.result(Gradient(d_params, walk.x[:0].copy(), d_initial, ()), state, stored=1)


def uoro(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
    *,
    rng: Seed,
) -> Result:
    r"""Estimate the gradient forward in time, without bias, by unbiased online recurrent optimization.

    .. math:: P \approx \tilde s \, \tilde\theta^\top , \qquad
       \mathbb E \bigl[ \tilde s \, \tilde\theta^\top \bigr] = P                        && \text{(UORO)}

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`; float64, layers of one direction, and a batch of one sequence. The cells must be
        analytic where they are evaluated, for J s̃ is taken by the complex step.
    cost
        As for `rtrl`.
    rng
        Where the random signs come from, a generator or a seed.

    Returns
    -------
    Result
        Its gradient with respect to the parameters is an estimate, right on average; that with respect
        to the initial states is zero: their influence is not carried.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `rtrl` does; also for a batch of more than one sequence, and for a cell that is not analytic:
        J s̃ is held, at each step, against the vector-Jacobian product.

    Examples
    --------
    What has a past is estimated; the readout has none, and so its gradient is exact:

    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> one, other = (bptt.uoro(*tiny.problem, rng=seed).gradient.params for seed in (0, 1))
    >>> one.layers == other.layers, one.readout == other.readout
    (False, True)
    >>> one.readout.b.round(4)
    array([3.6583])
    """
    rng = validation.generator("rng", rng)
    walk = Walk(stack, params, x, cost, initial, mask)
    validation.float64("x", walk.x)
    if walk.x.shape[1] != 1:
        validation.refuse_shape("x", ("T", 1, walk.x.shape[2]), walk.x.shape)
    s_tilde = no_initial = tree_map(np.zeros_like, walk.initial)
    theta_tilde = tree_map(np.zeros_like, walk.params)
    total, state = theta_tilde, walk.initial
    for t in range(len(walk.x)):
        trace, direct = walk.forward_and_backward(t, t + 1, state)
        state = trace.final
        with np.errstate(all="ignore"):
            along = _dot(direct.initial, s_tilde)
            # (uoro-estimate)
            carried = tree_map(lambda theta, a=along: a * theta, theta_tilde)  # (UORO)
            total = add(total, tree_map(np.add, direct.params, carried))
        s_tilde, theta_tilde = _rank_one(trace, s_tilde, theta_tilde, rng)
    return walk.result(Gradient(total, walk.x[:0].copy(), no_initial, ()), state, stored=1)


def _onward(trace: Trace, b: int, influence: Array) -> Array:
    """Return P of one sequence after one more step: J P and the immediate derivative, row by row."""
    rows: list[Array] = []
    for unit in _units(trace.final, b):
        row = backward(trace, np.zeros_like(trace.outputs), unit)
        immediate = flatten((row.params, tree_map(np.zeros_like, row.initial)))[0]
        with np.errstate(all="ignore"):  # `checked` looks at it
            # (RTRL)
            rows.append(_row(row.initial, b) @ influence + immediate)
    return np.array(rows)


def _units(states: States, b: int) -> Iterator[States]:
    """Make a record with a single one for each number of one sequence's state."""
    for leaf, (_, array) in enumerate(tree_leaves(states)):
        for unit in range(array.shape[1]):
            one = tree_map(np.zeros_like, states)
            tree_leaves(one)[leaf][1][b, unit] = 1
            yield one


@np.errstate(all="ignore")
def _rank_one(
    trace: Trace, s_tilde: States, theta_tilde: Params, rng: np.random.Generator
) -> tuple[States, Params]:
    """Move the rank-one estimate one step on: random signs mix the new term into the old one."""
    j_s = _jacobian_times(trace, s_tilde)  # J s̃
    signs = tree_map(lambda s: rng.choice([-1.0, 1.0], size=s.shape), trace.final)
    back = backward(trace, np.zeros_like(trace.outputs), signs)
    _refuse_what_is_not_analytic(_dot(signs, j_s), _dot(back.initial, s_tilde), j_s, s_tilde)
    new = back.params  # (uoro-immediate)
    rho0 = _ratio(theta_tilde, j_s)
    rho1 = _ratio(new, signs)
    s_next = tree_map(lambda js, v: rho0 * js + rho1 * v, j_s, signs)  # (uoro-step)
    # (uoro-step)
    return s_next, tree_map(lambda th, g: th / rho0 + g / rho1, theta_tilde, new)


def _jacobian_times(trace: Trace, s_tilde: States) -> States:
    """Return J s̃ of the step that has been run, a directional derivative, by the complex step."""
    size = float(np.abs(flatten(s_tilde)[0]).max()) or 1.0
    before = tuple(tuple(array[0] for array in layer.states) for layer in trace.layers)
    moved = tree_map(lambda s, d: s + 1j * TINY * (d / size), before, s_tilde)
    ahead = run_forward(trace.stack, trace.params, trace.x, moved, trace.layers[0].mask).final
    return tree_map(lambda s: size * (s.imag / TINY), ahead)


def _refuse_what_is_not_analytic(
    by_step: float, by_product: float, j_s: Tree, s_tilde: Tree
) -> None:
    """Refuse a J s̃ that is not that of the vector-Jacobian product: for any row ν, ν (J s̃) = (ν J) s̃."""
    size = np.abs(flatten(j_s)[0]).sum() + np.abs(flatten(s_tilde)[0]).sum()
    if abs(by_step - by_product) > SAME * size:
        msg = (
            f"cells must be analytic, and their derivatives right: the complex step finds {by_step:.6g} along a "
            f"direction where the vector-Jacobian product finds {by_product:.6g}: {NOT_ANALYTIC}"
        )
        raise TypeError(msg)


def _ratio(above: Tree, below: Tree) -> float:
    """Return the factor that balances two norms, which makes the variance least."""
    top, bottom = np.linalg.norm(flatten(above)[0]), np.linalg.norm(flatten(below)[0])
    return float(np.sqrt(top / bottom)) if top > 0 and bottom > 0 else 1.0


def _dot(one: Tree, other: Tree) -> float:
    return float(flatten(one)[0] @ flatten(other)[0])


def _row(states: Tree, b: int) -> Array:
    """Return the numbers of one sequence's state, in one row."""
    return np.concatenate([leaf[b] for _, leaf in tree_leaves(states)])
