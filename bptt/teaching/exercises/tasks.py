"""Two kinds of tasks: a function of arrays, and the backward pass of a whole layer.

Neither holds an answer. A function is compared with a truth that is found in another way, by the complex
step as a rule; a backward pass goes through `bptt.check_layer`. What is wrong is named, and, where the
numbers are those of a known mistake, the mistake too.
"""

import re
from collections.abc import Callable
from copy import deepcopy
from linecache import getline
from traceback import walk_tb
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array, Tree, validation
from bptt._core.tree import tree_leaves
from bptt.checking.cell import check_layer
from bptt.checking.handwritten import Forward
from bptt.checking.known_bugs import KNOWN_BUGS

Result: TypeAlias = Any  # of an answer, right or wrong: arrays and records of them are asked for
Answer: TypeAlias = Callable[..., Result]
Given: TypeAlias = dict[str, Any]  # the arguments of an answer, by name
# What the right function returns; and what wrong ones do, by what has gone wrong, in words.
Known: TypeAlias = tuple[Result, dict[str, Result]]
Leaves: TypeAlias = dict[str, Array]

CASES = 4
TOLERANCE = 1e-9  # of truths to 1e-14, after the reader's own rounding


class Function(NamedTuple):
    """A function of what is given, whose results are compared with a truth.

    Attributes
    ----------
    draw
        Makes the arguments, by name, from a random generator.
    returns
        The names of the results.
    known
        Takes the arguments; returns what the function should, and for each known mistake, in words, the results
        of a function with it.
    """

    draw: Callable[[np.random.Generator], Given]
    returns: tuple[str, ...]
    known: Callable[..., Known]

    def problem(self, answer: Answer) -> str:
        """Say in lines what is wrong with an answer; nothing if it is right."""
        for seed in range(CASES):
            given = self.draw(np.random.default_rng(seed))
            mine = deepcopy(given)
            try:
                result = answer(*mine.values())
            except ValueError as error:
                want, _ = self._leaves(self.known(**given)[0])
                wanted = [f"{name} must have shape {value.shape}" for name, value in want.items()]
                return stopped(error, answer, *wanted)
            if found := self._compared(result, given):
                return found
            for name, value in given.items():
                if isinstance(value, np.ndarray) and not np.array_equal(value, mine[name]):
                    return f"the argument {name} has been changed; it belongs to the caller"
        return ""

    def _compared(self, result: Result, given: Given) -> str:
        truth, mistakes = self.known(**given)
        (want, _), (got, none) = self._leaves(truth), self._leaves(result)
        if none:
            return none
        if got.keys() != want.keys():
            return f"the function must return {', '.join(want)}, got {', '.join(got)}"
        told = {name: difference(got[name], value, want) for name, value in want.items()}
        wrong = {name: how for name, how in told.items() if how}
        if not wrong:
            return ""
        lines = [f"{name} {how}" for name, how in wrong.items()]
        if right := [name for name in want if name not in wrong]:
            lines.append(f"right: {', '.join(right)}")
        for why, bad in mistakes.items():
            made, _ = self._leaves(bad)
            if not any(difference(got[name], made[name], made) for name in wrong):
                lines.append(f"likely: {why}")
        return "\n".join(lines)

    def _leaves(self, result: Result) -> tuple[Leaves, str]:
        """List the arrays of a result by name, and say why it has none, if so."""
        parts = tuple(result) if isinstance(result, list) else result
        parts, wanted = parts if len(self.returns) > 1 else (result,), ", ".join(self.returns)
        if not isinstance(parts, tuple) or len(parts) != len(self.returns):
            came = f"{len(parts)} things" if isinstance(parts, tuple) else type(parts).__name__
            return {}, f"the function must return {wanted}, got {came}"
        leaves: Leaves = {}
        for name, part in zip(self.returns, parts, strict=True):
            if part is None or part is Ellipsis:
                return {}, f"{name} must be an array, got nothing"
            record = np.asarray(part) if isinstance(part, (int, float, np.generic)) else part
            try:
                leaves |= dict(tree_leaves(record, name))
            except TypeError:
                return {}, f"{name} must be an array, got {validation.describe(part)}"
        return leaves, ""


def difference(got: Array, want: Array, all_of_it: Leaves) -> str:
    """Say in which way an array is not what it should be; nothing if it is."""
    if got.shape != want.shape:
        return f"must have shape {want.shape}, got {got.shape}"
    if got.dtype.kind not in "fiu" or not np.isfinite(got).all():
        nan = " with NaN" if got.dtype.kind == "f" else ""
        return f"must hold finite real numbers, got {got.dtype}{nan}"
    overall = max(float(np.abs(a).max()) for a in all_of_it.values()) or 1.0
    scale = float(np.abs(want).max()) or overall
    error = float(np.abs(got - want).max()) / scale
    size = f"{error:.0%}" if error > 0.095 else f"{100 * error:.1g}%"
    return f"is off by {size}" if error > TOLERANCE else ""


def stopped(error: ValueError, answer: Answer, *wanted: str) -> str:
    """Say in which line an answer stopped, with arrays of which shapes; raise an error that is not the answer's."""
    for frame, number in walk_tb(error.__traceback__):
        if frame.f_code is getattr(answer, "__code__", None):
            line = getline(frame.f_code.co_filename, number).strip()
            arrays = {n: a for n, a in frame.f_locals.items() if isinstance(a, np.ndarray)}
            here = [name for name in arrays if re.search(rf"\b{name}\b", line)] or arrays
            came = ", ".join(f"{name} {arrays[name].shape}" for name in here)
            return "\n".join([f"stopped at: {line}", f"shapes there: {came}", *wanted, str(error)])
    raise error


class Backward(NamedTuple):
    """The backward pass of a layer, loop over time included, which `bptt.check_layer` looks at.

    Attributes
    ----------
    forward
        The forward pass that it belongs to.
    draw
        Makes parameters, input and initial state from a random generator.
    masked
        Whether forward takes a mask.
    """

    forward: Forward
    draw: Callable[[np.random.Generator], tuple[Tree, Array, Tree]]
    masked: bool = False

    def problem(self, answer: Answer) -> str:
        """Say in lines what is wrong with a backward pass; nothing if it is right."""
        at = self.draw(np.random.default_rng(0))
        try:
            report = check_layer(self.forward, answer, *at, masked=self.masked)
        except ValueError as error:
            return stopped(error, answer)
        if report.ok:
            return ""
        first = next(check for check in report.checks if not check.ok)
        passed = [check.name for check in report.checks if check.ok and "step" in check.name]
        lines = [f"{', '.join(report.faulty)} wrong, first in the check {first.name!r}"]
        if passed:
            lines.append(f"right: {', '.join(passed)}")
        lines += [f"likely: {name}; {KNOWN_BUGS[name]}" for name in report.likely]
        return "\n".join(lines)


class Tasks(dict[str, Function | Backward]):
    """Exercises by their names, in the order of the pages."""

    def function(
        self, name: str, draw: Callable[[np.random.Generator], Given], *returns: str
    ) -> Callable[[Callable[..., Known]], Callable[..., Known]]:
        """Take what follows, a function of what is drawn, for an exercise with these results."""

        def add(known: Callable[..., Known]) -> Callable[..., Known]:
            self[name] = Function(draw, returns, known)
            return known

        return add
