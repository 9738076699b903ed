"""How a reader gets the library, and how it is cited: said from what the build knows, and from nothing else."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from _ext.execution.fingerprint import installed
from _ext.publishing.build_info import commit

FILE = "CITATION.cff"
GITHUB = "https://github.com/"
INSTALL = "python -m pip install"


def ways(config: Config, root: str) -> list[tuple[str, str, str]]:
    """Return each way to the library: what it is taken from, the address of that, the command."""
    found = []
    if config.live_cells:  # a page that links the wheel is red if it is not there (link_check.py)
        name = f"{config.project}-{config.release}-py3-none-any.whl"
        address = f"{root}_static/pyodide/{name}"
        found.append((f"a download of {name}", address, f"{INSTALL} {name}"))
    if config.bptt_repository:
        address = f"{GITHUB}{config.bptt_repository}"
        found.append(("the repository", address, f'{INSTALL} "{config.project} @ git+{address}"'))
    return found or [("a copy of its repository", "", f"{INSTALL} .")]


class GetLibrary(SphinxDirective):
    """``{get-library}``: where the library is, the live cells' wheel for one, and the command that installs it."""

    def run(self) -> list[nodes.Node]:
        """Say every way that this build knows; without any, that of a copy of the repository."""
        line = nodes.paragraph("", "Install the library from ")
        root = "../" * self.env.docname.count("/")
        for k, (words, address, command) in enumerate(ways(self.config, root)):
            link = nodes.reference("", words, refuri=address) if address else nodes.Text(words)
            line += [nodes.Text(", or from " if k else ""), link, nodes.Text(": ")]
            line += nodes.literal(command, command)
        line += nodes.Text(".")
        return [line]


def citation(data: dict[str, Any], made_of: str, address: str) -> tuple[str, str]:
    """Return the sentence and the entry of BibTeX, whose braces keep names and title as they are; the year is the commit's."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "1"))
    year = str(time.gmtime(seconds).tm_year) if seconds > 1 else "n.d."  # 1: see build.py
    names = [a.get("name") or f"{a['given-names']} {a['family-names']}" for a in data["authors"]]
    exactly = f"Version {data['version']}, commit {made_of}"
    fields = {
        "author": " and ".join(f"{{{name}}}" for name in names),
        "title": f"{{{data['title']}}}",
        "year": year,
        "note": exactly,
        "url": address,
    }
    lines = [f"  {name:6} = {{{text}}}" for name, text in fields.items() if text]
    sentence = f"{', '.join(names)} ({year}). {data['title']}. {exactly}. {address}"
    return sentence.rstrip(), "@misc{bptt,\n" + ",\n".join(lines) + "\n}"


class Citation(SphinxDirective):
    """``{citation}``: a sentence and an entry of BibTeX, made of ``CITATION.cff``, each a block to copy."""

    def run(self) -> list[nodes.Node]:
        """Read CITATION.cff."""
        root = Path(self.env.srcdir).parent
        self.env.note_dependency(str(root / FILE))
        data = yaml.safe_load((root / FILE).read_text("utf-8"))
        repository = self.config.bptt_repository
        known = self.config.html_baseurl or (f"{GITHUB}{repository}" if repository else "")
        texts = citation(data, commit(root), data.get("url") or known)
        return [
            nodes.literal_block(text, text, language=language, classes=["wrapped"])
            for text, language in zip(texts, ("text", "bibtex"), strict=True)
        ]


class Versions(SphinxDirective):
    """``{versions}``: Python and every installed package, as they were when this site was built, one a line."""

    def run(self) -> list[nodes.Node]:
        """Ask Python."""
        text = "\n".join([f"python=={platform.python_version()}", *installed()])
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("get-library", GetLibrary)
    app.add_directive("citation", Citation)
    app.add_directive("versions", Versions)
