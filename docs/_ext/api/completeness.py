"""Refuse a site that does not document every public name, or documents one that is not there.

A bare ``automodule`` in a MyST page documents nothing and warns of nothing. A public name is one in ``__all__`` of
``bptt`` or of one of its packages; a thing has one public place: ``bptt``, or else its package.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

log = logging.getLogger(__name__)
MARKUP = re.compile(r"([\\*_`|])")


def public_packages(root: Any) -> list[Any]:
    """Return a package and what stands directly in it and has public names of its own."""
    names = [n for _, n, _ in pkgutil.iter_modules(root.__path__) if not n.startswith("_")]
    inside = [importlib.import_module(f"{root.__name__}.{name}") for name in names]
    return [root, *(module for module in inside if hasattr(module, "__all__"))]


def undocumented(module: Any, known: set[str]) -> Iterator[str]:
    """Yield the public names of a module that are known neither by it nor where they are defined."""
    for name in module.__all__:
        if name.startswith("__"):
            continue
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None) or module.__name__
        own = getattr(thing, "__name__", None)  # a module is known by its own name
        if not {f"{module.__name__}.{name}", f"{home}.{name}", own} & known:
            yield f"{module.__name__}.{name}"


def _document_data(_app: Sphinx, what: str, _name: str, thing: Any, *rest: Any) -> None:
    """Keep napoleon from taking a first line with a colon for ``type: description``; say what a mapping holds."""
    lines: list[str] = rest[-1]
    if what not in ("attribute", "data", "property"):
        return
    if lines and ":" in lines[0]:
        lines[0] = f":{lines[0]}"
    if isinstance(thing, dict):  # of words, as bptt.checking.KNOWN_BUGS
        lines.clear()  # what Python says of a dict
        for entry in thing.items():
            term, words = (MARKUP.sub(r"\\\1", text) for text in entry)
            lines += [term, f"    {words}", ""]


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    if app.config.bptt_only_pages:
        return
    rows = list(env.get_domain("py").get_objects())
    known = {row[0] for row in rows}
    for name, _, kind, page, *_ in rows:  # instances alone may have an attribute
        thing = name.rpartition(".")[0] if kind == "attribute" else name
        try:
            pkgutil.resolve_name(thing if name.startswith("bptt.") else "bptt")
        except (AttributeError, ImportError) as error:
            log.warning("%s is documented, and is not there: %s", name, error, location=page)
    root = importlib.import_module("bptt")
    for package in public_packages(root):
        for name in undocumented(package, known):
            if package is root or name.rpartition(".")[2] not in root.__all__:
                words = "%s is public, and no page documents it"
                log.warning(words, name, type="bptt", subtype="api")


def setup(app: Sphinx) -> None:
    """Check once all pages are read."""
    app.connect("autodoc-process-docstring", _document_data, priority=400)
    app.connect("env-check-consistency", _check)
