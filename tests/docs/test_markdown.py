"""Prose, formulas and figures in plain Markdown, as a page's twin has them."""

from __future__ import annotations

import sys

import pytest
from docutils import nodes
from scratch import DOCS

sys.path.insert(0, str(DOCS))
from _ext.formats import markdown

pytestmark = [pytest.mark.docs, pytest.mark.house]


def test_what_markdown_would_interpret_is_escaped():
    assert markdown.escape("a*b $c _d_ e_f <g> \\h") == r"a\*b \$c \_d\_ e_f &lt;g> \\h"
    assert markdown.escape("__init__, x_y") == r"\_\_init\_\_, x_y"
    assert markdown.escape("- a\n1. b\n# c") == "\\- a\n1\\. b\n\\# c"
    assert markdown.fence("```\nx\n```", "text").startswith("````text\n")


def test_a_node_can_say_what_stands_in_its_place():
    writer = markdown.Writer(lambda address: address, {})
    assert writer.blocks(nodes.raw("", "<svg>", format="html", twin="*A drawing.*")) == [
        "*A drawing.*"
    ]
    drawing = nodes.raw("", '<div><svg role="img" aria-label="A net."></svg></div>', format="html")
    assert writer.blocks(drawing) == ["*Figure: A net.*"]
    there, quiet = (nodes.reference("", "", nodes.Text(t), refuri=t) for t in ("a", "source"))
    quiet["twin"] = ""
    assert writer.blocks(nodes.caption("", "", nodes.Text("By "), there, quiet)) == ["*By [a](a)*"]
