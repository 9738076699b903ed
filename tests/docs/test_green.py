"""After a green build nothing is done only if nothing has changed; an edited site is as from nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from _ext.execution import fingerprint
from scratch import Built, Scratch
from test_holes import expect, tree

pytestmark = [pytest.mark.docs, pytest.mark.house]

CELL = "```{code-cell}\n1 + 1\n```"
PART = f"(%s)=\n\n## A part\n\n{CELL}"


def three_pages(root: Path) -> Scratch:
    """Make a scratch site of three pages, one of which refers to another."""
    made = Scratch(root)
    book = "@book{a, title={A}, author={A. B.}, year={2000}, publisher={C}}"
    made.write("docs/references.bib", book)
    made.page("told", PART % "first")
    made.page("tells", f"See {{ref}}`first`, of [another page](told.md).\n\n{CELL}")
    return made


def green(site: Scratch, *arguments: str) -> Built:
    """Build, and expect no complaint."""
    built = site.build(*arguments)
    expect(not built.red, built)
    return built


@pytest.fixture(scope="module")
def one_built(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Build a scratch site, and keep a copy of it beside."""
    made = three_pages(tmp_path_factory.mktemp("built") / "site")
    green(made)
    shutil.copytree(made.root, made.root.with_name("kept"))
    return made


@pytest.fixture
def built_site(one_built: Scratch) -> Scratch:
    """Return the built site as it was, in its place: to Sphinx, a site elsewhere is another."""
    shutil.rmtree(one_built.root)
    shutil.copytree(one_built.root.with_name("kept"), one_built.root)
    return one_built


def dates(site: Scratch) -> dict[str, int]:
    """Return when each page was written."""
    return {p.name: p.stat().st_mtime_ns for p in site.html.rglob("*.html")}


def test_nothing_changed_is_nothing_done(built_site: Scratch) -> None:
    before = dates(built_site)
    again = green(built_site)
    assert dates(built_site) == before
    expect("3 pages with 3 cells: 0 run in 0.0 s, 3 kept" in again.text, again)


def test_after_an_edit_all_is_as_from_nothing(built_site: Scratch) -> None:
    built_site.patch("docs/told.md", "Some words", "Some other words")
    again = green(built_site)
    assert "Some other words" in (built_site.html / "told.html").read_text("utf-8")
    expect("0 run in 0.0 s, 3 kept" in again.text, again)
    edited = tree(built_site)
    green(built_site, "--fresh")
    assert [k for k, v in tree(built_site).items() if edited.get(k) != v] == []


def test_an_edited_cell_is_run(built_site: Scratch) -> None:
    built_site.patch("docs/told.md", "1 + 1", "40 + 2")
    again = green(built_site)
    expect("1 run in" in again.text and "2 kept" in again.text, again)
    assert ">42<" in (built_site.html / "told.html").read_text("utf-8").replace("\n", "")
    built_site.patch("docs/told.md", "40 + 2", "40 / 0")
    for _ in range(2):
        expect(built_site.build().red, "a cell that fails was green")


def test_a_label_taken_away_is_missed_elsewhere(built_site: Scratch) -> None:
    built_site.patch("docs/told.md", "(first)=", "(second)=")
    built = built_site.build()
    expect(built.red and "docs/tells.md" in built.text, built)


@pytest.mark.parametrize(("files", "text"), [("global.db", "cut"), ("executed/*/*.ipynb", "{")])
def test_a_damaged_cache_is_made_again(built_site: Scratch, files: str, text: str) -> None:
    damaged = list(built_site.docs.glob(f"_build/cache/*/{files}"))
    assert damaged
    for file in damaged:
        file.write_text(text)
    built_site.patch("docs/told.md", "Some words", "Other words")
    again = green(built_site)
    expect("3 run in" in again.text, again)


def edit_with_an_old_date(site: Scratch) -> None:
    file = site.docs / "told.md"
    old = file.stat().st_mtime_ns
    site.patch("docs/told.md", "1 + 1", "1 / 0")
    os.utime(file, ns=(old, old))


def spoil_what_was_built(site: Scratch) -> Path:
    page = site.html / "told.html"
    page.write_text("something else", "utf-8")
    return page


def test_an_edit_with_an_old_date_is_seen(built_site: Scratch) -> None:
    edit_with_an_old_date(built_site)
    built = built_site.build()
    expect(built.red and "ZeroDivisionError" in built.text, built)


def test_what_was_built_is_looked_at(built_site: Scratch) -> None:
    page = spoil_what_was_built(built_site)
    green(built_site)
    assert "something else" not in page.read_text("utf-8")


def test_neither_is_seen_without_the_words_that_look(tmp_path: Path) -> None:
    site = three_pages(tmp_path / "site")
    looks = "was_read == what_is_read and was_left == left(root)"
    site.patch("docs/_ext/execution/fingerprint.py", looks, "bool(was_read)")
    green(site)
    edit_with_an_old_date(site)
    page = spoil_what_was_built(site)
    green(site)
    assert "something else" in page.read_text("utf-8")


@pytest.mark.parametrize("name", ["a.py", "data.npz", "dist/a.py", "build/lib/a.py"])
def test_a_file_anywhere_in_the_library_is_seen(name: str, tmp_path: Path) -> None:
    before = fingerprint.digest(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("")
    assert fingerprint.digest(tmp_path) != before


@pytest.mark.parametrize("stamp", ["", "abc", '{"read": "abc"'])
def test_a_stamp_that_was_cut_short_is_none(stamp: str, tmp_path: Path) -> None:
    (tmp_path / fingerprint.STAMP).write_text(stamp)
    assert not fingerprint.is_unchanged(tmp_path, "abc")


def test_what_is_installed_beside_is_looked_at(built_site: Scratch) -> None:
    built_site.patch("docs/_static/custom.css", "/* bptt: furo", "/* furo")
    before = dates(built_site)
    green(built_site)
    assert dates(built_site)["told.html"] > before["told.html"]
