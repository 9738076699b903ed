"""The two loops over time of one cell as Python text, which Numba compiles: (FWD) and (BP2), fused.

The text is all that is compiled, so that it is also the key under which compiled code is kept.
"""

import re
from typing import Any, NamedTuple

from bptt.cells.layout import Layout
from bptt.jit.formula import Formula

HEAD = '''"""The loops over time of {name} in {real}"""
# Written by bptt.compiled; it may be deleted at any time.
import numpy as np
from bptt.jit.functions import functions
from bptt.jit.memory import begin, load, store
from bptt.jit.products import multiplier

real = np.{real}
zero, one, infinity, nan = real(0), real(1), real(np.inf), real(np.nan)
exp, tanh, absolute, maximum, minimum, sign = functions(real)
in_panels, multiply = multiplier(real)
'''

FORWARD = """

def forward(x, w, u, b, {own}mask, states, saved):
    steps, rows, below = x.shape
    n, masked, stretch = states.shape[3], mask.size > 0, max(1, 64 // rows)
    w_panels, u_panels = in_panels(w), in_panels(u)
    stride_x = w_panels.shape[0] * w_panels.shape[2]
    stride_h = u_panels.shape[0] * u_panels.shape[2]
    z_x = np.empty(stretch * rows * stride_x, real)
    z_h = np.empty(rows * stride_h, real)
    x_flat = x.reshape(-1)
    {views}
    for t in range(steps):
        if t % stretch == 0:
            multiply(x_flat, t * rows * below, min(stretch, steps - t) * rows, w_panels, z_x, 0)
        {recurrent}
        for r in range(rows):
            i_x, i_h = (t % stretch * rows + r) * stride_x, r * stride_h
            now, new = (t * rows + r) * n, ((t + 1) * rows + r) * n
            kept = (t * {saves} * rows + r) * n
            begin()
            for e in range(n):
                {body}
            if masked and not mask[t, r]:
                for e in range(n):
                    {hold}
"""

BACKWARD = """

def backward(w_t, u_t, {own}mask, {states}saved, d_above, d_state, delta_x, delta_h, d_x, d_b, d_own):
    steps, rows, below = d_x.shape
    n, masked, stretch = d_above.shape[2], mask.size > 0, max(1, 64 // rows)
    w_panels, u_panels = in_panels(w_t), in_panels(u_t)
    stride_x = w_panels.shape[0] * w_panels.shape[2]
    stride_h = u_panels.shape[0] * u_panels.shape[2]
    part = np.empty(stretch * rows * stride_x, real)
    through = np.zeros(rows * max(stride_h, n), real)
    above = d_above.reshape(-1)
    after, before = d_state.copy(), np.empty_like(d_state)
    delta_x_flat, delta_h_flat, d_own_flat = delta_x.reshape(-1), delta_h.reshape(-1), d_own.reshape(-1)
    {views}
    for t in range(steps - 1, -1, -1):
        {flat}
        for r in range(rows):
            row, i_h, now = r * n, r * stride_h, (t * rows + r) * n
            x_row, h_row, kept = now * {width_x}, now * {width_h}, (t * {saves} * rows + r) * n
            if masked and not mask[t, r]:
                for e in range(n):
                    {pass_by}
                continue
            begin()
            for e in range(n):
                {body}
        after, before = before, after
        {recurrent}
        if t % stretch == 0:
            count = min(stretch, steps - t) * rows
            multiply(delta_x_flat, t * rows * {width_x} * n, count, w_panels, part, 0)
            d_x_flat = d_x[t : t + stretch].reshape(-1)
            for r in range(count):
                for e in range(below):
                    d_x_flat[r * below + e] = part[r * stride_x + e]
    d_state[...] = after
    {initial}
"""


class Source(NamedTuple):
    """The text of a module that defines `forward` and `backward` of a cell, and how many arrays the one saves."""

    text: str
    saves: int


def source(name: str, real: str, layout: Layout, there: Formula, back: Formula) -> Source:
    """Write both loops of a cell in one precision."""
    stored, reads = _saved(layout, there, back)
    loops = _forward(layout, there, stored) + _backward(layout, back, len(stored), reads)
    return Source(HEAD.format(name=name, real=real) + loops, len(stored))


def _saved(layout: Layout, there: Formula, back: Formula) -> tuple[list[str], list[str]]:
    """Return which results are to be stored, and how each is read: only what is used and stands nowhere else."""
    new, saved = there.results
    used = set(re.findall(r"\bk\d+\b", " ".join((*back.statements, *sum(back.results, ())))))
    stored: list[str] = []
    reads: list[str] = []
    for k, value in enumerate(saved):
        if f"k{k}" not in used:
            reads.append("zero")
        elif value in new:
            reads.append(f"load(0, state_{new.index(value)}, now + rows * n + e)")
        elif value in (past := [f"s{j}" for j in range(len(layout.states))]):
            reads.append(f"load(0, state_{past.index(value)}, now + e)")
        else:
            if value not in stored:
                stored.append(value)
            reads.append(f"load(0, saved_flat, kept + {stored.index(value)} * rows * n + e)")
    return stored, reads


class _Scopes:
    """Numbers of scopes, one for each array or block that a loop writes, and one for all it reads."""

    def __init__(self) -> None:
        self.used = 0

    def load(self, array: str, index: str) -> str:
        return f"load(0, {array}, {index} + e)"

    def store(self, array: str, index: str, value: str) -> str:
        self.used += 1
        return f"store({self.used}, {array}, {index} + e, {value})"

    def add(self, array: str, index: str, value: str) -> str:
        self.used += 1
        k = self.used
        return f"store({k}, {array}, {index} + e, load({k}, {array}, {index} + e) + {value})"


