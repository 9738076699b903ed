"""Say with one short word everything that a cell can see, so that no cached output outlives it.

Outputs are kept under this digest and nowhere else: change a line of the library, of what runs the cells or of how
their outputs are shown, or a version of what they run on, and every cell runs again.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = (
    "dask",
    "distributed",
    "ipykernel",
    "ipython",
    "jax",
    "jaxlib",
    "jupyter-cache",
    "matplotlib",
    "matplotlib-inline",
    "myst-nb",
    "nbclient",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "sympy",
    "torch",
    "tqdm",
)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if path.is_file() and not {"__pycache__", "_build"} & set(path.parts):
            yield path


def digest(library: Path, *helpers: Path) -> str:
    """Return the digest of the package `library`, of the code in `helpers`, and of the versions."""
    seen = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    for name in DISTRIBUTIONS:
        seen.update(f"\0{name}=={_version(name)}".encode())
    files = [(library, path) for path in _files(library)]
    for root in helpers:
        named = (p for p in _files(root) if p.suffix == ".py" or p.name == "matplotlibrc")
        files += [(root, path) for path in named]
    for root, path in files:
        seen.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]
