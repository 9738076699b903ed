"""What KaTeX does not know, or would show in red and say nothing of, is an error with its reason."""

import pytest
from _ext.formulas import katex

pytestmark = [pytest.mark.docs, pytest.mark.house]

REFUSED = [
    r"a = \eqref{bp2}",  # {eq}`bp2` stands in prose
    r"\pd{C}{z}",  # a macro that the site once had
    r"\frac{a",
    r"\href{https://example.org}{a}",  # KaTeX alone would write its source in red
    r"\includegraphics{a.png}",
    r"a = b \tag{BP9}",  # a label gives a tag, and asks for a check
]


@pytest.mark.parametrize("tex", REFUSED)
@pytest.mark.parametrize("display", [True, False])
def test_a_formula_that_is_not_understood_says_why(tex, display):
    said, error = katex.render(tex, display)
    assert not said
    assert error


def test_a_formula_that_is_understood_is_shown_and_read():
    said, error = katex.render(r"\frac{\partial C}{\partial z}", True)
    assert not error
    assert "katex-html" in said
    assert "<mfrac>" in said
