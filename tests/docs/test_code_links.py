"""sphinx-codeautolink gets the blocks of code of a page alone, and links what it links in whole pages."""

import pytest
from _ext.api import code_links
from scratch import Scratch

pytestmark = [pytest.mark.docs, pytest.mark.house]

BLOCK = '<div class="highlight-%s notranslate"><div class="highlight"><pre>%s\n</pre></div>\n</div>'
CELL = "```{code-cell}\nimport bptt\n\nprint(bptt.double(2.0))\n```"


def test_blocks_of_code_are_taken_out_and_put_back_where_they_were():
    one, two = BLOCK % ("ipython3", "a = 1"), BLOCK % ("python", "b = 2")
    body = f"<h1>Words</h1>\n{one}<p>more</p>\n{two}<p>last</p>"
    context = {"body": body}
    code_links.apart(None, "page", context, None)
    assert "a = 1" in context["body"]
    assert "more" not in context["body"]
    context["body"] = context["body"].replace("b = 2", "<a>b</a> = 2")
    code_links.together(None, "page", context, None)
    assert context["body"] == body.replace("b = 2", "<a>b</a> = 2")
    context = {"body": "<p>no code</p>"}
    code_links.apart(None, "page", context, None)
    code_links.together(None, "page", context, None)
    assert context == {"body": "<p>no code</p>"}


@pytest.mark.parametrize("found", [True, False])
def test_a_block_that_is_not_found_is_red(tmp_path, found):
    site = Scratch(tmp_path / "site")
    site.page("one", CELL)
    if not found:
        site.patch("docs/_ext/api/code_links.py", '<div class="(?:doctest', '<div class="no (?:doc')
    built = site.build()
    assert built.red != found, built.text
    if found:
        assert 'class="sphinx-codeautolink-a"' in (site.html / "one.html").read_text("utf-8")
    else:
        assert "Could not match a code example to HTML" in built.text
