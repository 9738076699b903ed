"""The library's source: each module as a page, linked with the reference, and ``{library} bptt.network.backward.backward``."""

import ast
import html
import inspect
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext.api.objects import definitions, documented, home, home_of_entry, modules, page_of
from _ext.ledger import page_links


def to_source(docname: str, module: str, name: str) -> nodes.reference:
    """Return a link from a page, as it is read, to a definition in the source of a module, or to the whole module."""
    uri = f"{'../' * docname.count('/')}{page_of(module)}.html{'#' if name else ''}{name}"
    words = nodes.inline("", "[source]", classes=["source-link"])
    return nodes.reference("", "", words, internal=True, refuri=uri, twin="")


def without_docstring(code: str) -> str:
    """Return the source of a function or class without its docstring."""
    body = ast.parse(dedent(code)).body[0].body  # type: ignore[attr-defined]
    first = body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return code
    lines = code.splitlines(keepends=True)
    return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])


class Library(SphinxDirective):
    """Show the source of an object of the library, without its docstring; the caption names its file and lines."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the code block and its caption."""
        try:
            thing = inspect.unwrap(resolve_name(self.arguments[0]))
            lines, start = inspect.getsourcelines(thing)
            file = Path(inspect.getsourcefile(thing) or "").resolve()
            path = file.relative_to(Path(self.config.bptt_package).parent).as_posix()
        except (AttributeError, ImportError, OSError, TypeError, ValueError) as error:
            raise self.error(f"library: {error}") from error
        self.env.note_dependency(str(file))
        code = dedent(without_docstring("".join(lines))).rstrip()
        block = nodes.literal_block(code, code, language="python")
        caption = nodes.caption("", f"{path}, lines {start} to {start + len(lines) - 1} ")
        caption += to_source(self.env.docname, *home(thing))
        box = nodes.container("", caption, block, literal_block=True)
        box["classes"] += ["literal-block-wrapper", "library-code"]
        self.set_source_info(box)
        return [box]


def _link_signatures(app: Sphinx, doctree: nodes.document) -> None:
    """Give each signature of the reference a link to its source."""
    package = Path(app.config.bptt_package)
    known = modules(package)
    for signature in doctree.findall(addnodes.desc_signature):
        if (signature["module"] or "").partition(".")[0] == package.name:
            module, own = home_of_entry(f"{signature['module']}.{signature['fullname']}")
            if module in known and own:
                signature.append(to_source(app.env.docname, module, own))


def body(app: Sphinx, module: str, text: str, entries: dict[str, tuple[str, str]]) -> str:
    """Return the HTML of a module's page."""
    here = page_of(module)
    code = highlight(text, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    lines = code.rstrip().split("\n")
    page_links.mark_lines(app, here, module, lines)
    lines = [f'<span class="linenos">{n:4} </span>{line}' for n, line in enumerate(lines, 1)]
    for name, node in dict(definitions(ast.parse(text))).items():  # of overloads, the last
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        back = ""
        if at := entries.get(f"{module}.{name}"):
            uri = f"{app.builder.get_relative_uri(here, at[0])}#{html.escape(at[1])}"
            back = f'<a class="source-back" href="{uri}">[docs]</a>'
        lines[first - 1] = f'<span class="source-block" id="{name}">{back}{lines[first - 1]}'
        lines[(node.end_lineno or first) - 1] += "</span>"
    code = "\n".join(lines)
    title = f"<h1>Source code for {module}</h1>"
    return f'{title}<div class="highlight"><pre>{code}\n</pre></div>'


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each module."""
    package = Path(app.config.bptt_package)
    entries = documented(app.env, package.name)
    for module, file in modules(package).items():
        written = Path(app.outdir) / f"{page_of(module)}.html"
        kept = written.is_file() and written.stat().st_mtime_ns > file.stat().st_mtime_ns
        if not (kept and app.config.bptt_only_pages):
            context = {"title": module, "body": body(app, module, file.read_text("utf-8"), entries)}
            yield page_of(module), context, "page.html"


def _same_tree(
    trees: dict[int, Any], _app: Sphinx, name: str, _template: str, context: Any, doctree: Any
) -> None:
    """Make the tree of all pages once for all modules equally deep, not for each anew: that takes seconds."""
    if doctree is None and name.startswith(page_of("")):
        context["toctree"] = trees.setdefault(name.count("/"), cache(context["toctree"]))


def setup(app: Sphinx) -> None:
    """Register the directive, link to the source, and write its pages with the others."""
    app.add_directive("library", Library)
    app.connect("doctree-read", _link_signatures)
    app.connect("html-collect-pages", _pages)
    app.connect("html-page-context", partial(_same_tree, {}), priority=400)  # before furo
