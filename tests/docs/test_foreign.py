"""What we depend on without a promise of its authors (docs/_ext/README.md, "Public ground"), each by itself."""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path
from types import FunctionType

import pytest
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

pytestmark = [pytest.mark.docs, pytest.mark.house]

PAGE = """---
file_format: mystnb
---

# A page

```{toctree}
other
```

```{code-cell}
:summary: Words

print(1)
```
"""
CONF = 'extensions = ["myst_nb"]\nnb_execution_mode = "force"\n'


@pytest.fixture(scope="module")
def doctree(tmp_path_factory: pytest.TempPathFactory) -> nodes.document:
    """Return a page as MyST-NB reads it."""
    folder = tmp_path_factory.mktemp("foreign")
    for name, text in (("index.md", PAGE), ("other.md", "# Other"), ("conf.py", CONF)):
        (folder / name).write_text(text)
    out = folder / "_build"
    app = Sphinx(folder, folder, out, out / "doctrees", "dummy", status=None, warning=None)
    app.build()
    return app.env.get_doctree("index")


def test_myst_nb_marks_cells_as_it_did(doctree: nodes.document) -> None:
    cells = [c for c in doctree.findall(nodes.container) if c.get("nb_element") == "cell_code"]
    assert len(cells) == 1, "MyST-NB changed: no container has nb_element 'cell_code'"
    assert "cell" in cells[0]["classes"], "MyST-NB changed: a cell has not the class 'cell'"
    kinds = [c["classes"] for c in cells[0].children if isinstance(c, nodes.container)]
    assert ["cell_input"] in kinds, "MyST-NB changed: a cell has no container 'cell_input'"
    blocks = [set(block["classes"]) for block in cells[0].findall(nodes.literal_block)]
    words = "MyST-NB changed: what a cell prints has not the classes 'output' and 'stream'"
    assert any({"output", "stream"} <= classes for classes in blocks), words
    options = cells[0].get("cell_metadata", {})
    assert options.get("summary") == "Words", "MyST-NB changed: no options in 'cell_metadata'"


def test_sphinx_lists_the_pages_of_a_toctree(doctree: nodes.document) -> None:
    (tree,) = doctree.findall(addnodes.toctree)
    assert tree["includefiles"] == ["other"], "Sphinx changed: a toctree has no 'includefiles'"


def test_python_shows_lines_from_its_cache() -> None:
    name = str(Path("nowhere") / "of a cell")
    linecache.cache[name] = (9, None, ["1 / 0  # here\n"], name)
    try:
        FunctionType(compile("1 / 0", name, "exec"), {})()
    except ZeroDivisionError:
        said = traceback.format_exc()
    assert "1 / 0  # here" in said, "Python changed: linecache.cache holds no lines of tracebacks"
