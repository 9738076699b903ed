"""What is measured: one recurrent layer (or a stack of two), its gradient of parameters and input.

A problem holds plain arrays, so that every contender starts from the same numbers. What is asked of each:
given x and the cotangent of all outputs, the outputs and the gradient with respect to x, w, u, b (and c,
the recurrent bias of a GRU's candidate).
"""

from typing import NamedTuple

import numpy as np

import bptt

CELLS = {"Elman": bptt.Elman(), "LSTM": bptt.LSTM(), "GRU": bptt.GRU()}

GRID = (
    # T, B, n
    (20, 1, 16),
    (100, 1, 100),
    (25, 1, 100),
    (100, 32, 64),
    (100, 32, 128),
    (100, 64, 256),
    (100, 64, 512),
    (1000, 32, 64),
)
QUICK = GRID[:4]


class Problem(NamedTuple):
    """A stack of equal layers, n units over n inputs, on random numbers.

    Attributes
    ----------
    cell
        A name of `CELLS`.
    layers
        The parameters of each layer.
    x, d_a
        Input, and the cotangent of the top layer's activations, each (T, B, n).
    mask
        Which steps there are, or None.
    """

    cell: str
    layers: tuple
    x: np.ndarray
    d_a: np.ndarray
    mask: np.ndarray | None

    @property
    def sizes(self) -> tuple[int, int, int]:
        """T, B and n."""
        return self.x.shape


def draw(
    cell: str,
    sizes: tuple[int, int, int],
    *,
    depth: int = 1,
    dtype: str = "float32",
    masked: bool = False,
) -> Problem:
    """Draw a problem; the same numbers for the same arguments."""
    steps, batch, n = sizes
    rng = np.random.default_rng(20)
    stack = bptt.Stack((CELLS[cell],) * depth)
    params = bptt.initialize(stack, (n,) * (depth + 1) + (1,), rng, dtype)
    x = rng.normal(size=(steps, batch, n)).astype(dtype)
    d_a = rng.normal(size=(steps, batch, n)).astype(dtype)
    lengths = rng.integers(steps // 2, steps + 1, batch)
    lengths[0] = steps
    mask = bptt.lengths_to_mask(lengths) if masked else None
    if mask is not None:  # what stands after the end of a sequence differs between libraries
        d_a *= mask[:, :, None]
    return Problem(cell, params.layers, x, d_a, mask)
