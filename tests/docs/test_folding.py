"""An answer is behind a line to press, and no other cell is."""

import pytest
from _ext.interactive import answers
from docutils import nodes

pytestmark = pytest.mark.docs


def test_answers_are_folded_and_stay_cells():
    cells = [nodes.container(classes=["cell", *tags]) for tags in ((), ("tag_answer",), ())]
    page = nodes.section()
    page += cells
    answers.fold(None, page)
    first, opened, answer, closed, last = page.children
    assert [first, answer, last] == cells
    assert opened.astext().startswith("<details")
    assert "<summary" in opened.astext()
    assert opened.astext().count("<div") == closed.astext().count("</div>") == 1
    assert closed.astext().endswith("</details>")


def test_what_the_check_says_of_a_beginning_is_folded():
    def cell(code):
        made = nodes.container(classes=["cell", "tag_raises-exception"])
        made += nodes.container("", nodes.literal_block(code, code), classes=["cell_input"])
        made += nodes.container("", nodes.paragraph("", "likely"), classes=["cell_output"])
        return made

    page, section = nodes.section(), nodes.section()
    beginning, other = cell('bptt.teaching.exercises.check("a", f)'), cell("1 / 0")
    section += [beginning, other]
    page += section
    answers.fold(None, page)
    code, opened, said, closed = beginning.children
    assert opened.astext().startswith("<details")
    assert closed.astext() == "</details>"
    assert (code.astext(), said.astext()) == ('bptt.teaching.exercises.check("a", f)', "likely")
    assert "exercise" in beginning["classes"]
    assert len(other.children) == 2  # an error that a page shows is no exercise
    assert "exercise-tally" in page.children[0].astext()
