"""One stylesheet a page in place of a dozen: on a phone each is a round trip before anything is seen."""

import posixpath
import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from _ext.publishing.page import Page

TARGET = re.compile(r"""url\((?!["']?(?:data:|https?:|#))["']?([^"')]+)["']?\)""")


def joined(static: Path, names: tuple[str, ...]) -> str:
    """Return some stylesheets as one, seen from `static`."""
    parts = []
    for name in names:
        folder = posixpath.dirname(name)
        file = static / name  # one that is not there stands for itself, and is complained of
        text = file.read_text("utf-8") if file.is_file() else f"url({file.name})"
        text = text.removeprefix('@charset "UTF-8";').strip()
        parts.append(TARGET.sub(lambda m, at=folder: f"url({posixpath.join(at, m[1])})", text))
    return "\n".join(parts) + "\n"


@cache
def _made(static: Path, names: tuple[str, ...]) -> tuple[str, list[str]]:
    """Write the stylesheet that pages share; return its name, and which of the files that it points to are not there."""
    text = joined(static, names)
    name = f"bundle-{sha256(text.encode()).hexdigest()[:12]}.css"
    (static / name).write_text(text, "utf-8")
    files = (target.partition("#")[0].partition("?")[0] for target in TARGET.findall(text))
    return name, sorted({file for file in files if not (static / file).is_file()})


def bundle(page: Page, static: Path) -> None:
    """Let a page link one stylesheet for all media; those for print stay apart."""
    links = page.tree.css('head > link[rel="stylesheet"][href*="_static/"]:not([media])')
    if len(links) < 2:
        page.wrong.append("the page links no stylesheets that could be put together")
        return
    files = [(link.attributes["href"] or "").partition("?")[0] for link in links]
    ways = [file.partition("_static/") for file in files]
    name, missing = _made(static, tuple(path for _, _, path in ways))
    page.wrong += [f"its stylesheets point to _static/{f}, which is not there" for f in missing]
    links[0].attrs["href"] = f"{ways[0][0]}_static/{name}"
    for link in links[1:]:
        link.decompose()
