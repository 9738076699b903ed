"""Say with one short word everything that a cell can see, so that no cached output outlives it.

Outputs are kept under this digest and nowhere else: change a line of the library, of what runs the cells or of how
their outputs are shown, or a version of any installed package, and every cell runs again.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
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


def digest(library: Path, *helpers: Path) -> str:
    """Return the digest of the package `library`, of the code in `helpers`, and of the versions."""
    words = [platform.python_version(), platform.machine(), *installed()]
    seen = hashlib.sha256("\0".join(words).encode())
    named = [(library, path) for path in files(library)]
    for root in helpers:
        code = (p for p in files(root) if p.suffix == ".py" or p.name == "matplotlibrc")
        named += [(root, path) for path in code]
    for root, path in named:
        seen.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]
