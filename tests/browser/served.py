"""Serve the built site as a plain static host does: under a sub-path, gzipped, with its 404 page."""

from __future__ import annotations

import gzip
import mimetypes
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("BPTT_SITE", ROOT / "docs" / "_build" / "html"))
CANONICAL = re.compile(r'<link rel="canonical" href="https?://[^/"]+(/[^"]*)?/index.html">')
TEXT = ("text/", "application/json", "application/xml", "image/svg+xml")
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("text/javascript", ".mjs")
mimetypes.add_type("font/woff2", ".woff2")


def pages(site: Path = SITE) -> list[str]:
    """Return every page of the built site, whatever wrote it: no list to keep."""
    found = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    if "index.html" not in found:
        message = f"no built site in {site}: run nox -s docs first"
        raise SystemExit(message)
    return [p for p in found if not p.startswith("_static/")]


def subpath(site: Path) -> str:
    """Return where the build believes that it will stand; a folder of our own if it does not know."""
    found = CANONICAL.search((site / "index.html").read_text("utf-8"))
    return (found[1] or "") if found else "/some/where"


@cache
def _packed(file: Path, _changed: int) -> bytes:
    return gzip.compress(file.read_bytes(), 6)


class Handler(BaseHTTPRequestHandler):
    """Answer from the site's folder; what is not there gets 404.html."""

    protocol_version = "HTTP/1.1"
    site = SITE
    below = ""

    def handle(self) -> None:
        """Answer until the browser has closed the connection, which it may do at any time."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Send a file."""
        path = unquote(urlsplit(self.path).path)
        name = path.removeprefix(self.below).lstrip("/") or "index.html"
        file = self.site / name
        if file.is_dir():
            file /= "index.html"
        inside = path.startswith(self.below + "/") and self.site in file.resolve().parents
        status = 200 if inside and file.is_file() else 404
        if status == 404:
            file = self.site / "404.html"
        self._send(status, file)

    def _send(self, status: int, file: Path) -> None:
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        packed = kind.startswith(TEXT) or kind.endswith("javascript")
        body = b"not found"
        if file.is_file():
            body = _packed(file, file.stat().st_mtime_ns) if packed else file.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", kind + ("; charset=utf-8" if packed else ""))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        if packed and file.is_file():
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(site: Path = SITE) -> Iterator[str]:
    """Serve the site while the block runs; yield its address, which ends in a slash."""
    below = subpath(site)
    handler = type("Handler", (Handler,), {"site": site.resolve(), "below": below})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        ends_soon = 0.02  # seconds; the default is a pause of half a second after each test
        threading.Thread(target=server.serve_forever, args=(ends_soon,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{below}/"
        server.shutdown()
