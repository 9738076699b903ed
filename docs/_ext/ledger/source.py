"""Which lines of the library are equations, and which docstrings name them: read from its files.

A *mark* is a comment that begins with names of equations in parentheses, ``# (BP2)``, ``# (BP4), (CELL-BP4)``,
``# (lstm-dc) and (lstm-di)``: tags or labels. It marks the line that it ends, or, on a line of its own, the
next. A docstring *mentions* an equation by its tag, ``(BP2)`` or ``(BP1) to (BP4)``, or by the role
``:eq:`lstm-dc```. Capitals in parentheses in a docstring are always meant as a tag.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _ext.api.objects import definitions, modules

NAMES = r"\([A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*\)"
COMMENT = re.compile(rf"#\s*({NAMES}(?:(?:, | and | to ){NAMES})*)(?=$|[\s:;,.])")
ANY = r"\(([^()]+)\)"
TAG = r"(?<![{\w`])\(([A-Z][A-Z0-9]+(?:-[A-Z0-9]+)*)\)(?![}`])"
ROLE = re.compile(r":(?:math:numref|eq):`([^`]+)`")
PARTS = re.compile(r"([A-Z]+)(\d+)(.*)")


@dataclass(frozen=True)
class Named:
    """Where the library names equations: the line that is meant, what it is part of, the line of the words, maybe above it."""

    names: tuple[str, ...]
    module: str
    file: str
    line: int
    qualname: str
    words_at: int


def scan(package: Path) -> tuple[tuple[Named, ...], tuple[Named, ...]]:
    """Return the marks and the mentions in all files of a package, in their order."""
    marks: list[Named] = []
    mentions: list[Named] = []
    for module, file in modules(package).items():
        text = file.read_text("utf-8")
        tree = ast.parse(text)
        marks += _marks(text, tree, module, str(file))
        mentions += _mentions(tree, module, str(file))
    return tuple(marks), tuple(mentions)


def _marks(text: str, tree: ast.Module, module: str, file: str) -> Iterator[Named]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (found := COMMENT.match(token.string)):
            own_line = not token.line[: token.start[1]].strip()
            line = token.start[0] + own_line
            within = [
                name
                for name, node in definitions(tree)
                if node.lineno <= line <= (node.end_lineno or line)
            ]
            innermost = within[-1] if within else ""
            yield Named(spread(found[1], ANY), module, file, line, innermost, token.start[0])


def _mentions(tree: ast.Module, module: str, file: str) -> Iterator[Named]:
    for qualname, node in [("", tree), *definitions(tree)]:
        text = ast.get_docstring(node, clean=False) or ""
        for offset, words in enumerate(text.splitlines()):
            if names := dict.fromkeys([*spread(words, TAG), *ROLE.findall(words)]):
                line = node.body[0].lineno + offset
                yield Named(tuple(names), module, file, line, qualname, line)


def spread(text: str, form: str) -> tuple[str, ...]:
    """Return the names of a form in a text; ``(BP1) to (BP3)`` means three, ``(BP1) leads to (BP3)`` two."""
    names: list[str] = []
    for between, name in re.findall(rf"((?<=\)) to )?{form}", text):
        first = PARTS.fullmatch(names[-1]) if between and names else None
        last = PARTS.fullmatch(name)
        if first and last and first[1] == last[1] and first[3] == last[3]:
            steps = range(int(first[2]) + 1, int(last[2]) + 1)
            names += [f"{last[1]}{k}{last[3]}" for k in steps]
        else:
            names.append(name)
    return tuple(names)
