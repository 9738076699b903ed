"""Names of the library and the things that they mean: where a thing is defined, where it is documented."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from sphinx.environment import BuildEnvironment


def home(thing: Any) -> tuple[str, str]:
    """Return the module that defines a thing, and its name there; "" twice for what has none."""
    thing = getattr(thing, "fget", thing)  # of a property
    if inspect.ismodule(thing):
        return thing.__name__, ""
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return "", ""
    return getattr(thing, "__module__", None) or "", thing.__qualname__


def home_of_entry(dotted: str) -> tuple[str, str]:
    """Return the same of an entry of the reference: ``bptt.backward`` is the function, not its module."""
    parent, _, name = dotted.rpartition(".")
    try:
        return home(getattr(resolve_name(parent), name, None))  # None: of instances alone
    except (AttributeError, ImportError):  # which completeness.py tells
        return "", ""


def public_locations(module: Any) -> dict[str, str]:
    """Return, for each public thing, where it is defined -> where it is documented."""
    homes = {name: ".".join(home(getattr(module, name))) for name in module.__all__}
    return {at: f"{module.__name__}.{name}" for name, at in homes.items() if at.rpartition(".")[2]}


def documented(env: BuildEnvironment, package: str) -> dict[str, tuple[str, str]]:
    """Return, for each thing of a package, where it is defined -> the page and the anchor of its entry."""
    found: dict[str, tuple[str, str]] = {}
    entries = sorted(env.get_domain("py").get_objects(), key=lambda row: (-len(row[0]), row[0]))
    for name, _, _, docname, anchor, _ in entries:
        if name.startswith(f"{package}."):
            module, own = home_of_entry(name)
            if own:
                found[f"{module}.{own}"] = docname, anchor  # the shortest name counts
    return found


def modules(package: Path) -> dict[str, Path]:
    """Return the modules of a package by name, and their files."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def page_of(module: str) -> str:
    """Return the page that shows a module's source."""
    return f"_modules/{module.replace('.', '/')}"


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield each function and class of a module by its name in it; of functions, not what is inside."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node, f"{prefix}{node.name}.")
