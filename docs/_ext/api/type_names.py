"""Show type aliases by name in signatures, the library's and NumPy's.

The formatter is a record and not a function: Sphinx pickles its configuration, and compares it by its text with that of
the build before. With a function, or with an address in the text, every page would be read again in each build.
"""

import importlib
import inspect
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

from numpy.random import Generator
from numpy.typing import ArrayLike, DTypeLike

UNIONS = (Union, UnionType)
OTHERS = {  # than the library's own
    ":py:data:`~numpy.typing.ArrayLike`": ArrayLike,
    ":py:data:`~numpy.typing.DTypeLike`": DTypeLike,
    ":py:class:`numpy.random.Generator`": Generator,
    ":py:obj:`None`": NoneType,
}


@dataclass(frozen=True)
class AliasFormatter:
    """A ``typehints_formatter`` that knows the aliases of some modules, and NumPy's."""

    modules: tuple[tuple[str, str], ...]  # each, and by whose name its aliases are documented

    def _known(self) -> dict[str, Any]:
        """Return what is shown by a name: each role with its type."""
        found = {}
        for name, home in self.modules:
            module = importlib.import_module(name)
            for alias, kind in inspect.get_annotations(module).items():
                if kind is TypeAlias and get_args(getattr(module, alias)):
                    found[f":py:data:`~{home}.{alias}`"] = getattr(module, alias)
        return found | OTHERS

    def __call__(self, annotation: Any, _config: Any) -> str | None:
        """Return the role that shows an alias, alone or in a union; None for any other type."""
        known = self._known()
        roles = {str(kind): role for role, kind in reversed(known.items())}  # the first counts
        if str(annotation) in roles or get_origin(annotation) not in UNIONS:
            return roles.get(str(annotation))
        parts = get_args(annotation)
        for role, kind in known.items():
            if get_origin(kind) in UNIONS and {*get_args(kind)} <= {*parts}:
                rest = [str(part) for part in parts if part not in get_args(kind)]
                if lacking := [part for part in rest if part not in roles]:
                    message = f"an annotation has {lacking[0]} beside an alias: extend {__name__}"
                    raise TypeError(message)
                return " | ".join([role, *(roles[part] for part in rest)])
        return None
