"""Turn a matplotlib SVG into one that reads in the light and in the dark theme, and says what it shows.

Cells stay plain matplotlib. The kernel draws with placeholder colors; here the color of text and axes
becomes ``currentColor`` and the k-th series color the CSS variable ``--ck``, which custom.css defines
for both themes. Colors that a cell chose itself, and colormaps, stay as they are.
"""

import hashlib
import html
import re

NOISE = re.compile("^.*?(?=<svg)|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
INK = re.compile(r"#(?:010203|000000)\b")
PAPER = re.compile(r"#ffffff\b")
SERIES = re.compile(r"#0c0([0-7])01\b")
# The series of a light page, as in custom.css, for what leaves the site.
LIGHT = (
    "#1f5f99", "#b34700", "#1a7a4c", "#a3267a", "#6b4fb3", "#7a6200", "#00768a", "#5c5c66",
)  # fmt: skip
SIZE = re.compile(r'<svg([^>]*?) width="([\d.]+)pt" height="[\d.]+pt"([^>]*)>')
OF_A_FILE = re.compile(r'xlink:(?=href)| xmlns(:xlink)?="[^"]*"| version="1\.1"')
ID = re.compile(r' id="([^"]+)"')
USE = re.compile(r'(?:href="#|url\(#)([^")]+)')


def inline(svg: str, alt: str) -> str:
    """Return the HTML of a figure: unique ids, theme colors, a name for screen readers."""
    svg = re.sub("<style.*?</style>", "", NOISE.sub("", svg), flags=re.DOTALL)
    svg = PAPER.sub("var(--color-background-primary)", INK.sub("currentColor", svg))
    svg = _ids(SERIES.sub(r"var(--c\1)", svg), alt)
    svg = re.sub(r">\s+<", "><", OF_A_FILE.sub("", svg)).strip()
    said = f'role="img" aria-label="{html.escape(alt)}"'
    svg = SIZE.sub(
        lambda m: f'<svg{m[1]}{m[3]} style="--w: {float(m[2]) * 4 / 3:.0f}px" {said}>', svg
    )
    scroller = 'role="group" aria-label="Figure" tabindex="0"'
    return f'<div class="bptt-figure" {scroller}>{svg}</div>\n'


def plain(svg: str) -> str:
    """Return a figure for where there is no theme: the colors of a light page, on white."""
    svg = SERIES.sub(lambda m: LIGHT[int(m[1])], INK.sub("#000000", NOISE.sub("", svg)))
    return svg.replace("<svg ", '<svg style="background: white" ', 1)


def _ids(svg: str, alt: str) -> str:
    """Prefix the ids that are used by a digest of the figure and its description; drop the others."""
    prefix = "f" + hashlib.sha256(f"{alt}\n{svg}".encode()).hexdigest()[:10]
    used = {name: f"{prefix}-{k}" for k, name in enumerate(dict.fromkeys(USE.findall(svg)))}
    svg = ID.sub(lambda m: f' id="{used[m[1]]}"' if m[1] in used else "", svg)
    return USE.sub(lambda m: m[0].replace(m[1], used[m[1]]), svg)
