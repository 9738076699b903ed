"""A part of a function is shown by the names that it assigns, wherever in the function it stands."""

import pytest
from _ext.api.library_source import assigning

pytestmark = pytest.mark.docs

FUNCTION = """    def f(x):
        first = x
        second = (
            first,
        )
        x.sort()
        third: int = 3
        last = second
"""


def test_statements_are_found_by_what_they_assign():
    lines = FUNCTION.splitlines()
    assert lines[assigning(FUNCTION, ["second"])] == lines[2:5]
    assert lines[assigning(FUNCTION, ["second", "first"])] == lines[1:5]
    with pytest.raises(AttributeError, match="nothing in the body of the function assigns x, z"):
        assigning(FUNCTION, ["first", "z", "x"])
    with pytest.raises(AttributeError, match=r"other statements stand between .* second, last"):
        assigning(FUNCTION, ["second", "last"])
