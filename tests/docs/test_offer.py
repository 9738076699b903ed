"""How the library is offered and cited: from what a build knows, and from nothing else."""

from __future__ import annotations

import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from _ext.publishing import offer
from scratch import Scratch
from selectolax.lexbor import LexborHTMLParser

pytestmark = pytest.mark.house

CFF: dict[str, Any] = {
    "title": "bptt: derived",
    "version": "1.2",
    "authors": [{"name": "The developers"}, {"given-names": "Ada", "family-names": "King"}],
}


def config(**given: Any) -> Any:
    """Return what a build knows."""
    known = {"project": "bptt", "release": "1.2", "live_cells": True, "bptt_repository": ""}
    return SimpleNamespace(**known | given)


def test_the_site_offers_what_it_has() -> None:
    name = "bptt-1.2-py3-none-any.whl"
    (only,) = offer.ways(config(), "../")
    assert only[1:] == (name, f"../_static/pyodide/{name}", f"python -m pip install {name}")
    _, second = offer.ways(config(bptt_repository="a/bptt"), "")
    assert second[2:] == (
        "https://github.com/a/bptt",
        'python -m pip install "bptt @ git+https://github.com/a/bptt"',
    )
    assert offer.ways(config(live_cells=False), "") == []


def test_a_citation_has_the_year_of_the_release_or_of_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # in November 2023
    said = offer.sentence(CFF, "abc", "https://e.f/")
    assert said == (
        "The developers, Ada King (2023). bptt: derived. Version 1.2, commit abc. https://e.f/"
    )
    entry = offer.bibtex(CFF | {"date-released": "2024-05-06"}, "abc", "")
    assert entry == (
        "@misc{bptt,\n"
        "  author = {{The developers} and {Ada King}},\n"
        "  title  = {{bptt: derived}},\n"
        "  year   = {2024},\n"
        "  note   = {Version 1.2, commit abc}\n}"
    )


def test_what_is_not_known_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert offer.sentence(CFF, "outside git", "") == (
        "The developers, Ada King. bptt: derived. Version 1.2."
    )
    assert "year" not in offer.bibtex(CFF, "outside git", "")


def test_versions_are_what_is_asked_for_and_what_is_here() -> None:
    data = {
        "project": {
            "requires-python": ">=3.1",
            "dependencies": ["numpy>=1"],
            "optional-dependencies": {"none": ["no-such-package>=2"]},
        },
        "dependency-groups": {"frameworks": ["pytest>=1"]},
    }
    assert list(offer.versions(data)) == [
        ("Python >=3.1", "the library", platform.python_version()),
        ("numpy>=1", "the library", np.__version__),
        ("no-such-package>=2", "the extra `none`", "not installed"),
        ("pytest>=1", "pages and tests only", pytest.__version__),
    ]


ANSWERED = """
## 1. Half

```{code-cell}
:tags: [answer]

def half(x):
    return x / 2


class exercises:
    check = print


exercises.check("half", half(2))
```
"""
PAGE = """
```{get-library}
```

```{citation}
```

## Versions

```{versions}
```
"""


@pytest.mark.docs
def test_directives_say_it_and_answers_are_gathered(tmp_path: Path) -> None:
    site = Scratch(tmp_path / "site")
    cff = "title: t\nversion: 1\nauthors:\n  - name: n\n"
    site.write("CITATION.cff", cff)
    site.write(
        "pyproject.toml", '[project]\nrequires-python = ">=3.1"\ndependencies = ["numpy>=1"]\n'
    )
    site.page("reference/cite", PAGE)
    site.page("exercises/one", ANSWERED)
    site.page("exercises/answers", "```{answers-of}\none\n```")
    built = site.build()
    assert not built.red, built.text
    cite = LexborHTMLParser((site.html / "reference/cite.html").read_text("utf-8"))
    assert "from a copy of its repository, python -m pip install ." in cite.body.text()
    text, entry = (block.text() for block in cite.css("div[class*=highlight-] pre"))
    assert text.startswith("n")
    assert text.endswith(". t. Version 1, commit scratch.\n")
    assert entry.startswith("@misc{bptt,")
    cells = [cell.text().strip() for cell in cite.css("table td")]
    assert cells[3:] == ["numpy>=1", "the library", np.__version__]
    foot = cite.css_first(".provenance a[href$='#versions']")
    assert foot.attributes["href"] == "#versions"
    page = LexborHTMLParser((site.html / "exercises/answers.html").read_text("utf-8"))
    assert [block.text() for block in page.css("article pre")] == [
        "def half(x):\n    return x / 2\n\n\nclass exercises:\n    check = print\n"
    ]
    assert page.css("article div.cell") == []
    assert page.css_first("article h3 a").attributes["href"] == "one.html#half"
    markdown = (site.html / "exercises/answers.md").read_text("utf-8")
    assert "return x / 2" in markdown
