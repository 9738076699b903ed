"""An answer is behind a line to press, and no other cell is."""

from types import SimpleNamespace

import pytest
from _ext.interactive import answers
from docutils import nodes
from docutils.core import publish_doctree

pytestmark = pytest.mark.docs

APP = SimpleNamespace(env=SimpleNamespace(docname="page", metadata={"page": {}}))


def test_answers_are_folded_and_stay_cells():
    cells = [nodes.container(classes=["cell", *tags]) for tags in ((), ("tag_answer",), ())]
    page = nodes.section()
    page += cells
    answers.fold(APP, page)
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
    answers.fold(APP, page)
    code, opened, said, closed = beginning.children
    assert opened.astext().startswith("<details")
    assert closed.astext() == "</details>"
    assert (code.astext(), said.astext()) == ('bptt.teaching.exercises.check("a", f)', "likely")
    assert APP.env.metadata["page"] == {answers.KEY: ["a"]}
    assert "exercise" in beginning["classes"]
    assert len(other.children) == 2  # an error that a page shows is no exercise
    assert "exercise-tally" in page.children[0].astext()


def test_a_table_counts_the_exercises_of_each_page_that_it_leads_to():
    page = publish_doctree("")
    links = [nodes.reference("", uri, refuri=uri) for uri in ("one.html", "two.html", "one.html")]
    page += nodes.table("", nodes.paragraph("", "", *links[:2]))
    page += nodes.paragraph("", "", links[2])
    answers.counts(page, {"one.html": ["first", "second"], "two.html": []})
    first, count, second = page[0][0].children
    assert [first, second] == links[:2]
    assert 'data-exercises="first second">0 of 2 right<' in count.astext()
    assert len(page[1].children) == 1
