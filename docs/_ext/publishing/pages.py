"""The one pass over the written pages: each is read, repaired, guarded, checked, and written once."""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from _ext.publishing import metadata, policy, repairs, stylesheets
from _ext.publishing.link_check import Links
from _ext.publishing.page import Page
from _ext.publishing.search_index import SearchIndex

log = logging.getLogger(__name__)
PYTHON = {"ipython", "ipython3", "py", "py3", "pycon", "python", "python3"}  # to Pygments
PAGES = {".htm", ".html", ".shtml", ".xht", ".xhtml", ".xml"}  # to a server


def finish(app: Sphinx, error: Exception | None) -> None:
    """Finish all pages, and write the lists of them."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    links, index, pages = Links(out, app.config.html_baseurl), SearchIndex(app), []
    for file in sorted(out.rglob("*.html")):
        page = Page(file, out)
        if not policy.guarded(page):  # else only its links and its words are looked at again
            repairs.repair(page)
            page.number_again()
            stylesheets.bundle(page, out / "_static")
            policy.guard(page)
        links.add(page)
        index.add(page)
        page.write()
        pages.append(page.name)
        for words in page.wrong:
            _complain(app, page.name, words)
    for file in sorted(out.rglob("*")):
        if file.suffix.lower() in PAGES and file.suffix != ".html":
            log.warning("%s: only a page called .html gets a policy", file.relative_to(out))
    index.write()
    for words in index.dead():
        log.warning("%s", words, type="bptt", subtype="search")
    for name, words in links.dead():
        _complain(app, name, words)
    metadata.write_sitemap(app, pages)
    metadata.write_llms(app)


def _complain(app: Sphinx, name: str, words: str) -> None:
    """Warn of what is wrong with a page, at its source if it has one, and where this has the words in quotes."""
    if name in app.env.found_docs:
        quoted = f"{words}''".split("'")[1]
        lines = enumerate(Path(app.env.doc2path(name)).read_text("utf-8").splitlines(), 1)
        line = next((number for number, text in lines if quoted and quoted in text), None)
        log.warning("%s", words, location=(name, line), type="bptt", subtype="page")
    else:
        log.warning("%s.html: %s", name, words, type="bptt", subtype="page")


def _refuse(_app: Sphinx, doctree: nodes.document) -> None:
    """Refuse Python that nothing runs, and a picture whose alternative text is none, or its own file's name."""
    for code in doctree.findall(nodes.literal_block):
        ours = {"cell_input", "library-code"} & {*code.parent["classes"]}
        if str(code.get("language")).lower() in PYTHON and not ours:
            log.warning("no build runs this code: make it a cell", location=code, type="bptt")
    for image in doctree.findall(nodes.image):
        if str(image.get("alt", "")).strip() in image["uri"]:  # as no text at all is
            words = "the picture %s has no alternative text"
            log.warning(words, image["uri"], location=image, type="bptt")


def setup(app: Sphinx) -> None:
    """Finish the pages after all else has been written that they may link to."""
    app.connect("doctree-read", _refuse)
    app.connect("build-finished", finish, priority=10**6)
