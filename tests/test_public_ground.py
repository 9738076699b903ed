"""Only documented names of other packages are used, and nothing is assigned into them.

One release of one extension, of which three private functions had been replaced, once made every build red.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.house

ROOT = Path(__file__).parents[1]
LOOKED_AT = ("docs", "bptt", "tests", "benchmarks", "noxfile.py")
# Packages whose documentation says what is public: each module, and the names of it that we use.
SURFACE = {
    "docutils": {"nodes"},
    "docutils.core": {"publish_doctree"},
    "docutils.parsers.rst": {"directives"},
    "jupyter_cache": {"get_cache"},
    "jupyter_cache.base": {"CacheBundleIn"},
    "myst_nb.core.config": {"NbParserConfig"},
    "myst_nb.core.read": {"create_nb_reader"},
    "myst_parser.config.main": {"MdParserConfig"},
    "nbclient": {"NotebookClient"},
    "nbclient.exceptions": {"CellExecutionError"},
    "nbformat": {"NotebookNode"},
    "pygments": {"highlight"},
    "pygments.formatters": {"HtmlFormatter"},
    "pygments.lexers": {"PythonLexer"},
    "selectolax.lexbor": {"LexborHTMLParser", "LexborNode"},
    "sphinx": {"addnodes"},
    "sphinx.application": {"Sphinx"},
    "sphinx.builders": {"Builder"},
    "sphinx.config": {"Config"},
    "sphinx.environment": {"BuildEnvironment"},
    "sphinx.environment.collectors": {"EnvironmentCollector"},
    "sphinx.errors": {"ExtensionError"},
    "sphinx.transforms": {"SphinxTransform"},
    "sphinx.util": {"logging"},
    "sphinx.util.docutils": {"SphinxDirective", "SphinxRole"},
}
LISTED = {name.partition(".")[0] for name in SURFACE}
LISTED |= {"furo", "myst_nb", "myst_parser", "sphinx_autodoc_typehints", "sphinx_codeautolink"}
LISTED |= {"sphinx_design", "sphinxcontrib"}
WHOLE = {"nbclient", "nbformat"}  # imported as a module, and then used by what it exports
# What Python and nox document although it begins with an underscore, or is assigned.
DOCUMENTED = {"_asdict", "_exit", "_fields", "_is_gil_enabled", "_make", "_replace"}
SETTINGS = {"nox.needs_version", "nox.options", "os.environ", "tqdm.tqdm.monitor_interval"}
SETTINGS |= {
    "sys.argv",
    "sys.dont_write_bytecode",
    "sys.meta_path",
    "sys.modules",
    "sys.path",
    "sys.stderr",
    "sys.stdout",
}
LEFT = {"linecache.cache"}  # docs/_ext/README.md, "Public ground"
LINKS = """
import json

from sphinx_codeautolink import extension, parse
from sphinx_codeautolink.extension import backref, block, cache, resolve


def _apply(self, app, error):
    self.cache.write()


