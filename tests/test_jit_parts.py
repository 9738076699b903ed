"""The two parts of compiled loops that are written in LLVM's language, compiled here and now, not taken from a cache.

The reference of the matrix product is NumPy's; that of reads and writes is what the same lines do to arrays in Python.
"""

import numpy as np
import pytest

pytest.importorskip("numba")

import llvmlite.binding
from numba import njit

from bptt.jit.memory import SCOPES, begin, load, store
from bptt.jit.products import MORE_ROWS, ONE_ROW, ROWS, VECTORS, multiplier, panels, width

RNG = np.random.default_rng(26)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_product_in_panels_is_numpys(real):
    """For every number of rows up to a tile of each height and more, and of vectors up to those of the widest row and more."""
    multiply, (in_whole_vectors, in_panels, turned_in_panels) = (
        multiplier.__wrapped__(real),
        panels(real),
    )
    lanes, depth, start = width(real), 5, 3
    for rows in range(1, MORE_ROWS + ROWS + 2):
        for vectors in range(1, sum(ONE_ROW) + VECTORS):
            columns = vectors * lanes - 1
            a = RNG.uniform(-1, 1, (rows, depth)).astype(real)
            u = RNG.uniform(-1, 1, (depth, columns)).astype(real)
            stride = in_whole_vectors(columns)
            assert stride == vectors * lanes
            out = np.full((rows + 1, stride), np.nan, real)
            flat = np.concatenate([np.full(start, np.nan, real), a.ravel()])
            laid = in_panels(u.ravel(), depth, columns)
            assert (turned_in_panels(u.T.ravel(), depth, columns) == laid).all()
            multiply(flat, start, rows, depth, laid, stride, out.ravel())
            error = abs(out[:rows, :columns] - a.astype(float) @ u.astype(float)).max()
            assert error <= depth * np.finfo(real).eps, (rows, columns)
            assert (out[:rows, columns:] == 0).all()  # what fills up the last vector
            assert np.isnan(out[rows]).all()  # and nothing is written behind the last row


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_a_product_is_added_before_it_is_rounded_if_the_processor_can(real):
    """(1 + e)(1 - e) - 1 = -e²; rounded first, the product is one, and nothing is left."""
    if not llvmlite.binding.get_host_cpu_features().get("fma"):
        pytest.skip("this processor has no such instruction, or another name for it")
    multiply, (in_whole_vectors, in_panels, _) = multiplier(real), panels(real)
    e = np.finfo(real).eps
    for rows in (1, ROWS, MORE_ROWS):
        a, stride = np.tile(np.array([1, 1 + e], real), rows), in_whole_vectors(1)
        laid, out = in_panels(np.array([-1, 1 - e], real), 2, 1), np.empty(rows * stride, real)
        multiply(a, 0, rows, 2, laid, stride, out)
        assert (out[::stride] == -(e**2)).all()


@pytest.mark.parametrize("scope", [0, 1, SCOPES - 1, SCOPES])
def test_reads_and_writes_in_scopes_are_those_of_arrays(scope):
    """Also with a scope more than there are, which is read and written without metadata."""

    @njit
    def cumulated(x, out):
        begin()
        total = 0.0
        for k in range(x.size):
            total += load(scope, x, k)
            store(2, out, k, total * load(scope, x, 0))

    x, out = RNG.uniform(-1, 1, (2, 9))
    want = np.cumsum(x) * x[0]
    cumulated(x, out)
    assert abs(out - want).max() <= 9 * np.finfo(float).eps


@pytest.mark.parametrize("scope", [0, 1, SCOPES - 1])
def test_what_is_written_in_a_scope_is_read_in_it(scope):
    """A sum in place: had an array the promise to lie apart from itself, its numbers would be read too early."""

    @njit
    def cumulate(x):
        begin()
        for k in range(1, x.size):
            store(scope, x, k, load(scope, x, k - 1) + load(scope, x, k))

    x = RNG.uniform(-1, 1, 64)
    want = np.cumsum(x)
    cumulate(x)
    assert abs(x - want).max() <= 64 * np.finfo(float).eps
