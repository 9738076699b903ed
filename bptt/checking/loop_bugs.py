"""Bugs in the loop over time, made on purpose: each yields a name, evidence, and the numbers it gives."""

from collections.abc import Callable

import numpy as np

from bptt._core import Array, Arrays, Mask
from bptt.checking.sweep import Bugs, Carry, Steps, Swept, factors, split, sweep, without


def loop_bugs(steps: Steps, cotangents: Arrays) -> Bugs:
    """Make all bugs of the loop, out of the trusted derivatives of its steps."""
    right = sweep(steps, cotangents)
    yield from _carried(steps, cotangents)
    yield from _entered(steps, cotangents)
    yield from _summed(right)
    yield from _paired(steps, right)
    yield from _returned(steps, right, cotangents)


def _losing(which: int | None = None) -> Carry:
    """Return a way to carry all but one state, or none at all."""
    return lambda _, d, __: without(d, which)


def _carried(steps: Steps, cotangents: Arrays) -> Bugs:
    """Spoil what goes from a step to the step before."""
    n_states = len(steps.states)

    def made(carry: Carry, *, carried: bool = True) -> Arrays:
        return sweep(steps, cotangents, carry).record(carried=carried)

    nothing = "step t + 1 gives nothing to step t"
    yield "no recurrence", nothing, made(_losing(), carried=False)
    yield "no recurrence", nothing, made(_losing())
    for i in range(n_states if n_states > 1 else 0):
        yield "no recurrence", f"{nothing} through state {i}", made(_losing(i), carried=False)
        yield "direct path missing", f"nothing passes through state {i}", made(_losing(i))
    total: Carry = lambda _, d, __: [np.broadcast_to(s.sum(axis=0), s.shape) for s in d]
    mean: Carry = lambda _, d, __: [np.broadcast_to(s.mean(axis=0), s.shape) for s in d]
    for way, carry in (("summed", total), ("averaged", mean)):
        evidence = f"the state's error is {way} over the batch at each step"
        yield "crosses sequences", evidence, made(carry)
        yield "crosses sequences", evidence, made(carry, carried=False)
    if steps.u is not None:
        yield from _through_u(steps, steps.u, made)


