"""Prose, formulas and figures in plain Markdown, as a page's twin has them."""

from __future__ import annotations

import sys

import pytest
from docutils import nodes
from scratch import DOCS

sys.path.insert(0, str(DOCS))
from _ext.formats import markdown
from _ext.formulas import macros

pytestmark = [pytest.mark.docs, pytest.mark.house]


def test_what_markdown_would_interpret_is_escaped():
    assert markdown.escape("a*b $c _d_ e_f <g> \\h") == r"a\*b \$c \_d\_ e_f &lt;g> \\h"
    assert markdown.escape("__init__, x_y") == r"\_\_init\_\_, x_y"
    assert markdown.escape("- a\n1. b\n# c") == "\\- a\n1\\. b\n\\# c"
    assert markdown.fence("```\nx\n```", "text").startswith("````text\n")


@pytest.mark.parametrize(
    ("tex", "out"),
    [
        (r"\pd{C}{z}", r"\frac{\partial C}{\partial z}"),
        (r"\pd{C^{(t)}}{\pd{a}{b}}", r"\frac{\partial C^{(t)}}{\partial \frac{\partial a}{\partial b}}"),
        (r"\R^n \Rightarrow", r"\mathbb{R}^n \Rightarrow"),
        (r"w\transpose x", r"w^{\mathsf{T}}x"),
        (r"\pd C \theta", r"\frac{\partial C}{\partial \theta}"),
    ],
)  # fmt: skip
def test_macros_are_written_out(tex, out):
    known = {
        "R": r"\mathbb{R}",
        "pd": [r"\frac{\partial #1}{\partial #2}", 2],
        "transpose": r"^{\mathsf{T}}",
    }
    assert macros.without_macros(tex, known) == out


def test_a_node_can_say_what_stands_in_its_place():
    writer = markdown.Writer(lambda address: address, str, {})
    assert writer.blocks(nodes.raw("", "<svg>", format="html", twin="*A drawing.*")) == [
        "*A drawing.*"
    ]
    drawing = nodes.raw("", '<div><svg role="img" aria-label="A net."></svg></div>', format="html")
    assert writer.blocks(drawing) == ["*Figure: A net.*"]
