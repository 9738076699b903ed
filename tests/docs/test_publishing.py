"""The one pass over the written pages: what it does to a page, and that nothing it is meant to do fails in silence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _ext.publishing import metadata, policy, repairs, stylesheets
from _ext.publishing.link_check import Links
from _ext.publishing.page import Page
from scratch import DOCS, Scratch

pytestmark = pytest.mark.house

HEAD = '<meta charset="utf-8"><link rel="stylesheet" href="_static/a.css?v=1"><link rel="stylesheet" href="_static/b.css">'
ASIDES = '<aside class="sidebar-drawer"></aside><aside class="toc-drawer"></aside>'


def page(folder: Path, body: str, head: str = HEAD, name: str = "page") -> Page:
    """Return a page with some HTML."""
    file = folder / f"{name}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>")
    return Page(file, folder)


BROKEN = """
<p class="caption" role="heading"></p>
<div role="list" class="citation-list"><div role="doc-biblioentry"></div></div>
<table><tr><th class="head"><p></p></th><th class="head"><p>a</p></th><th class="head stub"></th></tr></table>
"""


def test_repairs_mend_what_they_are_for(tmp_path: Path) -> None:
    one = page(tmp_path, ASIDES + BROKEN)
    repairs.repair(one)
    assert one.wrong == []
    text = one.tree.html
    for words in (
        '<p class="caption" role="heading" aria-level="2">',
        '<div class="citation-list"><div></div></div>',
        '<td></td><th class="head"><p>a</p></th><td></td>',
        'aria-label="Site"',
        'aria-label="On this page"',
    ):
        assert words in text


@pytest.mark.parametrize("repair", repairs.REPAIRS, ids=lambda each: each.name)
def test_a_repair_that_finds_nothing_is_named(repair: repairs.Repair, tmp_path: Path) -> None:
    words = "<p>The other tools write something else now.</p>"
    one = page(tmp_path, words, name=repair.on or "page")
    repairs.repair(one)
    assert f"the repair '{repair.name}' finds nothing: no {repair.selector}" in one.wrong


def test_a_repair_asks_a_page_that_there_is() -> None:
    names = {each.on for each in repairs.REPAIRS} - {""}
    assert [name for name in names if not (DOCS / f"{name}.md").is_file()] == []


def test_a_repair_may_find_nothing_on_other_pages(tmp_path: Path) -> None:
    one = page(tmp_path, ASIDES)
    repairs.repair(one)
    assert one.wrong == []


def test_numbers_of_two_places_are_told_apart(tmp_path: Path) -> None:
    one = page(tmp_path, '<p id="id1"></p><p id="id1"></p><p id="a"></p><p id="a"></p>')
    one.number_again()
    assert one.ids() == ["id1", "id1-2", "a", "a"]
    Links(tmp_path, "").add(one)
    assert one.wrong == ["the id 'a' stands for 2 places"]


def test_policy_allows_what_stands_in_the_page_and_nothing_else(tmp_path: Path) -> None:
    body = "<script>a()</script><script src='_static/b.js'></script><style>p{}</style>"
    one = page(tmp_path, body + '<script type="application/json">{}</script>')
    policy.guard(one)
    content = one.tree.css_first("head > meta:nth-child(2)").attributes["content"] or ""
    assert policy.guarded(one)
    assert content.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-")
    assert content.count("'sha256-") == 2
    wider = {"default-src": "'none'", "style-src-attr": "'unsafe-inline'"}
    wider |= {"script-src": "'self' 'wasm-unsafe-eval'", "img-src": "'self' data:"}
    assert {name: wider.get(name, "'self'") for name in policy.POLICY} == policy.POLICY
    assert {"base-uri", "form-action", *wider} <= set(policy.POLICY)  # two have no default


@pytest.mark.parametrize(
    "head",
    [
        "<title>a</title>",
        '<script src="a.js"></script><meta charset="utf-8">',
        "<base><meta charset>",
    ],
)
def test_a_page_without_a_policy_is_named(head: str, tmp_path: Path) -> None:
    one = page(tmp_path, "", head=head)
    policy.guard(one)
    assert one.wrong == ["the page has no policy: its <head> does not begin with <meta charset>"]


def test_a_page_with_a_policy_of_its_own_is_not_finished(tmp_path: Path) -> None:
    own = (
        '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src *">'
    )
    one = page(tmp_path, "", head=own)
    assert not policy.guarded(one)
    policy.guard(one)
    assert len(one.tree.css("meta[http-equiv]")) == 2  # of two a browser keeps to both


def test_addresses_are_seen_from_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.css").write_text(
        '@font-face{src:url(f/x.woff2)} p{background:url("y.svg")}'
    )
    (tmp_path / "two.css").write_text(
        "p{background:url(data:image/png;base64,AA)} q{src:url('z.svg')}"
    )
    text = stylesheets.joined(tmp_path, ("a/one.css", "two.css"))
    assert stylesheets.TARGET.findall(text) == ["a/f/x.woff2", "a/y.svg", "z.svg"]
    assert text.index("font-face") < text.index("data:image/png;base64,AA")


def test_a_page_links_one_stylesheet(tmp_path: Path) -> None:
    static = tmp_path / "_static"
    static.mkdir()
    (static / "a.css").write_text("a{}")
    (static / "b.css").write_text("b{src:url(no.svg)}")
    one = page(tmp_path, "", HEAD + '<link rel="stylesheet" media="print" href="_static/c.css">')
    stylesheets.bundle(one, static)
    links = [link.attributes["href"] for link in one.tree.css("link")]
    assert links[1:] == ["_static/c.css"]
    assert (tmp_path / str(links[0])).read_text() == "a{}\nb{src:url(no.svg)}\n"
    assert one.wrong == ["its stylesheets point to _static/no.svg, which is not there"]
    gone = page(tmp_path, "", HEAD.replace("b.css", "sub/gone.css"))
    stylesheets.bundle(gone, static)
    assert gone.wrong == ["its stylesheets point to _static/sub/gone.css, which is not there"]
    none = page(tmp_path, "", "<meta charset='utf-8'>")
    stylesheets.bundle(none, static)
    assert none.wrong == ["the page links no stylesheets that could be put together"]


def test_the_map_of_a_site_has_its_pages_by_their_address(tmp_path: Path) -> None:
    app: Any = SimpleNamespace(outdir=tmp_path, config=SimpleNamespace(html_baseurl=""))
    pages = ["index", "learn/bp2", "search", "404"]
    metadata.write_sitemap(app, pages)
    assert list(tmp_path.iterdir()) == []
    app.config.html_baseurl = "https://e.f/g/"
    metadata.write_sitemap(app, pages)
    lines = (tmp_path / "sitemap.txt").read_text().splitlines()
    assert lines == ["https://e.f/g/index.html", "https://e.f/g/learn/bp2.html"]


LEADS = {
    "b.html": True,
    "b.html#there": True,
    "b.html#nowhere": False,
    "#here": True,
    "#nowhere": False,
    "c.html": False,
    "deep/d.html#x%20y": True,
    "deep/../b.html?q=1": True,
    "deep/": False,
    "folder/": True,
    "folder#there": True,
    "folder/#nowhere": False,
    "./#nowhere": False,
    "file.txt": True,
    "https://elsewhere.example/c.html": True,
    "https://own.example/site/b.html#there": True,
    "https://own.example/site/c.html": False,
    "/site/b.html#nowhere": False,
    "https://own.example/other/": True,
    "//own.example/other/": True,
    "../site/b.html": False,
    "../b.html": False,
    "../outside.txt": False,
    "mailto:a@b.c": True,
    "data:text/plain,a": True,
    "HTTPS://Own.example/site/c.html": False,
    "http://own.example/site/c.html": False,
    "//own.example/site/c.html": False,
    "http://[": True,
    "https:c.html": False,
    "htps://elsewhere.example/": False,
    "file:///b.html": False,
    "javascript:void(0)": False,
    "b.html/": False,
    "#Top": True,
    "b.html#x%20y": True,
    "sub/../gone.html": False,
    "pic.svg#there": True,
    "pic.svg#nowhere": False,
}


@pytest.mark.parametrize("address", LEADS)
def test_links_that_lead_nowhere_are_found(address: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    (tmp_path.parent / "outside.txt").write_text("")
    (tmp_path / "pic.svg").write_text('<svg><g id="there"/></svg>')
    links = Links(tmp_path, "https://own.example/site/")
    links.add(page(tmp_path, f'<p id="here"><a href="{address}"></a></p>', "", "a"))
    links.add(page(tmp_path, '<p id="there"><b id="x%20y"></b></p>', "", "b"))
    links.add(page(tmp_path, '<p id="x y"></p>', "", "deep/d"))
    links.add(page(tmp_path, '<p id="there"></p>', "", "folder/index"))
    dead = list(links.dead())
    assert bool(dead) != LEADS[address]
    assert all(name == "a" and address in words for name, words in dead)


@pytest.mark.parametrize(
    "element",
    [
        '<area href="gone">',
        '<blockquote cite="gone"></blockquote>',
        '<button formaction="gone"></button>',
        '<form action="gone"></form>',
        '<iframe src="gone"></iframe>',
        '<object data="gone"></object>',
        '<svg xlink:href="gone"></svg>',
        '<video poster="gone"></video>',
        '<img srcset="data:,a 1x, gone 2x">',
        '<link rel="preload" imagesrcset="gone">',
        '<meta http-equiv="Refresh" content="0; URL=\'gone\'">',
        '<p style="background: url(gone)">',
        '<meta property="og:image" content="gone">',
        '<svg><path clip-path="url(&quot;gone&quot;)"/></svg>',
        '<svg><path marker-end="url(gone)"/></svg>',
        '<svg><path fill=" URL(gone)"/></svg>',
        '<p style="background: URL(gone)">',
        "<style>p { background: url(gone) }</style>",
    ],
)
def test_every_element_that_leads_somewhere_is_followed(element: str, tmp_path: Path) -> None:
    links = Links(tmp_path, "")
    links.add(page(tmp_path, element, "", "a"))
    assert list(links.dead()) == [("a", "the link 'gone' leads to gone, which is not there")]


@pytest.mark.parametrize("name", ["for", "aria-labelledby", "aria-describedby", "commandfor"])
def test_every_element_that_is_named_by_another_is_there(name: str, tmp_path: Path) -> None:
    links = Links(tmp_path, "")
    links.add(page(tmp_path, f'<p id="here" {name}="here gone"></p>', "", "a"))
    assert list(links.dead()) == [("a", "the link '#gone' leads to no place on a.html")]


LATE = """from pathlib import Path

