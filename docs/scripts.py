"""Read and run the twins of the built site, as one does who has downloaded them.

``python docs/scripts.py`` (``nox -s snippets``) takes every page with cells that the last build left. Its notebook must be
valid and hold the cells and what they printed; its script is run from top to bottom, in a fresh Python, in an empty
folder, and must print the same; its Markdown must hold every cell, and lead nowhere but to files that are there. A
script that passed is not run again until it, what it prints, the library or a version changes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import nbformat
from snippets import BUILD, DOCS, PACKAGE, TIMEOUT, longest_first, of_reader

# isort: split
# After `snippets`, which has said where bptt is found.
from _ext.execution.fingerprint import digest
from _ext.formats.notebook_and_script import script_name
from _ext.interactive.answers import begins

FENCE = re.compile(r"^(`{3,}).*?^\1$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]+)[^)\s]*\)")


def printed(cells: list[dict[str, Any]]) -> str:
    """Return what the cells of a page wrote to stdout, and the errors they were meant to raise."""
    said = ""
    for output in (output for cell in cells for output in cell["outputs"]):
        if output["output_type"] == "stream" and output["name"] == "stdout":
            said += output["text"]
        elif output["output_type"] == "error":
            said += f"{output['ename']}: {output['evalue']}\n"
    return said


def notebook(file: Path, cells: list[dict[str, Any]]) -> Iterator[str]:
    """Say what is wrong with a notebook."""
    found = nbformat.read(file, as_version=nbformat.NO_CONVERT)
    nbformat.validate(found)
    code = [c for c in found.cells if c.cell_type == "code"]
    code = [c for c in code if "setup" not in c.metadata.get("tags", [])]
    told = [c for c in cells if not begins(c["source"], c["tags"])]  # a reader tries first
    if [c.source for c in code] != [c["source"] for c in cells]:
        yield "the notebook's cells are not the page's"
    elif printed(code) != printed(told):
        yield "the notebook does not hold what the cells printed"


def markdown(file: Path, cells: list[dict[str, Any]]) -> Iterator[str]:
    """Say what is wrong with a page's Markdown."""
    text = file.read_text("utf-8")
    for number, cell in enumerate(cells, 1):
        if cell["source"].rstrip() not in text:
            yield f"the Markdown lacks cell {number}"
    for target in LINK.findall(FENCE.sub("", text)):
        if not (file.parent / target).exists():
            yield f"the Markdown leads to {target}, which is not there"


def script(file: Path, cells: list[dict[str, Any]], passed: Path) -> Iterator[str]:
    """Say what is wrong with a script, by running it if it has not passed before."""
    text, expected = file.read_text("utf-8"), printed(cells)
    kept = passed / sha256(json.dumps([text, expected]).encode()).hexdigest()[:24]
    if kept.is_file():
        return
    with tempfile.TemporaryDirectory() as cwd:
        try:
            done = subprocess.run(
                [sys.executable, str(file)], cwd=cwd, env=of_reader("agg"), timeout=TIMEOUT,
                check=False, capture_output=True, text=True, encoding="utf-8",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            yield f"the script is still running after {TIMEOUT} s"
            return
    if done.returncode:
        yield f"the script fails:\n{done.stderr.strip()[-1500:]}"
    elif done.stdout != expected:
        pairs = zip(done.stdout.splitlines(), expected.splitlines(), strict=False)
        here = next(((a, b) for a, b in pairs if a != b), ("its end", "something else"))
        yield f"the script prints\n      {here[0]}\n    where the page shows\n      {here[1]}"
    else:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.touch()


def check(site: Path, record: Path, passed: Path) -> list[str]:
    """Return what is wrong with the twins of one page."""
    page = record.stem.replace(".", "/")
    cells = json.loads(record.read_text("utf-8"))
    wrong = [
        *notebook(site / f"{page}.ipynb", cells),
        *markdown(site / f"{page}.md", cells),
        *script((site / page).with_name(script_name(page)), cells, passed),
    ]
    return [f"{page}: {words}" for words in wrong]


def main() -> int:
    """Check the twins of all pages of the last build."""
    start = time.perf_counter()
    records = longest_first((BUILD / "outputs").glob("*.json"))
    if not records:
        raise SystemExit("there is no built site: run nox -s docs first")
    passed = BUILD / "cache" / "scripts" / digest(PACKAGE, DOCS)
    before = len(list(passed.glob("*")))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda record: check(BUILD / "html", record, passed), records)
        wrong = [words for page in found for words in page]
    seconds = time.perf_counter() - start
    ran = len(list(passed.glob("*"))) - before
    for words in wrong:
        sys.stdout.write(f"{words}\n")
    verdict = "RED" if wrong else "green"
    sys.stdout.write(
        f"twins: {len(records)} pages as notebook, script and Markdown; {ran} scripts run now, "
        f"{seconds:.0f} s; {verdict}\n"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
