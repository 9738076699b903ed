"""Whether every address on every page leads somewhere: to a page and an anchor on it, or to a file."""

import posixpath
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from _ext.publishing.page import Page


class Links:
    """The internal links of a site, which stands at `base` ("" where that is not known)."""

    def __init__(self, outdir: Path, base: str) -> None:
        self.outdir, self.base = outdir, base
        self.ids: dict[str, set[str]] = {}
        self.found: dict[str, dict[str, None]] = {}

    def add(self, page: Page) -> None:
        """Take over what a page has: its ids, of which none may stand for two places, and its links."""
        name = f"{page.name}.html"
        ids = Counter(page.ids())
        page.wrong += [f"the id {i!r} stands for {n} places" for i, n in ids.items() if n > 1]
        self.ids[name] = set(ids)
        self.found[name] = dict.fromkeys(page.addresses())

    def target(self, page: str, address: str) -> tuple[str, str] | None:
        """Return the file and the anchor that an address on a page means; None if it is elsewhere."""
        known = address.replace("[", "%5B")  # which would begin an IP address, or an error
        parts, base = urlsplit(known), urlsplit(self.base)
        if parts.scheme in {"data", "mailto"}:
            return None
        if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
            return address, ""
        path, inside = unquote(parts.path), parts.path.startswith(base.path)
        if parts.netloc and not (inside and parts.netloc.lower() == base.netloc.lower()):
            return None
        path += "index.html" if path.endswith("/") else ""  # as a server does
        folder = "" if base.path and inside else posixpath.dirname(page)
        file = posixpath.join(folder, path.removeprefix(base.path)) if path else page
        return posixpath.normpath(file), parts.fragment

    def dead(self) -> Iterator[tuple[str, str]]:
        """Yield each page with an address on it that leads nowhere."""
        for page, addresses in self.found.items():
            for address in addresses:
                target = self.target(page, address)
                if words := target and self._wrong(*target):
                    yield page.removesuffix(".html"), f"the link {address!r} leads {words}"

    def _wrong(self, file: str, anchor: str) -> str:
        if (self.outdir / file).is_dir():
            file = posixpath.normpath(f"{file}/index.html")
        there = self.outdir / file
        if file.startswith(("/", "../")) or not there.is_file():
            return f"to {file}, which is not there"
        if file in self.ids:
            known = anchor.lower() in ("", "top") or {anchor, unquote(anchor)} & self.ids[file]
        else:
            known = not anchor or f'id="{anchor}"'.encode() in there.read_bytes()
        return "" if known else f"to no place on {file}"
