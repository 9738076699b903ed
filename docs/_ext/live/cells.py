"""Live cells: the site serves the Python that runs its cells in the reader's browser.

Hidden elements tell the scripts of a page, for each of its cells, the lines of the cells above that it needs, as
``slicer.pack`` writes them, the packages that it needs, and which of these no browser has.
"""

import html
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from _ext.live import pyodide_files
from _ext.slicing import page_data, requirements, slicer

HERE = Path(__file__).resolve().parent
HELPERS = ("figures.py", "matplotlibrc")


def packages(sources: list[str], needs: list[dict[int, slicer.Lines]]) -> dict[str, list[str]]:
    """Return for each cell the packages missing in a browser, its own and of cells it needs, and those it needs that a browser has."""
    known = pyodide_files.PACKAGES
    found: dict[str, list[str]] = {"missing": [], "packages": []}
    for number, (code, needed) in enumerate(zip(sources, needs, strict=True)):
        every = requirements.needed(sources[k] for k in {*needed, number})
        found["missing"].append(", ".join(name for name in every if name not in known))
        found["packages"].append(" ".join(n for n in requirements.needed([code]) if n in known))
    return found


def sentence(needed: list[str]) -> nodes.paragraph:
    """Return what tells the reader which packages the cells of a page need."""
    words = "Besides bptt and NumPy, the cells of this page need "
    line = nodes.paragraph("", words, classes=["page-needs"])
    for k, name in enumerate(needed):
        between = " and " if k == len(needed) - 1 else ", "
        line += [nodes.Text(between if k else ""), nodes.literal(name, name)]
    line += nodes.Text(".")
    return line


def hidden(name: str, **data: list[str]) -> nodes.raw:
    """Return an element that nobody sees, which holds data for a script: of each kind, a line for each cell."""
    said = {kind: "\n".join(lines) if any(lines) else "" for kind, lines in data.items()}
    attributes = " ".join(f'data-{kind}="{html.escape(text)}"' for kind, text in said.items())
    return nodes.raw("", f'<div id="bptt-{name}" {attributes} hidden></div>', format="html")


def _tell(app: Sphinx, doctree: nodes.document) -> None:
    cells = page_data.cells_of(doctree)
    code = list(cells.values())
    needs, every = slicer.needs(code), requirements.needed(code)
    if cells and app.config.live_cells:
        doctree += hidden("live", **packages(code, needs))
    if cells:
        doctree += hidden("needs", needs=[slicer.pack(lines) for lines in needs])
    if every:
        first = next(iter(cells))
        first.parent.insert(first.parent.index(first), sentence(every))


def _fetch(app: Sphinx) -> None:
    """Fetch what is not there yet, before anything else is done."""
    if app.builder.format == "html" and app.config.live_cells:
        pyodide_files.fetch(Path(app.config.live_cells_store))


def _serve(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html" or not app.config.live_cells:
        return
    static = Path(app.outdir) / "_static"
    for name in HELPERS:
        (static / "live" / name).write_bytes((HERE / name).read_bytes())
    store, root = Path(app.config.live_cells_store), Path(app.config.bptt_package).parent
    pyodide_files.serve(static / "pyodide", store, root)


def setup(app: Sphinx) -> None:
    """Fetch first, tell pages when they are read, serve when they are written."""
    app.connect("builder-inited", _fetch)
    app.connect("doctree-read", _tell)
    app.connect("build-finished", _serve)
