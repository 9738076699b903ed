"""Let the general index know every labeled equation: by its tag (BP2), else by its label."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform


class EquationEntries(SphinxTransform):
    """Put an entry of the index before each equation that has a label."""

    default_priority = 840  # just before Sphinx collects entries

    def apply(self, **_: Any) -> None:
        """Add the entries."""
        tags = self.config.static_math_tags
        for equation in list(self.document.findall(nodes.math_block)):
            label = equation.get("label")
            if not label or not equation["ids"]:
                continue
            words = dict.fromkeys(
                [tags.get(label, label), label.upper() if label in tags else label]
            )
            entries = [("single", word, equation["ids"][0], "main", None) for word in words]
            equation.parent.insert(equation.parent.index(equation), addnodes.index(entries=entries))
