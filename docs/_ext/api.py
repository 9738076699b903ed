"""Refuse a site that does not document every public name.

A bare ``automodule`` in a MyST page documents nothing and warns of nothing; so the build itself asks
whether each name of ``bptt.__all__`` is in the inventory (``objects.inv``) that it is about to write.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

log = logging.getLogger(__name__)


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


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    if app.config.bptt_only_pages:
        return
    domain = env.get_domain("py")
    known = {row[0] for row in domain.get_objects()}
    for name in undocumented(importlib.import_module("bptt"), known):
        log.warning("%s is public, and no page documents it", name, type="bptt", subtype="api")


def setup(app: Sphinx) -> dict[str, Any]:
    """Check once all pages are read."""
    app.add_config_value("bptt_only_pages", False, "", types=(bool,))
    app.connect("env-check-consistency", _check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
