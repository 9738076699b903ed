"""Products in pieces against whole ones, and when there are any.

The whole product is NumPy's own. A piece adds up in another order: 1e-13 of the largest entry, in float64.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from closeness import assert_close

from bptt._fast import products

# OpenBLAS's limit is a million multiplications: on both sides of it, sizes of gates, slabs, and without divisors
# (and True if there should be pieces)
SIZES = [
    (100, 100, 100, False),
    (101, 100, 100, True),
    (104, 100, 100, True),
    (512, 128, 32, True),
    (128, 512, 32, True),
    (256, 1024, 64, True),
    (400, 100, 100, True),
    (404, 101, 32, True),
    (101, 404, 32, True),
    (1021, 1021, 7, False),
    (2048, 1024, 512, True),
    (100, 4096, 100, False),
    (2048, 2048, 1, False),
    (1, 2048, 2048, False),
]


@pytest.fixture
def always(monkeypatch):
    """Cut, whatever is below NumPy."""
    monkeypatch.setattr(products, "in_pieces", lambda: True)


def drawn(*shape):
    return np.random.default_rng(9).normal(size=shape)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("m", "k", "n", "cuts"), SIZES)
def test_a_piece_is_small_and_all_of_them_are_the_product(m, k, n, cuts):
    cut = products.pieces(m, k, n, np.dtype(float))
    assert (cut != products.WHOLE) is cuts
    if cuts:
        assert m * k * n > products.MOST >= cut.rows * k * cut.columns
        assert (m % cut.rows, n % cut.columns) == (0, 0)
        assert cut.rows >= products.LEAST_ROWS
    a, b, out = drawn(m, k), drawn(k, n), np.empty((m, n))
    products.product(a, b, out)
    assert_close(out, a @ b, 1e-13)
    out[...] = 0
    cut.times(a)(cut.right(b), cut.into(out))
    assert_close(out, a @ b, 1e-13)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("n", [64, 256], ids=["whole rows", "cut rows too"])
def test_pieces_are_views_of_any_layout(n):
    """Many products at once; matrices by columns; rows with gaps between them, as slabs have them."""
    steps, m, k = 3, 64, 1024
    a, b = (
        drawn(steps, k, m + 5)[:, :, :m].transpose(0, 2, 1),
        drawn(k, steps, n).transpose(1, 0, 2),
    )
    out = np.zeros((m, steps, n + 5)).transpose(1, 0, 2)[:, :, :n]
    cut = products.pieces(m, k, n, out.dtype)
    assert cut.rows < m
    assert (cut.columns < n) == (n == 256)
    for whole, pieces in ((a, cut.left(a)), (b, cut.right(b)), (out, cut.into(out))):
        assert np.shares_memory(whole, pieces)
        assert pieces.size == whole.size
    products.product(a, b, out)
    assert_close(out, a @ b, 1e-13)


@pytest.mark.usefixtures("always")
def test_complex_numbers_stay_whole():
    assert products.pieces(512, 512, 64, np.dtype(complex)) == products.WHOLE
    assert products.pieces(512, 512, 64, np.dtype("float32")) != products.WHOLE


@pytest.mark.parametrize(
    ("core", "threads", "cut"),
    [(b"SkylakeX", 1, True), (b"SkylakeX", 2, False), (b"Haswell", 1, False), (b"", 0, False)],
)
def test_where_there_are_pieces(core, threads, cut, monkeypatch):
    """Where OpenBLAS has kernels for them, and no second thread."""
    monkeypatch.setattr(products, "CORE", core)
    monkeypatch.setattr(products, "threads", lambda: threads)
    assert products.in_pieces() is cut
    assert (products.pieces(512, 512, 64, np.dtype(float)) != products.WHOLE) is cut


def test_the_threads_are_those_of_openblas():
    """Truth: what the environment told it. Another library has no name here, and no pieces."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    show = "from bptt._fast import products as p; print(p.CORE.decode(), p.threads())"
    for threads in (1, 2):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(
            [sys.executable, "-c", show], env=env, check=True, capture_output=True, text=True
        )
        *core, found = done.stdout.split()
        assert int(found) == min(threads, cores) if core else found == "0"


@pytest.mark.parametrize("missing", ["module", "library", "names"])
def test_another_library_below_numpy_has_no_pieces(missing, monkeypatch):
    if missing == "module":
        monkeypatch.setattr(products, "find_spec", lambda _: None)
    elif missing == "library":

        def refuse(_):
            raise OSError

        monkeypatch.setattr(products.ctypes, "CDLL", refuse)
    else:
        monkeypatch.setattr(products.ctypes, "CDLL", lambda _: object())
    core, threads = products._openblas()
    assert (core, threads()) == (b"", 0)
