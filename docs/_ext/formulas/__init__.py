"""Formulas, rendered by KaTeX while the site is built."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

MODULES = ("katex",)


def setup(app: Sphinx) -> dict[str, Any]:
    """Set up the modules of this package that take part in a build."""
    for name in MODULES:
        app.setup_extension(f"{__name__}.{name}")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
