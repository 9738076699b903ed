"""sphinx-codeautolink links the names of the library that stand in cells."""

import pytest
from _ext.api.code_links import KnownImports
from scratch import Scratch

pytestmark = [pytest.mark.docs, pytest.mark.house]


def test_a_name_in_a_cell_is_a_link(tmp_path):
    site = Scratch(tmp_path / "site")
    site.page("one", "```{code-cell}\nimport bptt\n\nprint(bptt.double(2.0))\n```")
    built = site.build()
    assert not built.red, built.text
    assert 'class="sphinx-codeautolink-a"' in (site.html / "one.html").read_text("utf-8")


def test_what_no_inventory_knows_is_not_imported_and_lines_stay_where_they_are():
    code = "def f():\n    import torch.nn\nfrom jax import (\n    jit,\n)\nimport numpy as np, torch\nimport json\n"
    read = "def f():\n    pass\npass\n\n\nimport numpy as np, torch\nimport json\n"
    assert KnownImports(("bptt", "numpy"))(code) == (code, read)
