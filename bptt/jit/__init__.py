"""Cells whose loops over time are compiled: the same formulas, fused between their products by Numba."""

from bptt.jit.record import Compiled, compiled

__all__ = ["Compiled", "compiled"]
