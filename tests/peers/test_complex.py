"""The derivative with respect to a complex number, as docs/learn/linear-recurrence.md says that PyTorch and JAX return it."""

import jax
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.peer


def test_pytorch_keeps_both_real_derivatives_and_jax_returns_the_conjugate():
    def cost(q):
        return ((q * (3 - 1j)).real ** 2).sum()

    at, h = np.complex64(1 + 2j), 1e-2  # differences of a quadratic have no error but rounding
    by_real, by_imag = [(cost(at + move) - cost(at - move)) / (2 * h) for move in (h, 1j * h)]
    q = torch.tensor(at, requires_grad=True)
    cost(q).backward()
    assert np.isclose(q.grad.item(), by_real + 1j * by_imag, rtol=1e-3)
    assert np.isclose(jax.grad(cost)(at), by_real - 1j * by_imag, rtol=1e-3)
