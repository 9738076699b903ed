"""Know whether a green build is still what a build from nothing would be.

A stamp is left by a green build and by no other. It names everything that the build read (every file of the
repository that it could read, the commit, every installed version, what the environment sets) and everything that it
left. If all of it is as it was, there is nothing to do; else docs/build.py keeps nothing but the outputs of cells.
"""

import platform
from pathlib import Path

from _ext.execution.cache_key import fingerprint, installed, named

STAMP = "green.txt"
LEFT = ("html", "doctrees", "records", "outputs")
# environment variables that pages depend on
TOLD = ("BPTT_", "CI", "READTHEDOCS", "SOURCE_DATE", "PYTHON")


def read(docs: Path, commit: str, environment: dict[str, str]) -> str:
    """Return the digest of everything that a build of `docs` could read now."""
    words = [platform.python_version(), platform.platform(), commit, *installed()]
    words += sorted(f"{k}={v}" for k, v in environment.items() if k.startswith(TOLD))
    return fingerprint([*words, str(docs)], named(docs.parent))


def left(root: Path) -> str:
    """Return the digest of everything that a build has left in `root`."""
    return fingerprint([], (each for folder in LEFT for each in named(root / folder)))


def leave(root: Path, what_was_read: str) -> None:
    """Write the stamp of the green build in `root`."""
    (root / STAMP).write_text(f"{what_was_read} {left(root)}", encoding="utf-8")


def is_unchanged(root: Path, what_is_read: str) -> bool:
    """Say whether the build in `root` was green, is as it was left, and read what is there now."""
    file = root / STAMP
    was_read, _, was_left = (file.read_text("utf-8") if file.is_file() else "").partition(" ")
    return was_read == what_is_read and was_left == left(root)
