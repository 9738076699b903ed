"""The proof is folded, and its fold says what the outputs of its cells established; figures stay open."""

from types import SimpleNamespace

import pytest
from _ext.formulas.references import KEY, Equation
from _ext.interactive import layers
from docutils import nodes
from docutils.core import publish_doctree

pytestmark = pytest.mark.docs

APP = SimpleNamespace(
    config=SimpleNamespace(static_math_tags={"bp2": "BP2"}),
    env=SimpleNamespace(
        docname="page", metadata={"page": {KEY: [Equation("page-sum", "1", "", "page", 1)]}}
    ),
)
LETTERS = "bp2: holds exactly (1 symbolic net)\n"
NUMBERS = "bp2: holds, largest relative error 1.5e-15 <= 1e-12 (12 random nets)\n"


def cell(*tags, output="", summary=""):
    made = nodes.container(classes=["cell", *(f"tag_{tag}" for tag in tags)])
    made["cell_metadata"] = {"summary": summary} if summary else {}
    code = nodes.container(classes=["cell_input"])
    out = nodes.container(classes=["cell_output"])
    out += nodes.literal_block(output, output, classes=["output", "stream"])
    made += [code, out]
    return made


def folded(*cells):
    """Return the children of a page that was folded."""
    page = publish_doctree("")
    page += nodes.section("", nodes.title("", "A page"), *cells)
    layers.fold(APP, page)
    return page[0].children


def said(node):
    return node.astext().split("<summary>")[1].split("</summary>")[0]


def test_cells_that_follow_each_other_are_one_fold_and_stay_cells():
    first, second, third = cell("proof", output=LETTERS), cell("proof", output=NUMBERS), cell()
    _, switch, opened, *rest = folded(first, second, third)
    assert "layers-switch" in switch.astext()
    assert rest[0] is first
    assert rest[1] is second
    assert rest[2].astext() == "</div></details>"
    assert rest[3] is third
    assert opened.astext().startswith('<details class="layer proof checked">')
    assert " open" not in opened.astext().split(">")[0]
    assert said(opened) == "Checked: with letters, exactly; on 12 random nets, to 1.5e-15"
    assert opened["twin"] == f"*{said(opened)}.*"


def test_cells_apart_are_folds_of_their_own():
    children = folded(cell("proof"), cell(), cell("proof"))
    assert sum(child.astext().startswith("<details") for child in children) == 2


@pytest.mark.parametrize(
    ("output", "summary", "words"),
    [
        (NUMBERS.replace("12 random nets", "3 cases"), "", "Checked: in 3 cases, to 1.5e-15"),
        (LETTERS + LETTERS.replace("bp2", "bp2-index"), "", "Checked (BP2), bp2-index: with letters, exactly"),
        (
            "bp2: broken as it should be, relative error 0.67 >= 0.01 (9 random nets)\n",
            "",
            "Fails where it should: by 67 % or more on 9 random nets",
        ),
        (
            "bp2: broken as it should be, relative error 0.67 >= 0.01 (1 case)\n",
            "",
            "Fails where it should: by 67 % in 1 case",
        ),
        (LETTERS + LETTERS.replace("bp2", "page-sum"), "", "Checked (BP2), (1): with letters, exactly"),
        ("", "The nets", "The nets"),
        (LETTERS, "The nets", "The nets. Checked: with letters, exactly"),
        ("", "", "Code"),
        ("a sum: 0.0\n", "a < b", "a &lt; b"),
    ],
)  # fmt: skip
def test_the_summary_says_what_was_established(output, summary, words):
    opened = folded(cell("proof", output=output, summary=summary))[2]
    assert said(opened) == words
    assert ('class="layer proof"' in opened.astext()) == bool(summary)  # paper has its outputs


def test_of_a_plot_only_the_code_is_folded_behind_the_figure():
    plot = cell("plot")
    code, figure = plot.children
    assert plot in folded(plot)
    first, opened, inside, closed = plot.children
    assert first is figure
    assert inside is code
    assert "Code of this figure" in opened.astext()
    assert closed.astext().endswith("</details>")


def test_a_page_without_folds_has_no_switch():
    plain = cell()
    assert len(folded(plain)) == 2
