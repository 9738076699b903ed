r"""Say a page in plain Markdown: prose, formulas, tables and code, with the cells kept apart.

It reads the doctree of a page as the HTML builder gets it, in which every role, directive and reference has
been resolved. What comes out needs nothing of this site: formulas are ``$...$`` and ``$$...$$``, notes are quotations,
shown code is fenced. A node that bears an attribute ``twin`` is said by that text.
"""

import html
import re
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any, TypeAlias

from docutils import nodes
from nbformat import NotebookNode
from sphinx import addnodes

from _ext.formulas.katex import aligned

Piece: TypeAlias = str | NotebookNode  # what stands between cells, or a cell
SPECIAL = re.compile(r"[\\`*$]|(?<![^\W_])_|_(?![^\W_])")  # an underscore at an end of a word
LINE_START = re.compile(r"^(\s*)(?:([-+#>])(?=\s)|(\d+)([.)])(?=\s))", re.MULTILINE)
SILENT = (nodes.Invisible, nodes.raw)  # HTML says nothing in a line
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

    `link` turns the address of a reference, relative to the page's HTML, into the one to be written; "" leads nowhere.
    """

    depth = 0
    in_table = False

    def __init__(self, link: Callable[[str], str], cells: Mapping[nodes.Element, Any]) -> None:
        self.link, self.cells = link, cells

    def pieces(self, document: nodes.document) -> list[Piece]:
        """Return the page: what stands between its cells, and its cells."""
        found: list[Piece] = []
        for prose, group in groupby(self.children(document), lambda block: isinstance(block, str)):
            blocks = list(group)
            found += ["\n\n".join(blocks)] if prose else blocks
        return found

    def method(self, prefix: str, node: nodes.Node) -> Callable[[Any], Any] | None:
        """Return what writes a kind of node; None if nothing of this class does."""
        names = (f"_{prefix}_{kind.__name__}" for kind in type(node).__mro__)
        return next((getattr(self, name) for name in names if hasattr(self, name)), None)

    # --- blocks
    def blocks(self, node: nodes.Node) -> list[Any]:
        """Return the blocks of Markdown that a node becomes; a cell is one of its own."""
        if isinstance(node, nodes.Element) and "twin" in node:
            found = [node["twin"]]
        elif method := self.method("block", node):
            found = method(node)
        elif isinstance(node, (nodes.Inline, nodes.Text, nodes.TextElement)):
            found = [self.inline(node).strip()]
        else:
            found = self.children(node)
        return [block for block in found if not isinstance(block, str) or block.strip()]

    def children(self, node: nodes.Node) -> list[Any]:
        """Return the blocks of a node's children."""
        return [block for child in node.children for block in self.blocks(child)]

    def _block_container(self, node: nodes.container) -> list[Any]:
        """Say a cell, and its captions."""
        if node.get("nb_element") != "cell_code":
            return self.children(node)
        if node not in self.cells:
            raise ValueError(f"{node.source}:{node.line}: a cell without code: see the page's head")
        captions = node.findall(nodes.caption)
        return [self.cells[node], *(block for c in captions for block in self.blocks(c))]

    def _block_section(self, node: nodes.Element) -> list[Any]:
        """Say a section, or the entry of a function or a class: a heading, then what is below it."""
        self.depth += 1
        found = self.children(node)
        self.depth -= 1
        return found

    _block_desc = _block_section

    def _block_title(self, node: nodes.Element, words: str = "") -> list[str]:
        return [f"{'#' * min(self.depth, 6)} {words or self.inline(node)}"]

    def _block_desc_signature(self, node: addnodes.desc_signature) -> list[str]:
        words = "".join(c.astext() for c in node if not isinstance(c, nodes.reference))
        return self._block_title(node, f"`{words.strip()}`")

    def _block_rubric(self, node: nodes.Element) -> list[str]:
        """Say a heading that is in no table of contents, or what a list says something about."""
        return [f"**{self.inline(node)}**"]

    _block_term = _block_field_name = _block_rubric

    def _block_math_block(self, node: nodes.math_block) -> list[str]:
        tex, number = aligned(self.tex(node)), node.get("number")
        tag = rf" \tag{{{number}}}" if number else ""
        return [f"$$\n{tex}{tag}\n$$"]

    def _block_literal_block(self, node: nodes.Element) -> list[str]:
        language = node.get("language", "python")  # a doctest says none
        return [fence(node.astext(), {"ipython3": "python", "default": ""}.get(language, language))]

    _block_doctest_block = _block_literal_block

    def _block_bullet_list(self, node: nodes.Element) -> list[str]:
        """Say a list, of definitions too; a blank line is between the blocks of an item if two are paragraphs."""
        items = []
        for number, item in enumerate(node, int(node.get("start", 1))):
            mark = f"{number}. " if isinstance(node, nodes.enumerated_list) else "- "
            short = sum(isinstance(c, nodes.paragraph) for c in item) < 2
            between = "\n" if short and isinstance(item, nodes.list_item) else "\n\n"
            items.append(indent(between.join(self.children(item)), mark, " " * len(mark)))
        return ["\n".join(items)]

    _block_enumerated_list = _block_definition_list = _block_bullet_list

    def _block_Admonition(self, node: nodes.Element) -> list[str]:
        """Say a note as a quotation, below its title or the name of its kind."""
        kind = type(node).__name__.replace("seealso", "see also").capitalize()
        titles = [self.inline(c) for c in node if isinstance(c, nodes.title)]
        rest = [b for c in node if not isinstance(c, nodes.title) for b in self.blocks(c)]
        return [indent("\n\n".join([f"**{[*titles, kind][0]}**", *rest]), "> ", "> ")]

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
        """Say what stands at a figure or at shown code."""
        return [f"*{self.words(node).strip()}*"]

    def _block_raw(self, node: nodes.raw) -> list[str]:
        """Say what a drawing shows; other HTML says nothing."""
        label = LABEL.search(node.astext())
        return [f"*Figure: {escape(html.unescape(label[1]))}*"] if label else []

    def _block_transition(self, _node: nodes.transition) -> list[str]:
        return ["---"]

    def _block_citation(self, node: nodes.Element) -> list[str]:
        label, *rest = self.children(node)
        return [indent("\n\n".join(rest), f"- [{label}] ", "  ")]

    # --- within a line
    def inline(self, node: nodes.Node) -> str:
        """Return the Markdown of what stands within a line."""
        if isinstance(node, nodes.Text):
            text = escape(node.astext())
            return text.replace("|", r"\|") if self.in_table else text
        if isinstance(node, SILENT) or "twin" in node:
            return str(node.get("twin", ""))
        if method := self.method("inline", node):
            return str(method(node))
        return self.words(node)

    def words(self, node: nodes.Node) -> str:
        """Return the Markdown of what stands within a node."""
        return "".join(self.inline(child) for child in node.children)

    def _inline_math(self, node: nodes.math) -> str:
        return f"${self.tex(node)}$"

    def _inline_image(self, node: nodes.image) -> str:
        return f"![{node.get('alt', '')}]({self.link(node['uri'])})"

    def _inline_literal(self, node: nodes.Element) -> str:
        text = node.astext().replace("|", r"\|") if self.in_table else node.astext()
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    _inline_literal_strong = _inline_literal

    def _inline_strong(self, node: nodes.Element) -> str:
        text, mark = self.words(node), "**" if isinstance(node, nodes.strong) else "*"
        return f"{mark}{text}{mark}" if text.strip() else text

    _inline_emphasis = _inline_strong

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
