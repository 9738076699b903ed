"""Exercises: fold an answer, and what the check says of a beginning, for a reader tries first; show all answers on one page.

``{container} answers-of`` is replaced by the code of the same cells, and by what containers ``paper-answer`` hold, taken from
the pages that it names, one or more a line, when all have been read: so there is no second copy of an answer. They are no
cells there: nothing runs twice. An answer for paper holds text and formulas without references, which are resolved by then.
"""

from collections.abc import Iterable, Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from _ext.execution.cell_rules import EXPECTED
from _ext.interactive.layers import around, fold_part
from _ext.slicing import page_data

log = logging.getLogger(__name__)
OPEN = '<details class="answer"><summary>Answer</summary><div class="answer-content">'
SAID = '<details class="exercise-built"><summary>What the check says of this beginning</summary>'
TAG, PAPER = "answer", "paper-answer"
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


def _answers(doctree: nodes.document) -> Iterator[tuple[nodes.section, list[nodes.Node]]]:
    """Yield each exercise of a page with its answer: a cell's code, or what stands in a container `paper-answer`."""
    for cell, code in page_data.cells_of(doctree).items():
        if f"tag_{TAG}" in cell["classes"]:
            text = "\n".join(line for line in code.split("\n") if CHECK not in line).strip()
            yield cell.parent, [nodes.literal_block(text, text, language="python")]
    for place in doctree.findall(nodes.container):
        if PAPER in place["classes"]:
            exercise = place.parent
            while not isinstance(exercise, nodes.section):
                exercise = exercise.parent
            yield exercise, [child.deepcopy() for child in place]


def answers_of(page: str, doctree: nodes.document) -> nodes.section:
    """Return a section with the answers of a page, each below a title that links to its exercise."""
    name = page.rpartition("/")[2]
    heading = next(doctree.findall(nodes.title)).astext()
    found = nodes.section("", nodes.title("", heading), ids=[name])
    for exercise, blocks in _answers(doctree):
        anchor, title = exercise["ids"][0], next(exercise.findall(nodes.title)).astext()
        link = nodes.reference("", title, refuri=f"{name}.html#{anchor}", internal=True)
        found += nodes.section("", nodes.title("", "", link), *blocks, ids=[f"answer-{anchor}"])
    return found


def gather(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put into the place of each container `answers-of` the answers of the pages of its folder that it names."""
    for place in [c for c in doctree.findall(nodes.container) if "answers-of" in c["classes"]]:
        pages = [f"{docname.rpartition('/')[0]}/{name}" for name in place.astext().split()]
        if lost := sorted({*pages} - app.env.found_docs):
            log.warning("answers-of: there is no page %s", lost[0], location=place[0])
        else:
            place.replace_self([answers_of(page, app.env.get_doctree(page)) for page in pages])


def setup(app: Sphinx) -> None:
    """Register the folding of answers and of beginnings."""
    app.connect("doctree-read", fold)
    app.connect("doctree-resolved", gather)
    app.add_css_file("exercises.css")
