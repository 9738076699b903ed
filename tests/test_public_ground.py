"""Only documented names of other packages are used, and nothing is assigned into them.

One release of one extension, of which three private functions had been replaced, once made every build red.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from doctest import DocTestParser
from functools import cache
from inspect import ismodule
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent

import pytest

pytestmark = pytest.mark.house

ROOT = Path(__file__).parents[1]
# Packages whose documentation says what is public: each module, and the names of it that we use.
SURFACE = {
    "docutils": {"nodes"},
    "docutils.core": {"publish_doctree"},
    "docutils.parsers.rst": {"directives"},
    "hatchling.build": {"build_wheel"},
    "ipykernel.kernelapp": {"IPKernelApp"},
    "jupyter_cache": {"get_cache"},
    "jupyter_cache.base": {"CacheBundleIn"},
    "jupyter_client": {"AsyncKernelClient", "AsyncKernelManager"},
    "myst_nb.core.config": {"NbParserConfig"},
    "myst_nb.core.read": {"create_nb_reader"},
    "myst_parser.config.main": {"MdParserConfig"},
    "nbclient": {"NotebookClient"},
    "nbclient.exceptions": {"CellExecutionError"},
    "nbformat": {"NO_CONVERT", "NotebookNode", "from_dict", "read", "v4", "validate", "writes"},
    "pygments": {"highlight"},
    "pygments.formatters": {"HtmlFormatter"},
    "pygments.lexers": {"PythonLexer"},
    "quickjs": {"Context"},
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
    "traitlets.config": {"Config"},
}
LISTED = {name.partition(".")[0] for name in SURFACE}
LISTED |= {"furo", "myst_nb", "myst_parser", "sphinx_autodoc_typehints", "sphinx_codeautolink"}
LISTED |= {"sphinx_design", "sphinxcontrib"}
WHOLE = {"nbclient", "nbformat"}  # imported as a module
# What Python and nox document although it begins with an underscore, or is assigned.
DOCUMENTED = {"_asdict", "_exit", "_fields", "_is_gil_enabled", "_make", "_replace"}
SPACES = {"jax.config", "nox.options", "os.environ"}  # with all that is in them
SETTINGS = {"nox.needs_version", "sys.argv", "sys.dont_write_bytecode", "sys.meta_path"}
SETTINGS |= {"sys.modules", "sys.modules.__main__", "sys.path", "sys.stderr", "sys.stdout"}
SETTINGS |= {"tqdm.tqdm.monitor_interval"}
SETTINGS |= {f"sys.modules.{name}" for name in ("debugpy", "nox", "numba")}  # not to be found
# Functions and methods, wherever they come from: what they do with their first argument, or with their object.
IMPORT = {"__import__", "find_spec", "import_module", "importorskip", "resolve_name"}
ASSIGN = {"setattr", "delattr", "__setattr__", "__delattr__", "setitem", "delitem"}
UNDONE = {"mock", "monkeypatch", "patch"}  # what tests replace for a while may be any public name
RUN = {"eval", "exec"}
READ = {"attrgetter", "getattr", "getattr_static", "hasattr", "methodcaller"}
NAME = re.compile(r"\w+(\.\w+)*(:[a-zA-Z_][\w.]*)?")  # of a module, and perhaps of something in it
IMPORTS = re.compile(r"^\s*(?:from \S+ )?import |; *import ", re.MULTILINE)
CELL = re.compile(
    r"^ {,3}(`{3,}|~{3,}) *(?:\{code-cell\}|python)[^\n]*\n(?:---\n.*?^---\n|(?: *:[^\n]*\n)*)(.*?)^ {,3}\1",
    re.DOTALL | re.MULTILINE,
)
# Strings that look like private names: folders, ends of names.
NO_NAMES = {"_", "_NUM_THREADS", "_build", "_k", "_l", "_modules", "_reverse", "_sysconfigdata"}
NO_NAMES |= {"_templates"}
CHANGE = {"append", "clear", "extend", "insert", "pop", "remove", "setdefault", "update"}
CHANGE |= {
    "__setitem__",
    "add",
    "appendleft",
    "discard",
    "move_to_end",
    "popitem",
    "reverse",
    "sort",
}
CLASSES = {"__bases__", "__class__", "__globals__", "__mro__"}  # of whatever has them
LEFT = {"linecache.cache"}  # docs/_ext/README.md, "Public ground"
UNKNOWN = "…"  # a part of a string
HELD = "held: "  # begins the meaning of what holds a thing of another package
HOLD = (ast.Dict, ast.List, ast.Set, ast.Tuple)
HAND_ON = {"copy", "enumerate", "get", "items", "iter", "list", "next", "pop"}
HAND_ON |= {"tuple", "values", "zip"}
EACH = {"filter", "map", "reduce"}
SAME = {"closing", "enter_context", "nullcontext"}  # they give what they are given
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


@cache
def own_modules() -> frozenset[str]:
    """Return the first parts of the names that modules of this repository are imported by."""
    folders = (ROOT, ROOT / "docs", ROOT / "tests", *(ROOT / "tests").glob("*/"))
    return frozenset(
        path.stem
        for folder in folders
        for path in folder.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    )


def hidden(dotted: str) -> bool:
    """Say whether a part of a dotted name begins with one underscore."""
    parts = dotted.split(".")
    return any(p.startswith("_") and not p.endswith("__") and p not in DOCUMENTED for p in parts)


def values(node: ast.Call) -> list[ast.expr]:
    """Return what a call is given, by place and by name."""
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def given(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module gives to things of its own."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store())
            ):
                yield name


@cache
def own_names() -> set[str]:
    """Return the names that modules of this repository give, to themselves too."""
    there = [ROOT / name for name in files() if (ROOT / name).is_file()]
    parts = {part for path in there for part in path.relative_to(ROOT).with_suffix("").parts}
    return parts.union(*(given(ast.parse(code(path))) for path in there))


class Ground(ast.NodeVisitor):
    """Collect what stands on ground that is not public, in one module."""

    def __init__(self, own: set[str], names: set[str], tree: ast.Module) -> None:
        self.own, self.names, self.found = own, names, []
        self.bases, self.said, self.made = {}, {}, {}  # of classes; strings and calls, by names
        self.inside = True  # look at the code in strings
        called = [(node, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        called += [(c, f) for c in classes for f in c.body if getattr(f, "name", "") == "__init__"]
        self.takes = {  # function, or class -> its arguments
            of.name: [a.arg for a in ast.walk(node.args) if getattr(a, "arg", "self") != "self"]
            for of, node in called
        }
        # name here -> what it means there
        self.foreign = {name: f"builtins.{name}" for name in ASSIGN | READ | {"__import__", "vars"}}
        self.foreign["__builtins__"] = "builtins"

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
        if hidden(whole) or name == "*":
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
        if isinstance(node, (ast.Name, ast.Attribute)):
            text = node.id if isinstance(node, ast.Name) else ast.unparse(node)
            here = self.foreign.get(text, "") if isinstance(node.ctx, ast.Load) else ""
            whole = self.dotted(node.value) if isinstance(node, ast.Attribute) else ""
            of, _, name = text.rpartition(".")
            whole = f"{whole}.{name}" if whole else here
            return (
                f"the {name} of {of}" if not whole and name in CLASSES and of != "self" else whole
            )
        if isinstance(node, (ast.BoolOp, ast.IfExp, ast.NamedExpr, *HOLD)):
            whole = next(filter(None, map(self.dotted, ast.iter_child_nodes(node))), "")
            return HELD + whole.removeprefix(HELD) if whole and isinstance(node, HOLD) else whole
        if isinstance(node, ast.Subscript):
            if ast.unparse(node.value) in ("globals()", "locals()", "vars()"):
                return self.foreign.get(self.text(node.slice), "")
            whole = self.dotted(node.value)
            return self.named(node.slice) if whole == "sys.modules" else whole.removeprefix(HELD)
        return self.returned(node) if isinstance(node, ast.Call) else ""

    def returned(self, node: ast.Call) -> str:
        """Return what a call gives back of another package, "" if it is of none."""
        called, given = self.called(node), values(node)
        if given and (called in IMPORT or self.dotted(node.func) == "sys.modules.get"):
            return self.named(*given)
        whole = self.dotted(given[0]) if given else ""
        if called in ("vars", "getattr") and whole:
            name = self.named(*given[1:2]) if called == "getattr" else "__dict__"
            return f"{whole}.{name}"
        if called == "type" and len(given) == 1 and ast.unparse(given[0]) != "self":
            return f"the class of {ast.unparse(given[0])}"
        every = map(self.dotted, [*given, getattr(node.func, "value", node.func)])
        held = (e for e in every if e.startswith((HELD, "sys.modules")) and called in HAND_ON)
        ours = self.foreign.get(f"{ast.unparse(node.func)}()", "")
        return ours or (whole if called in SAME else next(held, ""))

    def named(self, *given: ast.expr) -> str:
        """Return the name of another package, or in one, that a string is, seen from a second; "" if it is none."""
        texts = [*map(self.text, given)]
        name, within = [*texts, "", ""][:2]
        name = within + name if name.startswith(".") else name
        top = name.partition(".")[0]
        return "" if top in self.own or UNKNOWN in top else name

    def text(self, node: ast.expr) -> str:
        """Return what is known of a string, wherever it was put together."""
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
        ):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node.left, node.right]
            return "".join(map(self.text, parts))
        known = self.said.get(getattr(node, "id", ""), UNKNOWN)
        return str(node.value) if isinstance(node, ast.Constant) else known

    def called(self, node: ast.Call) -> str:
        """Return the name of a function, whatever it is called here."""
        return (self.dotted(node.func) or ast.unparse(node.func)).rpartition(".")[2]

    def means(self, target: ast.expr | ast.arg, value: ast.expr | None) -> None:
        """Take a name for what it is given to mean."""
        if isinstance(target, ast.Name) and value:
            self.said[target.id] = self.text(value)
        if isinstance(value, ast.Call):
            self.made[ast.unparse(target)] = value
        if isinstance(value, ast.Lambda):
            self.means(ast.Name(f"{ast.unparse(target)}()"), value.body)
        both = (target, value)
        if all(isinstance(each, (ast.Tuple, ast.List)) for each in both):
            for one, other in zip(*(each.elts for each in both), strict=False):
                self.means(one, other)
        elif value and (whole := self.dotted(value)):
            for each in getattr(target, "elts", [target]):
                self.foreign[each.arg if isinstance(each, ast.arg) else ast.unparse(each)] = whole
        elif isinstance(value, (ast.Call, *HOLD)):  # what it makes is ours
            self.foreign.pop(ast.unparse(target), None)

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        """Look at each name."""
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self.means(target, node.value)
        self.generic_visit(node)

    visit_AnnAssign = visit_NamedExpr = visit_Assign

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Look at what a class puts in the place of something of another package."""
        bases = [self.dotted(base) or self.bases.get(ast.unparse(base), "") for base in node.bases]
        for each in node.body:  # what all objects of the class share
            for target in getattr(each, "targets", [getattr(each, "target", None)]):
                if isinstance(target, ast.Name):
                    self.means(ast.Name(f"{node.name}.{target.id}"), each.value)
                    self.means(ast.Name(f"self.{target.id}"), each.value)
        for base in filter(None, bases):
            self.bases[node.name] = base
            with suppress(AttributeError, ImportError, ValueError):
                theirs = {name for name in dir(resolve_name(base)) if hidden(name)}
                for name in theirs.intersection(given(node)):
                    self.wrong(node, f"replaces {base}.{name}")
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.comprehension) -> None:
        """Look at what is gone through."""
        for each in getattr(node.iter, "elts", [ast.Subscript(node.iter, ast.Constant(0))]):
            self.means(node.target, each)
        self.generic_visit(node)

    visit_comprehension = visit_For

    def visit_withitem(self, node: ast.withitem) -> None:
        """Look at what is entered."""
        if node.optional_vars:
            self.means(node.optional_vars, node.context_expr)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Look at what a function returns."""
        for each in ast.walk(node):
            if isinstance(each, ast.Return):
                self.means(ast.Name(f"{node.name}()"), each.value)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def generic_visit(self, node: ast.AST) -> None:
        """Look at a comment that states a type, too."""
        if comment := getattr(node, "type_comment", None):
            with suppress(SyntaxError):
                self.visit(ast.parse(comment))
        super().generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        """Look at the name of an argument."""
        if hidden(node.arg or "") and node.arg not in self.names:
            self.wrong(node, f"uses {node.arg}")
        self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> None:
        """Look at what arguments are if nothing is given."""
        last = [*node.posonlyargs, *node.args][::-1]
        for places, given in ((last, node.defaults[::-1]), (node.kwonlyargs, node.kw_defaults)):
            for place, value in zip(places, given, strict=False):
                self.means(place, value)
        self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        """Look at the attributes that a pattern reads."""
        for name in node.kwd_attrs:
            if hidden(name) and name not in self.names:
                self.wrong(node, f"uses {name}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Look at a string that may be the name of something in another package."""
        text = node.value if isinstance(node.value, str) else ""
        if self.inside and IMPORTS.search(text):  # code for another process
            with suppress(SyntaxError):
                self.visit(ast.parse(dedent(text)))
        if NAME.fullmatch(text) and text not in NO_NAMES and hidden(text.replace(":", ".")):
            parts = re.split("[.:]", text)
            own = parts[0] in self.own or len(parts) == 1
            if not own or any(hidden(part) and part not in self.names for part in parts):
                self.wrong(node, f"reads {text}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Look at an attribute that is read or assigned, of whatever began with a foreign name."""
        whole = self.dotted(node)
        theirs = whole and not whole.startswith("the ")
        if hidden(node.attr) and (theirs or node.attr not in self.names):
            self.wrong(node, f"uses {whole or ast.unparse(node)}")
        if whole.partition(".")[0] in LISTED:
            self.reached(node, whole)
        if hidden(node.attr) and ast.unparse(node.value).startswith("super("):
            self.wrong(node, f"uses super().{node.attr}")
        self.assigned(node, whole)
        self.generic_visit(node)

    def reached(self, node: ast.Attribute, whole: str) -> None:
        """Look at a module that stands in another, or at a name in one that is imported whole."""
        module, _, name = whole.partition(".")
        wrong = module in WHOLE and name.partition(".")[0] not in SURFACE[module]
        with suppress(AttributeError, ImportError, ValueError):
            known = module in WHOLE or whole in SURFACE
            wrong |= not known and ismodule(resolve_name(whole))
        if wrong:
            self.wrong(node, f"uses {whole}, which {module} does not document")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Look at an item that is assigned, or is a module."""
        if self.dotted(node.value) == "sys.modules" and (whole := self.dotted(node)):
            self.imported(node, whole, "", whole)
        self.assigned(node, self.item(node.value, node.slice))
        self.generic_visit(node)

    def item(self, node: ast.expr, *key: ast.expr) -> str:
        """Return what is changed where an item is: a module in ``sys.modules``, else what has the item."""
        whole = self.dotted(node)
        named = f".{self.named(*key)}" if whole == "sys.modules" else ""
        return "" if whole.startswith(HELD) else f"{whole}{named}".rstrip(".")

    def assigned(self, node: ast.Attribute | ast.Subscript, whole: str) -> None:
        """Note an assignment into another package."""
        if not isinstance(node.ctx, ast.Load):
            self.assigned_into(node, whole)

    def assigned_into(self, node: ast.AST, whole: str) -> None:
        """Note a change of what belongs to another package."""
        allowed = whole in SETTINGS | LEFT | SPACES or whole.startswith(
            tuple(f"{s}." for s in SPACES)
        )
        if whole and not allowed:
            self.wrong(node, f"assigns {whole.removeprefix(HELD)}")

    def visit_Call(self, node: ast.Call) -> None:
        """Look at calls that import, assign or read what a string names, or change a thing of another package."""
        called = self.called(node)
        given = [self.dotted(each) for each in node.args]
        if called in IMPORT and (whole := self.dotted(node)):
            self.imported(node, whole, "", whole)
        if called in ASSIGN and ast.unparse(node.func).partition(".")[0] not in UNDONE:
            text = self.named(*node.args[:1])  # as pytest takes what to replace
            self.assigned_into(node, "".join(given[:1]) or text * ("." in text))
        if given and given[0].rpartition(".")[2] in ASSIGN:  # as partial(setattr, ...)
            self.assigned_into(node, "".join(given[1:2]))
        if called not in IMPORT:
            self.strings(node)
        if called in RUN:
            with suppress(SyntaxError):
                self.visit(ast.parse(self.named(*node.args[:1])))
        if called in READ:  # a name put together, or of this repository, which has no need of it
            for part in filter(hidden, {self.text(each) for each in ast.walk(node)}):
                self.wrong(node, f"reads {part}")
        places = [] if self.dotted(node.func) else self.takes.get(called, [])
        handed = [*zip(places, node.args, strict=False), *((k.arg, k.value) for k in node.keywords)]
        for name, value in handed:
            if name in places and self.dotted(value):
                self.means(ast.Name(name), value)
        if called in CHANGE and isinstance(node.func, ast.Attribute):
            whole = self.item(node.func.value, *node.args[:1])
            self.assigned_into(node, whole if "." in whole else "")  # np.append changes nothing
        self.lambdas(node, called)
        self.generic_visit(node)

    def lambdas(self, node: ast.Call, called: str) -> None:
        """Look at what a lambda is called with, and at what is replaced and never undone."""
        started = getattr(node.func, "value", None) if called == "start" else None
        started = self.made.get(ast.unparse(started), started) if started else None
        func = started.func if isinstance(started, ast.Call) else ast.Name("", ast.Store())
        if UNDONE & {*re.split(r"\W", f"{ast.unparse(func)} {self.dotted(func)}")}:
            self.wrong(node, f"assigns for good: {ast.unparse(node)}")
        for each in (node.func, *values(node)):  # a lambda, and what it is called with
            if isinstance(each, ast.Lambda) and (each is node.func or called in EACH):
                for place in each.args.args:
                    for value in filter(self.dotted, values(node)):
                        self.means(place, value)

    def strings(self, node: ast.Call) -> None:
        """Look at what a call is given that may be the name of something in another package."""
        for name in (self.named(each).replace(":", ".") for each in values(node)):
            top = name.partition(".")[0]
            if top in LISTED and "." in name and NAME.fullmatch(name) and name not in SURFACE:
                parts = ((module, each) for module in SURFACE for each in SURFACE[module])
                if not any(f"{name}.".startswith(f"{module}.{each}.") for module, each in parts):
                    self.wrong(node, f"names {name}, which {top} does not document")


def complaints(text: str, inside: bool = True) -> list[str]:
    """Return what is wrong with the text of a module, and perhaps with the code in its strings."""
    tree = ast.parse(text, type_comments=True)
    ground = Ground(own_modules() | {"bptt", "_ext"}, own_names() | set(given(tree)), tree)
    ground.inside = inside
    for _ in range(2):  # what a name means may stand below its use
        ground.found.clear()
        ground.visit(tree)
    return sorted(ground.found)


def files() -> Iterator[str]:
    """Yield the modules and pages of the repository: none outside of a checkout, where `house` tests do not run."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    yield from (name for name in listing.stdout.split("\0") if name.endswith((".py", ".md")))


def code(file: Path) -> str:
    """Return the text of a module and of its examples, or of the cells of a page."""
    text = file.read_text("utf-8")
    examples = [each.source for each in DocTestParser().get_examples(text)]
    cells = (match[2] for match in CELL.finditer(text))
    return "\n".join([text, *examples] if file.suffix == ".py" else map(dedent, cells))


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in files()])
def test_only_public_names_of_other_packages(name: str) -> None:
    file = ROOT / name
    if file.is_file():
        assert complaints(code(file), file != Path(__file__)) == []


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
        ("import json\nsetattr(json, 'dumps', print)", "assigns json"),
        ("import json\nobject.__setattr__(json, 'dumps', print)", "assigns json"),
        ("import json\nvars(json)['dumps'] = print", "assigns json.__dict__"),
        ("import json\njson.__dict__.update(dumps=print)", "assigns json.__dict__"),
        ("import json as j\nk = j\nk.dumps = print", "assigns json.dumps"),
        ("import json\nk = json.JSONEncoder\nk.default = print", "assigns json.JSONEncoder.default"),
        ("import sys\nsys.modules['json'].dumps = print", "assigns json.dumps"),
        ("import json\njson.names.append(1)", "assigns json.names"),
        ("from importlib import import_module\nimport_module('numpy._core')", "imports numpy._core"),
        ("import importlib as i\ni.import_module('json').x = 1", "assigns json.x"),
        ("__import__('sphinx.util.nodes')", "imports sphinx.util.nodes, which sphinx does not"),
        ("from pkgutil import resolve_name as r\nimport pkgutil\npkgutil.resolve_name('a._b')", "imports a._b"),
        ("from operator import attrgetter\nattrgetter('_x')(1)", "reads _x"),
        ("def f(monkeypatch):\n    monkeypatch.setattr('numpy._core.x', 1)", "reads numpy._core.x"),
        ("import json\nclass A(json.B):\n    def f(self):\n        super()._f()", "uses super()._f"),
        ("import json\njson.tool['a'] = 1", "assigns json.tool"),
        ("x = 1\ngetattr(x, '_viewcode_modules', {})", "reads _viewcode_modules"),
        ("k = 'x'\ngetattr(k, f'_{k}')", "reads _"),
        ("g = getattr\ng(1, '_foreign')", "reads _foreign"),
        ("from importlib import import_module as i\ni('json').x = 1", "assigns json.x"),
        ("import json\nvars(json)['_foreign']", "reads _foreign"),
        ("def f(mocker):\n    mocker.patch(target='numpy._core.x')", "reads numpy._core.x"),
        ("def f(app):\n    app.builder._foreign()", "uses app.builder._foreign"),
        ("import json\nk: object = json if 1 else 0\nk.x = 1", "assigns json.x"),
        ("import json\nclass A:\n    def f(self):\n        self.j = json\n        self.j.x = 1", "assigns json.x"),
        ("from sphinx.util.nodes import clean_astext", "which sphinx does not document"),
        ("import json\nfor m in (json, 1):\n    m.dumps = print", "assigns json.dumps"),
        ("import json\nj, k = json, 1\nj.dumps = print", "assigns json.dumps"),
        ("import json\ndef f(a, m=json):\n    m.dumps = print", "assigns json.dumps"),
        ("import json\ndef f(*, m=json):\n    m.dumps = print", "assigns json.dumps"),
        ("import sys\nsys.modules['json'] = 1", "assigns sys.modules.json"),
        ("import sys\nsys.modules.pop('json')", "assigns sys.modules.json"),
        ("import sys\nsys.modules.get('json').dumps = 1", "assigns json.dumps"),
        ("import sys\nsys.stdout.write = print", "assigns sys.stdout.write"),
        ("__builtins__.print = 1", "assigns builtins.print"),
        ("from importlib import import_module\nimport_module('.nodes', 'sphinx.util')", "sphinx.util.nodes, which"),
        ("import importlib as i\ni.import_module(name='sphinx.util.nodes')", "sphinx.util.nodes, which"),
        ("from numpy import *", "imports numpy.*"),
        ("exec('import numpy._core')", "imports numpy._core"),
        ("import json\neval('json.dumps.clear()')", "assigns json.dumps"),
        ("import functools, json\nfunctools.partial(setattr, json, 'x')(1)", "assigns json"),
        ("import operator, json\noperator.setitem(vars(json), 'x', 1)", "assigns json.__dict__"),
        ("from unittest import mock\nmock.patch('sphinx.util.nodes.x')", "names sphinx.util.nodes.x, which"),
        ("import pydoc\npydoc.locate('sphinx.util.nodes')", "names sphinx.util.nodes, which"),
        ("match 1:\n    case int(_foreign=x):\n        pass", "uses _foreign"),
        ("import json\nm = {'j': json}\nm['j'].dumps = print", "assigns json.dumps"),
        ("import json\nfor _, m in {1: json}.items():\n    m.dumps = print", "assigns json.dumps"),
        ("import json\nm = [json]\nfor k in list(m):\n    k.dumps = print", "assigns json.dumps"),
        ("import json\n[setattr(m, 'x', 1) for m in (json,)]", "assigns json"),
        ("import json\ndef f(a: int, m: object = json):\n    m.dumps = print", "assigns json.dumps"),
        ("import json\ndef f(m):\n    m.dumps = print\nf(json)\nf(dict())", "assigns json.dumps"),
        ("import json\nclass A:\n    def f(self, m):\n        m.x = 1\nA().f(m=json)", "assigns json.x"),
        ("def f():\n    j.dumps = print\nimport json as j", "assigns json.dumps"),
        (
            "from threading import Thread\nclass A(Thread):\n    async def _bootstrap(self):\n        pass",
            "replaces threading.Thread._bootstrap",
        ),
        ("import json\ndef f():\n    return json\nf().dumps = print", "assigns json.dumps"),
        ("import json\nf = lambda: json\nf().dumps = print", "assigns json.dumps"),
        ("import json\n(lambda m: setattr(m, 'x', 1))(json)", "assigns json"),
        ("import json\nlist(map(lambda m: setattr(m, 'x', 1), [json]))", "assigns json"),
        (
            "import json\nfrom contextlib import nullcontext\nwith nullcontext(json) as j:\n    j.x = 1",
            "assigns json.x",
        ),
        ("import json\ngetattr(json, 'decoder').x = 1", "assigns json.decoder.x"),
        ("import json\nx = json.JSONEncoder()\ntype(x).default = 1", "assigns the class of x"),
        ("import json\nx = json.JSONEncoder()\nsetattr(x.__class__, 'a', 1)", "assigns the __class__"),
        ("class A(B):\n    pass\nA.__mro__[1].default = 1", "assigns the __mro__ of A"),
        ("def f(g):\n    g.__globals__['x'] = 1", "assigns the __globals__ of g"),
        ("import sys\nsys.modules['sphinx.util.nodes'].f(1)", "sphinx.util.nodes, which sphinx does"),
        ("import sys\nfor m in sys.modules.values():\n    m.x = 1", "assigns"),
        ("__import__('numpy' + '._core')", "imports numpy._core"),
        ("from importlib import import_module\nimport_module(f'numpy._{x}')", "imports numpy._"),
        (
            "from importlib import import_module\nname = 'sphinx.util.nodes'\nimport_module(name)",
            "sphinx.util.nodes, which",
        ),
        (
            "from importlib import import_module\nfor name in ('json',):\n    import_module(name).x = 1",
            "assigns json.x",
        ),
        ("code = 'import numpy._core'\nexec(code)", "imports numpy._core"),
        ("import json\nn = '_' + 'foreign'\ngetattr(json, n)", "reads _foreign"),
        ("from unittest import mock\nmock.patch('json.dumps', 1).start()", "assigns for good"),
        ("from unittest import mock\nimport json\nmock.patch.multiple(json, _foreign=1)", "uses _foreign"),
        (
            "from threading import Thread\nclass A(Thread):\n    pass\nclass B(A):\n    _bootstrap = 1",
            "replaces threading.Thread._bootstrap",
        ),
        ("from json import B\nclass A(B):\n    def _f(self):\n        super(A, self)._f()", "uses super()._f"),
        ("import nbclient\nnbclient.util.run_hook", "nbclient.util.run_hook, which nbclient does not"),
        ("from docutils import nodes\nnodes.sys.path", "nodes.sys, which docutils does not"),
        ("import json\njson.names.sort()", "assigns json.names"),
        ("run([python, '-c', 'import numpy._core'])", "imports numpy._core"),
        ("site.cell('import json\\njson.dumps = 1')", "assigns json.dumps"),
        ("from jupyter_client.manager import run_kernel", "which jupyter_client does not document"),
        ("import json\nglobals()['json'].dumps = 1", "assigns json.dumps"),
        ("import json\nclass A:\n    j = json\nA.j.dumps = 1", "assigns json.dumps"),
        ("import json\nclass A:\n    j = json\n    def f(self):\n        self.j.dumps = 1", "assigns json.dumps"),
        (
            "import json\nclass A:\n    def __init__(self, m):\n        self.m = m\n        m.x = 1\nA(json)",
            "assigns json.x",
        ),
        ("import pytest\npytest.MonkeyPatch().setattr('json.dumps', 1)", "assigns json.dumps"),
        ("from unittest.mock import patch as p\np('json.dumps', 1).start()", "assigns for good"),
        ("from unittest import mock\np = mock.patch('json.dumps')\np.start()", "assigns for good"),
        ("k = __import__\nk('json').x = 1", "assigns json.x"),
        ("x = []  # type: numpy._typing.X", "uses numpy._typing"),
    ],
)  # fmt: skip
def test_what_is_not_public_is_seen(text: str, words: str) -> None:
    assert words in "\n".join(complaints(text))


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.path[:0] = ['a']",
        "import os\nos.environ['A'] = '1'\nos._exit(3)",
        "import numpy as np\nx = np.zeros(3)\nx[0] = 1",
        "from bptt import _exercises\n_exercises.open = 1",
        "class A:\n    def _f(self):\n        self._x = self._f()",
        "from docutils import nodes\nnodes.math",
        "import json\nm = {'j': json}\nm['k'] = 1\nm.update(a=json)",
        "import json\nm = json\nm = dict(a=1)\nm['b'] = 2",
        "import numpy as np\nx = np.append([1], 2)\nnp.sort(x)",
        "class A:\n    def f(self):\n        type(self).n = self.__class__.m = 1",
    ],
)
def test_what_is_public_is_not_seen(text: str) -> None:
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "```{code-cell}\nnp._foreign\n```"),
        ("a.md", "```{code-cell} ipython3\n:tags: [plot]\n\nnp._foreign\n```"),
        ("a.md", "~~~~{code-cell}\n---\ntags: [plot]\n---\nnp._foreign\n~~~~"),
        ("a.md", "````{code-cell}\nx = '''\n```\n'''\nnp._foreign\n````"),
        ("a.md", "  ```{code-cell}\n  np._foreign\n  ```"),
        ("a.md", "```python\nnp._foreign\n```"),
        ("a.py", 'def f():\n    """Look.\n\n    >>> np._foreign\n    """'),
    ],
)
def test_code_is_read_wherever_it_runs(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert "uses np._foreign" in "".join(complaints(code(tmp_path / name)))


def test_this_file_knows_the_packages_that_are_ours() -> None:
    assert {"tests/test_public_ground.py", "docs/learn/bp2.md"} <= set(files())
    assert "(BP2)" in code(ROOT / "docs/learn/bp2.md")
    assert {"bptt", "benchmarks", "docs", "reference", "scratch", "conf"} <= own_modules()
    assert not {"sphinx", "numpy"} & own_modules()
    assert "docs" not in sys.stdlib_module_names
