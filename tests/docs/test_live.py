"""Live cells: a file for the browser that is not the listed one is refused; what is fetched is said beforehand."""

import zipfile
from hashlib import sha256

import pytest
from _ext.live import cells, pyodide_files
from _ext.slicing import slicer
from scratch import DOCS
from sphinx.errors import ExtensionError

pytestmark = [pytest.mark.docs, pytest.mark.house]


def test_two_wheels_of_one_tree_are_the_same(tmp_path):
    names = [tmp_path / "one", tmp_path / "two"]
    for name in names:
        name.mkdir()
    one, two = (pyodide_files.wheel(DOCS.parent, name) for name in names)
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()
    assert "bptt/network/backward.py" in zipfile.ZipFile(one).namelist()


def test_a_file_with_another_sum_is_refused(tmp_path):
    carrier = tmp_path / "carrier-1-py3-none-any.whl"
    name = next(iter(pyodide_files.TABLE["core"]))
    with zipfile.ZipFile(carrier, "w") as archive:
        archive.writestr(f"inside/{name}", "not what is listed")
    with pytest.raises(ExtensionError, match="is not what pyodide_files"):
        pyodide_files.unpack(carrier, "inside/", tmp_path)


def test_a_carrier_that_is_not_there_is_red(tmp_path):
    carrier = {"sha256": "0" * 64, "python": "3.12"}
    with pytest.raises(ExtensionError, match="could not be had"):
        pyodide_files.download("no-such-package-of-bptt @ file:///nowhere.whl", carrier, tmp_path)


def test_every_package_of_the_browser_is_listed_with_what_it_needs():
    packages = pyodide_files.PACKAGES
    assert {name for p in packages.values() for name in p["depends"]} <= set(packages)
    assert all(len(sum256) == 64 for sum256 in pyodide_files.SUMS.values())


def test_cells_that_no_browser_runs_are_known():
    sources = ["import statsmodels\nx = 1", "import numpy as np", "print(x)", "print(np)"]
    found = cells.packages(sources, slicer.needs(sources))
    assert found["missing"] == ["statsmodels", "", "statsmodels", ""]


def test_packages_of_each_cell_are_told_also_those_that_the_library_imports():
    sources = [
        "from bptt.teaching import proof\nimport bptt.plotting",
        "import numpy, statsmodels\nfrom sklearn import datasets",
        "print(1)",
    ]
    found = cells.packages(sources, slicer.needs(sources))
    assert found["packages"] == ["matplotlib sympy", "scikit-learn", ""]


def test_size_and_place_are_said_before_anything_is_fetched(tmp_path, monkeypatch, capfd):
    def fetched(requirement, *_):
        raise ExtensionError(requirement)

    monkeypatch.setattr(pyodide_files, "download", fetched)
    damaged = tmp_path / "store" / sha256(pyodide_files.LIST).hexdigest()[:16]
    damaged.mkdir(parents=True)  # or without files
    with pytest.raises(ExtensionError, match="open-webui"):
        pyodide_files.fetch(tmp_path / "store")
    said = capfd.readouterr().err
    assert "fetching 111 MB, once" in said
    assert str(tmp_path / "store") in said
