"""What is known of each page: noted when it is read, in Sphinx's metadata of it; told to others when all pages are."""

import html
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from _ext.execution.record import write
from _ext.publishing.build_info import commit

KEY = "bptt_notes"
ENOUGH, MOST = 40, 155  # characters of a description
LOST = "404"
OTHERS = {
    "genindex": "Every name of the library and every labeled equation, from A to Z.",
    "py-modindex": "The modules of the library bptt, with a line on each.",
    "search": "Search the derivations, the equations by label, and the library's names.",
    LOST: "There is no page at this address; here is how to find what you came for.",
}
PAGES_NOT_FOR_SEARCH = {"search", LOST}


# --- as pages are read
class Notes(NamedTuple):
    """A page's title, what it says of itself, the pages below it."""

    title: str = ""
    description: str = ""
    below: tuple[str, ...] = ()


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


# --- when all are read
def noted(env: BuildEnvironment, docname: str) -> Notes:
    """Return what is noted of a page."""
    return env.metadata.get(docname, {}).get(KEY, Notes())


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


def way(env: BuildEnvironment, pagename: str) -> dict[str, Any]:
    """Return the part that a page belongs to, and which of its pages it is; nothing for what is in no part."""
    parts = (
        part
        for part in env.found_docs - {env.config.root_doc}
        if pagename in noted(env, part).below
    )
    if not (part := next(parts, None)):
        return {}
    notes = noted(env, part)
    number, of = notes.below.index(pagename) + 1, len(notes.below)
    return {"part": part, "title": notes.title, "number": number, "of": of}


def _tell(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _: Any) -> None:
    """Tell the template of a page (_templates/page.html) what it shows, and link the files that its body needs."""
    module = pagename.removeprefix("_modules/").replace("/", ".")
    source = f"The source of {module}, as documented and tested here."
    notes = noted(app.env, pagename)
    if notes.title:  # without the markup of a formula, which says it three times
        context["title"] = html.escape(notes.title)
    context["bptt_description"] = notes.description or OTHERS.get(pagename, source)
    context["bptt_way"] = way(app.env, pagename)
    context["bptt_commit"] = commit(Path(app.srcdir).parent)
    if pagename == LOST:  # finds the site's root by its folders
        folders = {name.partition("/")[0] for name in app.env.found_docs if "/" in name}
        context["folders"] = "|".join(sorted(folders | {"_modules", "_static"}))
    for mark, files in app.config.bptt_files.items():
        for name, options in files if mark in context.get("body", "") else ():
            add = app.add_css_file if name.endswith(".css") else app.add_js_file
            add(name, **options)


# --- lists of all pages
def write_sitemap(app: Sphinx, pages: list[str]) -> None:
    """Write the map of a site whose address is known, in the form of it that is text: a line for each page."""
    if base := app.config.html_baseurl:
        named = [p for p in pages if p not in PAGES_NOT_FOR_SEARCH and not p.startswith("_static/")]
        lines = "".join(f"{urljoin(base, name)}.html\n" for name in named)
        write(Path(app.outdir) / "sitemap.txt", lines)


def write_llms(app: Sphinx) -> None:
    """Write llms.txt, a line on each page in the form of llmstxt.org, and llms-full.txt, the Markdown of all pages."""
    out, base = Path(app.outdir), app.config.html_baseurl  # which ends in a slash
    about = (
        f"Version {app.config.release}. Each page is executed when the site is built; its Markdown "
        "holds the code and what came out. All in one file, each page below its name: "
        f"[llms-full.txt]({base}llms-full.txt). A page with cells is also there as `.ipynb` and `.py`."
    )
    home, *pages = ((name, noted(app.env, name)) for name in reading_order(app.env))
    head = [f"# {app.config.project}", "", f"> {home[1].description}", "", about, ""]
    head += ["## Pages, in the order of reading", ""]
    for name, notes in pages:
        said = f": {notes.description}" if notes.description else ""
        head.append(f"- [{notes.title}]({base}{name}.md){said}")
    write(out / "llms.txt", "\n".join(head) + "\n")
    files = [f"{name}.md" for name, _ in (home, *pages)]
    parts = [f"--- {file}\n\n{(out / file).read_text('utf-8')}" for file in files]
    write(out / "llms-full.txt", "\n".join(parts))


def setup(app: Sphinx) -> None:
    """Look at each page when all else has been done to it, and tell when its body is whole (api/code_links.py)."""
    app.connect("doctree-read", _note, priority=900)
    app.connect("html-page-context", _tell, priority=600)
