"""Figures that move: ``{moving-net}``, a net to step through, and ``{moving-triangle}``, one to turn sliders at.

Their numbers are computed here, while the page is read, by the library itself; the page carries them as JSON, which
is data and no script. ``_static/moving-net.js`` shows one step at a time of the picture, which stands whole
without JavaScript; ``_static/moving-triangle.js`` computes contributions as the library does, which
``tests/docs/test_moving.py`` holds it to. Both are loaded by the pages that have such a figure, and by no other.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import bptt

LABEL = (
    "The tiny net written out over three steps. Rows from bottom to top: the input, layer 1, layer 2, the readout "
    "and its cost. Each box holds its activations on the left and its errors on the right. Solid arrows lead up "
    "and to the right, from below and from the past; arrows in a second color lead down and to the left, from above "
    "and from the future."
)
ROUNDING = 1e-14  # what is shown is what the library computed, up to this


class Step(NamedTuple):
    """One box of the unrolled net being computed: its values forward, or its error on the way back."""

    label: str  # of the equation
    layer: int
    step: int
    rows: list[tuple[str, str]]  # what is said: a name, and numbers or words

    @property
    def title(self) -> str:
        """Return what is computed."""
        name = "readout" if self.layer == 3 else f"layer {self.layer}"
        return f"({self.label}) {name}, step {self.step}"


def numbers(values: Sequence[float] | np.ndarray, digits: int = 4, between: str = ", ") -> str:
    """Return the units' numbers as they are shown: signed by a minus, never by a hyphen."""
    texts = [f"{value:.{digits}f}" for value in np.ravel(values)]
    return between.join(
        text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-") for text in texts
    )


class Net:
    """The tiny net with all that is computed in it: a and delta by layer and step, layer 0 being the input, step 0 zero."""

    def __init__(self) -> None:
        tiny = bptt.teaching.tiny()
        trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
        _, d_outputs = bptt.squared_error(trace.outputs, tiny.targets)
        gradient = bptt.backward(trace, d_outputs)
        self.T, self.L = len(tiny.x), len(tiny.params.layers) + 1
        self.targets = tiny.targets[:, 0]
        layers = [tiny.x, *(layer.outputs for layer in trace.layers), trace.outputs]
        self.a = {(l, t + 1): a[0] for l, layer in enumerate(layers) for t, a in enumerate(layer)}
        self.a |= {(l, 0): np.zeros_like(self.a[l, 1]) for l in range(self.L)}
        self.boxes = [(l, t) for t in range(1, self.T + 1) for l in range(1, self.L + 1)]
        self.delta = {(l, t): gradient.delta[l - 1][t - 1, 0] for l, t in self.boxes}
        self.params = [*tiny.params.layers, tiny.params.readout]

    def forward(self, l: int, t: int) -> Step:
        """Return how (FWD) fills a box; what is said is held to be what the library ran."""
        params = self.params[l - 1]
        parts = [("from below", self.a[l - 1, t] @ params.w)]
        if l < self.L:
            parts.append(("from the past", self.a[l, t - 1] @ params.u))
        parts.append(("bias", params.b))
        z = np.sum([values for _, values in parts], axis=0)
        a = np.tanh(z) if l < self.L else z
        np.testing.assert_allclose(a, self.a[l, t], rtol=0, atol=ROUNDING)
        rows = [(name, numbers(values)) for name, values in [*parts, ("z", z), ("a", a)]]
        return Step("FWD", l, t, rows)

    def backward(self, l: int, t: int) -> Step:
        """Return how (BP1) or (BP2) finds the error of a box."""
        if l == self.L:
            label, delta = "BP1", self.a[l, t] - self.targets[t - 1]
            rows = [("output", numbers(self.a[l, t])), ("target", numbers(self.targets[t - 1]))]
        else:
            above = self.params[l].w @ self.delta[l + 1, t]
            future = self.params[l - 1].u @ self.delta.get((l, t + 1), 0 * above)
            slope = 1 - self.a[l, t] ** 2
            label, delta = "BP2", slope * (above + future)
            words = numbers(future) if t < self.T else "nothing, this is the last step"
            rows = [("from above", numbers(above)), ("from the future", words)]
            rows.append(("slope a'(z)", numbers(slope)))
        np.testing.assert_allclose(delta, self.delta[l, t], rtol=0, atol=ROUNDING)
        return Step(label, l, t, [*rows, ("delta", numbers(delta))])

    def steps(self) -> list[Step]:
        """Return all steps: forward box by box, then back in the opposite order."""
        there = [self.forward(*box) for box in self.boxes]
        return there + [self.backward(*box) for box in self.boxes[::-1]]


