"""Backpropagation through time: derived, proved, run and copied from."""
