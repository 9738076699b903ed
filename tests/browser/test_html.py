"""The markup of every page, by html-validate's standard preset."""

from pathlib import Path

import node
import served


def test_no_page_has_an_error(tmp_path: Path) -> None:
    assert node.html_errors(served.SITE.resolve(), served.pages(), tmp_path) == {}
