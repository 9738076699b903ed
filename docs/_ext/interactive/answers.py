"""Exercises: fold an answer, and what the check says of a beginning, for a reader tries first; show all answers on one page.

A folded cell is a cell like all others: it runs, its outputs are checked, it can be copied. Above the first exercise stands
the place of a tally, which ``_static/exercises.js`` fills; the page above has such places of its own.

``{answers-of}`` shows the code of the same cells, taken from the pages that it names when all have been read, so that
there is no second copy of an answer. They are no cells there: nothing runs twice.
"""

from collections.abc import Iterable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext.execution.cell_rules import EXPECTED
from _ext.interactive.layers import around, fold_part
from _ext.slicing import page_data

OPEN = '<details class="answer"><summary>Answer</summary><div class="answer-content">'
SAID = '<details class="exercise-built"><summary>What the check says of this beginning</summary>'
TAG = "answer"
TALLY = '<div class="exercise-tally"></div>'
CHECK = "exercises.check("


def begins(code: str, tags: Iterable[str]) -> bool:
    """Say whether an exercise begins in a cell: it calls the check, and has to fail."""
    return EXPECTED in tags and CHECK in code


def fold(_app: Sphinx, doctree: nodes.document) -> None:
    """Fold the outputs of each beginning, and each cell with the tag ``answer``; make room for the tally."""
    found = [cell for cell in page_data.tagged(doctree, EXPECTED) if CHECK in cell.astext()]
    for cell in found:
        cell["classes"].append("exercise")
        fold_part(cell, "cell_output", nodes.raw("", SAID, format="html"), "</details>")
    if found:
        section = found[0].parent
        place = section.parent.index(section)
        section.parent.insert(place, nodes.raw("", TALLY, format="html"))
    for cell in page_data.tagged(doctree, TAG):
        around([cell], nodes.raw("", OPEN, format="html"))


class AnswersOf(SphinxDirective):
    """The place of the answers of some pages of this folder, one name a line."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Leave the place; `gather` fills it."""
        folder = self.env.docname.rpartition("/")[0]
        pages = [f"{folder}/{name}" for line in self.content for name in line.split()]
        for page in pages:
            if page not in self.env.found_docs:
                message = f"{self.name}: there is no page {page}"
                raise self.error(message)
            self.env.note_dependency(self.env.doc2path(page))
        return [nodes.container("", classes=["answers-of"], pages=pages)]


def answers_of(page: str, doctree: nodes.document) -> nodes.section:
    """Return a section with the answers of a page, each below a title that links to its exercise."""
    name = page.rpartition("/")[2]
    heading = next(doctree.findall(nodes.title)).astext()
    found = nodes.section("", nodes.title("", heading), ids=[name])
    for cell, code in page_data.cells_of(doctree).items():
        if f"tag_{TAG}" not in cell["classes"]:
            continue
        exercise = cell.parent
        anchor, title = exercise["ids"][0], next(exercise.findall(nodes.title)).astext()
        link = nodes.reference("", title, refuri=f"{name}.html#{anchor}", internal=True)
        text = "\n".join(line for line in code.split("\n") if CHECK not in line).strip()
        block = nodes.literal_block(text, text, language="python")
        ids = [f"answer-{anchor}"]
        found += nodes.section("", nodes.title("", "", link), block, ids=ids)
    return found


def gather(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Fill each place of answers from the pages that it names."""
    for place in list(doctree.findall(nodes.container)):
        if pages := place.get("pages"):
            place.replace_self([answers_of(page, app.env.get_doctree(page)) for page in pages])


def setup(app: Sphinx) -> None:
    """Register the folding of answers and of beginnings."""
    app.connect("doctree-read", fold)
    app.connect("doctree-resolved", gather)
    app.add_directive("answers-of", AnswersOf)
    app.add_css_file("exercises.css")
