"""Show signatures as a caller writes them: public instances and type aliases by name, records by their fields.

Without this, a default such as ``bptt.tanh`` appears as what makes one, and a record's signature spells out the
type of each array, which its fields say below it anyway.
"""

import importlib
import inspect
import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

from numpy.random import Generator
from numpy.typing import ArrayLike, DTypeLike
from sphinx.application import Sphinx

ACTIVATION = re.compile(r"Activation\(name='(\w+)'\)")
UNIONS = (Union, UnionType)
OTHERS = {  # than the library's own
    ":py:data:`~numpy.typing.ArrayLike`": ArrayLike,
    ":py:data:`~numpy.typing.DTypeLike`": DTypeLike,
    ":py:class:`numpy.random.Generator`": Generator,
    ":py:obj:`None`": NoneType,
}


@dataclass(frozen=True)
class AliasFormatter:
    """A ``typehints_formatter`` that knows the aliases of some modules, and NumPy's.

    It is a record and not a function: Sphinx pickles its configuration, and compares it by its text with that of the
    build before. With a function, or with an address in the text, every page would be read again in each build.
    """

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
                    raise TypeError(f"{lacking[0]} stands beside an alias: extend {__name__}")
                return " | ".join([role, *(roles[part] for part in rest)])
        return None


def named(text: str) -> str:
    """Return a text in which each activation is called by its public name."""
    return ACTIVATION.sub(r"bptt.\1", text)


def _signature(_app: Sphinx, what: str, _name: str, thing: Any, *_: Any) -> Any:
    """Return a signature, without what it returns, for what needs one of its own, and leave all else to autodoc-typehints."""
    if what != "class" or not inspect.isclass(thing):
        return None
    plain = inspect.signature(thing)
    bare = [p.replace(annotation=p.empty) for p in plain.parameters.values()]
    text = str(plain.replace(parameters=bare, return_annotation=plain.empty))
    own = hasattr(thing, "_fields") or ACTIVATION.search(text)
    return (named(text), None) if own else None


def _docstring(*what: Any) -> None:
    """Rewrite the defaults that autodoc-typehints has written into a docstring."""
    lines: list[str] = what[-1]
    lines[:] = map(named, lines)


def setup(app: Sphinx) -> None:
    """Come before autodoc-typehints for a signature, where the first answer counts, and after it for a text."""
    app.connect("autodoc-process-signature", _signature, priority=450)
    app.connect("autodoc-process-docstring", _docstring, priority=900)
