r"""Numbers and tags of equations, and the references to them: ``{eq}`bp2``` in prose, ``\eqref{bp2}`` in formulas.

An equation whose label is in ``static_math_tags`` has a tag, as (BP2); the others of a page are numbered.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

log = logging.getLogger(__name__)
EQREF = re.compile(r"\\eqref\{([^}]*)\}")
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


class Number(SphinxTransform):
    """Give tagged equations their tag, and number the others of a page without gaps."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Run over one page, as it is read."""
        count = 0
        for node in self.document.findall(nodes.math_block):
            if label := node.get("label"):
                tag: Any = self.config.static_math_tags.get(label)
                if tag is None:
                    tag = count = count + 1
                node["number"] = tag


def numbers(env: BuildEnvironment) -> dict[str, tuple[str, Any]]:
    """Return label -> page and number, or tag, of every equation; the environment keeps them."""
    if not hasattr(env, "bptt_numbers"):
        env.bptt_numbers = {}  # type: ignore[attr-defined]
    found: dict[str, tuple[str, Any]] = env.bptt_numbers  # type: ignore[attr-defined]
    return found


class Collector(EnvironmentCollector):
    """Keep the numbers of each page as it is read."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget a page."""
        del app
        for label in [label for label, (page, _) in numbers(env).items() if page == docname]:
            del numbers(env)[label]

    def merge_other(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        docnames: AbstractSet[str],
        other: BuildEnvironment,
    ) -> None:
        """Take over what another process has read."""
        del app
        mine = {label: at for label, at in numbers(other).items() if at[0] in docnames}
        numbers(env).update(mine)

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Enter a page."""
        for node in doctree.findall(nodes.math_block):
            if node.get("label") and "number" in node:
                numbers(app.env)[node["label"]] = app.env.docname, node["number"]


def address(builder: Builder, here: str, label: str) -> tuple[str, str] | None:
    """Return the address of an equation, seen from a page, and its number; None if there is none."""
    known = numbers(builder.env).get(label)
    if known is None:
        return None
    page, number = known
    path = "" if page == here else builder.get_relative_uri(here, page)
    return f"{path}#{nodes.make_id(f'equation-{label}')}", str(number)


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
    app.add_transform(Number)
    app.add_env_collector(Collector)
    app.add_role("eq", Role(), override=True)
    app.connect("doctree-resolved", _resolve, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
