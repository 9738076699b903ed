"""What others see of a page: its card when it is shared, its address, the map of the site, the page for lost readers.

``html_baseurl`` is the address at which a build will stand, and is known only to who publishes it
(``BPTT_SITE_URL`` or Read the Docs' own variable; see conf.py). With it pages name their canonical address and
``sitemap.xml`` is written; without it nothing that would have to be guessed is said.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from sphinx.application import Sphinx

DESCRIPTION = re.compile(r'<meta name="description" content="([^"]*)">')
ADDRESS = re.compile(r'\b(href|src|action|data-content_root)="(?!#|[a-z]+:|/)(?:\./)?([^"]*)"')
IMAGE, IMAGE_ALT = "_static/readme.png", "The home page of bptt."
LOST = "404"
OTHERS = {
    "genindex": "Every name of the library and every labeled equation, from A to Z.",
    "py-modindex": "The modules of the library bptt, with a line on each.",
    "search": "Search the derivations, the equations by label, and the library's names.",
    LOST: "There is no page at this address; here is how to find what you came for.",
    "_modules/index": "The source of every module of the library, as it is documented here.",
}
PAGES_NOT_FOR_SEARCH = {"search", LOST}


def card(title: str, description: str, pageurl: str, base: str, site: str) -> str:
    """Return the tags that say how a page is shown where it is shared."""
    tags = {
        "og:type": "website",
        "og:site_name": site,
        "og:title": title,
        "og:description": description,
    }
    if base:
        image = {"og:image": urljoin(base, IMAGE), "og:image:alt": IMAGE_ALT}
        tags |= {"og:url": pageurl, **image}
    lines = [f'<meta property="{k}" content="{html.escape(v)}">' for k, v in tags.items() if v]
    return "\n".join([*lines, '<meta name="twitter:card" content="summary">']) + "\n"


def _share(
    app: Sphinx,
    pagename: str,
    template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    del template, doctree
    tags = context.get("metatags", "")
    if not DESCRIPTION.search(tags):
        module = pagename.removeprefix("_modules/").replace("/", ".")
        text = (
            OTHERS.get(pagename) or f"The source of {module}, as it is documented and tested here."
        )
        tags += f'<meta name="description" content="{html.escape(text)}">\n'
    found = DESCRIPTION.search(tags)
    description = html.unescape(found[1]) if found else ""
    title = re.sub(r"<[^>]+>", "", html.unescape(context.get("title") or app.config.html_title))
    base, url = app.config.html_baseurl, context.get("pageurl") or ""
    context["metatags"] = tags + card(title, description, url, base, app.config.html_title)


def sitemap(addresses: list[str]) -> str:
    """Return the map of the site, without dates: they would differ from build to build."""
    lines = "".join(f"  <url><loc>{html.escape(a)}</loc></url>\n" for a in addresses)
    schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{schema}">\n{lines}</urlset>\n'


def settle(page: str, path: str) -> str:
    """Return a page that finds all it needs from any address, when the site stands at `path`."""
    return ADDRESS.sub(lambda m: f'{m[1]}="{html.escape(urljoin(path, m[2]))}"', page)


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl
    lost = out / f"{LOST}.html"
    if base and lost.is_file():
        lost.write_text(settle(lost.read_text("utf-8"), urlsplit(base).path or "/"), "utf-8")
    file = out / "sitemap.xml"
    if not base:
        file.unlink(missing_ok=True)
        return
    names = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.html"))
    named = [n for n in names if n.removesuffix(".html") not in PAGES_NOT_FOR_SEARCH]
    pages = [n for n in named if not n.startswith("_static/")]
    file.write_text(sitemap([urljoin(base, n) for n in pages]), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Describe every page after a11y.py has described those with text; write the rest at the end."""
    app.connect("html-page-context", _share, priority=600)
    app.connect("build-finished", _finish, priority=910)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
