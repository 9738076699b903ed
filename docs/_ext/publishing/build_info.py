"""Say what a page was built from, and where it will stand."""

import os
import subprocess
from functools import cache
from pathlib import Path

COMMIT = "BPTT_DOCS_COMMIT"  # for a build outside git
ADDRESSES = ("BPTT_SITE_URL", "READTHEDOCS_CANONICAL_URL")  # set by who publishes the build


@cache
def head(root: Path) -> tuple[str, bool]:
    """Return the commit of a working copy, "" outside git, and whether it was changed since; asked for once a process."""
    command = ["git", "--no-optional-locks", "-C", str(root), "status", "--porcelain=v2"]
    command += ["--branch", "--", "bptt", "docs"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    name, *lines = done.stdout.splitlines() or [""]  # "# branch.oid NAME"
    return name.rpartition(" ")[2], any(not line.startswith("#") for line in lines)


def commit(root: Path) -> str:
    """Return the short commit of a working copy, marked if it was changed since."""
    if given := os.environ.get(COMMIT):
        return given
    name, changed = head(root)
    short = name[:10] or "unknown"
    return f"{short} with local changes" if changed else short


def revision(root: Path) -> str:
    """Return the whole name of the commit that this is, or "" if it is none."""
    name, changed = head(root)
    return "" if changed else name


def site_address() -> str:
    """Return the address at which this build will stand, or nothing: only its publisher knows."""
    given = next((os.environ[name] for name in ADDRESSES if os.environ.get(name)), "")
    return given.rstrip("/") + "/" if given else ""
