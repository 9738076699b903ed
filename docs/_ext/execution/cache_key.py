"""Say with one short word everything that a cell can see, so that no cached output outlives it.

Outputs are kept under this digest and nowhere else: change a line of the library, of what runs the cells or of how
their outputs are shown, or a version of any installed package, and every cell runs again.
"""

import hashlib
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from itertools import chain
from pathlib import Path

CODE = (".py", "matplotlibrc")
SKIPPED = {"__pycache__", "_build", "node_modules"}


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
    parts = chain(((word, b"") for word in words), ((n, path.read_bytes()) for n, path in places))
    seen = hashlib.sha256()
    for name, content in parts:
        for each in (name.encode(), content):
            seen.update(len(each).to_bytes(8, "big") + each)
    return seen.hexdigest()


def digest(library: Path, *helpers: Path) -> str:
    """Return the digest of the package `library`, of the code in `helpers`, and of the versions."""
    words = [platform.python_version(), platform.machine(), *installed()]
    code = (each for root in helpers for each in named(root) if each[0].endswith(CODE))
    return fingerprint(words, chain(named(library), code))[:16]