def _forward(layout: Layout, formula: Formula, stored: list[str]) -> str:
    scopes, (new, _) = _Scopes(), formula.results
    in_x, in_h = _blocks(layout, "zx"), _blocks(layout, "zh")
    body = []
    for k in range(len(layout.weighted)):
        terms = []
        if k in in_x:
            terms += [
                scopes.load("z_x", f"i_x + {in_x.index(k)} * n"),
                scopes.load("b", f"{in_x.index(k)} * n"),
            ]
        if k in in_h:
            terms.append(scopes.load("z_h", f"i_h + {in_h.index(k)} * n"))
        body.append(f"z{k} = {' + '.join(terms)}")
    body += [f"s{k} = {scopes.load(f'state_{k}', 'now')}" for k in range(len(layout.states))]
    body += [f"o{k} = {scopes.load(f'own_{k}', '0')}" for k in range(len(layout.own))]
    body += formula.statements
    body += [scopes.store(f"state_{k}", "new", value) for k, value in enumerate(new)]
    body += [
        scopes.store("saved_flat", f"kept + {k} * rows * n", value)
        for k, value in enumerate(stored)
    ]
    return FORWARD.format(
        saves=len(stored),
        own=_names("own", len(layout.own)),
        views=_lines(
            1,
            [f"state_{k} = states[{k}].reshape(-1)" for k in range(len(layout.states))]
            + ["saved_flat = saved.reshape(-1)"],
        ),
        recurrent="multiply(state_0, t * rows * n, rows, u_panels, z_h, 0)" if in_h else "pass",
        body=_lines(4, body),
        hold=_lines(
            5, [f"state_{k}[new + e] = state_{k}[now + e]" for k in range(len(layout.states))]
        ),
    )


def _backward(layout: Layout, formula: Formula, saves: int, reads: list[str]) -> str:
    scopes, (d_weighted, d_past, d_own) = _Scopes(), formula.results
    in_x, in_h = _blocks(layout, "zx"), _blocks(layout, "zh")
    above = f"{scopes.load('above', 'now')} + {scopes.load('after_0', 'row')}"
    body = [f"d0 = {above} + {scopes.load('through', 'i_h')}"]
    body += [f"d{k} = {scopes.load(f'after_{k}', 'row')}" for k in range(1, len(layout.states))]
    body += [f"s{k} = {scopes.load(f'state_{k}', 'now')}" for k in range(len(layout.states))]
    body += [f"o{k} = {scopes.load(f'own_{k}', '0')}" for k in range(len(layout.own))]
    body += [f"k{k} = {read}" for k, read in enumerate(reads)]
    body += formula.statements
    body += [scopes.store(f"before_{k}", "row", value) for k, value in enumerate(d_past)]
    for place, k in enumerate(in_x):
        body.append(scopes.store("delta_x_flat", f"x_row + {place} * n", d_weighted[k]))
        body.append(scopes.add("d_b", f"{place} * n", d_weighted[k]))
    if in_h != in_x:
        body += [
            scopes.store("delta_h_flat", f"h_row + {place} * n", d_weighted[k])
            for place, k in enumerate(in_h)
        ]
    body += [scopes.add("d_own_flat", f"{k} * n", value) for k, value in enumerate(d_own)]
    pass_by = ["before_0[row + e] = above[now + e] + after_0[row + e] + through[i_h + e]"]
    pass_by += [f"before_{k}[row + e] = after_{k}[row + e]" for k in range(1, len(layout.states))]
    pass_by += [f"delta_x_flat[x_row + {k} * n + e] = zero" for k in range(len(in_x))]
    pass_by += [f"delta_h_flat[h_row + {k} * n + e] = zero" for k in range(len(in_h))]
    states = range(len(layout.states))
    return BACKWARD.format(
        saves=saves,
        own=_names("own", len(layout.own)),
        states=_names("states", len(layout.states)),
        width_x=len(in_x),
        width_h=len(in_h),
        views=_lines(
            1,
            [f"state_{k} = states_{k}.reshape(-1)" for k in states]
            + ["saved_flat = saved.reshape(-1)"],
        ),
        flat=_lines(
            2,
            [
                f"after_{k}, before_{k} = after[{k}].reshape(-1), before[{k}].reshape(-1)"
                for k in states
            ],
        ),
        pass_by=_lines(5, pass_by),
        body=_lines(4, body),
        recurrent=(
            f"multiply(delta_h_flat, t * rows * {len(in_h)} * n, rows, u_panels, through, 0)"
            if in_h
            else "pass"
        ),
        initial=_lines(
            1,
            [
                "for r in range(rows):",
                "    for e in range(n):",
                "        d_state[0, r, e] += through[r * stride_h + e]",
            ]
            if in_h
            else ["return"],
        ),
    )


def _blocks(layout: Layout, letters: str) -> list[int]:
    """Return which weighted inputs begin with one of some letters."""
    return [k for k, name in enumerate(layout.weighted) if name[0] in letters]


def _names(stem: str, count: int) -> str:
    return "".join(f"{stem}_{k}, " for k in range(count))


def _lines(depth: int, lines: Any) -> str:
    return ("\n" + "    " * depth).join(lines)
