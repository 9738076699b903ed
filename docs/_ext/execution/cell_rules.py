"""What a cell on a page must not do, worded for the author of the page, and the form its outputs are shown in."""

import ast
import re
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from _ext.live import figures

EXPECTED = "raises-exception"
TAGS = {"answer", "plot", "proof", EXPECTED}
OPTIONS = {"figure", "image", "mystnb", "summary", "tags"}  # MyST-NB has others, which hide
PLACES = [Path.home(), Path(__file__).parents[3], Path(tempfile.gettempdir())]
PLACES += [Path(sysconfig.get_path(name)) for name in ("purelib", "stdlib")]
FOLDERS = [rf"(?<!\w){re.escape(str(place))}(?!\w)" for place in PLACES if len(place.parts) > 1]
ADDRESS = re.compile("|".join([r"^.*? at 0x[0-9A-Fa-f]{5,}>?", *FOLDERS]), re.MULTILINE)
CHECKS = {"check", "check_bound", "check_equation"}
SIDES = {"larger", "left", "line", "right", "smaller", "truth"}
FORGED = re.compile(r"EquationCheck\(|holds exactly \(|holds, largest|holds as a bound,")
PROGRESS = re.compile(r".*  \d\S*/\d\S*\s*$")  # as kernel.py words it
MISTAKE = re.compile(  # shown by no page; of a TypeError, Python's own words
    r"(Attribute|Import|ModuleNotFound|Name|UnboundLocal)Error|Type.*\(\) (got an un|missing \d|takes)"
)
SVG = "image/svg+xml"
SEEN = {SVG, "text/plain", "text/latex"}  # by who copies the cell; the last is shown as the second


def _texts(output: NotebookNode) -> Iterator[str]:
    yield output.get("text", "") + output.get("evalue", "")
    for kind, data in output.get("data", {}).items():
        if kind.startswith("text/") and SVG not in output.data:
            yield str(data)


def _alt(cell: NotebookNode) -> str:
    match cell.metadata.get("mystnb"):
        case {"image": {"alt": str(alt)}}:
            return alt.strip()
    return ""


def _wrong_source(cell: NotebookNode) -> Iterator[str]:
    if found := FORGED.search(cell.source):
        yield f"the cell says {found[0]!r} itself: only check_equation and check_bound may"
    try:
        compile(cell.source, "cell", "exec", dont_inherit=True)
    except SyntaxError as error:
        yield f"the cell is no Python that a reader could copy: {error.msg}"
        return
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func).split(".")[-1]) in CHECKS:
            sides = [*node.args[1:3], *(k.value for k in node.keywords if k.arg in SIDES)]
            texts = [ast.unparse(side) for side in sides]
            if len(texts) == 2 and texts[0] == texts[1]:
                yield f"{name} compares {texts[0]!r} with itself"


def problems(cell: NotebookNode, ran: bool = True) -> Iterator[str]:
    """Say what is wrong with a cell as it was written and, if it ran, as it came out."""
    tags = set(cell.metadata.get("tags", []))
    options = {*cell.metadata, *(cell.metadata.get("mystnb") or {})}
    for name in sorted((tags - TAGS) | (options - OPTIONS)):
        allowed = f"a tag is {', '.join(sorted(TAGS))}, an option figure, image or summary"
        yield f"the tag or option {name!r} is none that a cell may have: {allowed}"
    yield from _wrong_source(cell)
    outputs = cell.get("outputs", [])
    errors = [o for o in outputs if o.output_type == "error"]
    # Without a traceback the cell came to no end: the kernel died, or there was none.
    meant = EXPECTED in tags
    told = ((f"{e.ename}: {e.evalue}".rstrip(": "), e.traceback) for e in errors)
    yield from (words for words, end in told if not (meant and end) or MISTAKE.match(words))
    for output in outputs:
        for text in _texts(output):
            if found := ADDRESS.search(text):
                remedy = "end the cell with plt.show(), or assign the value"
                yield f"the output shows {found[0]!r}, which differs in another run or elsewhere: {remedy}"
        if output.output_type == "stream" and output.name == "stderr":
            for line in output.text.splitlines():
                if line.strip() and not PROGRESS.match(line):
                    yield f"the cell wrote to stderr, which only a progress bar may: {line!r}"
    if others := {kind for o in outputs for kind in o.get("data", {})} - SEEN:
        yield f"the output is {' and '.join(sorted(others))}, which a copied cell does not show"
    sizes = [figures.SIZE.search(o.data[SVG]) for o in outputs if SVG in o.get("data", {})]
    yield from ("matplotlib changed: an SVG states no size in pt" for size in sizes if not size)
    shown = ((EXPECTED, "raised", errors), ("plot", "drew", [*errors, *sizes]))
    empty = [each for each in shown if each[0] in tags and not each[2]]
    if ran and cell.source.strip():
        yield from (f"the cell is tagged {tag!r} and {did} nothing" for tag, did, _ in empty)
    data = [o.data for o in outputs if o.output_type == "display_data"]
    if any(SVG not in d and d.get("text/plain", "").startswith("<Figure") for d in data):
        yield "the figure came as words and not as SVG: the kernel does not draw"
    if sizes and not _alt(cell):
        yield "the figure has no alternative text: give the cell `mystnb: {image: {alt: ...}}`"
    if len(sizes) > 1:
        yield f"the cell draws {len(sizes)} figures: draw one a cell, each with its alternative text"


def raw(cell: NotebookNode) -> dict[str, Any]:
    """Return a cell as it was executed: its source, tags, alternative text and outputs."""
    tags, outputs = cell.metadata.get("tags", []), cell.get("outputs", [])
    return {"source": cell.source, "tags": tags, "alt": _alt(cell), "outputs": outputs}


def show(cell: NotebookNode) -> None:
    """Turn outputs into what the page shows: figures inline, of an error the line that says it."""
    for output in cell.get("outputs", []):
        if SVG in output.get("data", {}):
            output.data = NotebookNode({"text/html": figures.inline(output.data[SVG], _alt(cell))})
        elif output.output_type == "error":
            output.traceback = [f"{output.ename}: {output.evalue}"]
