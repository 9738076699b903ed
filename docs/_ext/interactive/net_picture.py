"""The unrolled tiny net as HTML, each part marked with the steps in which it is computed; ``moving.css`` draws it.

Columns are steps, rows the readout, the layers and the input. A box holds activations on its left and errors on its
right, a line for each unit. An element with ``data-step="k"`` appears in step k, from 1; a box bears all its steps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

LABEL = (
    "The tiny net written out over three steps. Rows from bottom to top: the input, layer 1, layer 2, the readout "
    "and its cost. Each box holds its activations on the left and its errors on the right. Solid arrows lead up "
    "and to the right, from below and from the past; arrows in a second color lead down and to the left, from above "
    "and from the future."
)


def number(value: float, digits: int) -> str:
    """Return a number as it is shown: signed by a minus, never by a hyphen."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def _values(values: np.ndarray) -> str:
    return "<br>".join(number(v, 2) for v in np.ravel(values))


def _math(base: str, raised: str, kind: str = "") -> str:
    return f'<span class="math{kind}"><i>{base}</i><sup>{raised}</sup></span>'


def draw(
    a: Mapping[tuple[int, int], np.ndarray],
    delta: Mapping[tuple[int, int], np.ndarray],
    below: Mapping[tuple[int, int], np.ndarray],
) -> str:
    """Return the picture, of `a` and `delta` by layer and step, in the order of the way forward."""
    boxes, ends, empty = list(a), 2 * len(a) + 1, "<span></span>"
    steps = range(1, boxes[-1][1] + 1)
    parts = [empty, *(_math("C", f"({t})") for t in steps)]
    for l in (3, 2, 1):
        given = f"{_math('a', f'{l}(0)')}<br>0, 0{_math('u', str(l), ' u')}"
        parts.append(f'<span class="given">{given}</span>' if l < 3 else empty)
        for t in steps:
            k = boxes.index((l, t)) + 1
            parts.append(
                f'<span class="unit layer-{l}" data-at="{k} {ends - k}">'
                f'<span class="there" data-step="{k}">{_values(a[l, t])}</span>'
                f'<span class="back" data-step="{ends - k}">{_values(delta[l, t])}</span>'
                f"{_math('w', str(l), ' w') if t == 1 else ''}</span>"
            )
    parts += [empty, *(f'<span class="unit">{_values(below[1, t])}</span>' for t in steps)]
    parts += [empty, *(f'<span class="math"><i>t</i> = {t}</span>' for t in steps)]
    return (
        f'<div class="net" role="img" aria-label="{LABEL}">{"".join(parts)}</div><div class="ways" aria-hidden="true">'
        "<span>activations a \N{UPWARDS ARROW} \N{RIGHTWARDS ARROW}</span>"
        "<span>\N{LEFTWARDS ARROW} \N{DOWNWARDS ARROW} errors \N{GREEK SMALL LETTER DELTA}</span></div>"
    )
