"""Write each page once more, as a notebook, a script and Markdown (README.md), and say so on the page."""

import ast
import html
import json
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx

from _ext.execution.cell_rules import EXPECTED, SVG
from _ext.execution.record import left, write
from _ext.formats.markdown import Piece, Writer, fence, indent
from _ext.interactive import answers, layers
from _ext.live import figures
from _ext.slicing import requirements
from _ext.slicing.page_data import cells_of, parsed

HIDDEN = {*layers.FOLDED, answers.TAG}  # the code of such a cell is folded on the page, and run
ANSWER_IN_NOTEBOOK = "*Answer: open the cell below.*"
GUARD = 'if __name__ == "__main__":'
BRANCH = "notebooks"  # where the Pages workflow puts the notebooks, a folder for each commit
LAUNCH = {
    "Colab": "https://colab.research.google.com/github/{repository}/blob/{branch}/{revision}/{page}.ipynb",
    "Binder": "https://mybinder.org/v2/gh/{repository}/{revision}?urlpath=lab/tree/docs/_build/html/{page}.ipynb",
}


class Page:
    """A page, and what it becomes."""

    def __init__(self, app: Sphinx, docname: str, doctree: nodes.document) -> None:
        self.app, self.docname, self.doctree = app, docname, doctree
        self.base = Path(app.outdir, docname)
        self.name = self.base.name
        config = app.config
        self.source = {"repository": config.bptt_repository, "revision": config.bptt_revision}
        self.known = all(self.source.values())  # where the library of this build can be had
        file = left(Path(app.outdir), "outputs", docname)
        kept = json.loads(file.read_text("utf-8")) if file.is_file() else []
        places = cells_of(doctree)
        if [cell["source"].rstrip() for cell in kept] != [c.rstrip() for c in places.values()]:
            # A build of one page has not run the others, or has run them when they were not as now.
            kept = [{"source": c, "tags": [], "alt": "", "outputs": []} for c in places.values()]
        self.cells = [nbformat.from_dict(cell) for cell in kept]
        self.places = dict(zip(places, self.cells, strict=True))
        self.pieces = self._pieces()  # of the notebook and of the script

    # --- words
    def _pieces(self, beside: bool = False) -> list[Piece]:
        """Return the page; its links lead to HTML elsewhere, or to the Markdown that stands beside."""
        return Writer(lambda address: self._link(address, beside), self.places).pieces(self.doctree)

    def _link(self, address: str, beside: bool) -> str:
        """Return where a reference of the page leads from one of its twins."""
        if re.match(r"[a-z]+:", address):
            return address
        path = address.partition("#")[0]
        page = path.removesuffix(".html")
        if beside and page != path:  # a page of source code has no Markdown
            return f"{page}.md" if urljoin(self.docname, page) in self.app.env.found_docs else ""
        if beside:
            return path
        base = self.app.config.html_baseurl
        return urljoin(f"{base}{self.docname}.html", address) if base else ""

    # --- the twins
    def notebook(self) -> NotebookNode:
        """Return the executed notebook."""
        cells, count = [], 0
        for piece in self.pieces:
            if isinstance(piece, str):
                cells.append(nbformat.v4.new_markdown_cell(piece))
                continue
            count += 1
            metadata: dict[str, Any] = {"tags": [EXPECTED]} if EXPECTED in piece.tags else {}
            if HIDDEN & set(piece.tags):
                metadata["jupyter"] = {"source_hidden": True}
            if answers.TAG in piece.tags:
                cells.append(nbformat.v4.new_markdown_cell(ANSWER_IN_NOTEBOOK))
            made = nbformat.v4.new_code_cell(piece.source, metadata=metadata)
            if not answers.begins(piece.source, piece.tags):
                made.execution_count = count
                made.outputs = [_output(output, count, piece.alt) for output in piece.outputs]
            cells.append(made)
        cells.insert(1, self._setup())
        for k, cell in enumerate(cells):
            cell["id"] = sha256(f"{k} {cell.source}".encode()).hexdigest()[:12]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
        metadata = {"kernelspec": kernel, "language_info": language}
        return nbformat.v4.new_notebook(cells=cells, metadata=metadata)

    def _setup(self) -> NotebookNode:
        """Return the cell that says what the others need, and installs it if it is known how."""
        if not self.known:
            return nbformat.v4.new_markdown_cell(f"*These cells need {', '.join(self.needs)}.*")
        needs = " ".join(f'"{need}"' for need in self.needs)
        names = {"bptt"}.union(*(requirements.imported(cell.source) for cell in self.cells))
        modules = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
        code = (
            f"try:\n    import {', '.join(sorted(modules))}\n"
            f"except ModuleNotFoundError:  # in Colab, for one\n    %pip install --quiet {needs}"
        )
        return nbformat.v4.new_code_cell(code, metadata={"tags": ["setup"]})

    @property
    def needs(self) -> list[str]:
        """Return what pip must install to run the cells."""
        library = "bptt @ git+https://github.com/{repository}@{revision}" if self.known else "bptt"
        others = requirements.needed(cell.source for cell in self.cells)
        return [library.format(**self.source), *others]

    def launch(self) -> dict[str, str]:
        """Return the addresses that open the notebook elsewhere."""
        given = {**self.source, "branch": BRANCH, "page": self.docname}
        launched = LAUNCH if self.known and self.cells else {}
        return {name: address.format(**given) for name, address in launched.items()}

    def script(self) -> str:
        """Return the script."""
        config = self.app.config
        head = f"# {self.docname}, a page of bptt {config.release}, as a script made from it."
        parts = [f"{head}\n# It needs: {', '.join(self.needs)}."]
        again = any(GUARD in cell.source for cell in self.cells)  # by processes that it starts
        for piece in self.pieces:
            if isinstance(piece, str):
                parts.append(f"# %% [markdown]\n{indent(piece, '# ', '# ')}")
            else:
                code = expecting(piece) if EXPECTED in piece.tags else piece.source
                parts.append(f"# %%\n{guarded(code) if again else code}")
        return "\n\n".join(parts) + "\n"

    def markdown(self) -> str:
        """Return the Markdown; write its figures."""
        parts, drawn = [], 0
        for piece in self._pieces(beside=True):
            if isinstance(piece, str):
                parts.append(piece)
                continue
            parts.append(fence(piece.source, "python"))
            for output in piece.outputs:
                if SVG in output.get("data", {}):
                    drawn += 1
                    parts.append(f"![{piece.alt}]({self.name}-{drawn}.svg)")
                    file = self.base.with_name(f"{self.name}-{drawn}.svg")
                    write(file, figures.plain(output.data[SVG]))
                elif text := _text(output):
                    parts.append(fence(text, "text"))
        return "\n\n".join(parts) + "\n"

    def write(self) -> dict[str, str]:
        """Write the files; return their names by what they are."""
        files = {"Markdown": f"{self.name}.md"}
        write(self.base.with_name(files["Markdown"]), self.markdown())
        if self.cells:
            files = {"notebook": f"{self.name}.ipynb", "script": script_name(self.docname), **files}
            write(self.base.with_name(files["notebook"]), nbformat.writes(self.notebook()) + "\n")
            write(self.base.with_name(files["script"]), self.script())
        return files


