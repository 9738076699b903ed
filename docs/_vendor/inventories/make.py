"""Write small intersphinx inventories from a readable table, so that no build needs the network.

Run it after adding a row: ``python docs/_vendor/inventories/make.py``.
"""

from __future__ import annotations

import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
GENERATED = "reference/generated/$.html#$"
PYTHON = {
    "py:class": {
        "library/functions.html#$": ["bool", "float", "int", "object", "property", "complex"],
        "library/stdtypes.html#$": ["dict", "list", "set", "str", "tuple", "frozenset"],
        "library/collections.abc.html#$": [
            f"collections.abc.{name}"
            for name in ("Callable", "Iterable", "Iterator", "Mapping", "Sequence")
        ],
        "library/os.html#$": ["os.PathLike"],
        "library/typing.html#$": ["typing.NamedTuple", "typing.Protocol", "typing.TypeVar"],
    },
    "py:data": {
        "library/typing.html#$": [
            f"typing.{n}" for n in ("Any", "Literal", "Optional", "Self", "TypeAlias", "Union")
        ],
        "library/constants.html#$": ["Ellipsis", "False", "None", "True"],
    },
    "py:exception": {
        "library/exceptions.html#$": [
            "ArithmeticError", "AssertionError", "FloatingPointError", "RuntimeError",
            "RuntimeWarning", "TypeError", "UserWarning", "ValueError",
        ],
    },
    "py:module": {"library/dataclasses.html#module-$": ["dataclasses"]},
}  # fmt: skip
NUMPY = {
    "py:class": {
        GENERATED: ["numpy.ndarray", "numpy.dtype", "numpy.random.Generator"],
        "reference/arrays.scalars.html#$": [
            f"numpy.{n}"
            for n in ("bool", "complex128", "float32", "float64", "floating", "generic", "inexact", "int64")
        ],
    },
    "py:data": {
        "reference/typing.html#$": ["numpy.typing.ArrayLike", "numpy.typing.DTypeLike", "numpy.typing.NDArray"],
    },
    "py:function": {
        GENERATED: [
            f"numpy.{n}"
            for n in ("allclose", "array", "asarray", "arange", "einsum", "eye", "linspace", "ones", "zeros",
                      "max", "mean", "sum", "finfo", "random.default_rng", "testing.assert_allclose")
        ],
    },
}  # fmt: skip


def write(project: str, version: str, table: dict[str, dict[str, list[str]]]) -> None:
    """Write one inventory."""
    head = (
        "# Sphinx inventory version 2\n"
        f"# Project: {project}\n# Version: {version}\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    rows = [
        f"{name} {role} 1 {uri.replace('$.html', f'{name}.html')} -\n"
        for role, places in table.items()
        for uri, names in places.items()
        for name in names
    ]
    (HERE / f"{project}.inv").write_bytes(head.encode() + zlib.compress("".join(rows).encode(), 9))


if __name__ == "__main__":
    write("python", "3", PYTHON)
    write("numpy", "2", NUMPY)
