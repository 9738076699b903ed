"""A strict Content-Security-Policy on every page, as a <meta>, since a static host sends no headers of ours.

Nothing but the site itself may be loaded, run, shown or asked. A script or style that stands in the page
runs only if its digest is in the page's policy, so that nothing injected does; no attribute may hold a
script. ``style`` attributes are allowed: KaTeX's HTML places every symbol with one. ``wasm-unsafe-eval``
and ``worker-src`` are for cells that run in the reader's browser: WebAssembly, no eval.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

INLINE = re.compile(r"<(script|style)(?P<with>(?:\s[^>]*)?)>(?P<body>.*?)</\1>", re.DOTALL)
DATA = re.compile(r"""\btype=["']?(?!text/javascript|module)[\w./+-]+""")  # JSON and the like
POLICY = (
    ("default-src", "'none'"),
    ("script-src", "'self' 'wasm-unsafe-eval'"),
    ("style-src-elem", "'self'"),
    ("style-src-attr", "'unsafe-inline'"),
    ("img-src", "'self' data:"),
    ("font-src", "'self'"),
    ("connect-src", "'self'"),
    ("worker-src", "'self'"),
    ("manifest-src", "'self'"),
    ("base-uri", "'self'"),
    ("form-action", "'self'"),
)
PLACE = re.compile(
    r'(<meta charset="utf-8"\s*/?>)(?:<meta http-equiv="Content-Security-Policy"[^>]*>)?'
)


def digests(page: str) -> dict[str, list[str]]:
    """Return the digests of the scripts and of the styles that stand in a page."""
    found: dict[str, list[str]] = {"script": [], "style": []}
    for inline in INLINE.finditer(page):
        kind, attributes = inline[1], inline["with"]
        if kind == "script" and ("src=" in attributes or DATA.search(attributes)):
            continue
        digest = b64encode(sha256(inline["body"].encode()).digest()).decode()
        found[kind].append(f"'sha256-{digest}'")
    return {kind: sorted(set(each)) for kind, each in found.items()}


def policy(page: str) -> str:
    """Return the policy of a page."""
    extra = {
        f"{'style-src-elem' if k == 'style' else 'script-src'}": v for k, v in digests(page).items()
    }
    return "; ".join(" ".join([name, value, *extra.get(name, [])]) for name, value in POLICY)


def guard(page: str) -> str:
    """Return the page with its policy, before anything that the policy is about."""
    tag = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy(page))}">'
    return PLACE.sub(lambda found: found[1] + tag, page, count=1)


def _guard(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for file in Path(app.outdir).rglob("*.html"):
        old = file.read_text(encoding="utf-8")
        if (new := guard(old)) != old:
            file.write_text(new, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Guard the pages when all else has been done to them."""
    app.connect("build-finished", _guard, priority=990)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
