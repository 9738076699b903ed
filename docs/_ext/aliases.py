"""Show the library's type aliases by name in signatures.

The formatter is an instance of a class and not a function, because Sphinx pickles its configuration: a
function would be refused, and every page would be read again in each build.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AliasFormatter:
    """A ``typehints_formatter`` that knows the text of each alias's value."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.aliases = dict(aliases)

    def __call__(self, annotation: Any, config: Any = None) -> str | None:
        """Return the role that shows an alias, or None for any other type."""
        del config
        return self.aliases.get(str(annotation))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AliasFormatter) and other.aliases == self.aliases

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.aliases.items())))
