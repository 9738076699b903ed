"""Sphinx configuration of the site; `nox -s docs` builds it, docs/_ext/README.md explains its parts."""

from __future__ import annotations

import builtins
import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import numpy as np
from _ext.api.code_links import KnownImports
from _ext.api.objects import public_locations
from _ext.api.signatures import AliasFormatter
from _ext.execution.fingerprint import digest
from _ext.publishing.build_info import revision, site_address
from matplotlib.axes import Axes
from sphinx.application import Sphinx

import bptt

PACKAGE = Path(bptt.__file__).resolve().parent

project = "bptt"
author = "The bptt developers"
release = version = bptt.__version__
show_warning_types = False  # MyST-NB writes them itself
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx.ext.intersphinx",
    "sphinxcontrib.bibtex",
    "sphinx_codeautolink",
    "sphinx_design",
]
parts = [  # of the site's own, in docs/_ext
    "api.code_links",
    "api.completeness",
    "api.library_source",
    "api.signatures",
    "execution.schedule",
    "formulas.katex",
    "formulas.references",
    "interactive.answers",
    "interactive.layers",
    "interactive.moving_figures",
    "ledger",
    "live.cells",
    "formats.notebook_and_script",
    "publishing.metadata",
    "publishing.offer",
    "publishing.pages",
]
exclude_patterns = ["_ext", "_vendor", "_build", "**/README.md"]
nitpicky = True
nitpick_ignore = [("py:class", f"{Axes.__module__}.Axes")]  # of bptt.plotting alone
nitpick_ignore_regex = [("py:.*", r"numpy\._typing\..*\.NDArray")]  # as NumPy 2.5 calls it
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"

# --- cells: what they can see is in the cache's path (see _ext/execution)
bptt_package = str(PACKAGE)
bptt_ledger_law = True  # every equation needs a check and code (docs/_ext/ledger)
bptt_only_pages = bool(os.environ.get("BPTT_DOCS_ONLY"))
bptt_frameworks = ["jax", "torch"]  # where one is not installed, its pages are not run and say so
bptt_pages_without_cells = [
    "reference/*",
    "changelog",
    "contributing",
    "*/index",
    "learn/further",
    "exercises/answers",
]
bptt_repository = os.environ.get("BPTT_REPOSITORY", "")  # owner/name on GitHub, for launch links
bptt_revision = os.environ.get("BPTT_DOCS_REVISION") or (
    revision(DOCS.parent) if bptt_repository else ""
)
nb_execution_mode = "cache"
CELLS_SEE = [DOCS / "_ext" / name for name in ("execution", "live/figures.py", "live/matplotlibrc")]
nb_execution_cache_path = str(DOCS / "_build" / "cache" / digest(PACKAGE, *CELLS_SEE))
nb_execution_timeout = 300
nb_merge_streams = False  # _ext/execution has done so, in an order that does not change
nb_ipywidgets_js: dict[str, Any] = {}
nb_mime_priority_overrides = [("html", "text/plain", 85)]  # before TeX, after all else

# --- live cells: fetched once, kept beside the outputs
live_cells = os.environ.get("BPTT_DOCS_LIVE") != "no"
live_cells_store = str(DOCS / "_build" / "cache" / "pyodide")

# --- pages
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
html_math_renderer = "static"
static_math_tags = {
    **{label: label.upper() for label in ("fwd", "bp0", "bp1", "bp2", "bp3", "bp4", "tie")},
    **{label: label.upper() for label in ("contrib", "trunc", "rtrl", "uoro", "scan", "hvp")},
    "ff-fwd": "FWD-FF",
    **{f"ff-bp{k}": f"BP{k}-FF" for k in (1, 2, 3, 4)},
    "gate-step": "CELL",
    "gate-delta": "CELL-DELTA",
    "gate-bp2": "CELL-BP2",
    "gate-bp4": "CELL-BP4",
}

# --- the library's reference
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
always_use_bars_union = True
typehints_defaults = "comma"
typehints_use_rtype = False
typehints_document_rtype_none = False
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
NOT_LINKED = dict.fromkeys(dir(builtins), "")  # or T, in T: int, would be a link to int
codeautolink_inventory_map = public_locations(bptt) | NOT_LINKED
codeautolink_warn_on_missing_inventory = False
codeautolink_custom_blocks = {"ipython3": KnownImports(("bptt", "numpy"))}


typehints_formatter = AliasFormatter(
    (
        ("bptt._core", "bptt._core"),
        ("bptt.algorithms.checkpointed", "bptt.algorithms.checkpointed"),
        ("bptt.algorithms.calls", "bptt.algorithms"),
    )
)
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "_vendor/inventories/python.inv"),
    "numpy": ("https://numpy.org/doc/stable", "_vendor/inventories/numpy.inv"),
}
intersphinx_disabled_reftypes = ["std:doc"]

# --- the look
html_theme = "furo"
html_title = "bptt"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static", "_vendor/static"]
templates_path = ["_templates"]
html_css_files = [
    "derivation-map.css",
    "custom.css",
    "copy.css",
    "live.css",
    "search.css",
    "cards.css",
    "cheat-sheet.css",
    ("print.css", {"media": "print"}),
]
html_js_files = [
    (name, {"defer": "defer"}) for name in ("copy.js", "scrolling.js", "search-keys.js", "cards.js")
]
LATER = {"loading_method": "defer"}
bptt_files = {  # by a mark in the pages that link them
    'class="equation-index"': [("equations.js", LATER)],
    'class="exercise-': [("exercises.js", LATER | {"priority": 900})],  # after copy.js
    'class="moving moving-net"': [("moving.css", {}), ("moving-net.js", LATER)],
    'class="moving moving-triangle"': [("moving.css", {}), ("moving-triangle.js", LATER)],
}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {"top_of_page_buttons": []}
html_baseurl = site_address()
html_additional_pages = {"404": "404.html"}
html_context = {
    "bptt_installed": f"Python {platform.python_version()}, NumPy {np.__version__}",
    "bptt_repository": bptt_repository,
    "bptt_address": html_baseurl,
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

OWN_OPTIONS = {  # set above; by what is made again when one of them changes
    "": ("bptt_ledger_law", "bptt_only_pages", "bptt_pages_without_cells", "live_cells_store"),
    "env": ("bptt_frameworks", "bptt_package", "live_cells", "static_math_tags"),
    "html": ("bptt_files", "bptt_repository", "bptt_revision"),
}


def setup(app: Sphinx) -> None:
    """Register the options of the site's own machinery, and set up each part of it."""
    for rebuild, names in OWN_OPTIONS.items():
        for name in names:
            app.add_config_value(name, None, rebuild)
    for part in parts:
        import_module(f"_ext.{part}").setup(app)
