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
        for twice in (i for i, count in ids.items() if count > 1):
            page.wrong.append(f"the id {twice!r} stands for {ids[twice]} places")
        self.ids[name] = set(ids)
        self.found[name] = dict.fromkeys(page.addresses())

    def target(self, page: str, address: str) -> tuple[str, str] | None:
        """Return the file and the anchor that an address on a page means; None if it is elsewhere."""
        inside = bool(self.base) and address.startswith(self.base)
        parts = urlsplit(address)
        if (parts.scheme or parts.netloc) and not inside:
            return None
        path, root = unquote(parts.path), urlsplit(self.base).path
        if root and path.startswith(root):
            file = path.removeprefix(root) or "index.html"
        else:
            file = posixpath.join(posixpath.dirname(page), path) if path else page
        return posixpath.normpath(file), unquote(parts.fragment)

    def dead(self) -> Iterator[tuple[str, str]]:
        """Yield each page with an address on it that leads nowhere."""
        for page, addresses in self.found.items():
            for address in addresses:
                target = self.target(page, address)
                if words := target and self._wrong(*target):
                    yield page.removesuffix(".html"), f"the link {address!r} leads {words}"

    def _wrong(self, file: str, anchor: str) -> str:
        if (self.outdir / file).is_dir():  # as a server does
            file = posixpath.normpath(f"{file}/index.html")
        if file in self.ids:
            known = not anchor or anchor == "top" or anchor in self.ids[file]
            return "" if known else f"to no place on {file}"
        return "" if (self.outdir / file).is_file() else f"to {file}, which is not there"
