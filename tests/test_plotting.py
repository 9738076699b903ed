"""What the pictures show: the numbers of the arrays, in axes that say what they are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bptt
from bptt import plotting

TINY = bptt.teaching.tiny()
TRACE = bptt.forward(TINY.stack, TINY.params, TINY.x)
D_OUTPUTS = bptt.squared_error(TRACE.outputs, TINY.targets).d_outputs


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_backend_needs_no_screen():
    assert plt.get_backend().lower() == "agg"


def test_contributions(ax):
    found = bptt.contributions(TRACE, D_OUTPUTS)
    assert plotting.plot_contributions(found, ax) is ax
    (image,) = ax.images
    shown = np.ma.filled(image.get_array(), np.nan)
    lower = np.tril_indices(3)
    assert shown[lower] == pytest.approx(np.log10(found.norms()[lower]))
    assert np.isnan(shown[np.triu_indices(3, 1)]).all()
    assert list(image.get_extent()) == [0.5, 3.5, 3.5, 0.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step s of the weight", "step t of the cost")
    others = [one for one in ax.figure.axes if one is not ax]
    assert [one.get_ylabel() for one in others] == ["log10 of the norm"]
    ax.figure.canvas.draw()


def test_delta_norms(ax):
    norms = bptt.delta_norms(bptt.backward(TRACE, D_OUTPUTS))
    assert plotting.plot_delta_norms(norms, ax) is ax
    assert ax.get_yscale() == "log"
    assert [line.get_xdata().tolist() for line in ax.lines] == [[1, 2, 3]] * 3
    assert np.array([line.get_ydata() for line in ax.lines]) == pytest.approx(norms)
    assert [text.get_text().strip() for text in ax.texts] == ["layer 1", "layer 2", "layer 3"]
    assert [text.get_color() for text in ax.texts] == ["C0", "C1", "C2"]
    assert [text.xy for text in ax.texts] == [(3, row[-1]) for row in norms]
    assert [text.get_verticalalignment() for text in ax.texts] == ["center"] * 3
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step t", "norm of the error")
    ax.figure.canvas.draw()


def test_truncation_bias(ax):
    found = bptt.diagnostics.TruncationBias(
        np.array([1, 2, 4]), np.array([0.5, 0.9, 1]), np.array([0.2, 2, 1])
    )
    assert plotting.plot_truncation_bias(found, ax) is ax
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.5, 0.9, 1], [0.2, 2, 1]]
    assert [text.get_text().strip() for text in ax.texts] == ["cosine", "norm"]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[1, 2, 4]] * 2
    assert [line.get_marker() for line in ax.lines] == ["o", "o"]
    assert [text.xy for text in ax.texts] == [(1, 0.5), (1, 0.2)]
    assert [text.get_horizontalalignment() for text in ax.texts] == ["right", "right"]
    assert [text.get_color() for text in ax.texts] == ["C0", "C1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("reach k", "truncated against full")
    ax.figure.canvas.draw()


def test_new_axes_are_made_where_none_are_given():
    before = plt.get_fignums()
    axes = plotting.plot_delta_norms(np.ones((2, 3)))
    assert len(plt.get_fignums()) == len(before) + 1
    plt.close(axes.figure)


@pytest.mark.parametrize(
    ("draw", "kind", "message"),
    [
        (lambda: plotting.plot_contributions(np.ones((3, 3))), TypeError, "found must be a Contrib"),
        (lambda: plotting.plot_truncation_bias((1, 2)), TypeError, "found must be a TruncationBias"),
        (lambda: plotting.plot_delta_norms(np.ones(3)), ValueError, "norms must have shape"),
        (lambda: plotting.plot_delta_norms(np.ones((2, 0))), ValueError, "norms must not be empty"),
        (lambda: plotting.plot_delta_norms(np.ones((2, 2), int)), TypeError, "norms must have dtype"),
        (lambda: plotting.plot_delta_norms(np.ones((2, 2)), plt), TypeError, "ax must be an Axes, got module"),
    ],
)  # fmt: skip
def test_what_is_no_diagnosis_is_refused(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()


def test_without_matplotlib_the_import_says_so(monkeypatch):
    """The library itself comes without it: only drawing fails, as Python words it."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="matplotlib"):
        plotting.plot_delta_norms(np.ones((2, 3)))
