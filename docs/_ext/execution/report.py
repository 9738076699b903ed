"""Tell what a build did: as text for the terminal, as JUnit XML for whatever reads that."""

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from _ext.execution.record import Cell, Page

WARNING = re.compile(r"\n(?=[^\n]*(?:WARNING|ERROR|CRITICAL|SEVERE): )")
NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # characters that XML cannot hold
SLOWEST = 5


class Report:
    """One build: its pages, the warnings that no cell caused, how long it took."""

    def __init__(self, root: Path, docs: Path, only: list[str], code: int, seconds: float) -> None:
        self.root, self.docs, self.only = root, docs, only
        self.code, self.seconds = code, seconds
        self.pages = [Page.load(file) for file in sorted((root / "records").glob("*.json"))]
        self.cells = [(page, cell) for page in self.pages for cell in page.cells]
        file, book = root / "warnings.txt", root / "ledger.json"  # of a whole site only
        self.ledger = json.loads(book.read_text("utf-8")) if book.is_file() else {}
        each = WARNING.split(file.read_text("utf-8")) if file.is_file() else []
        of_cells = [f"cell {c.number}: {words}" for _, c in self.cells for words in c.problems]
        every = [w.strip() for w in each if w.strip() and not any(said in w for said in of_cells)]
        own = tuple(f"{docs / page}.md:" for page in only)
        self.warnings = [w for w in every if not only or w.startswith(own)]
        self.elsewhere = len(every) - len(self.warnings)
        self.bad_pages = [page for page in self.pages if page.failed]
        self.not_run = [page for page in self.pages if page.why_not]  # on this machine
        self.red = bool(code or self.bad_pages or self.warnings)

    def _path(self, page: Page) -> str:
        return os.path.relpath(page.path, self.docs.parent)

    def text(self) -> str:
        """Return the summary that ends a build."""
        out = [""]
        out += [self._line(page, c, words) for page, c in self.cells for words in c.problems]
        out += [f"  warning: {w}" for w in self.warnings]
        timed = [(c.seconds, page, c) for page, c in self.cells if c.seconds is not None]
        out += ["", "slowest cells:"] if timed else []
        for seconds, page, cell in sorted(timed, key=lambda each: -each[0])[:SLOWEST]:
            out.append(f"  {seconds:7.2f} s  {self._path(page)}:{cell.line} (cell {cell.number})")
        ran = [page for page in self.pages if not page.kept]
        kept = len(self.pages) - len(ran) - len(self.not_run)
        spent = sum(page.seconds for page in ran)
        counts = f"{len(ran)} run in {spent:.1f} s, {kept} kept"
        every = f"{len(self.pages)} pages with {len(self.cells)} cells"
        out += ["", f"{every}: {counts}; all in {self.seconds:.1f} s"]
        if self.not_run:
            names = ", ".join(f"{page.docname} ({page.why_not})" for page in self.not_run)
            out.append(f"{len(self.not_run)} of these pages NOT RUN: {names}")
        if self.ledger:
            out.append(", ".join(f"{name}: {number}" for name, number in self.ledger.items()))
        if self.elsewhere:
            out.append(f"{self.elsewhere} warnings on other pages, not counted here")
        if not self.warnings and not self.bad_pages and self.code:
            out.append(f"Sphinx ended with exit code {self.code}: see above")
        bad = len(self.bad_pages)
        passed = len(self.pages) - bad - len(self.not_run)
        wrong = f"; {len(self.warnings)} warnings" if self.warnings else ""
        out.append(f"docs: passed {passed}, failed {bad}{wrong}")
        site = os.path.relpath(self.root / "html" / f"{[*self.only, 'index'][0]}.html")
        out.append(f"docs: {'RED' if self.red else 'green'}; the site is {site}")
        return "\n".join(out) + "\n"

    def _line(self, page: Page, cell: Cell, words: str) -> str:
        seconds = "" if cell.seconds is None else f" ({cell.seconds:.2f} s)"
        return f"  {self._path(page)}:{cell.line}: cell {cell.number}: {words}{seconds}"

    def junit(self) -> str:
        """Return the report as JUnit XML: a suite a page, a case a cell, and one for the warnings."""
        top = ET.Element("testsuites", name="docs", time=f"{self.seconds:.3f}")
        for page in self.pages:
            suite = ET.SubElement(top, "testsuite", name=page.docname, time=f"{page.seconds:.3f}")
            for cell in page.cells:
                case = ET.SubElement(suite, "testcase", classname=page.docname)
                case.attrib |= {"name": f"cell {cell.number}", "time": f"{cell.seconds or 0:.3f}"}
                case.attrib |= {"file": self._path(page), "line": str(cell.line)}
                if page.why_not:
                    ET.SubElement(case, "skipped", message=page.why_not)
                for words in cell.problems:
                    failure = ET.SubElement(case, "failure", message=words)
                    failure.text = f"{self._line(page, cell, words)}\n{cell.traceback}"
        suite = ET.SubElement(top, "testsuite", name="sphinx")
        case = ET.SubElement(suite, "testcase", classname="sphinx", name="no warnings")
        if self.warnings or (self.code and not self.bad_pages):
            words = f"{len(self.warnings)} warnings, exit code {self.code}"
            ET.SubElement(case, "failure", message=words).text = "\n".join(self.warnings)
        for suite in top:
            bad = sum(case.find("failure") is not None for case in suite)
            suite.attrib |= {"tests": str(len(suite)), "failures": str(bad), "errors": "0"}
        ET.indent(top)
        text = ET.tostring(top, "utf-8", xml_declaration=True).decode()
        return NO_XML.sub("", text) + "\n"
