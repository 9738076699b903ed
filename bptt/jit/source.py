"""The two loops over time of one cell as Python text, which Numba compiles: (FWD) and (BP2), fused.

The text is all that is compiled, so that it is also the key under which compiled code is kept.
"""

import re
from itertools import count
from typing import NamedTuple

from bptt.cells.layout import Layout
from bptt.jit.formula import Formula

HEAD = """{about!r}
# Written by bptt.compiled; it may be deleted at any time.
import numpy as np
from bptt.jit.functions import functions
from bptt.jit.memory import begin, load, store
from bptt.jit.products import multiplier, panels

real = np.{real}
zero, one, inf, nan = real(0), real(1), real(np.inf), real(np.nan)
exp, tanh = functions(real)
in_whole_vectors, in_panels, turned_in_panels = panels(real)
multiply = multiplier(real)
"""

FORWARD = """

def forward(steps, rows, n, z_x, u, b, {own}mask, states, saved):
    size, masked = rows * n, mask.size > 0
    u_panels, stride = in_panels(u, n, {width_h} * n), in_whole_vectors({width_h} * n)
    z_h = np.empty(rows * stride, real)
    for t in range(steps):
        if {width_h} > 0:
            multiply(states, t * size, rows, n, u_panels, stride, z_h)
        for r in range(rows):
            i_x, i_h = (t * rows + r) * {width_x} * n, r * stride
            now, kept = (t * rows + r) * n, (t * {saves} * rows + r) * n
            begin()
            for e in range(n):
                {step}
            if masked and not mask[t * rows + r]:
                for k in range({count}):
                    start = k * (steps + 1) * size + now
                    for i in range(start, start + n):
                        states[i + size] = states[i]
"""

BACKWARD = """

def backward(
    steps, rows, n, u, {own}mask, {states}saved, above, carried, delta_x, delta_h, d_b, d_own
):
    size, masked = rows * n, mask.size > 0
    u_panels, stride = turned_in_panels(u, {width_h} * n, n), in_whole_vectors(n)
    through = np.zeros(rows * stride, real)
    after, before = 0, {count} * size  # where in `carried` the state's cotangents stand
    for t in range(steps - 1, -1, -1):
        for r in range(rows):
            row, i_h, now = r * n, r * stride, (t * rows + r) * n
            x_row, h_row, kept = now * {width_x}, now * {width_h}, (t * {saves} * rows + r) * n
            if masked and not mask[t * rows + r]:
                for e in range(n):
                    carried[before + row + e] = carried[after + row + e] + above[now + e] + through[i_h + e]
                for k in range(1, {count}):
                    for i in range(k * size + row, k * size + row + n):
                        carried[before + i] = carried[after + i]
                for i in range(x_row, x_row + {width_x} * n):
                    delta_x[i] = zero
                for i in range(h_row, h_row + {width_h} * n):
                    delta_h[i] = zero
                continue
            begin()
            for e in range(n):
                {step_back}
        after, before = before, after
        if {width_h} > 0:
            multiply(delta_h, t * {width_h} * size, rows, {width_h} * n, u_panels, stride, through)
    for i in range({count} * size):
        carried[i] = carried[after + i]
    for r in range(rows):
        for e in range(n):
            carried[r * n + e] += through[r * stride + e]
"""


class Source(NamedTuple):
    """The text of a module that defines `forward` and `backward` of a cell, and how many arrays the one saves."""

    text: str
    saves: int


def source(name: str, real: str, layout: Layout, there: Formula, back: Formula) -> Source:
    """Write both loops of a cell in one precision."""
    stored, reads = _saved(layout, there, back)
    new_line = "\n" + " " * 16
    text = (HEAD + FORWARD + BACKWARD).format(
        about=f"The loops over time of {name} in {real}",
        real=real,
        saves=len(stored),
        count=len(layout.states),
        width_x=layout.w_blocks,
        width_h=layout.u_blocks,
        own=_names("own", len(layout.own)),
        states=_names("state", len(layout.states)),
        step=new_line.join(_step(layout, there, stored)),
        step_back=new_line.join(_step_back(layout, back, reads)),
    )
    return Source(text, len(stored))


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
            reads.append(f"load(0, state_{new.index(value)}, now + size + e)")
        elif value in (past := [f"s{j}" for j in range(len(layout.states))]):
            reads.append(f"load(0, state_{past.index(value)}, now + e)")
        else:
            if value not in stored:
                stored.append(value)
            reads.append(f"load(0, saved, kept + {stored.index(value)} * size + e)")
    return stored, reads


