"""The backend of matplotlib with which snippets run: it draws each figure shown, counts it, and forgets it."""

from __future__ import annotations

import os

from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

__all__ = ["FigureCanvas", "show"]
shown: list[int] = []  # the numbers of the figures


def show(*_: object, **__: object) -> None:
    """Draw all open figures."""
    for number in plt.get_fignums():
        plt.figure(number).savefig(os.devnull, format="svg")
        shown.append(number)
    plt.close("all")
