"""The map of the derivation shows every page once, in an order in which each needs only what came before."""

import re

import pytest
from _ext.interactive import derivation_map
from scratch import DOCS

pytestmark = pytest.mark.docs


def test_every_page_of_the_derivation_is_in_the_map():
    files = {file.stem for file in (DOCS / "learn").glob("*.md")} - {"index"}
    assert sorted(node.name for node in derivation_map.PAGES) == sorted(files)


def test_a_page_needs_known_pages_and_no_circle():
    known = set()
    waiting = list(derivation_map.PAGES)
    while waiting:
        ready = [node for node in waiting if set(node.needs) <= known]
        assert ready, [node.name for node in waiting]
        known |= {node.name for node in ready}
        waiting = [node for node in waiting if node.name not in known]


def test_no_two_boxes_share_a_place():
    tops = derivation_map.tops()
    places = [(node.core, tops[node.name]) for node in derivation_map.PAGES]
    assert len(set(places)) == len(places)


def test_from_feedforward_nets_to_gates_the_core_takes_at_most_two_hours():
    core = [node.name for node in derivation_map.PAGES if node.core]
    core = core[core.index("feedforward") :]
    minutes = [
        derivation_map.stated((DOCS / "learn" / f"{name}.md").read_text("utf-8")) for name in core
    ]
    assert sum(minutes) <= 120


def test_a_page_without_minutes_is_refused():
    with pytest.raises(ValueError, match="states no minutes"):
        derivation_map.stated("no time")


def test_the_picture_links_to_every_page_and_says_its_minutes():
    minutes = {node.name: 10 + k for k, node in enumerate(derivation_map.PAGES)}
    picture = derivation_map.draw(minutes)
    for node in derivation_map.PAGES:
        link = re.search(rf'<a [^>]*href="{node.name}.html"[^>]*>.*?</a>', picture)
        assert link
        assert f">{minutes[node.name]}</text>" in link[0]
