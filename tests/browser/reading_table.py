"""Measure how each page reads: length, share of code, where claim, figure and proof begin, minutes.

``python tests/browser/reading_table.py [PAGE ...] [--site SITE]`` prints a row for each page of the derivation and
each width, with all folds closed, as a reader meets it. A screen is 900 px. *Code* is the height of all code and
text output that is shown, as a share of the article. *Claim* is the first displayed equation or table with a
formula, *figure* the first drawing, *proof* the first heading or paragraph that begins with "Proof" or "The proof".
Computed minutes are words of prose / 150 + 0.75 for each numbered equation.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from measure import WIDTHS, launch
from playwright.sync_api import Browser

SITE = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"
SCREEN = 900
HEAD = (
    "page",
    "px",
    "screens",
    "code",
    "claim",
    "figure",
    "proof",
    "words",
    "eqs",
    "stated",
    "computed",
)
MEASURE = """() => {
  const article = document.querySelector("article");
  const seen = (e) => { const b = e.getBoundingClientRect(); return e.checkVisibility() && b.height > 0 && b.width > 0; };
  const all = (css) => [...article.querySelectorAll(css)].filter(seen);
  const tall = (css) => {
    const found = all(css);
    const outer = found.filter((e) => !found.some((o) => o !== e && o.contains(e)));
    return outer.reduce((sum, e) => sum + e.getBoundingClientRect().height, 0);
  };
  const top = (e) => e ? e.getBoundingClientRect().top + scrollY : null;
  const tables = all("table").filter((t) => t.querySelector(".katex"));
  const claims = [...all("div.math"), ...tables].map(top);
  const proofs = all("h2, h3, p").filter((e) => /^(the )?proof\\b|^line 1\\b/i.test(e.textContent.trim()));
  const prose = article.cloneNode(true);
  for (const e of prose.querySelectorAll(
    "details.layer, details.ledger, .highlight, .cell, .library-code, .moving, svg, .katex, .math, .page-needs, .twins, .layers-switch, .provenance, script, style"
  )) e.remove();
  return {
    height: article.getBoundingClientRect().height,
    code: tall("div.cell_input, div.cell_output .output.stream, div.cell_output .output.traceback, div.library-code, div.cell_output .output.text_plain"),
    claim: claims.length ? Math.min(...claims) : null,
    figure: top(all(".bptt-figure, .moving, figure svg, .cell_output svg")[0]),
    proof: top(proofs[0]),
    words: prose.textContent.split(/\\s+/).filter((w) => /[A-Za-z]/.test(w)).length,
    equations: article.querySelectorAll("span.eqno").length,
    text: article.textContent,
  };
}"""


@dataclass(frozen=True)
class Reading:
    """What was measured on one page at one width; places are in screens from the top."""

    page: str
    width: int
    screens: float
    code: float
    claim: float | None
    figure: float | None
    proof: float | None
    words: int
    equations: int
    stated: int | None

    @property
    def computed(self) -> float:
        """The minutes that reading takes."""
        return self.words / 150 + 0.75 * self.equations

    def row(self) -> str:
        """Return it as a row of the table."""
        places = [
            f"{place:.1f}" if place is not None else "-"
            for place in (self.claim, self.figure, self.proof)
        ]
        cells = [self.page, str(self.width), f"{self.screens:.1f}", f"{self.code:.0%}", *places]
        cells += [
            str(self.words),
            str(self.equations),
            str(self.stated or "-"),
            f"{self.computed:.0f}",
        ]
        return "".join(f"{cell:<30}" if k == 0 else f"{cell:>9}" for k, cell in enumerate(cells))


def read(browser: Browser, file: Path, name: str, width: int) -> Reading:
    """Open a built page with all folds closed and measure it."""
    context = browser.new_context(
        viewport={"width": width, "height": SCREEN}, reduced_motion="reduce"
    )
    context.set_default_navigation_timeout(120_000)  # milliseconds; the machine may be busy
    page = context.new_page()
    page.goto(file.as_uri())
    found = page.evaluate(MEASURE)
    context.close()
    stated = re.search(r"(\d+) minutes\.", found["text"])
    places = (
        found[k] / SCREEN if found[k] is not None else None for k in ("claim", "figure", "proof")
    )
    return Reading(
        name, width, found["height"] / SCREEN, found["code"] / found["height"], *places,
        found["words"], found["equations"], int(stated[1]) if stated else None,
    )  # fmt: skip


def pages(site: Path) -> list[str]:
    """Return the pages of the derivation."""
    found = sorted(file.stem for file in (site / "learn").glob("*.html"))
    return [f"learn/{name}" for name in found if name != "index"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--site", type=Path, default=SITE)
    args = parser.parse_args()
    sys.stdout.write(
        "".join(f"{c:<30}" if k == 0 else f"{c:>9}" for k, c in enumerate(HEAD)) + "\n"
    )
    with launch() as browser:
        for name in args.pages or pages(args.site):
            for width in WIDTHS:
                found = read(browser, (args.site / f"{name}.html").resolve(), name, width)
                sys.stdout.write(found.row() + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
