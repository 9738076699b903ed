"""Pages that promise to be complete are: home, the API's overview and map, the table of errata, ends with exercises."""

import re
from pathlib import Path

import pytest

import bptt

pytestmark = pytest.mark.house

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def test_home_links_to_every_page():
    files = [f.relative_to(DOCS).as_posix() for f in DOCS.rglob("*.md")]
    pages = {f for f in files if not f.startswith("_") and f != "index.md"}
    home = page("index")
    assert sorted(name for name in pages if f"]({name})" not in home) == []


def test_overview_of_the_api_names_everything_public():
    overview = page("reference/api/index")
    public = [name for name in bptt.__all__ if not name.startswith("__")]
    assert [name for name in public if f"`bptt.{name}`" not in overview] == []


def test_map_says_of_each_module_what_it_is_for():
    rows = re.findall(r"^\| ([^|]*`[^|]*) \| (.+) \|$", page("reference/api/map"), re.MULTILINE)
    assert all(len(words) > 10 for _, words in rows)
    named = [name for first, _ in rows for name in re.findall(r"`(\w+)`", first)]
    folder = Path(bptt.__file__).parent
    found = {f.relative_to(folder).with_suffix("").parts[:2] for f in folder.rglob("*.py")}
    modules = {parts[0] if parts[-1] == "__init__" else "/".join(parts) for parts in found}
    assert sorted(named) == sorted(m.rpartition("/")[2] for m in modules - {"__init__"})


def test_table_of_errata_says_what_its_cells_found():
    text = page("learn/errata")
    rows = re.findall(r"^\| \[(\d+)\]\(#erratum-(\d+)\) .*\|([^|]*)\|$", text, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert all(number == target for number, target, _ in rows)
    headings = re.findall(r"^### (\d+)\.", text, re.MULTILINE)
    assert headings == [number for number, _, _ in rows]
    said = {
        number: set(re.findall(r"\d+", last)) - {"0"} for number, _, last in rows if last.strip()
    }
    cell = text[text.index("assert sizes == {") :]
    found = re.findall(r'"(\d+)": (\([\d, ]+\)|\d+),', cell)
    shown = {number: set(re.findall(r"\d+", sizes)) - {"0"} for number, sizes in found}
    shown["17"] = {"2", "4"}  # the article's count and the right one; the cell counts 4 of 8
    assert said == shown


def test_the_character_model_in_a_hundred_lines_has_no_more():
    program, _ = page("tutorials/hundred-lines").split("\n## Where people stumble\n")
    cells = re.findall(r"^```\{code-cell\}\n(?![-:])(.*?)^```$", program, re.MULTILINE | re.DOTALL)
    assert 60 < sum(len(cell.splitlines()) for cell in cells) <= 100
    imports = re.findall(r"^(?:import|from) (\w+)", "".join(cells), re.MULTILINE)
    assert imports == ["unicodedata", "numpy"]  # nothing else, and not this library


def test_each_exercise_is_named_at_the_end_of_a_page_of_the_derivation():
    heading, link = r"^## (\d+)\. ", r"(\d+)\]\(\.\./exercises/([\w-]+)\.md#(\d+)-"
    parts = ("one-step", "over-time", "gates-and-ways", "on-paper")
    every = {
        (number, part)
        for part in parts
        for number in re.findall(heading, page(f"exercises/{part}"), re.MULTILINE)
    }
    assert len(every) == 31
    said, tried = [], re.compile(r"^\*\*Now try:\*\* (.+)\.\n\n(?:\*\*)?Next:", re.MULTILINE)
    for file in (DOCS / "learn").glob("*.md"):
        for line in tried.findall(file.read_text("utf-8")):
            said += re.findall(link, line)
    assert all(number == anchor for number, _, anchor in said)
    assert sorted((number, part) for number, part, _ in said) == sorted(every)


def test_a_page_to_learn_or_do_says_what_it_needs_and_gives_and_how_long_it_takes():
    chapters = ("learn", "tutorials", "howto", "exercises")
    others = {"index", "further", "answers"}  # lists of pages; answers are looked up
    pages = [f for c in chapters for f in (DOCS / c).glob("*.md") if f.stem not in others]
    assert len(pages) > 20
    said = re.compile(
        r"What you need, what you get\n:class: note\n\n(?:(?!:::).)*\b\d+ minutes", re.DOTALL
    )
    assert [f.name for f in pages if not said.search(f.read_text("utf-8"))] == []
