"""The public surface: what `__all__` promises exists, is documented, and its examples run."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import bptt

MODULES = ["bptt", *(name for _, name, _ in pkgutil.walk_packages(bptt.__path__, "bptt."))]
PUBLIC = [name for name in MODULES if "._" not in name]
OPTIONAL = {"bptt.plotting"}  # needs Matplotlib, and so is imported by whoever has it


def as_ruff_sorts(name):
    """Constants (and what looks like them: GRU), classes, all else, as ruff's RUF022 has them."""
    return not name.isupper(), not name[0].isupper(), name


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_sorted_and_true(name):
    module = importlib.import_module(name)
    assert module.__all__ == sorted(set(module.__all__), key=as_ruff_sorts)
    assert [item for item in module.__all__ if not hasattr(module, item)] == []


def test_all_of_the_package_is_complete():
    """What a module calls public is in `bptt`, but for what keeps its own name, or is optional."""
    chapters = {name for name in bptt.__all__ if inspect.ismodule(getattr(bptt, name))}
    modules = [name for name in PUBLIC if name.count(".") == 1 and name not in OPTIONAL]
    exported = {
        item
        for name in modules
        if name.removeprefix("bptt.") not in chapters
        for item in importlib.import_module(name).__all__
    }
    assert exported | chapters | {"__version__"} == set(bptt.__all__)


@pytest.mark.parametrize("name", [name for name in bptt.__all__ if name != "__version__"])
def test_every_public_name_has_a_docstring(name):
    value = getattr(bptt, name)
    if inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0


def test_numpy_is_the_only_library_an_import_brings():
    code = """if True:
        import sys
        before = set(sys.modules)
        import bptt
        new = {name for name in set(sys.modules) - before if hasattr(sys.modules[name], "__file__")}
        print(*sorted({name.partition(".")[0] for name in new} - sys.stdlib_module_names))
    """
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["bptt", "numpy"]