def _output(output: NotebookNode, count: int, alt: str) -> NotebookNode:
    """Return an output as a notebook keeps it: figures in the colors of a light page."""
    output = nbformat.from_dict(output)
    if "execution_count" in output:
        output.execution_count = count
    if SVG in output.get("data", {}):
        output.data = NotebookNode({SVG: figures.plain(output.data[SVG]), "text/plain": alt})
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    return output


def _text(output: NotebookNode) -> str:
    """Return an output as text."""
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return str(output.data.get("text/plain", ""))


# --- in a script
def script_name(docname: str) -> str:
    """Return the name of a page's script: one that no import can mean, as dask.py would be meant."""
    return f"{docname.replace('/', '-')}.py"


def _indented(source: str) -> list[str]:
    """Return the lines of code one step to the right, but for the later lines of strings."""
    texts = (n for n in ast.walk(parsed(source)) if isinstance(n, (ast.Constant, ast.JoinedStr)))
    inside = {k for text in texts for k in range(text.lineno, text.end_lineno or 0)}
    lines = enumerate(source.split("\n"))
    return [f"    {line}" if line and k not in inside else line for k, line in lines]


def expecting(cell: NotebookNode) -> str:
    """Return the code of a cell that raises, which goes on if it did."""
    name = next((o.ename for o in cell.outputs if o.output_type == "error"), "")  # none: it is red
    code = "\n".join(_indented(cell.source))
    return (
        f"try:\n{code}\nexcept Exception as error:\n"
        f"    assert type(error).__name__ == {name!r}\n"
        '    print(f"{type(error).__name__}: {error}")'
    )


def guarded(source: str) -> str:
    """Put a cell behind a guard, so that a process that imports the script does nothing: Dask sends functions whole."""
    return "\n".join([GUARD, *_indented(source)])


# --- on the page
def line(files: dict[str, str], launch: dict[str, str]) -> str:
    """Return the line of a page that links to its twins."""
    links = {}
    for words, address in (files | launch).items():
        saved = " download" if words in ("notebook", "script") else ""
        links[words] = f'<a href="{html.escape(address)}"{saved}>{words}</a>'
    found = f"This page as {', '.join(links[words] for words in files)}."
    if launch:
        found += f" Open it in {' or '.join(links[words] for words in launch)}."
    return f'<p class="twins">{found}</p>'


def _add(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the twins of a page that is being written, and link to them below its title."""
    if doctree is None:  # the index, say
        return
    page = Page(app, pagename, doctree)
    files = page.write()
    said = line(files, page.launch())
    body = context["body"]
    head, found, rest = body.partition("</h1>")
    quiet = not page.cells or pagename == app.config.root_doc
    context["body"] = f"{body}\n{said}\n" if quiet or not found else f"{head}{found}\n{said}{rest}"
    link = f'<link rel="alternate" type="text/markdown" href="{files["Markdown"]}">\n'
    context["metatags"] = context.get("metatags", "") + link


def setup(app: Sphinx) -> None:
    """Write the twins of each page with it."""
    app.connect("html-page-context", _add, priority=600)  # its body is whole (api/code_links.py)
