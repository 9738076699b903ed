"""Recurrent cells: the pointwise mathematics of one step, and its derivative."""

from bptt.cells.elman import Elman
from bptt.cells.protocol import Cell

__all__ = ["Cell", "Elman"]
