"""Say what a page was built from (version, commit, what is installed) and where it will stand."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

COMMIT = "BPTT_DOCS_COMMIT"  # for a build outside git
PLACE = re.compile(
    r'(<span class="commit">)[^<]*'
)  # filled in last: a page is not read again for it
ADDRESSES = ("BPTT_SITE_URL", "READTHEDOCS_CANONICAL_URL")  # set by who publishes the build


def commit(root: Path) -> str:
    """Return the short commit of a working copy, marked if it was changed since."""
    if given := os.environ.get(COMMIT):
        return given
    try:
        name = _git(root, "rev-parse", "--short=10", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "bptt", "docs")
    except (OSError, subprocess.CalledProcessError):
        return "outside git"
    return f"{name} with local changes" if changed else name


def revision(root: Path) -> str:
    """Return the whole name of the commit that this is, or "" if it is none."""
    try:
        changed = _git(root, "status", "--porcelain", "--", "bptt", "docs")
        return "" if changed else _git(root, "rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *args], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def installed() -> str:
    """Return the versions that matter to what the pages show."""
    names = {"NumPy": "numpy", "Sphinx": "sphinx"}
    return ", ".join(
        [f"Python {platform.python_version()}"] + [f"{n} {version(d)}" for n, d in names.items()]
    )


def site_address() -> str:
    """Return the address at which this build will stand, or nothing: only its publisher knows."""
    given = next((os.environ[name] for name in ADDRESSES if os.environ.get(name)), "")
    return given.rstrip("/") + "/" if given else ""


def _tell(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    name = commit(Path(app.srcdir).parent)
    for file in Path(app.outdir).rglob("*.html"):
        old = file.read_text(encoding="utf-8")
        if (new := PLACE.sub(rf"\g<1>{name}", old)) != old:
            file.write_text(new, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell the commit on every page, written again or not."""
    app.connect("build-finished", _tell, priority=920)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
