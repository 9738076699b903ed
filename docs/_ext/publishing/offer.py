"""How a reader gets the library, and how it is cited: said from what the build knows, and from nothing else.

``{get-library}``  the wheel that the site has for its live cells, the repository where its address is known, and the
                   command that installs each;
``{citation}``     a sentence and an entry of BibTeX, made of ``CITATION.cff``, each a block to copy. The year is that of
                   ``date-released``, or else of the commit (``SOURCE_DATE_EPOCH``, the only date that a build may know);
``{versions}``     a table of what ``pyproject.toml`` asks for, and of the version that this build ran with.
"""

from __future__ import annotations

import os
import platform
import re
import time
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from _ext.publishing.build_info import commit

FILE = "CITATION.cff"
GITHUB = "https://github.com/"
COPY = "python -m pip install ."


def ways(config: Config, root: str) -> list[tuple[str, str, str, str]]:
    """Return each way to the library: a word before the link, the link's words, its address, the command."""
    found = []
    if config.live_cells:  # a page that links the wheel is red if it is not there (link_check.py)
        name = f"{config.project}-{config.release}-py3-none-any.whl"
        address = f"{root}_static/pyodide/{name}"
        found.append(("download ", name, address, f"python -m pip install {name}"))
    if config.bptt_repository:
        address = f"{GITHUB}{config.bptt_repository}"
        command = f'python -m pip install "{config.project} @ git+{address}"'
        found.append(("from ", "the repository", address, command))
    return found


class GetLibrary(SphinxDirective):
    """A paragraph that says where the library is and how it is installed."""

    def run(self) -> list[nodes.Node]:
        """Say every way that this build knows; without any, that of a copy of the repository."""
        line = nodes.paragraph("", "Install the library: ")
        found = ways(self.config, "../" * self.env.docname.count("/"))
        for k, (before, words, address, command) in enumerate(found):
            line += nodes.Text(f"; or {before}" if k else before)
            line += nodes.reference("", words, refuri=address)
            line += [nodes.Text(", then " if k == 0 and self.config.live_cells else ", ")]
            line += nodes.literal(command, command)
        if not found:
            line += [nodes.Text("from a copy of its repository, "), nodes.literal(COPY, COPY)]
        line += nodes.Text(".")
        return [line]


def year(data: dict[str, Any]) -> str:
    """Return the year to cite, or "" where the build knows no date."""
    if released := data.get("date-released"):
        return str(released)[:4]
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "1"))
    return str(time.gmtime(seconds).tm_year) if seconds > 1 else ""  # 1: see build.py


def authors(data: dict[str, Any]) -> list[str]:
    """Return the authors' names."""
    parts = ("given-names", "name-particle", "family-names")
    each = data["authors"]
    return [a.get("name") or " ".join(a[part] for part in parts if part in a) for a in each]


def exactly(data: dict[str, Any], made_of: str) -> str:
    """Return which version it is, and of which commit, if there is one."""
    version = f"Version {data['version']}"
    return version if made_of == "outside git" else f"{version}, commit {made_of}"


def sentence(data: dict[str, Any], made_of: str, address: str) -> str:
    """Return the sentence to copy."""
    said = year(data)
    head = ", ".join(authors(data)) + (f" ({said})" if said else "")
    tail = f" {address}" if address else ""
    return f"{head}. {data['title']}. {exactly(data, made_of)}.{tail}"


def bibtex(data: dict[str, Any], made_of: str, address: str) -> str:
    """Return the entry of BibTeX; names and titles in braces of their own, so that no style changes them."""
    fields = {
        "author": " and ".join(f"{{{name}}}" for name in authors(data)),
        "title": f"{{{data['title']}}}",
        "year": year(data),
        "note": exactly(data, made_of),
        "url": address,
    }
    lines = [f"  {name:6} = {{{text}}}" for name, text in fields.items() if text]
    return "@misc{bptt,\n" + ",\n".join(lines) + "\n}"


class Citation(SphinxDirective):
    """A sentence and an entry of BibTeX."""

    def run(self) -> list[nodes.Node]:
        """Read CITATION.cff."""
        root = Path(self.env.srcdir).parent
        self.env.note_dependency(str(root / FILE))
        data = yaml.safe_load((root / FILE).read_text("utf-8"))
        repository = self.config.bptt_repository
        known = self.config.html_baseurl or (f"{GITHUB}{repository}" if repository else "")
        made_of, address = commit(root), data.get("url") or known
        found: list[nodes.Node] = []
        for language, make in (("text", sentence), ("bibtex", bibtex)):
            text = make(data, made_of, address)
            found.append(nodes.literal_block(text, text, language=language, classes=["wrapped"]))
        return found


def versions(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield a package as it is asked for, what asks for it, and the version that is here."""
    project, groups = data["project"], data.get("dependency-groups", {})
    yield f"Python {project['requires-python']}", "the library", platform.python_version()
    asked = {"the library": project["dependencies"]}
    for extra, lines in project.get("optional-dependencies", {}).items():
        asked[f"the extra `{extra}`"] = lines
    asked["pages and tests only"] = groups.get("frameworks", [])
    for purpose, lines in asked.items():
        for line in lines:
            name = re.match(r"[\w.-]+", line)[0]
            try:
                yield line, purpose, version(name)
            except PackageNotFoundError:
                yield line, purpose, "not installed"


class Versions(SphinxDirective):
    """A table of packages, with the versions that are asked for and that were there."""

    def run(self) -> list[nodes.Node]:
        """Read pyproject.toml."""
        file = Path(self.env.srcdir).parent / "pyproject.toml"
        self.env.note_dependency(str(file))
        rows = [("package", "for", "this site ran with"), ("---",) * 3]
        rows += versions(tomllib.loads(file.read_text("utf-8")))
        return self.parse_text_to_nodes("\n".join(f"| {' | '.join(row)} |" for row in rows))


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("get-library", GetLibrary)
    app.add_directive("citation", Citation)
    app.add_directive("versions", Versions)
