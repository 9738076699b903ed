"""sphinx-codeautolink links the names of the library that stand in cells."""

import re

import pytest
from _ext.api.code_links import KnownImports
from scratch import Scratch

pytestmark = [pytest.mark.docs, pytest.mark.house]


def test_a_name_in_a_cell_is_a_link_and_a_number_is_none(tmp_path):
    """Not to ``int``, as codeautolink has it; a cell without imports looks as it would without any link."""
    site = Scratch(tmp_path / "site")
    cells = (
        "import bptt\n\ndef f(T: int): return T\n\nprint(bptt.double(2.0))",
        "k = 3\nprint(k + len('abc'))",
    )
    site.page("one", "\n\n".join(f"```{{code-cell}}\n{cell}\n```" for cell in cells))
    built = site.build()
    assert not built.red, built.text
    html = (site.html / "one.html").read_text("utf-8")
    found = re.findall(r'class="sphinx-codeautolink-a" href="([^"]*)"', html)
    assert sorted({link.partition("#")[2] for link in found}) == ["bptt.double", "module-bptt"]
    assert '<span class="n">k</span> <span class="o">=</span>' in html


def test_what_no_inventory_knows_is_not_imported_and_lines_stay_where_they_are():
    code = "def f():\n    import torch.nn\nfrom jax import (\n    jit,\n)\nimport numpy as np, torch\nimport json\n"
    read = "def f():\n    pass\npass\n\n\nimport numpy as np, torch\nimport json\n"
    assert KnownImports(("bptt", "numpy"))(code) == (code, read)
