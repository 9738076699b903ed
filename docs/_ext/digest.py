"""Say with one short word everything that a cell can see, so that no cached output outlives it.

An executed page is kept under this digest and nowhere else: change a line of the library, of the site's own
machinery or of a helper beside the pages, or a version of what they run on, and every cell runs again.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = (
    "dask",
    "distributed",
    "ipykernel",
    "ipython",
    "jax",
    "jaxlib",
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
    for path in sorted(root.rglob("*")):
        if path.is_file() and not {"__pycache__", "_build"} & set(path.parts):
            yield path


def digest(library: Path, docs: Path, distributions: Iterable[str] = DISTRIBUTIONS) -> str:
    """Return the digest of the package in `library`, the helpers in `docs`, and the versions."""
    seen = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    for name in distributions:
        seen.update(f"\0{name}=={_version(name)}".encode())
    helpers = [p for p in _files(docs) if p.suffix == ".py" or p.name == "matplotlibrc"]
    for root, paths in ((library, list(_files(library))), (docs, helpers)):
        for path in paths:
            seen.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]