# Scopes: 0 is that of all arrays that a loop only reads; each block that it writes has a number of its own.


def _load(array: str, index: str, scope: int = 0) -> str:
    return f"load({scope}, {array}, {index} + e)"


def _store(scope: int, array: str, index: str, value: str) -> str:
    return f"store({scope}, {array}, {index} + e, {value})"


def _add(scope: int, array: str, index: str, value: str) -> str:
    return _store(scope, array, index, f"{_load(array, index, scope)} + {value}")


def _step(layout: Layout, formula: Formula, stored: list[str]) -> list[str]:
    """Return the statements of one entry of one step: (FWD)."""
    scopes, (new, _) = count(1), formula.results
    in_x, in_h, states = _blocks(layout, "zx"), _blocks(layout, "zh"), range(len(layout.states))
    body = []
    for k in range(len(layout.weighted)):
        terms = []
        if k in in_x:
            block = f"{in_x.index(k)} * n"
            terms += [_load("z_x", f"i_x + {block}"), _load("b", block)]
        if k in in_h:
            terms.append(_load("z_h", f"i_h + {in_h.index(k)} * n"))
        body.append(f"z{k} = {' + '.join(terms)}")
    starts = [f"{k} * (steps + 1) * size" for k in states]
    body += [f"s{k} = {_load('states', f'{starts[k]} + now')}" for k in states]
    body += [f"o{k} = {_load(f'own_{k}', '0')}" for k in range(len(layout.own))]
    body += formula.statements
    body += [_store(next(scopes), "states", f"{starts[k]} + now + size", new[k]) for k in states]
    return body + [
        _store(next(scopes), "saved", f"kept + {k} * size", value) for k, value in enumerate(stored)
    ]


def _step_back(layout: Layout, formula: Formula, reads: list[str]) -> list[str]:
    """Return the statements of one entry of one step: (BP2)."""
    scopes, (d_weighted, d_past, d_own) = count(1), formula.results
    in_x, in_h, states = _blocks(layout, "zx"), _blocks(layout, "zh"), range(len(layout.states))
    carried = [_load("carried", f"after + {k} * size + row") for k in states]
    carried[0] = f"{_load('above', 'now')} + {carried[0]} + {_load('through', 'i_h')}"
    body = [f"d{k} = {carried[k]}" for k in states]
    body += [f"s{k} = {_load(f'state_{k}', 'now')}" for k in states]
    body += [f"o{k} = {_load(f'own_{k}', '0')}" for k in range(len(layout.own))]
    body += [f"k{k} = {read}" for k, read in enumerate(reads)]
    body += formula.statements
    body += [
        _store(next(scopes), "carried", f"before + {k} * size + row", d_past[k]) for k in states
    ]
    for place, k in enumerate(in_x):
        body.append(_store(next(scopes), "delta_x", f"x_row + {place} * n", d_weighted[k]))
        body.append(_add(next(scopes), "d_b", f"{place} * n", d_weighted[k]))
    for place, k in enumerate(in_h if in_h != in_x else ()):
        body.append(_store(next(scopes), "delta_h", f"h_row + {place} * n", d_weighted[k]))
    return body + [_add(next(scopes), "d_own", f"{k} * n", value) for k, value in enumerate(d_own)]


def _blocks(layout: Layout, letters: str) -> list[int]:
    """Return which weighted inputs begin with one of some letters."""
    return [k for k, name in enumerate(layout.weighted) if name[0] in letters]


def _names(stem: str, count: int) -> str:
    return "".join(f"{stem}_{k}, " for k in range(count))
