r"""Say a page in plain Markdown: prose, formulas, tables and code, with the cells kept apart.

It reads the doctree of a page as the HTML builder gets it, in which every role, directive and reference has
been resolved. What comes out needs nothing of this site: formulas are ``$...$`` and ``$$...$$``, notes are quotations,
shown code is fenced. A node that bears an attribute ``twin`` is said by that text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from docutils import nodes
from nbformat import NotebookNode
from sphinx import addnodes

from _ext.formulas.katex import aligned

Piece: TypeAlias = str | NotebookNode  # what stands between cells, or a cell
SIGNATURE = (addnodes.desc_annotation, addnodes.desc_addname, addnodes.desc_name)
SIGNATURE += (addnodes.desc_parameterlist, addnodes.desc_returns)
SPECIAL = re.compile(r"[\\`*$]|(?<![^\W_])_|_(?![^\W_])")  # an underscore at an end of a word
LINE_START = re.compile(r"^(\s*)(?:([-+#>])(?=\s)|(\d+)([.)])(?=\s))", re.MULTILINE)
SILENT = (addnodes.index, nodes.comment, nodes.target)
MATH_BARS = ((r"\|", r"\Vert "), ("|", r"\vert "))  # a bar would end the cell of a table
LABEL = re.compile(r'<svg\b[^>]*\baria-label="([^"]*)"')


def escape(text: str) -> str:
    """Return text in which Markdown finds nothing to interpret."""
    text = SPECIAL.sub(lambda m: f"\\{m[0]}", text).replace("<", "&lt;")
    return LINE_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[2] else f"{m[1]}{m[3]}\\{m[4]}", text)


def fence(code: str, language: str) -> str:
    """Return a block of code, with ticks enough."""
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", code))])
    return f"{ticks}{language}\n{code.rstrip()}\n{ticks}"


def indent(text: str, first: str, rest: str) -> str:
    """Return text with one prefix on its first line and another on the rest."""
    head, *tail = text.split("\n")
    return "\n".join([first + head, *(f"{rest}{line}".rstrip() for line in tail)])


class Writer:
    """Write the Markdown of one page, whose cells are given as they were executed.

    `link` turns the address of a reference, relative to the page's HTML, into the one to be written, or into
    "" where it leads nowhere.
    """

    depth = 0
    in_table = False

    def __init__(
        self, link: Callable[[str], str], cells: Mapping[nodes.Element, NotebookNode]
    ) -> None:
        self.link, self.cells = link, cells

    def pieces(self, document: nodes.document) -> list[Piece]:
        """Return the page: what stands between its cells, and its cells."""
        found: list[Piece] = []
        for piece in self.children(document):
            if isinstance(piece, str) and found and isinstance(found[-1], str):
                found[-1] += f"\n\n{piece}"
            else:
                found.append(piece)
        return found

    def method(self, prefix: str, node: nodes.Node) -> Callable[[Any], Any] | None:
        """Return what writes a kind of node; None if nothing of this class does."""
        names = (f"_{prefix}_{kind.__name__}" for kind in type(node).__mro__)
        return next((getattr(self, name) for name in names if hasattr(self, name)), None)

    # --- blocks
    def blocks(self, node: nodes.Node) -> list[Any]:
        """Return the blocks of Markdown that a node becomes; a cell is one of its own."""
        if isinstance(node, SILENT):
            return []
        if isinstance(node, nodes.Element) and "twin" in node:
            return [node["twin"]] if node["twin"] else []
        if method := self.method("block", node):
            return [b for b in method(node) if not isinstance(b, str) or b.strip()]
        if isinstance(node, (nodes.Inline, nodes.Text, nodes.TextElement)):
            return [text] if (text := self.inline(node).strip()) else []
        return self.children(node)

    def children(self, node: nodes.Node) -> list[Any]:
        """Return the blocks of a node's children."""
        return [block for child in node.children for block in self.blocks(child)]

    def _block_container(self, node: nodes.container) -> list[Any]:
        """Say a cell, and its captions."""
        if node.get("nb_element") != "cell_code":
            return self.children(node)
        if node not in self.cells:
            msg = f"{node.source}:{node.line}: a cell has no code: what hides it is in the page's head"
            raise ValueError(msg)
        captions = [self.inline(c) for c in node.findall(nodes.caption)]
        return [self.cells[node], f"*{' '.join(captions)}*" if captions else ""]

    def _block_title(self, node: nodes.title) -> list[str]:
        return [f"{self._mark()} {self.inline(node)}"]

    def _mark(self) -> str:
        return "#" * min(self.depth, 6)

    def _block_rubric(self, node: nodes.rubric) -> list[str]:
        """Say a heading that is in no table of contents."""
        return [f"**{self.inline(node)}**"]

    def _block_section(self, node: nodes.section) -> list[Any]:
        self.depth += 1
        found = self.children(node)
        self.depth -= 1
        return found

    def _block_math_block(self, node: nodes.math_block) -> list[str]:
        tex, number = aligned(self.tex(node)), node.get("number")
        tag = rf" \tag{{{number}}}" if number else ""
        return [f"$$\n{tex}{tag}\n$$"]

    def _block_literal_block(self, node: nodes.literal_block) -> list[str]:
        language = node.get("language", "")
        return [fence(node.astext(), {"ipython3": "python", "default": ""}.get(language, language))]

    def _block_doctest_block(self, node: nodes.doctest_block) -> list[str]:
        return [fence(node.astext(), "python")]

    def _block_bullet_list(self, node: nodes.bullet_list) -> list[str]:
        return self._list(node, ["- "] * len(node))

    def _block_enumerated_list(self, node: nodes.enumerated_list) -> list[str]:
        start = int(node.get("start", 1))
        return self._list(node, [f"{k}. " for k in range(start, start + len(node))])

    def _block_definition_list(self, node: nodes.definition_list) -> list[str]:
        """Say definitions as a list whose terms are bold."""
        items = []
        for item in node:
            terms = [self.inline(c) for c in item if isinstance(c, nodes.term)]
            rest = [b for c in item if isinstance(c, nodes.definition) for b in self.children(c)]
            items.append("\n\n".join([f"**{', '.join(terms)}**", *rest]))
        return ["\n".join(indent(item, "- ", "  ") for item in items)]

    def _block_field_list(self, node: nodes.field_list) -> list[str]:
        found = []
        for name, body in node:
            found += [f"**{self.inline(name)}**", *self.children(body)]
        return found

    def _list(self, node: nodes.Element, marks: Iterable[str]) -> list[str]:
        items = []
        for item, mark in zip(node, marks, strict=True):
            loose = "\n\n" if sum(isinstance(c, nodes.paragraph) for c in item) > 1 else "\n"
            items.append(indent(loose.join(self.children(item)), mark, " " * len(mark)))
        return ["\n".join(items)]

    def _block_Admonition(self, node: nodes.Element) -> list[str]:
        """Say a note as a quotation."""
        body = list(node.children)
        if body and isinstance(body[0], nodes.title):
            title = self.inline(body.pop(0))
        else:
            title = {"seealso": "See also"}.get(type(node).__name__, type(node).__name__.title())
        blocks = [f"**{title}**", *(b for child in body for b in self.blocks(child))]
        return [indent("\n\n".join(blocks), "> ", "> ")]

    def _block_block_quote(self, node: nodes.block_quote) -> list[str]:
        return [indent("\n\n".join(self.children(node)), "> ", "> ")]

    def _block_table(self, node: nodes.table) -> list[str]:
        self.in_table = True
        captions = [f"*{self.inline(t)}*" for t in node if isinstance(t, nodes.title)]
        rows = [
            [" ".join(" ".join(self.children(entry)).split()) for entry in row]
            for row in node.findall(nodes.row)
        ]
        self.in_table = False
        rows.insert(1, ["---"] * len(rows[0]))
        return [*captions, "\n".join(f"| {' | '.join(row)} |" for row in rows)]

    def _block_caption(self, node: nodes.caption) -> list[str]:
        """Say what stands at a figure or at shown code, without its links into the site."""
        texts = [c for c in node.children if not isinstance(c, nodes.reference)]
        return [f"*{''.join(self.inline(c) for c in texts).strip()}*"]

    def _block_raw(self, node: nodes.raw) -> list[str]:
        """Say what a drawing shows; other HTML says nothing."""
        label = LABEL.search(node.astext())
        return [f"*Figure: {escape(html.unescape(label[1]))}*"] if label else []

    def _block_transition(self, _node: nodes.transition) -> list[str]:
        return ["---"]

    def _block_citation(self, node: nodes.Element) -> list[str]:
        label, *rest = node.children
        text = "\n\n".join(b for c in rest for b in self.blocks(c))
        return [indent(text, f"- [{label.astext()}] ", "  ")]

    def _block_desc(self, node: addnodes.desc) -> list[str]:
        """Say the entry of a function or a class: a heading, then its docstring."""
        self.depth += 1
        heads = [c for c in node if isinstance(c, addnodes.desc_signature)]
        head = [f"{self._mark()} `{_signature(c)}`" for c in heads]
        body = [b for c in node if isinstance(c, addnodes.desc_content) for b in self.children(c)]
        self.depth -= 1
        return head + body

    # --- within a line
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


def _signature(node: addnodes.desc_signature) -> str:
    return "".join(part.astext() for part in node if isinstance(part, SIGNATURE)).strip()
