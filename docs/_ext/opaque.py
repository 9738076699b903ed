"""Keep formulas and figures out of the reach of codeautolink, which parses and writes each page again.

A page's formulas are most of its markup, and nothing in them is a name to link: without them the links of
the whole site take a third of the time, and KaTeX's and matplotlib's output reaches the reader as it was.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx_codeautolink import extension

REGION = re.compile(r"<!--opaque-->(.*?)<!--/opaque-->", re.DOTALL)
HELD = re.compile(r"<!--opaque (\d+)-->")
LINK_HTML = extension.link_html


def mark(markup: str) -> str:
    """Mark a piece of HTML that nobody needs to look into."""
    return f"<!--opaque-->{markup}<!--/opaque-->"


def _link_html(document: str, out_dir: str, *args: Any, **options: Any) -> None:
    """Let codeautolink see a page without its marked pieces."""
    file = Path(out_dir) / f"{document}.html"
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(found[1])
        return f"<!--opaque {len(held) - 1}-->"

    file.write_text(REGION.sub(hold, file.read_text("utf-8")), "utf-8")
    LINK_HTML(document, out_dir, *args, **options)
    file.write_text(HELD.sub(lambda m: held[int(m[1])], file.read_text("utf-8")), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Stand before codeautolink."""
    del app
    extension.link_html = _link_html
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
