"""The map of the derivation, ``{derivation-map}``: a list of pages, as its page has it, and the minutes that each states.

The outer list is the core, in the order in which it is read; below a page of the core stand those that need it first and
that can be left out. ``_static/derivation-map.css`` shows the items as boxes, the inner lists on the right.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MINUTES = re.compile(r"\b(\d+) minutes\.")
ITEM = re.compile(r" *- \[[^]]+\]\(([\w-]+\.md)\)")


def stated(source: str) -> int:
    """Return the minutes that a page states; a page without them is an error."""
    if not (found := MINUTES.search(source)):
        message = "the page states no minutes, which its map shows"
        raise ValueError(message)
    return int(found[1])


class DerivationMap(SphinxDirective):
    """The map, and above it what its numbers are and the time that the core takes."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write behind the link of each item the minutes of its page."""
        self.assert_has_content()
        folder = Path(self.env.doc2path(self.env.docname)).parent
        total, items = 0, []
        for item in self.content:
            if not (known := ITEM.match(item)):
                msg = f"each item of the map must begin '- [Title](page.md)', got {item.strip()!r}"
                raise self.error(msg)
            file = folder / known[1]
            self.env.note_dependency(str(file))
            try:
                minutes = stated(file.read_text("utf-8"))
            except (OSError, ValueError) as error:
                message = f"{known[1]}: {error}"
                raise self.error(message) from error
            total += minutes if item.startswith("-") else 0
            items.append(item.replace(".md)", f".md) [{minutes}]{{.minutes}}", 1))
        words = f"Numbers are minutes. The core, on the left, takes {total} minutes in all; "
        words += "what stands on the right can be left out."
        (pages,) = self.parse_text_to_nodes("\n".join(items))
        pages["classes"] = ["derivation-map"]
        return [nodes.paragraph(words, words), pages]


def setup(app: Sphinx) -> None:
    """Register the directive and its style."""
    app.add_directive("derivation-map", DerivationMap)
    app.add_css_file("derivation-map.css")
