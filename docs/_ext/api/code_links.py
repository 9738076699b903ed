"""Give sphinx-codeautolink the blocks of code of a page and not the whole page.

It parses what it is given and searches it once for each language: a page is mostly formulas and figures, so that this
was a large part of Sphinx's own time. A block that this module did not find would be missed there: sphinx-codeautolink
warns of each example that it cannot match.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from _ext.publishing.template import on_page

BLOCK = re.compile(
    r'(<div class="(?:doctest |highlight-)[^>]*><div class="highlight"><pre>.*?</pre></div>)',
    re.DOTALL,
)
CUT = "\n<!-- cut -->\n"
KEY = "bptt_parts"  # of a page's context: in turn what is no block of code, and one


def apart(_app: Sphinx, _page: str, context: dict[str, Any], _doctree: nodes.document) -> None:
    """Leave the blocks of code alone in the page's body."""
    context[KEY] = parts = BLOCK.split(context["body"])
    context["body"] = CUT.join(f"{block}</div>" for block in parts[1::2])


def together(_app: Sphinx, _page: str, context: dict[str, Any], _doctree: nodes.document) -> None:
    """Put the blocks back where they were."""
    parts = context.pop(KEY)
    if parts[1:]:
        parts[1::2] = [block.removesuffix("</div>") for block in context["body"].split(CUT)]
    context["body"] = "".join(parts)


def setup(app: Sphinx) -> None:
    """Come just before and, by its place in conf.py, just after sphinx-codeautolink."""
    on_page(app, apart, priority=499)
    on_page(app, together)
