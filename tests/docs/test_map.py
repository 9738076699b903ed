"""The map of the derivation shows every page once, in an order in which each needs only what came before."""

import re

import pytest
from _ext.interactive import derivation_map
from scratch import DOCS

pytestmark = pytest.mark.docs

MAP = (DOCS / "learn" / "index.md").read_text("utf-8").partition("```{derivation-map}\n")[2]
ITEM = re.compile(r"( *)- \[(.+?)\]\((.+?)\.md\)(?:\[, needs (.+), too\]\{\.needs\})?")
ITEMS = [ITEM.fullmatch(line).groups("") for line in MAP.partition("\n```")[0].splitlines()]
CORE = [name for indent, _, name, _ in ITEMS if not indent]


def needs() -> dict[str, set[str]]:
    """Return what each page needs: the page of the core that stands above it, and what is said behind it."""
    found, above = {}, set[str]()
    for indent, title, _, others in ITEMS:
        found[title] = above | set(others.split(", ") if others else ())
        above = above if indent else {title}
    return found


def test_every_page_of_the_derivation_is_in_the_map():
    files = {file.stem for file in (DOCS / "learn").glob("*.md")} - {"index"}
    assert sorted(name for _, _, name, _ in ITEMS) == sorted(files)


def test_a_page_needs_known_pages_and_no_circle():
    known, waiting = set(), needs()
    while waiting:
        ready = {title for title, needed in waiting.items() if needed <= known}
        assert ready, waiting
        known |= ready
        waiting = {title: needed for title, needed in waiting.items() if title not in ready}


def test_from_feedforward_nets_to_gates_the_core_takes_at_most_two_hours():
    core = CORE[CORE.index("feedforward") :]
    minutes = [
        derivation_map.stated((DOCS / "learn" / f"{name}.md").read_text("utf-8")) for name in core
    ]
    assert sum(minutes) <= 120


def test_a_page_without_minutes_is_refused():
    with pytest.raises(ValueError, match="states no minutes"):
        derivation_map.stated("no time")


@pytest.mark.parametrize(
    "item", ["* [A](a.md)", "1. [A](a.md)", "[A](a.md)", "- A", "- [A](a.md#b)"]
)
def test_what_would_not_be_counted_is_no_item(item):
    assert derivation_map.ITEM.match("  - [A](a.md)")[1] == "a.md"
    assert not derivation_map.ITEM.match(item)
