"""Which statements of the cells above a cell needs, so that it runs when it is copied with them alone.

A page is a list of cells, a cell a list of statements. From the names that a cell reads, the statements that bound
and changed them are looked up backward, and for these the same again. What a function reads is looked up from
where it is used. ``dataflow.py`` says what a statement reads, binds and changes.
"""

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby

from _ext.slicing.dataflow import Known, Reader, called, connected
from _ext.slicing.page_data import parsed

Lines = list[tuple[int, int]]  # first and last of each run of lines, counted from 1


@dataclass
class Statement:
    """A statement at the top of a cell: its place, what it does, and which names it gives a value or a state."""

    cell: int
    lines: set[int]
    does: Reader
    gives: set[str]


def statements(cells: Sequence[str]) -> list[Statement]:
    """Return the statements of all cells."""
    nodes = [(k, node) for k, source in enumerate(cells) for node in parsed(source).body]
    known, before = Known(), None
    while known != before:  # for a function may call one that is defined below it
        before = deepcopy(known)
        readers = [Reader(known, [node]) for _, node in nodes]
    aliases = set().union(*(does.aliases for does in readers))
    found = []
    for (cell, node), does in zip(nodes, readers, strict=True):
        gives = does.binds | does.may_bind | connected(does.changes, aliases)
        found.append(Statement(cell, lines_of(node, cells[cell].split("\n"), known), does, gives))
    return found


def lines_of(node: ast.stmt, text: Sequence[str], known: Known) -> set[int]:
    """Return the lines of a statement with the comments above it, without what it only prints or asserts on the way."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    while first > 1 and text[first - 2].startswith("#"):
        first -= 1
    seen = (range(part.lineno, part.end_lineno + 1) for part in _only_seen(node, known))
    return set(range(first, node.end_lineno + 1)).difference(*seen)


def _only_seen(node: ast.stmt, known: Known) -> Iterator[ast.stmt]:
    """Find the statements inside loops and branches that nothing after them can tell from a pass."""
    if not isinstance(node, (ast.For, ast.While, ast.If, ast.With)):
        return
    for body in (node.body, getattr(node, "orelse", [])):
        seen = [part for part in body if _prints_or_asserts(part, known)]
        for part in body:
            if part in seen and len(seen) < len(body):
                yield part
            else:
                yield from _only_seen(part, known)


def _prints_or_asserts(node: ast.stmt, known: Known) -> bool:
    does = Reader(known, [node])
    if isinstance(node, (ast.If, ast.For)):  # nothing else inside, and a target of its own
        every = [*node.body, *node.orelse]
        return not does.changes and all(_prints_or_asserts(part, known) for part in every)
    prints = isinstance(node, ast.Expr) and called(node.value) == ("print", "")
    return (prints or isinstance(node, ast.Assert)) and not (does.changes or does.binds)


def needed(every: Sequence[Statement], cell: int) -> list[int]:
    """Return which statements above a cell it needs, in order."""
    own = [k for k, statement in enumerate(every) if statement.cell == cell]
    # Names, each with the statement that it is looked up above. What a cell defines is to be used after it.
    todo = [(name, k) for k in own for name in every[k].does.reads]
    todo += [(name, own[-1] + 1) for k in own for name in every[k].does.later]
    taken, seen = set(own), set()
    while todo:
        name, before = each = todo.pop()
        if each in seen:
            continue
        seen.add(each)
        for k in reversed(range(before)):
            does = every[k].does
            if name in every[k].gives:
                taken.add(k)
                todo += [(read, k) for read in does.reads]
                todo += [(read, before) for read in does.later]
            if name in does.binds:
                break
    return sorted(taken.difference(own))


def needs(cells: Sequence[str]) -> list[dict[int, Lines]]:
    """Return for each cell the lines of the cells above that it needs, by cell."""
    every = statements(cells)
    found = []
    for number in range(len(cells)):
        lines: dict[int, set[int]] = {}
        for k in needed(every, number):
            lines.setdefault(every[k].cell, set()).update(every[k].lines)
        found.append({cell: runs(taken, cells[cell]) for cell, taken in lines.items()})
    return found


def runs(taken: set[int], source: str) -> Lines:
    """Return lines as runs, which go on over empty lines."""
    text = enumerate(source.split("\n"), 1)
    kept = enumerate(k for k, line in text if k in taken or not line.strip())
    together = [[k for _, k in run] for _, run in groupby(kept, key=lambda pair: pair[1] - pair[0])]
    lines = [[k for k in run if k in taken] for run in together]
    return [(run[0], run[-1]) for run in lines if run]


def runnable(cells: Sequence[str], number: int, needed: dict[int, Lines]) -> str:
    """Return a cell below the lines it needs, as copy.js puts them together."""
    return "\n\n".join([*before(cells, needed), cells[number].strip("\n")]) + "\n"


def before(cells: Sequence[str], needed: dict[int, Lines]) -> list[str]:
    """Return the text taken from each cell above."""
    parts = []
    for cell, lines in sorted(needed.items()):
        text = cells[cell].split("\n")
        parts.append("\n".join("\n".join(text[first - 1 : last]) for first, last in lines))
    return parts


def pack(needed: dict[int, Lines]) -> str:
    """Write the lines needed in few characters: ``0:1-3,7 2:1``."""
    runs = {c: [str(a) if a == b else f"{a}-{b}" for a, b in lines] for c, lines in needed.items()}
    return " ".join(f"{cell}:{','.join(parts)}" for cell, parts in sorted(runs.items()))
