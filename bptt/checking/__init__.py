"""Is a gradient right, is a cell right, and if not: which of the known bugs is it."""

from bptt.checking.gradcheck import Comparison
from bptt.checking.known_bugs import KNOWN_BUGS
from bptt.checking.report import CellReport, Check

__all__ = ["KNOWN_BUGS", "CellReport", "Check", "Comparison"]
