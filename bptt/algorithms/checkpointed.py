r"""Checkpointed backpropagation through time: the exact gradient in less memory, for more time.

Keep the states at some steps only. On the way back, run each piece between two of them again, with all
that its derivative needs, and go back through it. Nothing is lost: the backward pass of a piece takes
the derivative with respect to its final state and returns that with respect to its initial one.

Three schedules say which states are kept:

- `every` k steps: T/k states and one piece of k steps;
- `square_root`: k = √T, the least memory with one extra run, about 2 √T steps;
- `binomial`: given s states to keep, the schedule that runs the fewest steps again. With s states, and
  no step run more than r times before the run for its derivative, :math:`\binom{s + r}{s}` steps can be
  reversed.

Sources: Griewank & Walther (2000), "revolve"; Chen et al. (2016), √T; Gruslys et al. (2016), for
recurrent networks.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Tree, validation
from bptt.algorithms.calls import CostOfSteps, Result, Walk, add, final_of
from bptt.network.backward import Gradient
from bptt.network.forward import Initial, MaskLike, run_to_final
from bptt.network.stack import Params, Stack
from bptt.network.traces import States

__all__ = ["binomial", "checkpointed_bptt", "every", "square_root"]


@dataclass(frozen=True)
class Plan:
    """Which states are kept while T steps are reversed.

    Attributes
    ----------
    piece
        How many steps are run with all that their derivative needs, at a time.
    states
        How many states may be kept at once, the initial one included.
    """

    piece: int
    states: int

    def expected(self, steps: int) -> int:
        """Return how many steps are in memory at most: kept states and one piece."""
        pieces = math.ceil(steps / self.piece)
        return min(self.states, pieces - 1) + min(self.piece, steps)  # (every-k)


@dataclass(frozen=True)
class Schedule:
    """Which states are kept, for any number of steps; made by `every`, `square_root` and `binomial`.

    Called with the number of steps it returns a `Plan`.

    Attributes
    ----------
    piece
        How many steps are run at a time with all that their derivative needs; √T if None.
    states
        How many states may be kept at once; that of every piece if None.
    """

    piece: int | None
    states: int | None

    def __call__(self, steps: int) -> Plan:
        """Say which states to keep while so many steps are reversed."""
        piece = self.piece or math.ceil(math.sqrt(steps))  # (sqrt-best)
        return Plan(piece, self.states or math.ceil(steps / piece))


def every(k: int) -> Schedule:
    """Keep the state of every k-th step.

    Parameters
    ----------
    k
        Steps between two kept states.

    Returns
    -------
    Schedule
        For `checkpointed_bptt`.

    Raises
    ------
    TypeError, ValueError
        If k is not a positive integer.

    Examples
    --------
    >>> import bptt
    >>> bptt.algorithms.every(10)(100).expected(100)
    19
    """
    return Schedule(piece=validation.size("k", k), states=None)


def square_root() -> Schedule:
    """Keep the state of every √T-th step.

    Returns
    -------
    Schedule
        For `checkpointed_bptt`.

    Examples
    --------
    >>> import bptt
    >>> bptt.algorithms.square_root()(10_000).expected(10_000)
    199
    """
    return Schedule(piece=None, states=None)


def binomial(states: int, piece: int = 1) -> Schedule:
    """Keep a given number of states, where they save the most steps.

    Parameters
    ----------
    states
        How many states are kept at once, the initial one included.
    piece
        How many steps are reversed at a time. One is the classical schedule; more are quicker, and hold
        that many steps in memory.

    Returns
    -------
    Schedule
        For `checkpointed_bptt`.

    Raises
    ------
    TypeError, ValueError
        If a number is not a positive integer.

    Examples
    --------
    >>> import bptt
    >>> bptt.algorithms.binomial(states=10)(1000).expected(1000)
    11
    """
    return Schedule(validation.size("piece", piece), validation.size("states", states))


def checkpointed_bptt(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
    *,
    schedule: Schedule | None = None,
) -> Result:
    """Take the exact gradient with few states in memory at a time.

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`; layers of one direction.
    cost
        A function of outputs and the steps they belong to, see `bptt.algorithms.CostOfSteps`. It is asked piece
        by piece, the last one first.
    schedule
        `every`, `square_root` (if not given) or `binomial`.

    Returns
    -------
    Result
        With the exact gradient (without `Gradient.delta`, which would hold every step), and in
        `Result.stored` the count of steps that were in memory at once.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.forward` and `bptt.backward` do; also if a layer reads in both directions, or `schedule` is
        none of these.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> bptt.checkpointed_bptt(tiny.stack, tiny.params, tiny.x, cost, schedule=bptt.algorithms.every(1)).stored
    3
    """
    walk = Walk(stack, params, x, cost, initial, mask)
    by: object = square_root() if schedule is None else schedule
    if not isinstance(by, Schedule):
        msg = f"schedule must be made by every, square_root or binomial, got {validation.describe(by)}"
        raise TypeError(msg)
    sweep = _Sweep(walk, by(len(walk.x)), np.empty_like(walk.x))
    sweep.reverse()
    gradient = Gradient(sweep.d_params, sweep.d_x, sweep.d_state, ())
    return walk.result(gradient, sweep.final, sweep.stored)


@dataclass
class _Sweep:
    """One way back through a sequence, with what it has gathered so far."""

    walk: Walk
    plan: Plan
    d_x: Array
    stored: int = 0
    # None before the first piece.
    d_params: Tree = None
    d_state: Tree = None
    final: Tree = None

    def reverse(self) -> None:
        """Go back through all pieces, the last one first."""
        pieces = math.ceil(len(self.d_x) / self.plan.piece)
        to_do = [(0, pieces, self.walk.initial, self.plan.states)]
        while to_do:
            first, last, state, free = to_do.pop()
            while last - first > 1:  # what comes before the middle waits, and its state is kept
                middle = first + _split(last - first, free)
                to_do.append((first, middle, state, free))
                state = self.advance(first, middle, state, kept=len(to_do))
                first, free = middle, free - 1
            self.piece(first, state, kept=len(to_do))

    def advance(self, first: int, last: int, state: States, kept: int) -> States:
        """Run some pieces forward, some steps at a time; keep the last state.

        The products with the input of a step take about as much as four states: so many of the states
        that are not kept yet lend their room to each step beyond a piece.
        """
        walk = self.walk
        a, end = self.steps_of(first)[0], self.steps_of(last - 1)[1]
        room = self.plan.piece + (self.plan.expected(len(self.d_x)) - self.plan.piece - kept) // 4
        while a < end:
            b = min(a + room, end)
            self.stored = max(self.stored, kept + b - a)
            state = run_to_final(walk.stack, walk.params, walk.x[a:b], state, walk.mask_of(a, b))
            a = b
        return state

    def piece(self, i: int, state: States, kept: int) -> None:
        """Run one piece with all that its derivative needs, and go back through it."""
        a, b = self.steps_of(i)
        self.stored = max(self.stored, kept + b - a)
        # (compose), (segment)
        trace, gradient = self.walk.forward_and_backward(a, b, state, self.d_state)
        self.final = self.final or final_of(trace)  # the last piece comes first
        self.d_params = add(self.d_params, gradient.params)
        self.d_state = gradient.initial
        self.d_x[a:b] = gradient.x

    def steps_of(self, i: int) -> tuple[int, int]:
        """Return where a piece begins and ends."""
        return i * self.plan.piece, min((i + 1) * self.plan.piece, len(self.d_x))


def _split(pieces: int, free: int) -> int:
    """Return after how many pieces to keep the next state, with `free` states, this one included.

    With s states, and no piece run more than r times before the run for its derivative,
    binomial(s + r, s) pieces can be reversed. The next state goes where both parts stay within reach,
    the first with s and r - 1, the second with s - 1 and r. No split runs fewer pieces.
    """
    runs = 1
    while math.comb(free + runs, free) < pieces:  # (reach)
        runs += 1
    before = math.comb(free + runs - 1, free)  # (reach-recursion)
    after = math.comb(free + runs - 2, free - 1)  # (reach-recursion)
    return min(before, pieces - after)
