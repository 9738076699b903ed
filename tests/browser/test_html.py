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
CLASS = re.compile(r"\.([A-Za-z_][\w-]*)")
IN_PAGE = re.compile(r'class="([^"]*)"')
IN_SCRIPT = re.compile(r"(?:className = |classList\.add\()\"([\w -]+)")
WORD = re.compile(r"[\w-]+")


def test_no_page_has_an_error(tmp_path: Path) -> None:
    assert node.html_errors(served.SITE.resolve(), served.pages(), tmp_path) == {}


def words(pattern: re.Pattern[str], files: Iterable[Path]) -> set[str]:
    """Return the words in what a pattern finds in files."""
    found = (each for file in files for each in pattern.findall(file.read_text("utf-8")))
    return set(" ".join(found).split())


def lost(file: Path, there: set[str]) -> set[str]:
    """Return the classes that a style or a script of ours looks for, and that are not there."""
    selectors = SELECTOR[file.suffix].findall(file.read_text("utf-8"))
    return {name for each in selectors for name in CLASS.findall(each)} - there


def test_every_class_that_ours_look_for_is_there() -> None:
    """Truth: the pages, and what scripts make; a class that another tool has renamed is in neither."""
    in_pages = words(IN_PAGE, [served.SITE / name for name in served.pages()])
    scripts, styles = list(STATIC.glob("*.js")), STATIC.glob("*.css")
    made = words(IN_SCRIPT, scripts)
    editor = list((served.SITE / "_static" / "prism-code-editor").rglob("*.js"))
    printed = Path(__file__).with_name("handout.py")
    any_word = in_pages | words(WORD, [*scripts, *editor, printed])
    found = {file.name: lost(file, in_pages | made) for file in scripts}
    styled = (file for file in styles if editor or file.name != "live.css")
    found |= {file.name: lost(file, any_word) for file in styled}
    assert {name: classes for name, classes in found.items() if classes} == {}
