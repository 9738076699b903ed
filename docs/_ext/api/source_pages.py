"""The library's source as pages: every module, its definitions linked from the reference and back.

A comment that marks a line as an equation is a link to the equation (ledger/page_links.py).
"""

import ast
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx import addnodes
from sphinx.application import Sphinx

from _ext.api.objects import definitions, documented, home_of_entry, modules, page_of
from _ext.ledger import page_links


class SourceLink(nodes.Inline, nodes.TextElement):
    """A link to a definition in the source, `anchor` of the module `module`, or to a whole module."""


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give each signature of the reference a link to its source, and every such link its address."""
    package = Path(app.config.bptt_package)
    known = modules(package)
    for signature in list(doctree.findall(addnodes.desc_signature)):
        if (signature["module"] or "").partition(".")[0] == package.name:
            module, own = home_of_entry(f"{signature['module']}.{signature['fullname']}")
            if module in known and own:
                signature.append(SourceLink("", module=module, anchor=own))
    for link in list(doctree.findall(SourceLink)):
        uri = app.builder.get_relative_uri(docname, page_of(link["module"]))
        anchor = f"#{link['anchor']}" if link["anchor"] else ""
        words = nodes.inline("", "[source]", classes=["source-link"])
        to = f"{uri}{anchor}"
        link.replace_self(nodes.reference("", "", words, internal=True, refuri=to, twin=""))


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


def setup(app: Sphinx) -> None:
    """Link to the source, and write its pages with the others."""
    app.connect("doctree-resolved", _resolve)
    app.connect("html-collect-pages", _pages)
