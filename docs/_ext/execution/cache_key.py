"""Say with one short word everything that a cell can see, so that no cached output outlives it.

Outputs are kept under this digest and nowhere else: change a line of the library, of what runs the cells or of how
their outputs are shown, or a version of any installed package, and every cell runs again.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

SKIPPED = {"__pycache__", "_build", "dist", "node_modules"}


def installed() -> list[str]:
    """Return every installed package with its version."""
    return sorted({f"{d.name}=={d.version}" for d in distributions()})


def files(root: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder, but none that is hidden or that tools leave."""
    if root.is_file():
        yield root
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if path.name not in SKIPPED and not path.name.startswith("."):
            yield from files(path)


def fingerprint(words: Iterable[str], paths: Iterable[Path], root: Path) -> str:
    """Return the digest of words, and of files with their places below `root`."""
    parts = [(word, b"") for word in words]
    parts += [(path.relative_to(root).as_posix(), path.read_bytes()) for path in paths]
    seen = hashlib.sha256()
    for name, content in parts:
        for each in (name.encode(), content):
            seen.update(len(each).to_bytes(8, "big") + each)
    return seen.hexdigest()


def digest(library: Path, *helpers: Path) -> str:
    """Return the digest of the package `library`, of the code in `helpers` beside it, and of the versions."""
    words = [platform.python_version(), platform.machine(), *installed()]
    paths = list(files(library))
    for root in helpers:
        paths += [p for p in files(root) if p.suffix == ".py" or p.name == "matplotlibrc"]
    return fingerprint(words, paths, library.parent)[:16]
