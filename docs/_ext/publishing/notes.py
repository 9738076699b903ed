"""What is noted of each page when it is read, for what is done when all pages are: kept in Sphinx's metadata of it."""

from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

KEY = "bptt_notes"
ENOUGH, MOST = 40, 155  # characters of a description


class Notes(NamedTuple):
    """A page's title, what it says of itself, the pages below it."""

    title: str = ""
    description: str = ""
    below: tuple[str, ...] = ()


def noted(env: BuildEnvironment, docname: str) -> Notes:
    """Return what is noted of a page."""
    found: Notes = env.metadata.get(docname, {}).get(KEY, Notes())
    return found


def reading_order(env: BuildEnvironment) -> list[str]:
    """Return all pages in the order of the tables of contents; those in none come last, by name."""
    found: list[str] = []
    todo = [env.config.root_doc, *sorted(env.found_docs)]
    while todo:
        name = todo.pop(0)
        if name not in found and name in env.found_docs:
            found.append(name)
            todo[:0] = noted(env, name).below
    return found


def describe(doctree: nodes.document) -> str:
    """Return the first paragraph of a page that says something, without TeX, and cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        words = paragraph.deepcopy()
        for formula in list(words.findall(nodes.math)):
            formula.parent.replace(formula, nodes.Text("…"))
        text = " ".join(words.astext().split())
        if len(text) > MOST:
            return text[: text.rindex(" ", 0, MOST)].rstrip(",;: ") + " …"
        if len(text) >= ENOUGH:
            return text
    return ""


def _note(app: Sphinx, doctree: nodes.document) -> None:
    titles = (node.astext() for node in doctree.findall(nodes.title))
    trees = doctree.findall(addnodes.toctree)
    app.env.metadata[app.env.docname][KEY] = Notes(
        next(titles, app.env.docname),
        describe(doctree),
        tuple(name for tree in trees for name in tree["includefiles"]),
    )


def setup(app: Sphinx) -> None:
    """Look at each page when all else has been done to it."""
    app.connect("doctree-read", _note, priority=900)
