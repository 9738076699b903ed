"""Write ``llms.txt``, which lists the Markdown of all pages, and ``llms-full.txt``, which is all of it.

The form of the first is that of llmstxt.org: a title, a summary, and a list of links. The pages'
Markdown comes from ``notebook_and_script.py``.
"""

from pathlib import Path

from sphinx.application import Sphinx

from _ext.publishing.metadata import noted, reading_order


def _index(app: Sphinx) -> str:
    """Return llms.txt: what the site is, and a line for each page."""
    base, root = app.config.html_baseurl, app.config.root_doc  # the first ends in a slash

    def entry(name: str) -> str:
        notes = noted(app.env, name)
        said = f": {notes.description}" if notes.description else ""
        return f"- [{notes.title}]({base}{name}.md){said}"

    about = (
        f"Version {app.config.release}. Each page is executed when the site is built; its Markdown "
        "holds the code and what came out. All in one file, each page below its name: "
        f"[llms-full.txt]({base}llms-full.txt). A page with cells is also there as `.ipynb` and `.py`."
    )
    head = [f"# {app.config.project}", "", f"> {noted(app.env, root).description}", "", about]
    pages = [entry(name) for name in reading_order(app.env) if name != root]
    return "\n".join([*head, "", "## Pages, in the order of reading", "", *pages]) + "\n"


def write(app: Sphinx) -> None:
    """Write the two, when all pages are there."""
    out = Path(app.outdir)
    (out / "llms.txt").write_text(_index(app), "utf-8")
    pages = [f"{name}.md" for name in reading_order(app.env) if (out / f"{name}.md").is_file()]
    parts = [f"--- {page}\n\n{(out / page).read_text('utf-8')}" for page in pages]
    (out / "llms-full.txt").write_text("\n".join(parts), "utf-8")
