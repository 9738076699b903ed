"""sphinx-codeautolink links the names of the library that stand in cells."""

import pytest
from scratch import Scratch

pytestmark = [pytest.mark.docs, pytest.mark.house]


def test_a_name_in_a_cell_is_a_link(tmp_path):
    site = Scratch(tmp_path / "site")
    site.page("one", "```{code-cell}\nimport bptt\n\nprint(bptt.double(2.0))\n```")
    built = site.build()
    assert not built.red, built.text
    assert 'class="sphinx-codeautolink-a"' in (site.html / "one.html").read_text("utf-8")
