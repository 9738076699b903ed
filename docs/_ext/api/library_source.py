"""``{library} bptt.network.backward.backward``: show the library's own code, with a link to it in its file.

````
```{library} bptt.backward
:assigns: params      (optional: of a function, the statements alone that assign these names)
```
````

The code shown is the code that the cells import. The caption names the file and the lines and links to
the highlighted source. ``:docstring: no`` leaves the docstring out.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext.api.objects import home
from _ext.api.source_pages import source_link


def without_docstring(code: str) -> str:
    """Return the source of a function or class without its docstring."""
    body = ast.parse(dedent(code)).body[0].body  # type: ignore[attr-defined]
    first = body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return code
    lines = code.splitlines(keepends=True)
    return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])


def assigning(code: str, names: list[str]) -> slice:
    """Return which lines of a function assign some names: by name, so that nothing else can get in."""
    body = ast.parse(dedent(code)).body[0].body  # type: ignore[attr-defined]
    targets = {
        at: {t.id for t in node.targets if isinstance(t, ast.Name)}
        for at, node in enumerate(body)
        if isinstance(node, ast.Assign)
    }
    found = [at for at, assigned in targets.items() if assigned & set(names)]
    if missing := set(names) - set().union(*targets.values()):
        message = f"nothing in the body of the function assigns {', '.join(sorted(missing))}"
        raise AttributeError(message)
    if found[-1] - found[0] != len(found) - 1:
        message = f"other statements stand between those that assign {', '.join(names)}"
        raise AttributeError(message)
    return slice(body[found[0]].lineno - 1, body[found[-1]].end_lineno)


class Library(SphinxDirective):
    """Show the source of an object of the library."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "docstring": lambda text: directives.choice(text, ("yes", "no")),
        "assigns": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Return the code block and its caption."""
        try:
            thing = inspect.unwrap(resolve_name(self.arguments[0]))
            lines, start = inspect.getsourcelines(thing)
            names = self.options.get("assigns", "").split()
            part = assigning("".join(lines), names) if names else slice(0, None)
            file = Path(inspect.getsourcefile(thing) or "").resolve()
            path = file.relative_to(Path(self.config.bptt_package).parent).as_posix()
        except (AttributeError, ImportError, OSError, TypeError, ValueError) as error:
            message = f"library: {error}"
            raise self.error(message) from error
        self.env.note_dependency(str(file))
        lines, start = lines[part], max(start, 1) + part.start
        code = "".join(lines)
        if self.options.get("docstring") == "no":
            code = without_docstring(code)
        code = dedent(code).rstrip()
        block = nodes.literal_block(code, code, language="python")
        module, name = home(thing)
        caption = nodes.caption("", f"{path}, lines {start} to {start + len(lines) - 1} ")
        caption += source_link(module, name)
        box = nodes.container("", caption, block, literal_block=True)
        box["classes"] += ["literal-block-wrapper", "library-code"]
        self.set_source_info(box)
        return [box]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("library", Library)
