"""Known bugs of hand-written backward passes, and the numbers by which they give themselves away.

A bug is a small change of the right computation. Each is made here on purpose, on derivatives that are
trusted, and what comes out is compared with what a layer returned. Agreement to eight digits, in tensors
of random numbers, is no accident: the report names the bug.

The families come from questions, issues and corrections in public repositories of many years;
``tests/planted.py`` says for each where such a bug has been seen.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bptt._core import Array, Arrays, Tree
from bptt._core.tree import refilled
from bptt.checking.cell_bugs import LIKE, cell_bugs
from bptt.checking.loop_bugs import loop_bugs, mask_bugs
from bptt.checking.own_step import OwnStep
from bptt.checking.suite import LARGE, LATER, SAME, Case, errors
from bptt.checking.sweep import Bugs, factors, trusted

__all__ = ["KNOWN_BUGS"]

OF_ONE_TENSOR = {  # these spoil a tensor and nothing else
    "factor 2": "a cost of squares without its half, or a half too many: all gradients scaled",
    "wrong sign": "target minus output where output minus target was meant",
    "gradient missing": "never computed, or never returned: zeros",
    "transposed": "the outer product of error and input the wrong way round",
    "mean over the batch": "divided by B here, and often by the cost as well",
    "mean over the steps": "divided by T here, and often by the cost as well",
    "not summed over the batch": "the bias is shared by all sequences: their errors are added up",
    "not summed over the steps": "the parameter is shared by all steps: its contributions are added up",
    "only the last step": "overwritten in the loop, or taken after it: the last step's contribution",
    "only the first step": "overwritten in the backward loop, with = for +=: the first step remains",
    "only one sequence": "the contribution of one sequence of the batch",
}

KNOWN_BUGS = OF_ONE_TENSOR | {
    "clipped entry by entry": "clipping inside backward: no gradient any more, and not checked as one",
    "clipped by norm": "clipping inside backward: no gradient any more, and not checked as one",
    "not a function of its arguments": "called twice it gives two answers: dropout, a counter, a clock",
    "not finite": "NaN or infinity comes back: all that is compared with it is void",
    "modifies its arguments": "in-place arithmetic on what the caller still needs",
    "not elementwise": "a cell's formula mixes units or sequences, as layer normalization does",
    "forward crosses sequences": "what a sequence gives depends on the others in its batch",
    "final state incomplete": "what the next step needs is not all in the final state, or not taken from the initial one",
    "accumulates across calls": "sums that an earlier call left are not set to zero",
    "a' missing": "the derivative of the nonlinearity left out",
    "a' at a instead of z": "a derivative that expects z is given a, and squashes twice",
    "a' formula of a, given z": "1 - a**2, or a (1 - a), is given z",
    "a in place of a'": "the nonlinearity itself where its derivative was meant",
    "h_t for h_(t-1)": "the gradient of u pairs each error with the state that its step computed, not the one it read",
    "h_0 taken as zero": "the first step's share in the gradient of u forgets the initial state",
    "h_(-1) wraps round": "h[t - 1] at the first step is, in Python, the last state",
    "x shifted by one step": "the gradient of w pairs an error with the input of another step",
    "u transposed": "(BP2) with uᵀ for u, or the other way round",
    "error goes back without u": "δ is handed to the step before without passing through u",
    "no recurrence": "nothing arrives from step t + 1: truncated at one step",
    "nothing from above": "only the future arrives, not the cost of the step itself",
    "overwritten instead of added": "= for +=: the error from above replaces that from the future",
    "final state ignored": "a cost that goes on after the last step is not carried back",
    "initial state not through the step": "the error of step 1 is returned before it has passed step 1",
    "crosses sequences": "the state's error is summed over the batch: broadcasting hides it",
    "d_outputs shifted by one step": "the cost of a step enters at its neighbor",
    "d_outputs in reverse": "the loop runs backwards over costs that were reversed already",
    "x gradient in reverse": "collected in the order of the backward loop and never turned round",
    "mask ignored": "steps that did not happen carry the error back as if they had",
    "error lost at the mask": "the error is set to zero where a step is masked; it should pass by",
    "masked steps counted": "steps that did not happen contribute to the parameters",
    "direct path missing": "the state's own way to the past, past the products, left out",
    "tanh(c) derivative missing": "the cell state reaches a through tanh; its derivative is left out",
    "tanh applied twice": "1 - tanh² is taken of tanh c, which is tanh already",
    "c_t for c_(t-1)": "the forget gate's error meets the new cell state",
    "cell error overwritten": "= for +=: what the cell state gets from a replaces what comes from later",
    "path through a missing in c": "the cell state's way back leaves out what came from a at this step",
    "peephole to o missing": "the output gate sees c, and so c gets an error from it",
    "peepholes to the past missing": "i and f see c(t-1), and so it gets an error from them",
    "other GRU's reset": "reset before the product taken for reset after it, or the other way round",
    "reset gate left out": "the error passes the reset gate as if it were open",
    "update gate swapped": "s where 1 - s belongs, or the other way round",
}
"""The name of each known bug, with what it is."""

CLEARLY = 100  # so many times closer than the truth a guess must be: else both fit what came


class _Guess(NamedTuple):
    name: str
    evidence: str
    explains: frozenset[int]
    whole: bool


def diagnose(case: Case) -> dict[str, str]:
    """Name the known bugs that give the numbers of a layer, with the evidence."""
    checks = case.checks
    if not checks["called twice"].ok and checks["arguments left alone"].ok and _unsteady(case):
        return {"not a function of its arguments": "backward, called twice, gave two answers"}
    case = _from_below(case)
    found = dict(_habits(case))
    if not case.checks["batch forward"].ok:
        return found  # no trusted step of a sequence by itself: the batch is mixed on the way there
    if "accumulates across calls" not in found:
        found |= best(case, _hypotheses(case))
    if not found and case.padded and not case.checks["mask backward"].ok:
        found |= best(case.padded, _hypotheses(case.padded))
    return found


def _from_below(case: Case) -> Case:
    """Turn weights round that are written as (g n, n_below), so that all bugs are made for one form."""
    layer, k = case.layer, case.layer.n_params
    n_below, n = case.at[k].shape[2], case.at[k + 1].shape[1]
    matrices = {i: a.shape for i, a in enumerate(case.at[:k]) if a.ndim == 2}
    columns = {i for i, (rows, c) in matrices.items() if c in {n_below, n} and rows % n == 0}
    if any(rows == n_below for rows, _ in matrices.values()) or not columns:
        return case

    def turned(arrays: Arrays) -> Arrays:
        return [a.T if i in columns and a.ndim == 2 else a for i, a in enumerate(arrays)]

    def forward(params: dict[str, Array], *others: Tree) -> Tree:
        return layer.forward(refilled(layer.params, turned(list(params.values()))), *others)

    params = dict(zip(layer.names[:k], turned(case.at[:k]), strict=True))
    return case._replace(
        layer=layer._replace(forward=forward, params=params),
        at=turned(case.at),
        got=turned(case.got),
        want=turned(case.want),
        large=turned(case.large),
        twice=(turned(case.twice[0]), turned(case.twice[1])),
        padded=case.padded and _from_below(case.padded),
    )


def _habits(case: Case) -> Iterator[tuple[str, str]]:
    """Name what shows in more than one call: accumulators, clipping."""
    for check, bug in (
        ("arguments left alone", "modifies its arguments"),
        ("batch forward", "forward crosses sequences"),
        ("finite from a zero state", "not finite"),
        ("initial state: resumed forward", "final state incomplete"),
    ):
        if check in case.checks and not case.checks[check].ok:
            yield bug, f"{', '.join(case.checks[check].faulty)}: see the check"
    first, second = case.twice
    if not case.checks["called twice"].ok and [a.shape for a in first] == [b.shape for b in second]:
        more = [b - a for a, b in zip(first, second, strict=True)]
        if grew := [n for n, e in errors(case.names, more, case.want).items() if e <= LIKE]:
            yield "accumulates across calls", f"{', '.join(grew)}: the second call added its own"
            return  # what such a layer gives for a large cost has earlier sums in it
    yield from clipped(case).items()


def _unsteady(case: Case) -> bool:
    """Say whether whole runs differ by something else than the one amount by which a sum would grow."""
    runs = [case.layer.gradient(case.at, case.cotangents) for _ in range(3)]
    one, two = ([b - a for a, b in zip(*pair, strict=True)] for pair in pairwise(runs))
    return any(error > SAME for error in errors(case.names, two, one).values())


def clipped(case: Case | OwnStep) -> dict[str, str]:
    """Compare the gradient of a cost that is very large with the multiple that it should be."""
    found: dict[str, list[str]] = {}
    for name, large, want in zip(case.names, case.large, case.want, strict=True):
        if name not in case.checks["linear"].faulty or large.shape != want.shape:
            continue
        true, top, norm = LARGE * want, float(np.abs(large).max()), float(np.linalg.norm(large))
        if np.allclose(large, true, rtol=1e-6, atol=0):
            continue  # nothing to speak of is cut off
        if np.allclose(large, np.clip(true, -top, top), rtol=1e-6, atol=0):
            told = f"no entry of {name} is above {top:.4g}, whatever the cost"
            found.setdefault("clipped entry by entry", []).append(told)
        elif norm and np.allclose(large / norm, true / np.linalg.norm(true), rtol=1e-6, atol=1e-9):
            told = f"{name} has the norm {norm:.4g}, whatever the cost"
            found.setdefault("clipped by norm", []).append(told)
    return {bug: "; ".join(told) for bug, told in found.items()}


def _hypotheses(case: Case) -> Bugs:
    steps = trusted(case.layer, case.at, case.truth, case.mask)
    if case.mask is not None:
        yield from mask_bugs(steps, case.cotangents, case.mask)
        return
    yield from _tensor_bugs(case)
    if LATER in case.checks:
        return  # it is no chain of its steps
    yield from loop_bugs(steps, case.cotangents)
    yield from cell_bugs(steps, case.cotangents)


def _tensor_bugs(case: Case) -> Bugs:
    """Make what can be seen in a tensor by itself."""
    k = case.layer.n_params
    steps, batch = case.at[k].shape[:2]
    for name, evidence, factor in (*factors(steps, batch), ("gradient missing", "zeros", 0.0)):
        yield name, evidence, [factor * w for w in case.want]
    transposed = [w.T if w.ndim == 2 else None for w in case.want]
    yield "transposed", "the true one, transposed", transposed
    for size, what in ((batch, "batch"), (steps, "steps")):
        unsummed = [
            _unsummed(g, w, size) if i < k else None
            for i, (g, w) in enumerate(zip(case.got, case.want, strict=True))
        ]
        yield f"not summed over the {what}", f"its sum over the {what} is the true one", unsummed


def _unsummed(got: Array, want: Array, size: int) -> Array | None:
    """Return `got` itself if it has an axis too many, of that size, whose sum is right."""
    for axis in range(got.ndim):
        if got.shape[axis] == size:
            summed = got.sum(axis=axis)
            if summed.shape == want.shape and np.allclose(summed, want, rtol=LIKE, atol=1e-9):
                return got
    return None


def best(case: Case | OwnStep, bugs: Bugs) -> dict[str, str]:
    """Keep the bugs that explain all that is wrong; if there are none, those that explain a part."""
    names, got, want = case.names, case.got, case.want
    like = max(LIKE, 100 * case.truth.tolerance * (not case.truth.analytic))
    wrong = errors(names, got, want)
    faulty = frozenset(i for i, n in enumerate(names) if not wrong[n] <= case.truth.tolerance)
    guesses: list[_Guess] = []
    for name, evidence, made in bugs:
        filled = [w if m is None else m for m, w in zip(made, want, strict=True)]
        gap = list(errors(names, got, filled).values())
        explains = frozenset(
            i
            for i in faulty
            if made[i] is not None and gap[i] <= min(like, wrong[names[i]] / CLEARLY)
        )
        if explains:
            whole = all(gap[i] <= like for i in range(len(names))) or name in OF_ONE_TENSOR
            guesses.append(_Guess(name, evidence, explains, whole))
    full = [g for g in guesses if g.explains == faulty]
    told = [g for g in full if g.whole] or full
    for guess in [] if full else sorted(guesses, key=lambda g: -len(g.explains)):
        if not any(guess.explains <= other.explains for other in told):
            told = [*told, guess]
    worded: dict[str, str] = {}
    for guess in told:
        tensors = ", ".join(names[i] for i in sorted(guess.explains))
        worded.setdefault(guess.name, f"{tensors}: {guess.evidence}")
    return worded
