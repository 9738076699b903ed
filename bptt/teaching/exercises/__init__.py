"""Exercises of the derivation: whether a line is right, and if not, which tensor is wrong, and why.

Each exercise of the site has a name here. `check` calls a reader's function with random numbers and
compares what it returns with a reference that is found in another way, the complex step as a rule. It holds no
answers; what it knows is what goes wrong.

>>> import numpy as np, bptt
>>> def output_error(z, y):
...     return (np.tanh(z) - y) * (1 - np.tanh(z) ** 2)
>>> bptt.teaching.exercises.check("output-error", output_error)
output-error: right, in 4 random cases
"""

from textwrap import fill

from bptt._core import validation
from bptt.teaching.exercises import gates, one_step, over_time
from bptt.teaching.exercises.tasks import CASES, Function

__all__ = ["NAMES", "WrongAnswerError", "check"]

_TASKS = {**one_step.TASKS, **over_time.TASKS, **gates.TASKS}

NAMES = tuple(_TASKS)
"""The names of all exercises, in the order of the pages."""


class WrongAnswerError(AssertionError):
    """An answer is not right; the message says which tensor, and, if it is known, why."""

    def _render_traceback_(self) -> list[str]:
        """Show a notebook the message alone: the way to it is of no interest."""
        return f"not yet: {self}".splitlines()


def check(name: str, answer: object) -> None:
    """Check the answer to an exercise, and print that it is right.

    Parameters
    ----------
    name
        The exercise's name, one of `NAMES`.
    answer
        The function that it asks for.

    Raises
    ------
    WrongAnswerError
        If it is not right: the message names the tensor that is wrong, says by how much, and, if the
        numbers are those of a known mistake, which.
    TypeError
        If `answer` is not a function.
    ValueError
        If there is no exercise of that name.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> try:
    ...     bptt.teaching.exercises.check("output-error", lambda z, y: np.tanh(z) - y)
    ... except bptt.teaching.exercises.WrongAnswerError as wrong:
    ...     print(wrong)
    output-error
      delta is off by 67%
      likely: a'(z) is missing: the error goes back through tanh, too.
    """
    if name not in NAMES:
        msg = f"name must be one of {', '.join(NAMES)}, got {name!r}"
        raise ValueError(msg)
    if not callable(answer):
        msg = f"answer must be a function, got {validation.describe(answer)}"
        raise TypeError(msg)
    task = _TASKS[name]
    if problem := task.problem(answer):
        lines = [_indented(line) for line in problem.splitlines()]
        raise WrongAnswerError("\n".join([name, *lines]))
    where = f"in {CASES} random cases" if isinstance(task, Function) else "by all checks of a layer"
    print(f"{name}: right, {where}")  # noqa: T201  (what a reader sees below the cell)


def _indented(line: str) -> str:
    return fill(line, width=72, initial_indent="  ", subsequent_indent="    ")
