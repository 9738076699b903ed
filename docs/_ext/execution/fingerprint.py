"""Say with one word everything that a cell can see, or that a build has read and left: what is kept is kept under it.

A stamp is left by a green build and by no other. It names everything that the build read (every file of the repository that
it could read, the commit, every installed version, what the environment sets) and everything that it left. If all of it
is as it was, there is nothing to do; else docs/build.py keeps nothing but the outputs of cells.
"""

import json
import platform
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.metadata import distributions
from itertools import chain
from pathlib import Path

CODE = (".py", "matplotlibrc")
SKIPPED = {"__pycache__", "_build", "node_modules"}
STAMP = "green.txt"
LEFT = ("html", "doctrees", "records", "outputs")
TOLD = ("BPTT_", "CI", "READTHEDOCS", "SOURCE_DATE", "PYTHON")  # variables that pages depend on


def installed() -> list[str]:
    """Return every installed package with its version."""
    return sorted({f"{d.name}=={d.version}" for d in distributions()})


def named(root: Path, place: str = "") -> Iterator[tuple[str, Path]]:
    """Yield a file, or the files below a folder, with their places, but none that is hidden or that tools leave."""
    place = place or root.name
    if root.is_file():
        yield place, root
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if path.name not in SKIPPED and not path.name.startswith("."):
            yield from named(path, f"{place}/{path.name}")


def fingerprint(words: Iterable[str], places: Iterable[tuple[str, Path]]) -> str:
    """Return the digest of words, and of files with their places; one file at a time is read."""
    files = [(place, sha256(path.read_bytes()).hexdigest()) for place, path in places]
    return sha256(json.dumps([*words, *files]).encode()).hexdigest()


def digest(library: Path, *helpers: Path) -> str:
    """Return the digest of the package `library`, of the code in `helpers`, and of the versions."""
    words = [platform.python_version(), platform.machine(), *installed()]
    code = (each for root in helpers for each in named(root) if each[0].endswith(CODE))
    return fingerprint(words, chain(named(library), code))[:16]


def read(docs: Path, commit: str, environment: dict[str, str]) -> str:
    """Return the digest of everything that a build of `docs` could read now."""
    words = [platform.python_version(), platform.platform(), commit, *installed()]
    words += sorted(f"{k}={v}" for k, v in environment.items() if k.startswith(TOLD))
    built = f"{docs.parent.name}/dist/"  # packages, which are made of what is read here
    files = (each for each in named(docs.parent) if not each[0].startswith(built))
    return fingerprint([*words, str(docs)], files)


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
