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
    assert only == (
        f"a download of {name}",
        f"../_static/pyodide/{name}",
        f"python -m pip install {name}",
    )
    _, second = offer.ways(config(bptt_repository="a/bptt"), "")
    assert second[1:] == (
        "https://github.com/a/bptt",
        'python -m pip install "bptt @ git+https://github.com/a/bptt"',
    )
    (copy,) = offer.ways(config(live_cells=False), "")
    assert copy == ("a copy of its repository", "", "python -m pip install .")


def test_a_citation_has_the_year_of_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # in November 2023
    said, entry = offer.citation(CFF, "abc", "https://e.f/")
    assert said == (
        "The developers, Ada King (2023). bptt: derived. Version 1.2, commit abc. https://e.f/"
    )
    assert entry == (
        "@misc{bptt,\n"
        "  author = {{The developers} and {Ada King}},\n"
        "  title  = {{bptt: derived}},\n"
        "  year   = {2023},\n"
        "  note   = {Version 1.2, commit abc},\n"
        "  url    = {https://e.f/}\n}"
    )


def test_what_is_not_known_is_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    said, entry = offer.citation(CFF, "unknown", "")
    assert said == "The developers, Ada King (n.d.). bptt: derived. Version 1.2, commit unknown."
    assert "url" not in entry


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

## 2. On paper

### A part of it

:::{container} paper-answer
$1 / 2$
:::
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
    site.page("reference/cite", PAGE)
    site.page("exercises/one", ANSWERED)
    site.page("exercises/answers", "```{container} answers-of\none\n```")
    built = site.build()
    assert not built.red, built.text
    cite = LexborHTMLParser((site.html / "reference/cite.html").read_text("utf-8"))
    assert "from a copy of its repository: python -m pip install ." in cite.body.text()
    text, entry, here = (block.text() for block in cite.css("div[class*=highlight-] pre"))
    assert {f"python=={platform.python_version()}", f"numpy=={np.__version__}"} <= {*here.split()}
    assert text.startswith("n")
    assert text.endswith(". t. Version 1, commit scratch.\n")
    assert entry.startswith("@misc{bptt,")
    foot = cite.css_first(".provenance a[href$='#versions']")
    assert foot.attributes["href"] == "#versions"
    page = LexborHTMLParser((site.html / "exercises/answers.html").read_text("utf-8"))
    assert [block.text() for block in page.css("article pre")] == [
        "def half(x):\n    return x / 2\n\n\nclass exercises:\n    check = print\n"
    ]
    assert page.css("article div.cell") == []
    links = [link.attributes["href"] for link in page.css("article h3 a:not(.headerlink)")]
    assert links == ["one.html#half", "one.html#a-part-of-it"]
    assert page.css_first("#answer-a-part-of-it .katex")
    markdown = (site.html / "exercises/answers.md").read_text("utf-8")
    assert "return x / 2" in markdown
