"""The stylesheet of a page is what its stylesheets were, in their order; what they point to is still found."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from scratch import Scratch

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from _ext import bundle

pytestmark = [pytest.mark.house]


def test_addresses_are_seen_from_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.css").write_text(
        '@font-face{src:url(f/x.woff2)} p{background:url("y.svg")}'
    )
    (tmp_path / "two.css").write_text(
        "p{background:url(data:image/png;base64,AA)} q{src:url('z.svg')}"
    )
    text = bundle.joined(tmp_path, ("a/one.css", "two.css"))
    assert bundle.TARGET.findall(text) == ["a/f/x.woff2", "a/y.svg", "z.svg"]
    assert text.index("font-face") < text.index("data:image/png;base64,AA")


@pytest.mark.docs
def test_each_page_links_one_stylesheet_and_those_for_print(tmp_path: Path) -> None:
    site = Scratch(tmp_path / "site")
    assert not site.build().red
    pages = [p for p in site.html.rglob("*.html") if "_static" not in p.parts]
    assert len(pages) > 3
    for page in pages:
        links = re.findall(r'<link rel="stylesheet"[^>]*>', page.read_text("utf-8"))
        screen = [link for link in links if 'media="print"' not in link]
        assert len(screen) == 1, page
        name = re.search(r'_static/(bundle-\w+\.css)"', screen[0])
        assert name, page
        style = (site.html / "_static" / name[1]).read_text("utf-8")
        for target in bundle.TARGET.findall(style):
            assert (site.html / "_static" / target).is_file(), target
        assert style.index("katex") < style.rindex("content-visibility")  # ours stays last
