"""Which statements of the cells above a cell needs, so that it runs when it is copied with them alone.

A page is a list of cells, a cell a list of statements. From the names that a cell reads, the statements that bound
and changed them are looked up backward, and for these the same again. What a function reads is looked up from
where it is used. ``dataflow.py`` says what a statement reads, binds and changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from _ext.slicing.dataflow import CHANGE_MODULE, called, changes_object, effects_of
from _ext.slicing.effects import Call, Change, Effects

Lines = list[tuple[int, int]]  # first and last line of each run of lines, counted from 1


@dataclass
class Statement:
    """A statement at the top of a cell: its place, its effects, and all that it changes."""

    cell: int
    lines: Lines
    effects: Effects
    changes: set[Change]


class State:
    """What is known of the names when the statements so far have run."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.functions: dict[str, Effects] = {}
        self.stateful: set[str] = set()
        self.methods: set[str] = set()  # of the page, that change their object
        self.parts: dict[str, set[str]] = {}  # names that may share what they hold

    def changes(self, effects: Effects) -> set[Change]:
        """Return all that a statement with these effects changes, by itself and by what it calls."""
        found = set(effects.changes)
        for call in effects.calls:
            found |= set(self._called(call, frozenset()))
        found = {c for c in found if self._counts(c)}
        found = {Change(c.name) if c.name in self.modules else c for c in found}
        own = {c for c in found if c.method != "+="}
        parts = self._parts(effects)
        shared = {
            Change(n, c.attribute) for c in found for n in parts.get(c.name, ()) if n != c.name
        }
        return own | shared

    def _counts(self, change: Change) -> bool:
        if not change.method:
            return True
        if change.name in self.modules:
            return change.method in CHANGE_MODULE
        return changes_object(change.method) or change.method in {"+=", *self.methods}

    def _parts(self, effects: Effects) -> dict[str, set[str]]:
        """Return which names may share what they hold, those that a statement adds among them."""
        parts = {name: set(others) for name, others in self.parts.items()}
        for name, whole in effects.aliases:
            if name != whole and whole not in self.modules:
                together = parts.get(whole, {whole}) | parts.get(name, set()) | {name}
                for each in together:
                    parts[each] = set(together)
        return parts

    def _called(self, call: Call, above: frozenset[str]) -> Iterator[Change]:
        for _, name in call.arguments:
            if name in self.stateful:
                yield Change(name)
            if name in self.functions and name not in above:  # it may be called there
                yield from self._body(Call(name, ()), above | {name})
        if call.name in self.functions and call.name not in above:
            yield from self._body(call, above | {call.name})

    def _body(self, call: Call, above: frozenset[str]) -> Iterator[Change]:
        function = self.functions[call.name]
        positional = [name for keyword, name in call.arguments if not keyword]
        given = dict(zip(function.parameters, positional, strict=False)) | dict(call.arguments)
        inner = set(function.changes)
        for each in function.calls:
            inner |= set(self._called(each, above))
        for change in inner:
            if change.name not in function.parameters:
                yield change
            elif name := given.get(change.name):
                yield Change(name, change.attribute, change.method)

    def run(self, effects: Effects) -> None:
        """Take a statement to have run."""
        for name in effects.binds | effects.may_bind:
            for others in self.parts.values():
                others.discard(name)
            self.parts.pop(name, None)
            if name in effects.binds:
                self.functions.pop(name, None)
                self.modules.discard(name)
                self.stateful.discard(name)
        self.modules |= effects.imports
        self.functions |= {k: f for k, f in effects.functions.items() if k in effects.binds}
        self.stateful |= effects.stateful
        self.methods |= effects.methods
        self.parts = self._parts(effects)


def statements(cells: Sequence[str]) -> list[Statement]:
    """Return the statements of all cells, with what each changes."""
    state, found = State(), []
    for number, source in enumerate(cells):
        for node in ast.parse(source).body:
            effects = effects_of(node)
            found.append(Statement(number, lines_of(node), effects, state.changes(effects)))
            state.run(effects)
    return found


