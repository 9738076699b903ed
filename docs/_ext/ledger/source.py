"""Which lines of the library are equations, and which docstrings name them: read from its files.

A *mark* is a comment that begins with names of equations in parentheses, ``# (BP2)``, ``# (BP4), its twin``,
``# (lstm-dc) and (lstm-di)``: tags or labels. It marks the line that it ends, or, on a line of its own, the
next. A docstring *mentions* an equation by its tag, ``(BP2)`` or ``(BP1) to (BP4)``, or by the role
``:eq:`lstm-dc```. Capitals in parentheses in a docstring are always meant as a tag.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _ext.api.objects import modules

NAMES = r"\([A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*\)"
COMMENT = re.compile(rf"#\s*({NAMES}(?:(?:, | and | to ){NAMES})*)(?=$|[\s:;,.])")
NAME = re.compile(r"\(([^()]+)\)")
TAG = r"(?<![{\w`])\(([A-Z][A-Z0-9]+(?:-[A-Z0-9]+)*)\)(?![}`])"
RANGE = re.compile(rf"{TAG} to {TAG}")
ROLE = re.compile(r":(?:math:numref|eq):`([^`]+)`")
PARTS = re.compile(r"([A-Z]+)(\d+)(.*)")


@dataclass(frozen=True)
class Mark:
    """A comment that marks a line: the equations, the module, the line, what it is part of, its own line."""

    names: tuple[str, ...]
    module: str
    file: str
    line: int
    qualname: str
    comment: int


@dataclass(frozen=True)
class Mention:
    """A docstring that names an equation."""

    name: str
    module: str
    file: str
    line: int
    qualname: str


def scan(package: Path) -> tuple[tuple[Mark, ...], tuple[Mention, ...]]:
    """Return the marks and the mentions in all files of a package, in their order."""
    marks: list[Mark] = []
    mentions: list[Mention] = []
    for module, file in modules(package).items():
        text = file.read_text("utf-8")
        tree = ast.parse(text)
        marks += _marks(text, tree, module, str(file))
        mentions += _mentions(tree, module, str(file))
    return tuple(marks), tuple(mentions)


def _marks(text: str, tree: ast.Module, module: str, file: str) -> Iterator[Mark]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (found := COMMENT.match(token.string)):
            own_line = not token.line[: token.start[1]].strip()
            line = token.start[0] + own_line
            yield Mark(spread(found[1]), module, file, line, enclosing(tree, line), token.start[0])


def spread(text: str) -> tuple[str, ...]:
    """Return the names in a text; ``(BP1) to (BP3)`` means three."""
    names: list[str] = []
    for between, name in re.findall(r"( to )?\(([^()]+)\)", text):
        first = PARTS.fullmatch(names[-1]) if between else None
        last = PARTS.fullmatch(name)
        if first and last and first[1] == last[1] and first[3] == last[3]:
            steps = range(int(first[2]) + 1, int(last[2]) + 1)
            names += [f"{last[1]}{k}{last[3]}" for k in steps]
        else:
            names.append(name)
    return tuple(names)


def enclosing(tree: ast.Module, line: int) -> str:
    """Return the dotted name of the innermost function or class that a line is in."""
    names: list[str] = []
    body: list[ast.stmt] = tree.body
    while True:
        inside = [
            node
            for node in body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and node.lineno <= line <= (node.end_lineno or line)
        ]
        if not inside:
            return ".".join(names)
        names.append(inside[0].name)
        body = inside[0].body


def _mentions(tree: ast.Module, module: str, file: str) -> Iterator[Mention]:
    for node, qualname in _documented(tree, ""):
        if not ast.get_docstring(node, clean=False):
            continue
        docstring = node.body[0]
        assert isinstance(docstring, ast.Expr)
        assert isinstance(docstring.value, ast.Constant)
        for offset, words in enumerate(str(docstring.value.value).splitlines()):
            for name in named(words):
                yield Mention(name, module, file, docstring.lineno + offset, qualname)


def _documented(
    node: ast.Module | ast.ClassDef | ast.FunctionDef, qualname: str
) -> Iterator[tuple[ast.Module | ast.ClassDef | ast.FunctionDef, str]]:
    yield node, qualname
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
            yield from _documented(child, f"{qualname}.{child.name}".lstrip("."))


def named(words: str) -> list[str]:
    """Return the equations that a line of a docstring names."""
    ranges = [spread(found[0]) for found in RANGE.finditer(words)]
    single = re.findall(TAG, words)
    every = [*single, *(name for names in ranges for name in names), *ROLE.findall(words)]
    return list(dict.fromkeys(every))


def as_roles(words: str, tags: dict[str, str]) -> str:
    """Return a line of a docstring in which each tag is a link; `tags` are tag -> label."""
    return re.sub(TAG, lambda tag: f":eq:`{tags[tag[1]]}`" if tag[1] in tags else tag[0], words)
