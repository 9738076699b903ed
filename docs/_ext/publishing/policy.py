"""A strict Content-Security-Policy on every page, as a <meta>, since a static host sends no headers of ours.

Nothing but the site itself may be loaded, run, shown or asked. A script or style that stands in the page
runs only if its digest is in the page's policy, so that nothing injected does; no attribute may hold a
script. ``style`` attributes are allowed: KaTeX's HTML places every symbol with one. ``wasm-unsafe-eval``
and ``worker-src`` are for cells that run in the reader's browser: WebAssembly, no eval.
"""

from base64 import b64encode
from hashlib import sha256

from _ext.publishing.page import Page

SCRIPTS = {"", "text/javascript", "module"}  # all other types are data
POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src-elem": "'self'",
    "style-src-attr": "'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'self'",
    "form-action": "'self'",
}


def digests(page: Page, tag: str) -> list[str]:
    """Return the digests of the scripts, or of the styles, that stand in a page."""
    found = set()
    for node in page.tree.css(tag):
        attributes = node.attributes
        if "src" not in attributes and (attributes.get("type") or "") in SCRIPTS | {"text/css"}:
            digest = sha256((node.text() or "").encode()).digest()
            found.add(f"'sha256-{b64encode(digest).decode()}'")
    return sorted(found)


def policy(page: Page) -> str:
    """Return the policy of a page."""
    inline = {"script-src": digests(page, "script"), "style-src-elem": digests(page, "style")}
    return "; ".join(" ".join([name, who, *inline.get(name, [])]) for name, who in POLICY.items())


def guarded(page: Page) -> bool:
    """Say whether the page has its policy, and no other: then a build before this one has done all else to it."""
    found = page.tree.css('meta[http-equiv="Content-Security-Policy"]')
    return [meta.attributes.get("content") for meta in found] == [policy(page)]


def guard(page: Page) -> None:
    """Give a page its policy, before anything that the policy is about."""
    place = page.tree.css_first("head > meta[charset]:first-child")
    if place is None:
        page.wrong.append("the page has no policy: its <head> does not begin with <meta charset>")
        return
    meta = page.tree.create_node("meta")
    meta.attrs["http-equiv"] = "Content-Security-Policy"
    meta.attrs["content"] = policy(page)
    place.insert_after(meta)
