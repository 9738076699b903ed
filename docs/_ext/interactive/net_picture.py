"""Draw the unrolled tiny net as SVG, each part marked with the steps in which it is computed.

Columns are steps, rows the input, the layers and the readout. A box holds activations on its left and errors on its
right, a line for each unit. An element with ``data-step="k"`` appears in step k, from 1; a box bears all its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

WIDE, TALL, GAP = 88, {0: 26, 1: 46, 2: 46, 3: 26}, 36  # of a box, by layer; between rows
LEFT, APART = 56, 22  # where the first column begins; between columns
TOP = 30
LABEL = (
    "The tiny net written out over three steps. Rows from bottom to top: the input, layer 1, layer 2, the readout "
    "and its cost. Each box holds its activations on the left and its errors on the right. Solid arrows lead up "
    "and to the right, from below and from the past; arrows in a second color lead down and to the left, from above "
    "and from the future."
)


def _top(layer: int) -> int:
    return TOP + sum(TALL[l] + GAP for l in range(layer + 1, 4))


def _left(step: int) -> int:
    return LEFT + (step - 1) * (WIDE + APART)


def _arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    """Return the path of an arrow along an axis."""
    length = np.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    bx, by = x1 - 6 * ux, y1 - 6 * uy
    head = (
        f"M{x1:g} {y1:g}L{bx - 3.5 * uy:g} {by + 3.5 * ux:g}L{bx + 3.5 * uy:g} {by - 3.5 * ux:g}Z"
    )
    return f'<path class="shaft" d="M{x0:g} {y0:g}L{bx:g} {by:g}"/><path d="{head}"/>'


def number(value: float, digits: int) -> str:
    """Return a number as it is shown: signed by a minus, never by a hyphen."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def _values(values: np.ndarray, x: float, middle: float) -> str:
    lines = [number(v, 2) for v in np.ravel(values)]
    y = middle + 4.5 - 8.5 * (len(lines) - 1)
    return "".join(
        f'<text class="end" x="{x:g}" y="{y + 17 * k:g}">{line}</text>'
        for k, line in enumerate(lines)
    )


def _math(x: float, y: float, base: str, raised: str, kind: str = "") -> str:
    sup = f'<tspan class="sup" dy="-5">{raised}</tspan>'
    return f'<text class="math{kind}" x="{x:g}" y="{y:g}">{base}{sup}</text>'


def _box(layer: int, step: int, now: Sequence[int]) -> str:
    at = " ".join(str(k) for k in now)
    marked = f' data-at="{at}"' if now else ""
    x, y = _left(step), _top(layer)
    return (
        f'<rect class="unit" x="{x}" y="{y}" width="{WIDE}" height="{TALL[layer]}" rx="4"{marked}/>'
    )


def _there(layer: int, step: int) -> str:
    """Return the arrows that lead into a box on the way forward."""
    x, bottom = _left(step) + 24, _top(layer) + TALL[layer]
    drawn = _arrow(x, bottom + GAP - 3, x, bottom + 3)
    if layer < 3:
        y = _top(layer) + TALL[layer] / 2 - 8
        drawn += _arrow(_left(step) - APART + 2, y, _left(step) - 2, y)
    return drawn


def _back(layer: int, step: int, last: int) -> str:
    """Return the arrows that lead into a box on the way back."""
    x, top = _left(step) + WIDE - 24, _top(layer)
    above = GAP if layer < 3 else 14
    drawn = _arrow(x, top - above + 3, x, top - 3)
    if layer < 3 and step < last:
        y = top + TALL[layer] / 2 + 8
        drawn += _arrow(_left(step + 1) - 2, y, _left(step) + WIDE + 2, y)
    return drawn


def draw(
    a: Mapping[tuple[int, int], np.ndarray],
    delta: Mapping[tuple[int, int], np.ndarray],
    below: Mapping[tuple[int, int], np.ndarray],
    order: Sequence[tuple[int, int]],
) -> str:
    """Return the picture: `a` and `delta` by layer and step, `order` the boxes step by step."""
    last = max(t for _, t in a)
    high, wide = _top(0) + TALL[0] + 46, _left(last) + WIDE + 2
    parts = [f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{LABEL}">']
    for t in range(1, last + 1):
        middle, foot = _left(t) + WIDE / 2, _top(0) + TALL[0] + 18
        equals = f'<tspan class="upright"> = {t}</tspan>'
        parts += [
            f'<text class="math" x="{middle:g}" y="{foot}">t{equals}</text>',
            _math(middle, 12, "C", f"({t})"),
            _box(0, t, ()),
            _values(below[1, t], middle - 3, _top(0) + TALL[0] / 2),
        ]
    for l in (1, 2):
        parts.append(_math(0, _top(l) + TALL[l] / 2 - 3, "a", f"{l}(0)", " start"))
        parts.append(f'<text x="0" y="{_top(l) + TALL[l] / 2 + 13:g}">0, 0</text>')
        parts.append(_math(_left(1) - APART / 2, _top(l) + TALL[l] / 2 - 15, "u", str(l)))
    for l in (1, 2, 3):
        parts.append(_math(_left(1) + 17, _top(l) + TALL[l] + GAP / 2 + 6, "w", str(l), " end"))
    half = len(order) // 2
    for k, (l, t) in enumerate(order, 1):
        middle = _top(l) + TALL[l] / 2
        if k <= half:
            parts.append(_box(l, t, (k, len(order) + 1 - k)))
            drawn = _there(l, t) + _values(a[l, t], _left(t) + WIDE / 2 - 3, middle)
            parts.append(f'<g class="there" data-step="{k}">{drawn}</g>')
        else:
            drawn = _back(l, t, last) + _values(delta[l, t], _left(t) + WIDE - 3, middle)
            parts.append(f'<g class="back" data-step="{k}">{drawn}</g>')
    y = high - 4
    parts.append(
        f'<text class="there-text" x="0" y="{y}">activations a \N{UPWARDS ARROW} \N{RIGHTWARDS ARROW}</text>'
    )
    parts.append(
        f'<text class="back-text end" x="{wide - 2}" y="{y}">\N{LEFTWARDS ARROW} \N{DOWNWARDS ARROW} errors '
        "\N{GREEK SMALL LETTER DELTA}</text></svg>"
    )
    return "".join(parts)
