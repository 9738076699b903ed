"""Numbers and tags of equations, and the references to them, ``{eq}`bp2```.

An equation whose label is in ``static_math_tags`` has a tag, as (BP2); the others of a page are numbered, and (vanishing 6) is
the sixth of another page. The general index
knows it by its tag, else by its label.
"""

from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

log = logging.getLogger(__name__)
KEY = "bptt_equations"  # of a page, among what Sphinx keeps of it


@dataclass(frozen=True)
class Equation:
    """A labeled equation, where it stands, and what is shown beside it: its tag or its number."""

    label: str
    number: str
    tex: str
    docname: str
    line: int


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
        found, count = list[Equation](), 0
        for node in list(self.document.findall(nodes.math_block)):
            if label := node.get("label"):
                if label not in tags:
                    count += 1
                node["number"] = number = str(tags.get(label, count))
                tex, docname = node.astext().strip(), self.env.docname
                found.append(Equation(label, number, tex, docname, node.line or 1))
                names = dict.fromkeys([tags[label], label.upper()] if label in tags else [label])
                entries = [("single", name, anchor(label), "main", None) for name in names]
                node.parent.insert(node.parent.index(node), addnodes.index(entries=entries))
        self.env.metadata[self.env.docname][KEY] = found


def equations(env: BuildEnvironment) -> dict[str, Equation]:
    """Return every equation by its label, in the order of pages and on them."""
    pages = (kept.get(KEY, []) for _, kept in sorted(env.metadata.items()))
    return {equation.label: equation for page in pages for equation in page}


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    known = equations(app.env)
    for node in list(doctree.findall(Reference)):
        label = node["label"]
        if equation := known.get(label):
            here = equation.docname == docname
            path = "" if here else app.builder.get_relative_uri(docname, equation.docname)
            alone = here or label in app.config.static_math_tags
            page = "" if alone else f"{equation.docname.split('/')[-1]} "
            words, uri = nodes.Text(f"({page}{equation.number})"), f"{path}#{anchor(label)}"
            node.replace_self(nodes.reference("", "", words, internal=True, refuri=uri))
        else:
            log.warning("no equation is labelled %r", label, location=node, type="math")
            node.replace_self(nodes.literal("", label))


def setup(app: Sphinx) -> None:
    """Give numbers while reading, and resolve references when all is read."""
    app.add_config_value("static_math_tags", {}, "env")
    app.add_transform(Numbers)
    app.add_role("eq", Role(), override=True)
    app.connect("doctree-resolved", _resolve, priority=400)
