"""``{library} bptt.network.backward.backward``: show the library's own code, with a link to it in its file.

The code shown is the code that the cells import, without its docstring. The caption names the file and the lines
and links to the highlighted source.
"""

import ast
import inspect
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext.api.objects import home
from _ext.api.source_pages import SourceLink


def without_docstring(code: str) -> str:
    """Return the source of a function or class without its docstring."""
    body = ast.parse(dedent(code)).body[0].body  # type: ignore[attr-defined]
    first = body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return code
    lines = code.splitlines(keepends=True)
    return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])


class Library(SphinxDirective):
    """Show the source of an object of the library."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the code block and its caption."""
        try:
            thing = inspect.unwrap(resolve_name(self.arguments[0]))
            lines, start = inspect.getsourcelines(thing)
            file = Path(inspect.getsourcefile(thing) or "").resolve()
            path = file.relative_to(Path(self.config.bptt_package).parent).as_posix()
        except (AttributeError, ImportError, OSError, TypeError, ValueError) as error:
            message = f"library: {error}"
            raise self.error(message) from error
        self.env.note_dependency(str(file))
        code = dedent(without_docstring("".join(lines))).rstrip()
        block = nodes.literal_block(code, code, language="python")
        module, name = home(thing)
        caption = nodes.caption("", f"{path}, lines {start} to {start + len(lines) - 1} ")
        caption += SourceLink("", module=module, anchor=name)
        box = nodes.container("", caption, block, literal_block=True)
        box["classes"] += ["literal-block-wrapper", "library-code"]
        self.set_source_info(box)
        return [box]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("library", Library)
