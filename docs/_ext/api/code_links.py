"""Show sphinx-codeautolink what it can link, and no more: blocks of code, and in them imports that some inventory knows.

It parses all that it is given, and a formula is hundreds of elements; it imports what a cell imports, PyTorch and all.
Whole pages took it half of Sphinx's own time. Where a block imports nothing there is nothing to link: it gets the words
alone, without the colors. It links code as a handler of ``html-page-context``, with Sphinx's usual
priority; were that to change, it would see whole pages and link them as well, only later.
"""

import ast
import re
import sys
from dataclasses import dataclass
from typing import Any

from sphinx.application import Sphinx

from _ext.slicing.page_data import parsed

USUAL = 500  # the priority of a handler that names none
BLOCK = re.compile(r'<div class="(?:highlight-|doctest).*?</pre>\s*</div>\s*</div>', re.DOTALL)
SEAM = "\n<!-- a block of code -->\n"
COLOR, IMPORT = re.compile(r"</?span[^>]*>"), ">import</span>"


@dataclass(frozen=True)
class KnownImports:
    """Reads a cell for links: of its imports those of some packages, which have inventories, and of Python."""

    packages: tuple[str, ...]

    def __call__(self, source: str) -> tuple[str, str]:
        """Return a cell's code as it is shown, and as it is read: its lines stay where they are."""
        lines, known = source.split("\n"), {*self.packages, *sys.stdlib_module_names}
        for node in ast.walk(parsed(source)):
            names = node.names if isinstance(node, ast.Import) else []
            modules = [each.name for each in names] or [getattr(node, "module", None) or "sys"]
            if known.isdisjoint(name.partition(".")[0] for name in modules):
                rest = [""] * (node.end_lineno - node.lineno)
                lines[node.lineno - 1 : node.end_lineno] = [" " * node.col_offset + "pass", *rest]
        return source, "\n".join(lines)


def _code_alone(_app: Sphinx, _name: str, _template: str, context: dict[str, Any], _: Any) -> None:
    body = context.get("body", "")
    context["around_code"], context["code"] = BLOCK.split(body), BLOCK.findall(body)
    shown = (code if IMPORT in code else COLOR.sub("", code) for code in context["code"])
    context["body"] = "".join(SEAM + code for code in shown)


def _whole(_app: Sphinx, _name: str, _template: str, context: dict[str, Any], _: Any) -> None:
    (first, *rest), blocks = context.pop("around_code"), context["body"].split(SEAM)[1:]
    for before, linked, after in zip(context.pop("code"), blocks, rest, strict=True):
        first += (linked if IMPORT in before else before) + after
    context["body"] = first


def setup(app: Sphinx) -> None:
    """Stand before and after codeautolink; all that looks at a page's body comes later."""
    app.connect("html-page-context", _code_alone, priority=USUAL - 100)
    app.connect("html-page-context", _whole, priority=USUAL + 50)
