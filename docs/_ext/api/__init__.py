"""The library's reference: what is documented, how types and signatures read, where the source is shown."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

MODULES = (
    "completeness",
    "signatures",
    "library_source",
    "source_pages",
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Set up the modules of this package that take part in a build."""
    for name in MODULES:
        app.setup_extension(f"{__name__}.{name}")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
