"""What others see of a page: its description, its card when it is shared, its address, the map of the site.

``html_baseurl`` is the address at which a build will stand, and is known only to who publishes it
(``BPTT_SITE_URL`` or Read the Docs' own variable; see conf.py). With it pages name their canonical address and
``sitemap.txt`` is written; without it nothing that would have to be guessed is said.
"""

import html
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from sphinx.application import Sphinx

from _ext.publishing.build_info import commit
from _ext.publishing.notes import noted

LOST = "404"
OTHERS = {
    "genindex": "Every name of the library and every labeled equation, from A to Z.",
    "py-modindex": "The modules of the library bptt, with a line on each.",
    "search": "Search the derivations, the equations by label, and the library's names.",
    LOST: "There is no page at this address; here is how to find what you came for.",
}
PAGES_NOT_FOR_SEARCH = {"search", LOST}


def way(app: Sphinx, pagename: str) -> dict[str, Any]:
    """Return the part that a page belongs to, and which of its pages it is; nothing for what is in no part."""
    part = f"{pagename.rpartition('/')[0]}/index"
    notes = noted(app.env, part)
    if pagename not in notes.below:
        return {}
    number, of = notes.below.index(pagename) + 1, len(notes.below)
    return {"part": part, "title": notes.title, "number": number, "of": of}


def _tell(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _: Any) -> None:
    """Tell the template of a page (_templates/page.html) what it shows, that for lost readers all folders; link files."""
    module = pagename.removeprefix("_modules/").replace("/", ".")
    source = f"The source of {module}, as documented and tested here."
    notes = noted(app.env, pagename)
    if notes.title:  # without the markup of a formula, which says it three times
        context["title"] = html.escape(notes.title)
    context["bptt_description"] = notes.description or OTHERS.get(pagename, source)
    context["bptt_way"] = way(app, pagename)
    context["bptt_commit"] = commit(Path(app.srcdir).parent)
    if pagename == LOST:
        folders = {name.partition("/")[0] for name in app.env.found_docs if "/" in name}
        context["folders"] = "|".join(sorted(folders | {"_modules", "_static"}))
    for mark, files in app.config.bptt_files.items():
        for name, options in files if mark in context.get("body", "") else ():
            add = app.add_css_file if name.endswith(".css") else app.add_js_file
            add(name, **options)


def write_sitemap(app: Sphinx, pages: list[str]) -> None:
    """Write the map of a site whose address is known, in the form of it that is text: a line for each page."""
    if base := app.config.html_baseurl:
        named = [p for p in pages if p not in PAGES_NOT_FOR_SEARCH and not p.startswith("_static/")]
        lines = "".join(f"{urljoin(base, name)}.html\n" for name in named)
        (Path(app.outdir) / "sitemap.txt").write_text(lines, "utf-8")


def setup(app: Sphinx) -> None:
    """Describe every page as it is written, when its body is whole (api/code_links.py)."""
    app.add_config_value("bptt_files", {}, "", types=(dict,))
    app.connect("html-page-context", _tell, priority=600)
