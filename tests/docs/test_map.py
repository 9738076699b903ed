"""The map of the derivation shows every page once, with its minutes, in an order in which each needs only what came before."""

import re
from itertools import pairwise

import pytest
from scratch import DOCS

pytestmark = pytest.mark.docs

TEXT = (DOCS / "learn" / "index.md").read_text("utf-8")
MAP = TEXT.partition("```{rst-class} derivation-map\n")[2]
ITEM = re.compile(
    r"( *)- \[(.+?)\]\((.+?)\.md\) \[(\d+)\]\{\.minutes\}(?:\[, needs (.+), too\]\{\.needs\})?"
)
STATED = re.compile(r"\b(\d+) minutes\.")
ITEMS = [ITEM.fullmatch(line).groups("") for line in MAP.partition("\n```")[0].splitlines()]
CORE = [name for indent, _, name, *_ in ITEMS if not indent]
MINUTES = {name: int(minutes) for _, _, name, minutes, _ in ITEMS}


def needs() -> dict[str, set[str]]:
    """Return what each page needs: the page of the core that stands above it, and what is said behind it."""
    found, above = {}, set[str]()
    for indent, title, _, _, others in ITEMS:
        found[title] = above | set(others.split(", ") if others else ())
        above = above if indent else {title}
    return found


def test_every_page_of_the_derivation_is_in_the_map():
    files = {file.stem for file in (DOCS / "learn").glob("*.md")} - {"index", "further"}
    assert sorted(name for _, _, name, *_ in ITEMS) == sorted(files)


def below(page: str) -> list[str]:
    """Return the pages of the table of contents of a page of the derivation, in order."""
    text = (DOCS / "learn" / f"{page}.md").read_text("utf-8")
    (tree,) = re.findall(r"```\{toctree\}\n:hidden:\n\n(.*?)\n```", text, re.DOTALL)
    listed = re.findall(r"^[-|] \[.+?\]\((.+?)\.md\)(?: \||:)", text, re.MULTILINE)
    assert listed == tree.split()
    return listed


def test_the_core_is_read_in_the_order_of_the_map_and_leads_on_to_its_own_next_page():
    core = below("index")
    assert core == CORE
    for name, after in pairwise([*core, "further"]):
        text = (DOCS / "learn" / f"{name}.md").read_text("utf-8")
        assert re.findall(r"^(?:\*\*)?Next:.*?\]\((.+?)\.md\)", text, re.MULTILINE) == [after]


def test_beyond_the_core_each_page_comes_after_those_that_it_needs():
    order, titles = [*CORE, *below("further")], {title: name for _, title, name, *_ in ITEMS}
    assert sorted(order) == sorted(titles.values())
    for title, needed in needs().items():
        assert all(order.index(titles[one]) < order.index(titles[title]) for one in needed), title


def test_a_page_needs_known_pages_and_no_circle():
    known, waiting = set(), needs()
    while waiting:
        ready = {title for title, needed in waiting.items() if needed <= known}
        assert ready, waiting
        known |= ready
        waiting = {title: needed for title, needed in waiting.items() if title not in ready}


def test_what_a_page_says_it_needs_the_map_says_too():
    titles, before = {name: title for _, title, name, *_ in ITEMS}, needs()
    for title in before:  # what the needed pages need is needed, too
        waiting = [*before[title]]
        while waiting:
            more = before[waiting.pop()] - before[title]
            before[title] |= more
            waiting += more
    unsaid = {}
    for name, title in titles.items():
        text = (DOCS / "learn" / f"{name}.md").read_text("utf-8")
        lines = re.findall("^You need.*", text, re.MULTILINE)
        must = [p for line in lines for p in line.split(";") if not p.endswith("help.")]
        said = {titles[page] for page in re.findall(r"\]\(([\w-]+)\.md", " ".join(must))}
        unsaid[name] = said - before[title]
    left = {name: pages for name, pages in unsaid.items() if pages}
    assert not left, left


def test_its_minutes_are_those_that_the_pages_state():
    texts = {name: (DOCS / "learn" / f"{name}.md").read_text("utf-8") for name in MINUTES}
    stated = {name: [int(n) for n in STATED.findall(text)] for name, text in texts.items()}
    assert {name: [minutes] for name, minutes in MINUTES.items()} == stated
    (total,) = re.findall(r"The core, on the left, takes (\d+) minutes in all", TEXT)
    assert int(total) == sum(MINUTES[name] for name in CORE)


def test_the_core_takes_at_most_two_hours():
    assert sum(MINUTES[name] for name in CORE) <= 120
