"""The backend of matplotlib with which snippets run: it draws each figure shown, keeps the drawing, and forgets it."""

import io

from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

__all__ = ["FigureCanvas", "show"]
shown: list[str] = []  # each figure, as the inline backend has it


def show(*_: object, **__: object) -> None:
    """Draw all open figures."""
    for number in plt.get_fignums():
        file = io.StringIO()
        plt.figure(number).savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        shown.append(file.getvalue())
    plt.close("all")