def _through_u(steps: Steps, i: int, made: Callable[..., Arrays]) -> Bugs:
    u, n = steps.params[i], steps.states[0].shape[2]
    blocks = np.split(u, u.shape[1] // n, axis=1)

    def transposed(t: int, d: Arrays, found: Arrays) -> Arrays:
        errors = np.split(split(steps.past[t], found[i])[1], len(blocks), axis=1)
        wrong = sum(e @ b - e @ b.T for e, b in zip(errors, blocks, strict=True))
        return [d[0] + wrong, *d[1:]]

    def bare(t: int, d: Arrays, found: Arrays) -> Arrays:
        errors = split(steps.past[t], found[i])[1]
        summed = sum(np.split(errors, len(blocks), axis=1))
        return [d[0] - errors @ u.T + summed, *d[1:]]

    for carried in (True, False):
        yield "u transposed", "δ meets u the other way round", made(transposed, carried=carried)
    yield "error goes back without u", "δ is what the step before gets", made(bare)


def _entered(steps: Steps, cotangents: Arrays) -> Bugs:
    """Spoil how the costs of the steps, and of the final state, enter."""
    outputs, *final = cotangents
    none = without(final)
    last = np.zeros_like(outputs)
    last[-1] = outputs[-1]

    def made(d_outputs: Array, d_final: Arrays, carry: Carry | None = None) -> Arrays:
        return sweep(steps, [d_outputs, *d_final], carry).record()

    for name, _, factor in factors(*outputs.shape[:2]):
        evidence = f"as if d_outputs were multiplied by {factor:.4g}"
        yield name, evidence, made(factor * outputs, final)
    yield "nothing from above", "the cost enters at the last step only", made(last, final)
    yield "nothing from above", "no cost of an output enters", made(np.zeros_like(outputs), final)
    yield "final state ignored", "as if d_final were zero", made(outputs, none)
    for i in range(len(final) if len(final) > 1 else 0):
        some = without(final, i)
        yield "final state ignored", f"as if d_final were zero in state {i}", made(outputs, some)
        yield "overwritten instead of added", f"state {i}", made(outputs, some, _losing(i))
    evidence = "only the error from above is left, at the last step too"
    yield "overwritten instead of added", evidence, made(outputs, none, _losing())
    for by, way in ((1, "a step later"), (-1, "a step earlier")):
        for moved in (_shifted(outputs, by), np.roll(outputs, by, axis=0)):
            for d_final in (final, none):
                yield "d_outputs shifted by one step", way, made(moved, d_final)
    yield "d_outputs in reverse", "as if d_outputs[::-1] were given", made(outputs[::-1], final)


def _summed(right: Swept) -> Bugs:
    """Spoil what is added up for the parameters."""
    for which, where, part in (("last", "T", slice(-1, None)), ("first", "1", slice(0, 1))):
        of_step = right.record(lambda c, p=part: c[p])
        yield f"only the {which} step", f"the contribution of step {where} alone", of_step
        of_sequence = right.record(lambda c, p=part: c[:, p])
        yield "only one sequence", f"the contribution of the {which} sequence alone", of_sequence
        both = right.record(lambda c, p=part: c[p].mean(axis=1, keepdims=True))
        yield "mean over the batch", f"and of step {where} alone", both


def _paired(steps: Steps, right: Swept) -> Bugs:
    """Spoil which state, and which input, the errors meet in the gradients of u and w."""
    past, after = steps.past, steps.states[0][1:]
    from_zero, wrapped = past.copy(), past.copy()
    from_zero[0], wrapped[0] = 0, after[-1]
    of_u = [
        ("h_t for h_(t-1)", "the sum of h_tᵀ δ_t", after),
        ("h_0 taken as zero", "the first step gives nothing", from_zero),
        ("h_(-1) wraps round", "the first step meets the last state", wrapped),
    ]
    of_w = [
        ("x shifted by one step", f"the sum of x(t{by:+})ᵀ δ_t", moved)
        for by in (1, -1)
        for moved in (np.roll(steps.x, -by, axis=0), _shifted(steps.x, -by))
    ]
    for i, left, pairs in ((steps.u, past, of_u), (steps.w, steps.x, of_w)):
        if i is None or (delta := right.delta(i, left)) is None:
            continue
        for name, evidence, wrong in pairs:
            record: Arrays = [None] * len(right.contributions)
            record[i] = np.einsum("tbn,tbg->ng", wrong, delta)
            yield name, evidence, record


def _shifted(x: Array, by: int) -> Array:
    moved = np.roll(x, by, axis=0)
    moved[0 if by > 0 else -1] = 0
    return moved


def _returned(steps: Steps, right: Swept, cotangents: Arrays) -> Bugs:
    """Spoil what is returned for x and the initial state."""
    k = steps.k
    none: Arrays = [None] * len(right.contributions)
    d_x = right.contributions[k]
    for name, evidence, wrong in (
        ("x gradient in reverse", "the true one, last step first", d_x[::-1]),
        ("x shifted by one step", "the true one, a step later", _shifted(d_x, 1)),
        ("x shifted by one step", "the true one, a step earlier", _shifted(d_x, -1)),
    ):
        yield name, evidence, [*none[:k], wrong, *none[k + 1 :]]
    arriving = zip(right.contributions[k + 1 :], cotangents[1:], strict=True)
    future = [c[1] if len(c) > 1 else last for c, last in arriving]
    above = cotangents[0][0]
    before = [future[0] + above if above.shape == future[0].shape else future[0], *future[1:]]
    name = "initial state not through the step"
    yield name, "∂C/∂(state 1), all of it", [*none[: k + 1], *before]
    yield name, "∂C/∂(state 1), from the future alone", [*none[: k + 1], *future]
    delta = right.delta(steps.u, steps.past)
    if delta is not None and delta.shape == steps.past.shape:
        yield name, "δ of step 1, without u", [*none[: k + 1], delta[0], *none[k + 2 :]]


def mask_bugs(steps: Steps, cotangents: Arrays, mask: Mask) -> Bugs:
    """Make the bugs that show in padded batches alone."""
    there = mask[:, :, None]

    def held(t: int, row: Arrays) -> tuple[Arrays, Arrays]:
        passing = [row[0] + row[1] if row[0].shape == row[1].shape else row[1], *row[2:]]
        return [c * there[t] for c in row], [p * ~there[t] for p in passing]

    def right(t: int, row: Arrays) -> Arrays:
        through, passing = held(t, row)
        found = steps.pull(t, through)
        states = [f + p for f, p in zip(found[steps.k + 1 :], passing, strict=True)]
        return [*found[: steps.k + 1], *states]

    def lost(t: int, row: Arrays) -> Arrays:
        return steps.pull(t, held(t, row)[0])

    def counted(t: int, row: Arrays) -> Arrays:
        return [*steps.pull(t, row)[: steps.k + 1], *right(t, row)[steps.k + 1 :]]

    for name, evidence, way in (
        ("mask ignored", "as if all steps had happened, on the way back", steps.pull),
        ("error lost at the mask", "zero where a step is masked", lost),
        ("masked steps counted", "the error passes by, and is counted too", counted),
    ):
        yield name, evidence, sweep(steps, cotangents, pull=way).record()
