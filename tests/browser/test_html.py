"""The markup of every page, by html-validate's standard preset; and what our styles and scripts look for in it."""

import re
from collections.abc import Iterable
from pathlib import Path

import node
import served

STATIC = served.ROOT / "docs" / "_static"
SELECTOR = {  # what stands in braces, and in comments, is none
    ".css": re.compile(r"(?:^|[}/{])([^{}@/]*)(?=\{)"),
    ".js": re.compile(r"(?:querySelector(?:All)?|closest|matches)\??\.?\([\"'`](.*?)[\"'`]\)"),
}
NAME = re.compile(r"(?:[.#]|\[(?=data-))([A-Za-z_][\w-]*)")
VALUE = re.compile(r"var\((--[\w-]+)\)")
IN_PAGE = re.compile(r'(?:class|id)="([^"]*)"')
IN_SCRIPT = re.compile(r"(?:className = |classList\.add\()\"([\w -]+)")
MARKED = re.compile(r"(?: data-|dataset\.)([\w-]+)(?= ?=)")
VALUED = re.compile(r"(--[\w-]+)(?= *:|\")")
WORD = re.compile(r"[\w-]+")


def test_no_page_has_an_error(tmp_path: Path) -> None:
    assert node.html_errors(served.SITE.resolve(), served.pages(), tmp_path) == {}


def words(pattern: re.Pattern[str], files: Iterable[Path]) -> set[str]:
    """Return the words in what a pattern finds in files."""
    found = (each for file in files for each in pattern.findall(file.read_text("utf-8")))
    return set(" ".join(found).split())


def lost(file: Path, there: set[str]) -> set[str]:
    """Return the names that a style or a script of ours looks for in the markup, and values, that are not there."""
    text = file.read_text("utf-8")
    names = {name for each in SELECTOR[file.suffix].findall(text) for name in NAME.findall(each)}
    return names.union(VALUE.findall(text)) - there


def test_every_name_that_ours_look_for_is_there() -> None:
    """Truth: the pages with their styles, and what scripts make; what another tool has renamed is in neither."""
    pages = [served.SITE / name for name in served.pages()]
    scripts, styles = list(STATIC.glob("*.js")), STATIC.glob("*.css")
    values = words(VALUED, [*pages, *scripts, *served.SITE.rglob("*.css")])
    marks = {f"data-{name}" for name in words(MARKED, [*pages, *scripts])}
    in_pages = words(IN_PAGE, pages) | values | marks
    made = words(IN_SCRIPT, scripts)
    editor = list((served.SITE / "_static" / "prism-code-editor").rglob("*.js"))
    printed = Path(__file__).with_name("handout.py")
    any_word = in_pages | words(WORD, [*scripts, *editor, printed])
    found = {file.name: lost(file, in_pages | made) for file in scripts}
    styled = (file for file in styles if editor or file.name != "live.css")
    found |= {file.name: lost(file, any_word) for file in styled}
    assert {name: classes for name, classes in found.items() if classes} == {}
