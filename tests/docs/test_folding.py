"""An answer is behind a line to press, and no other cell is."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

DOCS = Path(__file__).parents[2] / "docs"


def test_answers_are_folded_and_stay_cells(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    from _ext.interactive import answers  # noqa: PLC0415
    from docutils import nodes  # noqa: PLC0415

    cells = [nodes.container(classes=["cell", *tags]) for tags in ((), ("tag_answer",), ())]
    page = nodes.section()
    page += cells
    answers.fold(None, page)
    first, opened, answer, closed, last = page.children
    assert [first, answer, last] == cells
    assert opened.astext().startswith("<details")
    assert "<summary" in opened.astext()
    assert opened.astext().count("<div") == closed.astext().count("</div>") == 1
    assert closed.astext().endswith("</details>")
