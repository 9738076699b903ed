"""Show signatures as a caller writes them: public instances by name, records by their fields.

Without this, a default such as ``bptt.tanh`` appears as what makes one, and a record's signature spells out the
type of each array, which its fields say below it anyway.
"""

import inspect
import re
from typing import Any, TypeAlias

from sphinx.application import Sphinx

ACTIVATION = re.compile(r"Activation\(name='(\w+)'\)")

Shown: TypeAlias = tuple[str, None]  # a signature, and what it returns


def named(text: str) -> str:
    """Return a text in which each activation is called by its public name."""
    return ACTIVATION.sub(r"bptt.\1", text)


def _signature(_app: Sphinx, what: str, _name: str, thing: Any, *_: Any) -> Shown | None:
    """Return a signature for what needs one of its own, and leave all else to autodoc-typehints."""
    if what != "class" or not inspect.isclass(thing):
        return None
    if issubclass(thing, tuple) and hasattr(thing, "_fields"):
        return f"({', '.join(thing._fields)})", None
    plain = inspect.signature(thing)
    bare = [p.replace(annotation=p.empty) for p in plain.parameters.values()]
    text = str(plain.replace(parameters=bare, return_annotation=plain.empty))
    return (named(text), None) if ACTIVATION.search(text) else None


def _docstring(*what: Any) -> None:
    """Rewrite the defaults that autodoc-typehints has written into a docstring."""
    lines: list[str] = what[-1]
    lines[:] = map(named, lines)


def setup(app: Sphinx) -> None:
    """Come before autodoc-typehints for a signature, where the first answer counts, and after it for a text."""
    app.connect("autodoc-process-signature", _signature, priority=450)
    app.connect("autodoc-process-docstring", _docstring, priority=900)
