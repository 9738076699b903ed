"""Show type aliases by name in signatures, the library's and NumPy's.

The formatter is a record and not a function: Sphinx pickles its configuration, and compares it by its text with that of
the build before. With a function, or with an address in the text, every page would be read again in each build.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

from numpy.random import Generator
from numpy.typing import ArrayLike, DTypeLike

UNIONS = (Union, UnionType)
NUMPY = {"ArrayLike": ArrayLike, "DTypeLike": DTypeLike}


@dataclass(frozen=True)
class AliasFormatter:
    """A ``typehints_formatter`` that knows the aliases of some modules, and NumPy's."""

    modules: tuple[tuple[str, str], ...]  # each, and by whose name its aliases are documented

    def _aliases(self) -> list[tuple[str, Any]]:
        mine = []
        for name, home in self.modules:
            module = importlib.import_module(name)
            for alias, kind in inspect.get_annotations(module).items():
                if kind is TypeAlias and get_args(getattr(module, alias)):
                    mine.append((f"~{home}.{alias}", getattr(module, alias)))
        return mine + [(f"~numpy.typing.{n}", alias) for n, alias in NUMPY.items()]

    def __call__(self, annotation: Any, _config: Any) -> str | None:
        """Return the role that shows an alias, alone or in a union; None for any other type."""
        aliases = self._aliases()
        if (whole := _known(annotation, aliases)) or get_origin(annotation) not in UNIONS:
            return whole
        parts = set(get_args(annotation))
        for name, alias in aliases:
            if get_origin(alias) in UNIONS and (inner := set(get_args(alias))) <= parts:
                rest = [a for a in get_args(annotation) if a not in inner]
                others = [_known(a, aliases) or _plain(a) for a in rest]
                return " | ".join([f":py:data:`{name}`", *others])
        return None


def _known(annotation: Any, aliases: list[tuple[str, Any]]) -> str | None:
    """Return the role of an alias or of NumPy's generator."""
    if annotation is Generator:
        return ":py:class:`numpy.random.Generator`"
    for name, alias in aliases:
        if str(alias) == str(annotation):
            return f":py:data:`{name}`"
    return None


def _plain(annotation: Any) -> str:
    """Return the role of None, which may stand beside an alias."""
    if annotation not in (None, NoneType):
        message = f"an annotation has {annotation} beside an alias: extend {__name__}"
        raise TypeError(message)
    return ":py:obj:`None`"
