"""Show signatures as a caller writes them: public instances by name, records by their fields.

Without this, a default such as ``bptt.tanh`` appears with the address of a function, which differs in every
build, and a record's signature spells out the type of each array, which its fields say below it anyway.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from sphinx.application import Sphinx

ACTIVATION = re.compile(r"Activation\(name='(\w+)'(?:, function=<.*?>, derivative=<.*?>)?\)")


def named(text: str) -> str:
    """Return a text in which each activation is called by its public name."""
    return ACTIVATION.sub(r"bptt.\1", text)


def _signature(
    app: Sphinx, what: str, name: str, thing: Any, *_: Any
) -> tuple[str | None, None] | None:
    """Return a signature for what needs one of its own, and leave all else to autodoc-typehints.

    An instance that can be called, as ``bptt.tanh``, has none: it is shown as data.
    """
    del app, name
    if what == "data":
        return None, None
    if what != "class" or not inspect.isclass(thing):
        return None
    if issubclass(thing, tuple) and hasattr(thing, "_fields"):
        return f"({', '.join(thing._fields)})", None
    plain = inspect.signature(thing)
    bare = [p.replace(annotation=p.empty) for p in plain.parameters.values()]
    text = str(plain.replace(parameters=bare, return_annotation=plain.empty))
    return (named(text), None) if ACTIVATION.search(text) else None


def _docstring(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Rewrite the defaults that autodoc-typehints has written into a docstring."""
    del app, what, name, thing, options
    lines[:] = [named(line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Come before autodoc-typehints for a signature, where the first answer counts, and after it for a text."""
    app.connect("autodoc-process-signature", _signature, priority=450)
    app.connect("autodoc-process-docstring", _docstring, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
