"""A green build is gone on from only where a build from nothing would end: each shortcut, tried on a scratch site."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scratch import Built, Scratch
from test_holes import expect, tree

pytestmark = [pytest.mark.docs, pytest.mark.house]

CELL = "```{code-cell}\n1 + 1\n```"
PART = f"(%s)=\n\n## A part\n\n{CELL}"


@pytest.fixture
def site(tmp_path: Path) -> Scratch:
    """Return a scratch site of three pages, one of which refers to another."""
    made = Scratch(tmp_path / "site")
    made.page("told", PART % "first")
    made.page("tells", f"See {{ref}}`first`, of [another page](told.md).\n\n{CELL}")
    return made


def green(site: Scratch, *arguments: str) -> Built:
    """Build, and expect no complaint."""
    built = site.build(*arguments)
    expect(not built.red, built)
    return built


def dates(site: Scratch) -> dict[str, int]:
    """Return when each page was written."""
    return {p.name: p.stat().st_mtime_ns for p in site.html.rglob("*.html")}


def test_nothing_changed_is_nothing_done(site: Scratch) -> None:
    green(site)
    before = dates(site)
    again = green(site)
    assert dates(site) == before
    expect("3 pages with 3 cells: 0 run in 0.0 s, 3 kept" in again.text, again)


def test_after_an_edit_all_is_as_from_nothing(site: Scratch) -> None:
    site.write(
        "docs/references.bib", "@book{a, title={A}, author={A. B.}, year={2000}, publisher={C}}"
    )
    site.patch("docs/told.md", "Some words", "Some more words")
    green(site)
    site.patch("docs/told.md", "Some more words", "Some other words")
    again = green(site)
    assert "Some other words" in (site.html / "told.html").read_text("utf-8")
    expect("0 run in 0.0 s, 3 kept" in again.text, again)
    edited = tree(site)
    green(site, "--fresh")
    assert [k for k, v in tree(site).items() if edited.get(k) != v] == []


def test_an_edit_that_no_other_page_tells_of_writes_one_page(site: Scratch) -> None:
    site.patch("docs/told.md", "Some words", "Some more words")
    green(site)
    before = dates(site)
    site.patch("docs/told.md", "Some more words", "Some other words")
    green(site)
    after = dates(site)
    assert after["told.html"] != before["told.html"]
    assert after["tells.html"] == before["tells.html"]
    site.patch("docs/told.md", "# A page", "# A page of another name")
    green(site)
    assert dates(site)["tells.html"] != after["tells.html"]


@pytest.mark.parametrize("kept", [True, False])
def test_the_search_keeps_what_it_knew_of_pages_not_written(site: Scratch, kept: bool) -> None:
    if not kept:
        site.patch("docs/_ext/facts.py", "sphinx.search.IndexBuilder = Remembering", "pass")
    site.patch("docs/told.md", "Some words", "Somewordthatstandsnowhere words")
    green(site)
    site.patch("docs/told.md", "Somewordthatstandsnowhere words", "Other words")
    green(site)
    edited = (site.html / "searchindex.js").read_text("utf-8")
    green(site, "--fresh")
    assert (edited == (site.html / "searchindex.js").read_text("utf-8")) == kept


def test_an_edited_cell_is_run(site: Scratch) -> None:
    green(site)
    site.patch("docs/told.md", "1 + 1", "40 + 2")
    again = green(site)
    expect("1 run in" in again.text and "2 kept" in again.text, again)
    assert ">42<" in (site.html / "told.html").read_text("utf-8").replace("\n", "")
    site.patch("docs/told.md", "40 + 2", "40 / 0")
    for _ in range(2):
        expect(site.build().red, "a cell that fails was green")


@pytest.mark.parametrize("watched", [True, False])
def test_a_label_taken_away_is_missed_elsewhere(site: Scratch, watched: bool) -> None:
    if not watched:  # what closes the hole, taken out: the test would see it
        site.patch("docs/_ext/facts.py", "told(env) != before", "False")
    green(site)
    site.patch("docs/told.md", "(first)=", "(second)=")
    built = site.build()
    expect(built.red == watched, built)


@pytest.mark.parametrize("told", [True, False])
def test_an_edit_with_an_old_date_is_seen(site: Scratch, told: bool) -> None:
    if not told:
        site.patch("docs/_ext/facts.py", "page in env.found_docs]", "False]")
    green(site)
    file = site.docs / "told.md"
    old = file.stat().st_mtime_ns
    site.patch("docs/told.md", "1 + 1", "1 / 0")
    os.utime(file, ns=(old, old))
    built = site.build()
    expect(built.red == told and ("ZeroDivisionError" in built.text) == told, built)


@pytest.mark.parametrize("looked", [True, False])
def test_what_was_built_is_looked_at(site: Scratch, looked: bool) -> None:
    if not looked:
        site.patch("docs/_ext/stamp.py", "or last.left != self._left(root)", "")
    green(site)
    page = site.html / "told.html"
    page.write_text("something else", "utf-8")
    green(site)
    assert ("something else" not in page.read_text("utf-8")) == looked


def test_what_is_installed_beside_is_looked_at(site: Scratch) -> None:
    green(site)
    site.patch("docs/_static/custom.css", "/* bptt: furo", "/* furo")
    before = dates(site)
    green(site)
    assert dates(site)["told.html"] > before["told.html"]
