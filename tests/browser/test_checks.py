"""Each fault that tests/browser looks for, planted on a page of its own, is found, at the widths and themes that have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import measure
import node
import pytest
import served
from playwright.sync_api import BrowserContext

Reader = Callable[..., BrowserContext]
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title>
<link rel="icon" href="data:,">
<style>
body { margin: 0; background: #fff; color: #000 }
body[data-theme="dark"] { background: #000; color: #fff }
%s
</style>
</head>
<body><main><h1>A page</h1>
<article>
%s
</article></main></body>
</html>
"""
NARROW, WIDE = "@media (max-width: 800px)", "@media (min-width: 801px)"
BUTTONS = '<button class="b">one</button><button class="b">two</button>'
SMALL = ".b { padding: 0; border: 0; width: 12px; height: 12px; font-size: 9px }"
SCROLLS = "div { overflow: auto; height: 40px } p { height: 400px }"

# fault -> the page's style and its article, and what must be said of it, in this order
FAULTS: dict[str, tuple[str, str, list[str]]] = {
    "none": ("", "<p>Words.</p>", []),
    "contrast by day": ("body:not([data-theme=dark]) p { color: #bbb }", "<p>Words.</p>",
        ["axe: light 1280: color-contrast"]),
    "contrast at night": ("[data-theme=dark] p { color: #333 }", "<p>Words.</p>",
        ["axe: dark 1280: color-contrast"]),
    "contrast by the device": ("@media (prefers-color-scheme: dark) { p { color: #333 } }", "<p>Words.</p>",
        ["axe: dark 1280: color-contrast"]),
    "contrast at night on a phone": (f"{NARROW} {{ [data-theme=dark] p {{ color: #333 }} }}", "<p>Words.</p>",
        ["axe: dark 390: color-contrast"]),
    "contrast of what a phone alone shows": (
        f"p {{ color: #bbb }} {WIDE} {{ p {{ display: none }} }}", "<p>Words.</p>",
        ["axe: light 390: color-contrast"]),
    "contrast by day of what is typed": ("body:not([data-theme=dark]) input { color: #bbb; background: #fff }",
        '<input type="submit" value="Words">', ["axe: light 1280: color-contrast"]),
    "contrast at night of a hint": ("[data-theme=dark] ::placeholder { color: #333 } input { background: inherit; color: inherit }",
        '<input aria-label="words" placeholder="Words">', ["axe: dark 1280: color-contrast"]),
    "contrast by day of a link that is pointed at": (
        "a { color: inherit } @media all { body:not([data-theme=dark]) a:hover { color: #bbb } }", '<p><a href="page.html">Words.</a></p>',
        ["axe: light, pointed at or drawn: color-contrast"]),
    "contrast by day of a link that was followed": ("a { color: inherit } body:not([data-theme=dark]) a:visited { color: #bbb } a:visited:hover { color: inherit }",
        '<p><a href="page.html">Words.</a></p>', ["axe: light, pointed at or drawn: color-contrast"]),
    "contrast at night of what a link led to": ("[data-theme=dark] p:target { background: #bbb }", '<p id="a">Words.</p>',
        ["axe: dark, pointed at or drawn: color-contrast"]),
    "contrast by day of what is around a chosen button": ("div:focus-within { color: #bbb }", '<div><input type="submit" value="Words"><p>Words.</p></div>',
        ["axe: light, pointed at or drawn: color-contrast"]),
    "contrast by day of a number": ("li::before { counter-increment: n; content: counter(n); color: #bbb } [data-theme=dark] li::before { color: #fff }", "<ul><li>Words.</li></ul>",
        ["axe: light, pointed at or drawn: color-contrast"]),
    "contrast at night of what a style says": ('[data-theme=dark] p::after { content: "Words."; color: #333 }', "<p>Words.</p>",
        ["axe: dark, pointed at or drawn: color-contrast"]),
    "contrast by day of a drawing": ("body:not([data-theme=dark]) text { fill: #bbb } [data-theme=dark] text { fill: #fff }",
        '<svg width="99" height="40"><text y="30">Words.</text></svg>', ["axe: light, pointed at or drawn: color-contrast"]),
    "contrast by day of a part of a drawing's words": ("text { fill: currentColor } body:not([data-theme=dark]) tspan { fill: #bbb }",
        '<svg width="99" height="40"><text y="30">A <tspan>word.</tspan></text></svg>', ["axe: light, pointed at or drawn: color-contrast"]),
    "a link like the words around it by day": (
        "a { color: inherit } body:not([data-theme=dark]) a { color: #333; text-decoration: none }",
        '<p>Words, <a href="page.html">a link</a> and words.</p>', ["axe: light 1280: link-in-text-block"]),
    "overflow": ("p { width: 600px }", "<p>Words.</p>", ["overflow: 390: 600 px of 390", "overflow: 390: p."]),
    "overflow at night": ("[data-theme=dark] p { width: 600px }", "<p>Words.</p>", ["moved: 1280: <p>", "moved: 390: <p>"]),
    "small target at night on a phone": (f"{NARROW} {{ [data-theme=dark] {SMALL} }}", BUTTONS,
        ["moved: 390: <button", "axe: dark 390: target-size"]),
    "words beyond a box on a phone": ("article { overflow: hidden } p { width: 600px }", "<p>Words.</p>",
        ["overflow: 390: cut off: p."]),
    "words left of the window": ("p { margin-left: -20px }", "<p>Words.</p>",
        ["overflow: 1280: cut off: p.", "overflow: 390: cut off: p."]),
    "words above the window": ("p { position: absolute; top: -60px }", "<p>Words.</p>",
        ["overflow: 1280: cut off: p.", "overflow: 390: cut off: p."]),
    "words of the foot left of the window": ("footer p { margin-left: -20px }", "</article><footer><p>Words.</p></footer><article>",
        ["overflow: 1280: cut off: p.", "overflow: 390: cut off: p."]),
    "a fold that is too wide where it is closed": (f"{NARROW} {{ details:not([open]) {{ width: 600px }} }} summary {{ line-height: 30px }}",
        "<details><summary>More</summary>Words.</details>", ["overflow: 390: 600 px of 390", "overflow: 390: details.", "overflow: 390: summary."]),
    "code beyond its block": ("pre { overflow: hidden; width: 300px }", f"<pre>{99 * 'x'}</pre>",
        ["overflow: 1280: cut off: pre.", "overflow: 390: cut off: pre."]),
    "words below a box": ("p { overflow: hidden; height: 9px }", "<p>Words.</p>",
        ["overflow: 1280: cut off: p.", "overflow: 390: cut off: p."]),
    "a small fold": ("summary { font-size: 8px; line-height: 8px }", "<details><summary>More</summary>Words.</details>",
        ["small: 1280: summary.", "small: 390: summary."]),
    "a small link in a drawing": ("svg text { fill: currentColor }",
        '<svg width="99" height="40"><a href="page.html"><text y="30" font-size="9">Words.</text></a></svg>',
        ["small: 1280: a.", "small: 390: a."]),
    "small target": (SMALL, BUTTONS, ["axe: light 1280: target-size", "axe: dark 390: target-size"]),
    "small target on a phone": (f"{NARROW} {{ {SMALL} }}", BUTTONS, ["axe: dark 390: target-size"]),
    "a region that scrolls on a phone": (f"{NARROW} {{ {SCROLLS} }}", f"<div>{3 * '<p>Words.</p>'}</div>",
        ["axe: dark 390: scrollable-region-focusable"]),
    "a picture without words": ("", '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        ["axe: light 1280: image-alt"]),
    "a picture without words that a phone alone shows": (
        f"{WIDE} {{ img {{ display: none }} }}", '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        ["axe: dark 390: image-alt"]),
    "a formula that is not seen": (".katex-html { display: none }", '<span class="katex-html">x</span>',
        ["formulas: 1280: x", "formulas: 390: x"]),
    "a number upon a formula on a phone": (
        f"{NARROW} {{ .eqno {{ margin-top: -20px }} }} .eqno {{ display: block }}",
        '<div class="math-wrapper" id="e"><div class="math-scroll">x</div><span class="eqno">(1)</span></div>',
        ["collisions: 390: e collides"]),
    "a third party": ("", '<script src="http://127.0.0.1:9/foreign.js"></script>',
        ["console: Failed to load", "foreign: http://127.0.0.1:9/", "failed: http://127.0.0.1:9/"]),
    "a message": ("", "<script>console.log('heard')</script>", ["console: heard"]),
    "an error": ("", "<script>nowhere()</script>", ["console: nowhere is not defined"]),
    "a dead link": ("", '<script src="nowhere.js"></script>', ["console: Failed to load", "failed: 404 ", "failed: http://127.0.0.1:"]),
}  # fmt: skip


# What axe cannot judge, which comes before words of the same kind.
UNJUDGED = {
    "one letter": "<p>x</p>", "a sign": "<p>¶</p>", "clipped": '<p style="clip-path: inset(50%)">Words.</p>',
    "out of sight": '<div style="height: 0; overflow: hidden"><p>Words.</p></div>', "inert": "<div inert><p>Words.</p></div>",
}  # fmt: skip
FAULTS |= {
    f"contrast by day, below what is not judged: {name}": (
        "body:not([data-theme=dark]) p { color: #bbb }", f"{first}<p>Words.</p>",
        ["axe: light 1280: color-contrast"])
    for name, first in UNJUDGED.items()
}  # fmt: skip


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """Return how to put a page into a small site, which gives the address of the site."""
    (tmp_path / "404.html").write_text(PAGE % ("", ""), "utf-8")
    (tmp_path / "index.html").write_text("", "utf-8")
    with served.serve(tmp_path) as home:

        def plant(style: str, article: str) -> str:
            (tmp_path / "page.html").write_text(PAGE % (style, article), "utf-8")
            return home

        yield plant


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str, planted: Callable[[str, str], str], reader: Reader) -> None:
    style, article, wanted = FAULTS[fault]
    found = measure.inspect(reader("light", 1280), planted(style, article), "page.html").wrong()
    assert len(found) == len(wanted), found
    assert all(words.startswith(start) for words, start in zip(found, wanted, strict=True)), found


def test_a_kind_of_text_that_another_page_showed_is_not_shown_again(
    planted: Callable[[str, str], str], reader: Reader
) -> None:
    known: set[str] = set()
    found = []
    for number, style in enumerate(("", *2 * ["[data-theme=dark] p { color: #333 }"])):
        home = planted(style, "<p>Words.</p>")
        page = f"page.html?{number}"  # a name of its own: what one name led to is cached
        found.append(measure.inspect(reader("light", 1280), home, page, known=known))
    assert [len(seen.wrong()) for seen in found] == [0, 1, 0]


def test_a_kind_of_text_that_axe_could_not_judge_is_shown_again(
    planted: Callable[[str, str], str], reader: Reader
) -> None:
    known: set[str] = set()
    found = []
    for number, letters in enumerate(("x", "Words.")):
        home = planted("[data-theme=dark] p { color: #333 }", f"<p>{letters}</p>")
        found.append(
            measure.inspect(reader("light", 1280), home, f"page.html?{number}", known=known)
        )
    assert [len(seen.wrong()) for seen in found] == [0, 1]


def test_fault_of_a_file_is_found(
    planted: Callable[[str, str], str], reader: Reader, tmp_path: Path
) -> None:
    planted("", "<script>fetch('index.html').catch(() => 0)</script>")
    seen = measure.look(reader("light", 390), f"{tmp_path.as_uri()}/", "page.html")
    assert any(words.startswith("console: ") for words in seen.wrong())


def test_fault_without_javascript_is_found(
    planted: Callable[[str, str], str], reader: Reader
) -> None:
    hidden = '<noscript><p style="width: 2000px">Words.</p></noscript>'
    home = planted("", hidden)
    seen = measure.look(reader("dark", 1280, script=False), home, "page.html")
    assert seen.wrong() == ["overflow: 2000 px of 1280", "overflow: p."]
    assert measure.look(reader("light", 390), home, "page.html").wrong() == []


def test_fault_of_markup_is_found(tmp_path: Path) -> None:
    for name, article in (("right", "<p>Words.</p>"), ("wrong", "<p><div>Words.</div></p>")):
        (tmp_path / f"{name}.html").write_text(PAGE % ("", article), "utf-8")
    assert list(node.html_errors(tmp_path, ["right.html", "wrong.html"], tmp_path)) == [
        "wrong.html"
    ]
