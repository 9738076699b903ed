"""What "relative" means in these tests, in one place.

The relative error of an array is the largest absolute difference between it and the trusted array,
divided by the largest absolute entry of the trusted array. (Where the trusted array is zero throughout,
as the gradient of dead relu units is, the divisor is the largest entry of all arrays of the record; where
that is zero as well, it is 1.) Entries are not divided by themselves: one that is zero by cancellation
has no correct digit to be right in.
"""

import numpy as np

import bptt


def relative_errors(got, want):
    """Return the relative error of each array of a record, by name."""
    named = list(zip(bptt.tree_leaves(got), bptt.tree_leaves(want), strict=True))
    overall = max((np.abs(w).max() for _, (_, w) in named), default=0) or 1
    errors = {}
    for (name, g), (other, w) in named:
        assert (name, g.shape) == (other, w.shape)
        errors[name] = float(np.abs(g - w).max() / (np.abs(w).max() or overall))
    return errors


def assert_close(got, want, tolerance):
    """Hold every array of a record to its trusted twin: not a NaN, not one error above the tolerance."""
    errors = relative_errors(got, want)
    wrong = {name: error for name, error in errors.items() if not error <= tolerance}
    assert wrong == {}, f"relative errors above {tolerance}: {wrong}"
