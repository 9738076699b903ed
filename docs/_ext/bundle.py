"""One stylesheet a page in place of a dozen: on a phone each is a round trip before anything is seen.

The stylesheets that a page links, one after the other and for all media, are put together in this order into
``_static/bundle-DIGEST.css``; what they point to is pointed to from there. Pages with the same stylesheets share
one. A page that was not written again links its bundle already, and is left alone.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LINK = r'<link rel="stylesheet" type="text/css" href="(?P<root>(?:\.\./)*)_static/(?!bundle-)[^"]+"\s*/?>'
RUN = re.compile(rf"{LINK}(?:\s*{LINK.replace('?P<root>', '')})+")
NAME = re.compile(r'href="(?:\.\./)*_static/([^"?]+)(?:\?[^"]*)?"')
TARGET = re.compile(r"""url\((?!["']?(?:data:|https?:|#))["']?([^"')]+)["']?\)""")


def joined(static: Path, names: tuple[str, ...]) -> str:
    """Return some stylesheets as one, seen from `static`."""
    parts = []
    for name in names:
        folder = posixpath.dirname(name)
        text = (static / name).read_text("utf-8").removeprefix('@charset "UTF-8";')
        parts.append(
            TARGET.sub(lambda m, at=folder: f"url({posixpath.join(at, m[1])})", text).strip()
        )
    return "\n".join(parts) + "\n"


def _bundle(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"

    @cache
    def made(names: tuple[str, ...]) -> str:
        text = joined(static, names)
        name = f"bundle-{sha256(text.encode()).hexdigest()[:12]}.css"
        (static / name).write_text(text, "utf-8")
        return name

    def one(run: re.Match[str]) -> str:
        name = made(tuple(NAME.findall(run[0])))
        return f'<link rel="stylesheet" type="text/css" href="{run["root"]}_static/{name}">'

    for file in Path(app.outdir).rglob("*.html"):
        old = file.read_text("utf-8")
        if (new := RUN.sub(one, old)) != old:
            file.write_text(new, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Join what pages link, after their links are what they stay (a11y.py), before their addresses are (share.py)."""
    app.connect("build-finished", _bundle, priority=905)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
