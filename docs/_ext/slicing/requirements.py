"""What a page needs besides bptt and NumPy: read off its imports, told to its reader, held when snippets run."""

import ast
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from _ext.slicing.page_data import parsed

DISTRIBUTION = {"sklearn": "scikit-learn", "mpl_toolkits": "matplotlib", "PIL": "pillow"}
EXTRA = {
    "bptt.compiled": "numba",
    "bptt.plotting": "matplotlib",
    "bptt.teaching.gated": "sympy",
    "bptt.teaching.proof": "sympy",
}
GIVEN = {"bptt", "numpy"}


@cache
def imported(source: str) -> frozenset[str]:
    """Return the modules that code imports, by their whole names, and the names of bptt that it uses."""
    found: set[str] = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in EXTRA:
            found.add(ast.unparse(node))
    return frozenset(found)


def needed(sources: Iterable[str]) -> list[str]:
    """Return the distributions that cells need besides bptt and NumPy."""
    found = set()
    for module in set().union(*(imported(source) for source in sources)):
        top = module.partition(".")[0]
        if module in EXTRA:
            found.add(EXTRA[module])
        elif top not in GIVEN and top not in sys.stdlib_module_names:
            found.add(DISTRIBUTION.get(top, top))
    return sorted(found)


@cache
def importable(names: tuple[str, ...]) -> list[str]:
    """Return the top-level modules that distributions, and what they require, bring."""
    every, known = packages_distributions().items(), closure(names)
    return [module for module, by in every if not known.isdisjoint(map(canonicalize_name, by))]


@cache
def closure(names: tuple[str, ...]) -> frozenset[str]:
    """Return the names of distributions, and of all that they require."""
    todo, seen = list(names), set[str]()
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in seen:
            seen.add(name)
            with suppress(PackageNotFoundError):
                required = map(Requirement, distribution(name).requires or [])
                todo += [each.name for each in required if "extra ==" not in str(each.marker)]
    return frozenset(seen)