def lines_of(node: ast.stmt) -> Lines:
    """Return the lines of a statement, without what it only prints or asserts on the way."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    runs, start = [], first
    for part in sorted(_only_seen(node), key=lambda part: part.lineno):
        if part.lineno > start:
            runs.append((start, part.lineno - 1))
        start = (part.end_lineno or part.lineno) + 1
    last = node.end_lineno or node.lineno
    return [*runs, (start, last)] if start <= last else runs


def _only_seen(node: ast.stmt) -> Iterator[ast.stmt]:
    """Find the statements inside loops and branches that nothing after them can tell from a pass."""
    if not isinstance(node, (ast.For, ast.While, ast.If, ast.With)):
        return
    for body in (node.body, getattr(node, "orelse", [])):
        seen = [part for part in body if _prints_or_asserts(part)]
        yield from seen if len(seen) < len(body) else []
        for part in body:
            yield from _only_seen(part)


def _prints_or_asserts(node: ast.stmt) -> bool:
    effects = effects_of(node)
    changes = any(changes_object(change.method) for change in effects.changes)
    if isinstance(node, (ast.If, ast.For)):  # nothing else inside, and a target of its own
        return not changes and all(map(_prints_or_asserts, [*node.body, *node.orelse]))
    prints = isinstance(node, ast.Expr) and called(node.value) == ("print", "")
    return (prints or isinstance(node, ast.Assert)) and not (changes or effects.binds)


class Slicer:
    """Collects the statements that a cell needs."""

    def __init__(self, every: Sequence[Statement], cell: int) -> None:
        self.every = every
        self.needed: set[int] = set()
        self.seen: set[tuple[str, int]] = set()
        self.waiting: dict[int, set[str]] = {}  # changes of attributes nobody has read so far
        self.mentioned: set[str] = set()
        own = [k for k, s in enumerate(every) if s.cell == cell]
        self.end = own[-1] + 1 if own else 0
        for k in own:
            self._take(k)
        for k in own:  # what it defines is to be used after it
            for name in every[k].effects.deferred:
                self._look_up(name, self.end)
        self._settle()
        self.needed -= set(own)

    def _take(self, k: int) -> None:
        if k in self.needed:
            return
        self.needed.add(k)
        effects = self.every[k].effects
        self.mentioned |= effects.attributes
        for name in sorted(effects.uses):
            self._look_up(name, k)

    def _look_up(self, name: str, before: int) -> None:
        """Take what gave `name` its value and its state before a statement."""
        if (name, before) in self.seen:
            return
        self.seen.add((name, before))
        for k in range(before - 1, -1, -1):
            statement = self.every[k]
            effects = statement.effects
            changed = {c.attribute for c in statement.changes if c.name == name}
            bound = name in effects.binds | effects.may_bind
            if bound or "" in changed:
                self._take(k)
            elif changed:
                self.waiting.setdefault(k, set()).update(changed)
            if bound or changed:
                for later in effects.deferred:
                    self._look_up(later, before)
            if name in effects.binds:
                return

    def _settle(self) -> None:
        """Take the changes of attributes that turned out to be read."""
        while ready := [k for k, names in self.waiting.items() if names & self.mentioned]:
            for k in ready:
                del self.waiting[k]
                self._take(k)


def needs(cells: Sequence[str]) -> list[dict[int, Lines]]:
    """Return for each cell the lines of the cells above that it needs, by cell."""
    every = statements(cells)
    found = []
    for number in range(len(cells)):
        lines: dict[int, Lines] = {}
        for k in sorted(Slicer(every, number).needed):
            statement = every[k]
            for first, last in statement.lines:
                _add(lines.setdefault(statement.cell, []), first, last, cells[statement.cell])
        found.append(lines)
    return found


def _add(lines: Lines, first: int, last: int, source: str) -> None:
    """Add a run of lines, with the comments above it; join it to the last if nothing is between."""
    text = source.split("\n")
    while first > 1 and text[first - 2].startswith("#"):
        first -= 1
    if lines and not any(line.strip() for line in text[lines[-1][1] : first - 1]):
        lines[-1] = (lines[-1][0], max(last, lines[-1][1]))
    else:
        lines.append((first, last))


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
