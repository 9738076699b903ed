"""A part of a function is shown by the names that it assigns, wherever in the function it stands."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

DOCS = Path(__file__).parents[2] / "docs"
FUNCTION = """    def f(x):
        first = x
        second = (
            first,
        )
        x.sort()
        third: int = 3
        last = second
"""


def test_statements_are_found_by_what_they_assign(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    from _ext.api.library_source import assigning  # noqa: PLC0415

    lines = FUNCTION.splitlines()
    assert lines[assigning(FUNCTION, ["second"])] == lines[2:5]
    assert lines[assigning(FUNCTION, ["second", "first"])] == lines[1:5]
    with pytest.raises(AttributeError, match="nothing in the body of the function assigns x, z"):
        assigning(FUNCTION, ["first", "z", "x"])
    with pytest.raises(AttributeError, match=r"other statements stand between .* second, last"):
        assigning(FUNCTION, ["second", "last"])
