"""Numbers and tags of equations, and the references to them, ``{eq}`bp2```.

An equation whose label is in ``static_math_tags`` has a tag, as (BP2); the others of a page are numbered, and (vanishing 6) is
the sixth of another page. The general index knows it by its tag, else by its label. Sphinx warns of a label that none has.
"""

from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxRole

KEY = "bptt_equations"  # of a page, among what Sphinx keeps of it
ROLE = "eq"


@dataclass(frozen=True)
class Equation:
    """A labeled equation, where it stands, and what is shown beside it: its tag or its number."""

    label: str
    number: str
    tex: str
    docname: str
    line: int


class Role(SphinxRole):
    """``{eq}`label```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the reference, which Sphinx resolves when all pages are read."""
        shown = nodes.inline("", f"({self.config.static_math_tags.get(self.text, self.text)})")
        node = addnodes.pending_xref(self.rawtext, shown, reftype=ROLE, reftarget=self.text)
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


def _resolve(app: Sphinx, env: BuildEnvironment, node: nodes.Element, _: Any) -> nodes.Node | None:
    equation = equations(env).get(node["reftarget"]) if node["reftype"] == ROLE else None
    if not equation:
        return None
    here = equation.docname == node["refdoc"]
    path = "" if here else app.builder.get_relative_uri(node["refdoc"], equation.docname)
    alone = here or equation.label in app.config.static_math_tags
    words = f"({'' if alone else equation.docname.split('/')[-1] + ' '}{equation.number})"
    uri = f"{path}#{anchor(equation.label)}"
    return nodes.reference("", "", nodes.Text(words), internal=True, refuri=uri)


def setup(app: Sphinx) -> None:
    """Give numbers while reading, and say where references lead when all is read."""
    app.add_transform(Numbers)
    app.add_role(ROLE, Role(), override=True)
    app.connect("missing-reference", _resolve)
