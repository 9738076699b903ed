"""Cells whose loops over time are compiled: the same formulas, fused between their products by Numba."""
