"""Find the cells of a page in its document tree, their code, and what they printed."""

import ast

from docutils import nodes


def cells_of(doctree: nodes.document) -> dict[nodes.container, str]:
    """Return the cells of a page that hold code, in order, each with it, wherever in the cell it stands."""
    blocks = doctree.findall(nodes.literal_block)
    inputs = (block for block in blocks if "cell_input" in block.parent.get("classes", ()))
    return {block.parent.parent: block.astext() for block in inputs}


def tagged(doctree: nodes.document, tag: str = "") -> list[nodes.container]:
    """Return the cells of a page that have a tag, in order; all cells if none is given."""
    wanted = {"cell", f"tag_{tag}"} if tag else {"cell"}
    return [c for c in doctree.findall(nodes.container) if wanted <= set(c["classes"])]


def printed(cell: nodes.Element) -> str:
    """Return what a cell printed, as the page shows it."""
    blocks = cell.findall(nodes.literal_block)
    return "\n".join(b.astext() for b in blocks if {"output", "stream"} <= set(b["classes"]))


def parsed(code: str) -> ast.Module:
    """Return the tree of a cell's code; an empty one where it is no Python, which execution says."""
    try:
        return ast.parse(code)
    except SyntaxError:
        return ast.Module([], [])
