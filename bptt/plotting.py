"""Pictures of where the gradient flows. Needs Matplotlib: ``pip install "bptt[plot]"``.

The arrays come from `bptt.diagnostics`; each function here draws one of them into given axes, sets no
style and no colors of its own but the map of a picture, and returns the axes.
"""

from typing import TYPE_CHECKING

import numpy as np

from bptt._core import Array, validation
from bptt.diagnostics import Contributions, TruncationBias

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_contributions", "plot_delta_norms", "plot_truncation_bias"]


def plot_contributions(found: Contributions, ax: "Axes | None" = None) -> "Axes":
    """Draw the sizes of all contributions, cost steps down and weight steps across.

    Parameters
    ----------
    found
        What `bptt.contributions` returned.
    ax
        Where to draw; new axes if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with a color bar of log10 of the norms beside them.

    Raises
    ------
    TypeError
        If `found` is something else, or `ax` is.
    FloatingPointError
        If a norm is larger than any number of its dtype.
    ImportError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import bptt, bptt.plotting
    >>> tiny = bptt.teaching.tiny()
    >>> trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    >>> ax = bptt.plotting.plot_contributions(bptt.contributions(trace, trace.outputs))
    >>> ax.get_ylabel()
    'step t of the cost'
    """
    validation.instance("found", found, Contributions)
    axes = _axes(ax)
    norms = found.norms()
    with np.errstate(divide="ignore"):
        levels = np.where(norms > 0, np.log10(norms), np.nan)  # empty above the diagonal
    steps = len(levels)
    image = axes.imshow(levels, extent=(0.5, steps + 0.5, steps + 0.5, 0.5))
    axes.set(xlabel="step s of the weight", ylabel="step t of the cost")
    axes.figure.colorbar(image, ax=axes, label="log10 of the norm")
    return axes


def plot_delta_norms(norms: Array, ax: "Axes | None" = None) -> "Axes":
    """Draw the norm of the error of each layer over the steps, on a logarithmic axis.

    Parameters
    ----------
    norms
        What `bptt.delta_norms` returned, shape (L, T).
    ax
        Where to draw; new axes if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, each line labelled at its end.

    Raises
    ------
    TypeError, ValueError
        If `norms` is not such an array, or `ax` is something else.
    ImportError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np, bptt, bptt.plotting
    >>> len(bptt.plotting.plot_delta_norms(np.ones((3, 5))).lines)
    3
    """
    rows = validation.array("norms", norms, ("L", "T"))
    axes = _axes(ax)
    steps = np.arange(1, rows.shape[1] + 1)
    for l, row in enumerate(rows, start=1):
        axes.semilogy(steps, row)
        axes.annotate(f" layer {l}", (steps[-1], row[-1]), va="center", color=f"C{l - 1}")
    axes.set(xlabel="step t", ylabel="norm of the error")
    return axes


def plot_truncation_bias(found: TruncationBias, ax: "Axes | None" = None) -> "Axes":
    """Draw cosine and norm of truncated gradients, against those of the full one, over the reach k.

    Parameters
    ----------
    found
        What `bptt.truncation_bias` returned.
    ax
        Where to draw; new axes if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, each line labelled at its start.

    Raises
    ------
    TypeError
        If `found` is something else, or `ax` is.
    ImportError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np, bptt, bptt.plotting
    >>> found = bptt.diagnostics.TruncationBias(np.array([1, 2]), np.array([0.9, 1.0]), np.array([0.7, 1.0]))
    >>> len(bptt.plotting.plot_truncation_bias(found).lines)
    2
    """
    validation.instance("found", found, TruncationBias)
    axes = _axes(ax)
    for i, name in enumerate(("cosine", "norm")):
        values = getattr(found, name)
        axes.plot(found.k, values, marker="o")
        axes.annotate(f"{name} ", (found.k[0], values[0]), ha="right", color=f"C{i}")
    axes.set(xlabel="reach k", ylabel="truncated against full")
    return axes


def _axes(ax: "Axes | None") -> "Axes":
    import matplotlib.pyplot as plt  # noqa: PLC0415  (the library itself needs NumPy alone)
    from matplotlib.axes import Axes  # noqa: PLC0415

    return plt.subplots()[1] if ax is None else validation.instance("ax", ax, Axes)
