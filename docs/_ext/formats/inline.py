"""Say in Markdown what stands within a line: words, formulas, code, links."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx import addnodes

SPECIAL = re.compile(r"[\\`*$]|(?<![^\W_])_|_(?![^\W_])")  # an underscore at an end of a word
LINE_START = re.compile(r"^(\s*)(?:([-+#>])(?=\s)|(\d+)([.)])(?=\s))", re.MULTILINE)
SILENT = (addnodes.index, nodes.comment, nodes.target)
MATH_BARS = ((r"\|", r"\Vert "), ("|", r"\vert "))  # a bar would end the cell of a table


def escape(text: str) -> str:
    """Return text in which Markdown finds nothing to interpret."""
    text = SPECIAL.sub(lambda m: f"\\{m[0]}", text).replace("<", "&lt;")
    return LINE_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[2] else f"{m[1]}{m[3]}\\{m[4]}", text)


class Inline:
    """Write what stands within a line.

    `link` turns the address of a reference, relative to the page's HTML, into the one to be written, or into
    "" where it leads nowhere.
    """

    in_table = False

    def __init__(self, link: Callable[[str], str]) -> None:
        self.link = link

    def method(self, prefix: str, node: nodes.Node) -> Callable[[Any], Any] | None:
        """Return what writes a kind of node; None if nothing of this class does."""
        names = (f"_{prefix}_{kind.__name__}" for kind in type(node).__mro__)
        return next((getattr(self, name) for name in names if hasattr(self, name)), None)

    def inline(self, node: nodes.Node) -> str:
        """Return the Markdown of what stands within a line."""
        if isinstance(node, nodes.Text):
            text = escape(node.astext())
            return text.replace("|", r"\|") if self.in_table else text
        if method := self.method("inline", node):
            return str(method(node))
        return "" if isinstance(node, SILENT) else self.words(node)

    def words(self, node: nodes.Node) -> str:
        """Return the Markdown of what stands within a node."""
        return "".join(self.inline(child) for child in node.children)

    def _inline_raw(self, _node: nodes.raw) -> str:
        return ""  # HTML says nothing

    def _inline_math(self, node: nodes.math) -> str:
        return f"${self.tex(node)}$"

    def _inline_image(self, node: nodes.image) -> str:
        return f"![{node.get('alt', '')}]({self.link(node['uri'])})"

    def _inline_literal(self, node: nodes.Element) -> str:
        text = node.astext().replace("|", r"\|") if self.in_table else node.astext()
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    _inline_literal_strong = _inline_literal

    def _inline_strong(self, node: nodes.strong, mark: str = "**") -> str:
        text = self.words(node)
        return f"{mark}{text}{mark}" if text.strip() else text

    def _inline_emphasis(self, node: nodes.emphasis) -> str:
        return self._inline_strong(node, "*")

    def _inline_reference(self, node: nodes.reference) -> str:
        text = self.words(node)
        address = self.link(node.get("refuri") or f"#{node.get('refid', '')}")
        return f"[{text}]({address})" if address and text else text

    def tex(self, node: nodes.Element) -> str:
        """Return the TeX of a formula."""
        tex = node.astext().strip()
        if self.in_table:
            for bar, name in MATH_BARS:
                tex = tex.replace(bar, name)
        return tex