def wheel() -> dict[str, Any]:
    """Return the net of the sliders, as plain numbers: recurrent weights of spectral radius 1, and data."""
    rng = np.random.default_rng(5)
    u = rng.normal(size=(12, 12))
    u /= abs(np.linalg.eigvals(u)).max()
    w, readout = rng.normal(size=(1, 12)), rng.normal(size=(12, 1)) / np.sqrt(12)
    x, y = 0.01 * rng.normal(size=40), rng.normal(size=40)
    arrays = {"u": u, "w": w[0], "readout": readout[:, 0], "x": x, "y": y}
    return {name: array.tolist() for name, array in arrays.items()}


def data(content: Any) -> str:
    """Return data as a page carries it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
    return f'<script type="application/json" class="moving-data">{text}</script>'


def _values(values: np.ndarray) -> str:
    return numbers(values, 2, "<br>")


def _math(base: str, raised: str, kind: str = "") -> str:
    return f'<span class="math{kind}"><i>{base}</i><sup>{raised}</sup></span>'


def net_picture(net: Net) -> str:
    """Return the net as a grid, which moving.css draws: columns are steps, rows the readout, the layers and the input.

    A box holds activations on its left and errors on its right, a line for each unit. An element with ``data-step="k"``
    appears in step k, from 1; a box bears all its steps.
    """
    ends, empty = 2 * len(net.boxes) + 1, "<span></span>"
    steps = range(1, net.T + 1)
    parts = [empty, *(_math("C", f"({t})") for t in steps)]
    for l in (3, 2, 1):
        given = f"{_math('a', f'{l}(0)')}<br>0, 0{_math('u', str(l), ' u')}"
        parts.append(f'<span class="given">{given}</span>' if l < 3 else empty)
        for t in steps:
            k = net.boxes.index((l, t)) + 1
            parts.append(
                f'<span class="unit layer-{l}" data-at="{k} {ends - k}">'
                f'<span class="there" data-step="{k}">{_values(net.a[l, t])}</span>'
                f'<span class="back" data-step="{ends - k}">{_values(net.delta[l, t])}</span>'
                f"{_math('w', str(l), ' w') if t == 1 else ''}</span>"
            )
    parts += [empty, *(f'<span class="unit">{_values(net.a[0, t])}</span>' for t in steps)]
    parts += [empty, *(f'<span class="math"><i>t</i> = {t}</span>' for t in steps)]
    return (
        f'<div class="net" role="img" aria-label="{LABEL}">{"".join(parts)}</div><div class="ways" aria-hidden="true">'
        "<span>activations a \N{UPWARDS ARROW} \N{RIGHTWARDS ARROW}</span>"
        "<span>\N{LEFTWARDS ARROW} \N{DOWNWARDS ARROW} errors \N{GREEK SMALL LETTER DELTA}</span></div>"
    )


def net_figure() -> str:
    """Return the HTML of the net to step through."""
    net = Net()
    steps = net.steps()
    said = [[step.title, step.rows] for step in steps]
    buttons = "".join(
        f'<button type="button" data-do="{do}">{words}</button>'
        for do, words in (("first", "Start"), ("back", "Back"), ("next", "Next"), ("play", "Play"))
    )
    return (
        '<div class="moving moving-net" role="group" aria-label="The tiny net, step by step">'
        f"{net_picture(net)}"
        f'<div class="moving-controls" hidden>{buttons}'
        '<span class="moving-count"></span></div>'
        '<div class="moving-said" role="status" hidden></div>'
        f"{data(said)}</div>\n"
    )


SLIDERS = (
    ("rho", "Spectral radius of u", 0.5, 1.5, 0.05, 0.9),
    ("T", "Steps T", 4, 40, 1, 24),
    ("k", "Truncation k", 1, 40, 1, 6),
)


def triangle_figure() -> str:
    """Return the HTML of the sliders; the script draws the rest."""
    inputs = "".join(
        f'<label>{words} <span class="value" aria-hidden="true">{start}</span><input type="range" name="{name}" '
        f'min="{low}" max="{high}" step="{step}" value="{start}"></label>'
        for name, words, low, high, step, start in SLIDERS
    )
    return (
        '<div class="moving moving-triangle" role="group" hidden '
        'aria-label="Spectral radius, length and truncation against the gradient">'
        f'<div class="moving-sliders">{inputs}</div><div class="moving-drawn"></div>'
        f'<div class="moving-said" role="status"></div>{data(wheel())}</div>\n'
    )


class Moving(SphinxDirective):
    """Put a moving figure on a page; its content is what the page's other forms say in its place."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the figure."""
        words = " ".join(self.content)
        if not words:
            raise self.error(f"{self.name}: say in its content what the figure shows")
        try:
            made = FIGURES[self.name]()
        except Exception as error:
            raise self.error(f"{self.name}: {' '.join(str(error).split())}") from error
        return [nodes.raw("", made, format="html", twin=f"*{words}*")]


FIGURES = {"moving-net": net_figure, "moving-triangle": triangle_figure}


def setup(app: Sphinx) -> None:
    """Register the directives; what the pages with such figures load is in conf.py."""
    for name in FIGURES:
        app.add_directive(name, Moving)