RESOLVE = resolve.resolve_location
extension.resolve_location = RESOLVE
extension.SphinxCodeAutoLink.apply_links = _apply
cache.DataCache.read = _apply
"""


def own_modules() -> set[str]:
    """Return the first parts of the names that modules of this repository are imported by."""
    folders = (ROOT, ROOT / "docs", ROOT / "tests", *(ROOT / "tests").glob("*/"))
    return {
        path.stem
        for folder in folders
        for path in folder.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }


def hidden(dotted: str) -> bool:
    """Say whether a part of a dotted name begins with one underscore."""
    parts = dotted.split(".")
    return any(p.startswith("_") and not p.endswith("__") and p not in DOCUMENTED for p in parts)


class Ground(ast.NodeVisitor):
    """Collect what stands on ground that is not public, in one module."""

    def __init__(self, own: set[str]) -> None:
        self.own, self.found = own, []
        self.foreign: dict[str, str] = {}  # name here -> what it means there

    def wrong(self, node: ast.AST, words: str) -> None:
        """Note what is wrong, and where."""
        self.found.append(f"{getattr(node, 'lineno', 0)}: {words}")

    def imported(self, node: ast.stmt, module: str, name: str, here: str) -> None:
        """Look at one imported name; "" is the module itself."""
        whole = f"{module}.{name}".rstrip(".")
        top = module.partition(".")[0]
        if top in self.own or top == "__future__":
            return
        self.foreign[here] = whole if name or here != top else top
        if hidden(whole):
            self.wrong(node, f"imports {whole}")
        elif top in LISTED and not (
            name in SURFACE.get(module, ()) or (not name and module in WHOLE)
        ):
            self.wrong(node, f"imports {whole}, which {top} does not document")

    def visit_Import(self, node: ast.Import) -> None:
        """Look at each module."""
        for alias in node.names:
            self.imported(node, alias.name, "", alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Look at each name."""
        for alias in node.names:
            if not node.level:
                self.imported(node, node.module or "", alias.name, alias.asname or alias.name)

    def dotted(self, node: ast.expr) -> str:
        """Return what an expression means in another package, "" if it is of none."""
        names: list[str] = []
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            if isinstance(node, ast.Attribute):
                names.insert(0, node.attr)
            node = node.value
        known = self.foreign.get(node.id, "") if isinstance(node, ast.Name) else ""
        return ".".join([known, *names]) if known else ""

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Look at an attribute that is read or assigned, of whatever began with a foreign name."""
        whole = self.dotted(node)
        if whole and hidden(node.attr):
            self.wrong(node, f"uses {whole}")
        self.assigned(node, whole)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Look at an item that is assigned."""
        self.assigned(node, self.dotted(node))
        self.generic_visit(node)

    def assigned(self, node: ast.Attribute | ast.Subscript, whole: str) -> None:
        """Note an assignment into another package."""
        allowed = any(whole == name or whole.startswith(f"{name}.") for name in SETTINGS | LEFT)
        if whole and not isinstance(node.ctx, ast.Load) and not allowed:
            self.wrong(node, f"assigns {whole}")

    def visit_Call(self, node: ast.Call) -> None:
        """Look at setattr(foreign, ...), which assigns, and getattr(anything, "_name"), which reads."""
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in {"setattr", "delattr"} and (whole := self.dotted(node.args[0])):
            self.wrong(node, f"assigns into {whole}")
        if called in {"getattr", "hasattr"} and len(node.args) > 1:
            name = node.args[1]
            if isinstance(name, ast.Constant) and hidden(str(name.value)):
                self.wrong(node, f"reads {name.value}")
        self.generic_visit(node)


def complaints(text: str) -> list[str]:
    """Return what is wrong with the text of a module."""
    ground = Ground(own_modules() | {"bptt", "_ext"})
    ground.visit(ast.parse(text))
    return sorted(ground.found)


def files() -> Iterator[str]:
    """Yield the modules of the repository: none outside of a checkout, where `house` tests do not run."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", *LOOKED_AT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    yield from (name for name in listing.stdout.split("\0") if name.endswith(".py"))


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in files()])
def test_only_public_names_of_other_packages(name: str) -> None:
    file = ROOT / name
    if file.is_file():
        assert complaints(file.read_text("utf-8")) == []


def test_the_module_that_broke_every_build_is_seen() -> None:
    found = "\n".join(complaints(LINKS))
    for words in (
        "imports sphinx_codeautolink.extension, which",
        "imports sphinx_codeautolink.extension.resolve, which",
        "assigns sphinx_codeautolink.extension.resolve_location",
        "assigns sphinx_codeautolink.extension.SphinxCodeAutoLink.apply_links",
        "assigns sphinx_codeautolink.extension.cache.DataCache.read",
    ):
        assert words in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import numpy as np\nnp._core.x", "uses numpy._core"),
        ("from numpy._typing import NDArray", "imports numpy._typing.NDArray"),
        ("import sphinx.search\nsphinx.search.IndexBuilder = 1", "assigns sphinx.search.Index"),
        ("import json\nsetattr(json, 'dumps', print)", "assigns into json"),
        ("import json\njson.tool['a'] = 1", "assigns json.tool"),
        ("x = 1\ngetattr(x, '_viewcode_modules', {})", "reads _viewcode_modules"),
        ("from sphinx.util.nodes import clean_astext", "which sphinx does not document"),
    ],
)
def test_what_is_not_public_is_seen(text: str, words: str) -> None:
    assert words in "\n".join(complaints(text))


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.path[:0] = ['a']",
        "import os\nos.environ['A'] = '1'\nos._exit(3)",
        "import numpy as np\nx = np.zeros(3)\nx[0] = 1\nx._mine = 2",
        "from bptt import _exercises\n_exercises._x = 1",
        "from docutils import nodes\nnodes.math",
    ],
)
def test_what_is_public_is_not_seen(text: str) -> None:
    assert complaints(text) == []


def test_this_file_knows_the_packages_that_are_ours() -> None:
    assert "tests/test_public_ground.py" in files()
    assert {"bptt", "benchmarks", "docs", "reference", "scratch", "conf"} <= own_modules()
    assert not {"sphinx", "numpy"} & own_modules()
    assert "docs" not in sys.stdlib_module_names