def setup(app):
    app.connect("build-finished", lambda app, _: Path(app.outdir, "late.html").write_text(""), 950)
"""


@pytest.mark.docs
def test_a_site_is_finished_and_its_faults_are_named(tmp_path: Path) -> None:
    site = Scratch(tmp_path / "site")
    site.patch("docs/reference/api.md", "# API", r"# At $k_1 < \tau$")
    built = site.build(BPTT_SITE_URL="https://e.f/g/")
    assert not built.red, built.text
    lost = (site.html / "404.html").read_text()
    assert lost.index('<base href="/g/">') < lost.index("bundle-")  # from any depth
    api = Page(site.html / "reference" / "api.html", site.html)
    assert api.tree.css_first("title").text() == r"At k_1 < \tau - bptt"
    assert r'content: "At k_1 < \\tau · ' in api.tree.css_first("style.foot").text()
    pages = [Page(file, site.html) for file in sorted(site.html.rglob("*.html"))]
    assert len(pages) > 5
    for one in pages:
        assert policy.guarded(one), one.name
        screen = [n for n in one.tree.css("link[rel=stylesheet]") if "media" not in n.attributes]
        assert len(screen) == 1, one.name
        assert one.tree.css_first("span.commit").text() == "scratch"
        for told in ('meta[name="description"]', 'meta[property="og:title"]'):
            assert len(one.tree.css(told)) == 1, f"furo changed: {one.name} has no {told}"
    style = (
        site.html / str(pages[0].tree.css_first("link[href*=bundle]").attributes["href"])
    ).read_text()
    assert style.index("katex") < style.rindex(".cheat-sheet")  # ours stays last

    site.write("docs/extra/bare.html", "<html><body><a href='nowhere.html'>a</a></body></html>")
    for name in ("old.htm", "old.shtml", "old.xml"):
        site.write(f"docs/extra/{name}", "<html></html>")
    site.write("docs/_ext/late.py", LATE)
    site.patch("docs/conf.py", '    "api.code_links",', '    "late",\n    "api.code_links",')
    site.patch("docs/conf.py", "html_copy_source", 'html_extra_path = ["extra"]\nhtml_copy_source')
    site.patch("docs/_ext/publishing/repairs.py", "aside.sidebar-drawer", "aside.side-drawer")
    site.page("leads", '<a href="nowhere.html#a">a</a>\n\n```{code-cell}\n1\n```')
    built = site.build()
    assert built.red
    for words in (
        "bare.html: the page has no policy",
        "bare.html: the link 'nowhere.html' leads to nowhere.html, which is not there",
        "late.html: the page has no policy",
        "old.htm: only a page called .html gets a policy",
        "old.shtml: only a page called .html gets a policy",
        "old.xml: only a page called .html gets a policy",
        "leads.md:9: WARNING: the link 'nowhere.html#a' leads to nowhere.html, which is not there",
        "the repair 'name of the sidebar' finds nothing: no aside.side-drawer",
    ):
        assert words in built.text
