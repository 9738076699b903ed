"""The map of the derivation, ``{derivation-map}``: its pages as boxes, each a link, with minutes and what needs what.

The picture is made of the table ``PAGES`` and of the minutes that each page states. The left column is the core, in
the order in which it is read; on the right stands what can be left out, beside the page that it needs first. What else
a page needs is said in the list that the other forms of the page have in place of the picture.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDE, TALL, ROW = 176, 34, 46  # of a box; from one box to the next
LEFT, RIGHT = 4, 200  # where the two columns begin
MINUTES = re.compile(r"\b(\d+) minutes\.")


class Node(NamedTuple):
    """A page of the derivation: how it is called in the map, and what it needs, the nearest first."""

    name: str
    title: str
    needs: tuple[str, ...] = ()
    core: bool = False


PAGES = (
    Node("notation", "Notation", core=True),
    Node("feedforward", "Feedforward nets", ("notation",), core=True),
    Node("unrolling", "From layers to time", ("feedforward",), core=True),
    Node("bp2", "The error in time", ("unrolling",), core=True),
    Node("tied-weights", "Tied weights", ("bp2",), core=True),
    Node("boundaries", "Boundaries", ("tied-weights",), core=True),
    Node("vanishing", "Vanishing, exploding", ("boundaries",), core=True),
    Node("triangle", "Who contributes what", ("vanishing", "tied-weights"), core=True),
    Node("truncated", "Truncation", ("triangle",), core=True),
    Node("gates", "Gates: the LSTM", ("truncated", "bp2"), core=True),
    Node("four-proofs", "The four proofs", ("feedforward",)),
    Node("softmax", "Softmax", ("feedforward",)),
    Node("descent", "Gradient descent", ("feedforward",)),
    Node("how-lines-are-checked", "How lines are checked", ("notation",)),
    Node("curvature", "Curvature", ("tied-weights",)),
    Node("scan", "A scan", ("bp2",)),
    Node("directions", "Both directions", ("bp2",)),
    Node("forward-in-time", "Forward in time", ("tied-weights",)),
    Node("memory", "Memory against time", ("boundaries",)),
    Node("carried-state", "A state that goes on", ("boundaries",)),
    Node("remedies", "What is done about it", ("vanishing",)),
    Node("picture", "The picture", ("triangle", "memory", "forward-in-time", "truncated")),
    Node("gru", "The two GRUs", ("gates",)),
    Node("any-cell", "Any cell", ("gates",)),
    Node("sequences", "Unequal lengths", ("gates", "boundaries", "directions")),
    Node("errata", "Errata of the seed", ("gates", "bp2")),
)


def stated(source: str) -> int:
    """Return the minutes that a page states; a page without them is an error."""
    found = MINUTES.search(source)
    if not found:
        message = "the page states no minutes, which its map shows"
        raise ValueError(message)
    return int(found[1])


def tops() -> dict[str, int]:
    """Return where each page's box begins: that of the core beside the first that needs it first."""
    found: dict[str, int] = {}
    top = 4
    for node in PAGES:
        if node.core:
            beside = [n.name for n in PAGES if not n.core and n.needs[0] == node.name]
            found[node.name] = top
            found |= {name: top + ROW * k for k, name in enumerate(beside)}
            top += ROW * max(1, len(beside))
    return found


def _box(node: Node, x: int, y: int, minutes: int) -> str:
    kind = "core" if node.core else "optional"
    return (
        f'<a class="{kind}" href="{node.name}.html">'
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{TALL}" rx="4"/>'
        f'<text x="{x + 8}" y="{y + 21.5}">{html.escape(node.title)}</text> '
        f'<text class="minutes" x="{x + WIDE - 8}" y="{y + 21.5}">{minutes}</text></a>'
    )


def draw(minutes: dict[str, int]) -> str:
    """Return the map as SVG."""
    places, boxes, lines = tops(), [], []
    for node in PAGES:
        y = places[node.name]
        boxes.append(_box(node, LEFT if node.core else RIGHT, y, minutes[node.name]))
        if not node.needs:
            continue
        above = places[node.needs[0]]
        if node.core:
            way = f"M{LEFT + WIDE / 2:g} {above + TALL}V{y}"
            lines.append(f'<path class="spine" d="{way}"/>')
        else:
            way = f"M{LEFT + WIDE} {above + TALL / 2:g}h10V{y + TALL / 2:g}H{RIGHT}"
            lines.append(f'<path d="{way}"/>')
    tall = max(places.values()) + ROW
    label = "Map of the derivation: the core on the left, from top to bottom; on the right what can be left out"
    return (
        f'<div class="derivation-map"><svg viewBox="0 0 380 {tall}" role="group" aria-label="{label}">'
        f"{''.join(lines)}{''.join(boxes)}</svg></div>"
    )


def as_text(minutes: dict[str, int]) -> str:
    """Return the map as a list, for the forms of the page that have no pictures."""
    titles = {node.name: node.title for node in PAGES}
    lines = []
    for node in PAGES:
        needs = ", ".join(titles[name] for name in node.needs)
        kind = "core" if node.core else "optional"
        lines.append(
            f"- [{node.title}]({node.name}.md): {kind}, {minutes[node.name]} minutes"
            + (f"; needs {needs}" if needs else "")
        )
    return "\n".join(lines)


class DerivationMap(SphinxDirective):
    """The map, and above it what its numbers are and the time that the core takes."""

    def run(self) -> list[nodes.Node]:
        """Read the minutes of each page and draw."""
        folder = Path(self.env.doc2path(self.env.docname)).parent
        minutes = {}
        for node in PAGES:
            file = folder / f"{node.name}.md"
            self.env.note_dependency(str(file))
            minutes[node.name] = stated(file.read_text(encoding="utf-8"))
        total = sum(minutes[node.name] for node in PAGES if node.core)
        words = (
            f"Numbers are minutes. The core, on the left, takes {total} minutes in all; "
            "what stands on the right can be left out."
        )
        picture = nodes.raw("", draw(minutes), format="html", twin=as_text(minutes))
        return [nodes.paragraph(words, words), picture]


def setup(app: Sphinx) -> None:
    """Register the directive and its style."""
    app.add_directive("derivation-map", DerivationMap)
    app.add_css_file("derivation-map.css")
