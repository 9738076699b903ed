"""What the search reads of a page: formulas as they would be typed, cells of tables apart."""

from __future__ import annotations

import pytest
from _ext.publishing.search_index import seen
from selectolax.lexbor import LexborHTMLParser

pytestmark = pytest.mark.house

FORMULAS = {
    "<msubsup><mi>u</mi><mrow><mi>i</mi><mi>j</mi></mrow><mi>l</mi></msubsup>": "u_ij^l",
    "<msub><mi>h</mi><mrow><mi>t</mi><mo>−</mo><mn>1</mn></mrow></msub>": "h_(t−1)",
    "<mfrac><mrow><mi>∂</mi><mi>C</mi></mrow><mrow><mi>∂</mi><mi>z</mi></mrow></mfrac>": "∂C/∂z",
    "<msub><mi>σ</mi><mi>min</mi><mo>\u2061</mo></msub>": "σ_min",
    "<msub><mi>log</mi><mn>2</mn></msub><mi>T</mi>": "log_2 T",
    "<msup><mi>a</mi><mo>′</mo></msup><mo>(</mo><msub><mi>z</mi><mi>k</mi></msub><mo>)</mo>": "a′(z_k)",
    "<mi>a</mi><mo>=</mo><mover><mi>b</mi><mo>^</mo></mover>": "a = b",
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_search_reads_a_formula_as_it_would_be_typed(formula: str) -> None:
    inner = (
        f"<math><semantics><mrow>{formula}</mrow><annotation>tex</annotation></semantics></math>"
    )
    page = LexborHTMLParser(f'<p><span class="katex">{inner}<span>html</span></span></p>')
    assert seen(page.css_first("p")).strip() == FORMULAS[formula]


def test_the_search_keeps_cells_of_a_table_apart() -> None:
    rows = "<tr>\n<td>read</td>\n<td></td>\n<td>no</td>\n</tr>\n<tr><td>x</td><td>yes</td></tr>"
    page = LexborHTMLParser(f"<table><tbody>{rows}</tbody></table>")
    assert " ".join(seen(page.css_first("table")).split()) == "read · no; x · yes;"
