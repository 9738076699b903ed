r"""Numbers and tags of equations, and the references to them: ``{eq}`bp2``` in prose, ``\eqref{bp2}`` in formulas.

An equation whose label is in ``static_math_tags`` has a tag, as (BP2); the others of a page are numbered. The general index
knows it by its tag, else by its label.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

log = logging.getLogger(__name__)
EQREF = re.compile(r"\\eqref\{([^}]*)\}")
KEY = "bptt_numbers"  # of a page, among what Sphinx keeps of it
UNKNOWN = "no equation is labelled %r"


class Reference(nodes.Inline, nodes.TextElement):
    """A reference to the equation `label`, before all pages are read."""


class Role(SphinxRole):
    """``{eq}`label```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the reference."""
        shown = self.config.static_math_tags.get(self.text, self.text)
        node = Reference(self.rawtext, f"({shown})", label=self.text)
        self.set_source_info(node)
        return [node], []


def anchor(label: str) -> str:
    """Return the id of an equation."""
    return nodes.make_id(f"equation-{label}")


class Numbers(SphinxTransform):
    """Give tagged equations their tag, number the others of a page without gaps; the index and the page keep both."""

    default_priority = 840  # just before Sphinx collects entries of the index

    def apply(self, **_: Any) -> None:
        """Give each equation with a label its number, and put entries of the index before it."""
        tags = self.config.static_math_tags
        found: dict[str, Any] = {}
        count = 0
        for node in list(self.document.findall(nodes.math_block)):
            if label := node.get("label"):
                if label not in tags:
                    count += 1
                found[label] = node["number"] = tags.get(label, count)
                names = dict.fromkeys([tags[label], label.upper()] if label in tags else [label])
                entries = [("single", name, anchor(label), "main", None) for name in names]
                node.parent.insert(node.parent.index(node), addnodes.index(entries=entries))
        self.env.metadata[self.env.docname][KEY] = found


def numbers(env: BuildEnvironment) -> dict[str, tuple[str, Any]]:
    """Return label -> page and number, or tag, of every equation."""
    pages = ((page, kept.get(KEY, {})) for page, kept in env.metadata.items())
    return {label: (page, number) for page, each in pages for label, number in each.items()}


def address(builder: Builder, here: str, label: str) -> tuple[str, str] | None:
    """Return the address of an equation, seen from a page, and its number; None if there is none."""
    known = numbers(builder.env).get(label)
    if known is None:
        return None
    page, number = known
    path = "" if page == here else builder.get_relative_uri(here, page)
    return f"{path}#{anchor(label)}", str(number)


def resolve(builder: Builder, node: nodes.Element, here: str) -> None:
    r"""Note at a formula, which stands on the page `here`, what its ``\eqref`` lead to."""
    found = {}
    for label in EQREF.findall(node.astext()):
        if (known := address(builder, here, label)) is None:
            log.warning(UNKNOWN, label, location=node, type="math")
        found[label] = known or ("", "?")
    if found:
        node["eqrefs"] = found


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(Reference)):
        known = address(app.builder, docname, node["label"])
        if known is None:
            log.warning(UNKNOWN, node["label"], location=node, type="math")
            node.replace_self(nodes.literal("", node["label"]))
        else:
            words = nodes.Text(f"({known[1]})")
            node.replace_self(nodes.reference("", "", words, internal=True, refuri=known[0]))
    for kind in (nodes.math, nodes.math_block):
        for formula in doctree.findall(kind):
            resolve(app.builder, formula, docname)


def setup(app: Sphinx) -> dict[str, Any]:
    """Give numbers while reading, and resolve references when all is read."""
    app.add_config_value("static_math_tags", {}, "env")
    app.add_transform(Numbers)
    app.add_role("eq", Role(), override=True)
    app.connect("doctree-resolved", _resolve, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
