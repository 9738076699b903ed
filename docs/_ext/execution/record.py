"""What happened on a page, cell by cell: written when its cells have run, told by docs/build.py."""

import json
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

FRAME = re.compile(r"(?:Cell In\[\d+\], line|<cell line:) (\d+)")
ONLY = "BPTT_DOCS_ONLY"  # pages to run, one a line; all if unset


def wanted(docname: str) -> bool:
    """Say whether this build runs the cells of a page."""
    only = os.environ.get(ONLY, "").splitlines()
    return not only or docname in only


def left(outdir: Path, folder: str, docname: str) -> Path:
    """Return where a build leaves the record of a page, in ``records``, or its cells as they were executed, in ``outputs``."""
    return outdir.parent / folder / f"{docname.replace('/', '.')}.json"


def write(file: Path, text: str) -> None:
    """Write a file, in a folder that may not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def table(file: Path) -> dict[str, Any]:
    """Return what a TOML file holds, nothing if there is none."""
    try:
        return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


@dataclass
class Cell:
    """One code cell: its place on the page, counted among the code cells, and what came of it."""

    number: int
    line: int
    seconds: float | None
    problems: list[str] = field(default_factory=list)
    traceback: str = ""


@dataclass
class Page:
    """One page; `kept` says that its outputs came from the cache, `why_not` why there are none."""

    docname: str
    path: str
    kept: bool = True
    why_not: str = ""
    cells: list[Cell] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Say whether any cell did what it must not."""
        return any(cell.problems for cell in self.cells)

    @property
    def seconds(self) -> float:
        """Return the seconds the page's cells took when they were last run."""
        return sum(cell.seconds or 0.0 for cell in self.cells)

    def add_cell(self, cell: Any, start: int, seconds: float | None, problems: list[str]) -> Cell:
        """Add a notebook's cell whose code begins at line `start` of the page's file."""
        trace, line = "", start
        errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
        if errors and problems:
            trace = "\n".join(errors[0].get("traceback", []))
            if found := FRAME.search(trace):
                line = start + int(found[1]) - 1
        self.cells.append(Cell(len(self.cells) + 1, line, seconds, problems, trace))
        return self.cells[-1]

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a record."""
        data = json.loads(file.read_text("utf-8"))
        return cls(**{**data, "cells": [Cell(**c) for c in data["cells"]]})


def locate(page: list[str], source: str, fence: int) -> int:
    """Return the line of the page's file, from 1, where a cell's code begins, below its options and the line `fence`."""
    code = [line.strip() for line in source.splitlines()]
    for k in range(max(fence - 1, 0), len(page)):
        if [line.strip() for line in page[k : k + len(code)]] == code:
            return k + 1
    return max(fence, 1)
