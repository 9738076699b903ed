"""Say what a page was built from (version, commit, what is installed) and where it will stand."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

COMMIT = "BPTT_DOCS_COMMIT"  # for a build outside git
ADDRESSES = ("BPTT_SITE_URL", "READTHEDOCS_CANONICAL_URL")  # set by who publishes the build


@cache
def commit(root: Path) -> str:
    """Return the short commit of a working copy, marked if it was changed since; asked for once a process."""
    if given := os.environ.get(COMMIT):
        return given
    name, changed = _head(root)
    short = name[:10] or "outside git"
    return f"{short} with local changes" if changed else short


def revision(root: Path) -> str:
    """Return the whole name of the commit that this is, or "" if it is none."""
    name, changed = _head(root)
    return "" if changed else name


def _head(root: Path) -> tuple[str, str]:
    """Return the commit of a working copy, and what was changed since; "" twice outside git."""
    try:
        changed = _git(root, "status", "--porcelain", "--", "bptt", "docs")
        return _git(root, "rev-parse", "HEAD"), changed
    except (OSError, subprocess.CalledProcessError):
        return "", ""


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *args],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def installed() -> str:
    """Return the versions that matter to what the pages show."""
    return f"Python {platform.python_version()}, NumPy {version('numpy')}"


def site_address() -> str:
    """Return the address at which this build will stand, or nothing: only its publisher knows."""
    given = next((os.environ[name] for name in ADDRESSES if os.environ.get(name)), "")
    return given.rstrip("/") + "/" if given else ""
