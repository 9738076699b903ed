"""The public surface: what `__all__` promises exists, is documented, and its examples run."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import bptt

MODULES = ["bptt", *(name for _, name, _ in pkgutil.walk_packages(bptt.__path__, "bptt."))]
# A module without `__all__` serves its own package only, as all of `bptt._core` serves the library.
PUBLIC = [
    name
    for name in MODULES
    if "._" not in name and hasattr(importlib.import_module(name), "__all__")
]
OPTIONAL = {"bptt.plotting"}  # needs Matplotlib, and so is imported by whoever has it


def as_ruff_sorts(name):
    """Constants (and what looks like them: GRU), classes, all else, as ruff's RUF022 has them."""
    return not name.isupper(), not name[0].isupper(), name


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_sorted_and_true(name):
    module = importlib.import_module(name)
    assert module.__all__ == sorted(set(module.__all__), key=as_ruff_sorts)
    assert [item for item in module.__all__ if not hasattr(module, item)] == []


def test_what_a_module_calls_public_has_one_public_place():
    """That is `bptt`, or the package of the module, and for a module at the root the module itself."""
    for name in PUBLIC:
        parts = name.split(".")
        if len(parts) < 2 or name in OPTIONAL:
            continue
        home = importlib.import_module(".".join(parts[:2]))
        for item in importlib.import_module(name).__all__:
            if item.endswith("Saved"):  # of an unfactored cell
                continue
            chapter = ".".join(parts[:-1]) == "bptt.teaching" and parts[-1] in home.__all__
            assert chapter or item in {*bptt.__all__, *home.__all__}, f"{name}.{item}"


def test_the_root_is_small():
    entries = {p.name for p in Path(bptt.__file__).parent.iterdir()} - {"__pycache__"}
    assert len(entries) <= 14
    assert len(bptt.__all__) <= 80


@pytest.mark.parametrize("name", PUBLIC)
def test_no_public_name_hides_a_module(name):
    module = importlib.import_module(name)
    inside = {n for _, n, _ in pkgutil.iter_modules(getattr(module, "__path__", []))}
    hidden = [
        item for item in inside & set(module.__all__) if not inspect.ismodule(getattr(module, item))
    ]
    assert hidden == []


@pytest.mark.parametrize("name", [name for name in bptt.__all__ if name != "__version__"])
def test_every_public_name_has_a_docstring(name):
    value = getattr(bptt, name)
    if inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
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
