r"""Costs, each with its gradient with respect to the network's outputs: where (BP1) begins.

The cost is a sum, :math:`C = \sum_t C^{(t)}`, over steps, sequences and units, never a mean: the
gradient of a batch is then the sum of the gradients of its sequences, whatever their lengths. For a
mean, pass the weights of the mean as the mask: ``mask / mask.sum()``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Scalar, validation
from bptt._core.tree import array_record, one_precision

__all__ = ["Cost", "softmax_cross_entropy", "squared_error"]


@array_record
class Cost(NamedTuple):
    """The value of a cost, and where its gradient starts.

    Attributes
    ----------
    value
        C, a number of the outputs' dtype.
    d_outputs
        ∂C/∂outputs, of the outputs' shape: what `bptt.backward` takes.
    """

    value: Scalar
    d_outputs: Array


def squared_error(outputs: ArrayLike, targets: ArrayLike, mask: ArrayLike | None = None) -> Cost:
    r"""Half the sum of squared errors.

    .. math:: C = \tfrac12 \sum m \, \lVert a - y \rVert^2 , \qquad \nabla_a C = m \, (a - y)

    Parameters
    ----------
    outputs
        a, the outputs of a network, shape (..., n): (B, n), or (T, B, n) for a sequence.
    targets
        y, same shape. Where the mask is zero anything may stand, NaN too.
    mask
        m, shape (...): True (or a weight > 0) where the cost counts, False (or 0) where it does not.
        Without one, it counts everywhere.

    Returns
    -------
    Cost
        ``(value, d_outputs)``.

    Raises
    ------
    TypeError
        If an argument has a wrong dtype, or float32 meets float64.
    ValueError
        If shapes do not match or are empty, a number that counts is not finite, or a weight is negative.
    FloatingPointError
        If the cost overflows.

    Examples
    --------
    >>> import bptt
    >>> cost, d_outputs = bptt.squared_error([[1.0, 2.0]], [[0.0, 0.0]])
    >>> float(cost), d_outputs.tolist()
    (2.5, [[1.0, 2.0]])
    """
    a = validation.array("outputs", outputs, ("...", "n"), validation.ANALYTIC)
    m = _weights(mask, a)
    y = _targets(targets, a, m)
    with np.errstate(all="ignore"):
        error = np.where(m[..., None] > 0, a - y, a.dtype.type(0))
        d_outputs = m[..., None] * error
        value = 0.5 * (d_outputs * error).sum()  # (notation-cost)
    validation.computed("cost", value)
    return Cost(value, d_outputs)


def softmax_cross_entropy(
    logits: ArrayLike, classes: ArrayLike, mask: ArrayLike | None = None
) -> Cost:
    r"""Cross-entropy of a softmax over the outputs, against the right classes.

    .. math:: C = -\sum m \, \log \operatorname{softmax}(z)_{c} ,
       \qquad \nabla_z C = m \, (\operatorname{softmax}(z) - y)

    where y is 1 at the right class c and 0 elsewhere. Each output of a softmax depends on all its
    inputs, so (BP1) in components does not apply to it; together with this cost its error is again a
    difference, and the network's own output activation must be the identity.

    Parameters
    ----------
    logits
        z, the weighted inputs of the softmax, shape (..., n): (B, n), or (T, B, n) for a sequence.
    classes
        c, integers from 0 to n - 1, shape (...). Where the mask is zero anything may stand.
    mask
        m, shape (...): True (or a weight > 0) where the cost counts, False (or 0) where it does not.

    Returns
    -------
    Cost
        ``(value, d_outputs)``; the value is in nats.

    Raises
    ------
    TypeError
        If an argument has a wrong dtype.
    ValueError
        If shapes do not match or are empty, a class is unknown, a number is not finite or a weight is negative.
    FloatingPointError
        If the cost overflows.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> cost, d_outputs = bptt.softmax_cross_entropy([[0.0, 0.0]], [1])
    >>> bool(np.isclose(cost, np.log(2))), d_outputs.tolist()
    (True, [[0.5, -0.5]])
    """
    z = validation.array("logits", logits, ("...", "n"), validation.ANALYTIC)
    m = _weights(mask, z)
    right = _class_indices(classes, z, m).ravel()
    rows = z.reshape(-1, z.shape[-1])
    each = np.arange(len(rows))
    with np.errstate(all="ignore"):
        largest = rows.real.argmax(axis=1)
        shifted = rows - rows[each, largest][:, None]
        error = np.exp(shifted)
        error[each, largest] = 0  # the 1 there would take the digits of the others
        others = error.sum(axis=1)
        error[each, largest] = 1
        error /= 1 + others[:, None]
        log_right = shifted[each, right] - np.log1p(others)
        error[each, right] = np.expm1(log_right)  # (ff-softmax-error): a - y
        log_right = np.where(m > 0, log_right.reshape(m.shape), 0)
        value = -(m * log_right).sum()  # (ff-cross-entropy)
        d_outputs = m[..., None] * error.reshape(z.shape)
    validation.computed("cost", value)
    return Cost(value, d_outputs)


def _weights(mask: ArrayLike | None, outputs: Array) -> Array:
    """Return the mask as weights, ones where there is none."""
    shape, real = outputs.shape[:-1], outputs.real.dtype
    if mask is None:
        return np.ones(shape, real)
    given = validation.of_kind("mask", mask, "bf", "boolean or float", shape)
    with np.errstate(all="ignore"):  # what is too small to be held is zero
        weights = validation.finite("mask", given.astype(real))
    if (weights < 0).any():
        msg = f"mask must be >= 0, got {weights.min()}"
        raise ValueError(msg)
    return weights


def _targets(targets: ArrayLike, outputs: Array, weights: Array) -> Array:
    given = validation.whole_as("targets", targets, outputs)
    y = validation.shaped("targets", given, outputs.shape)
    one_precision(("outputs", outputs), ("targets", y))
    counted = np.where(weights[..., None] > 0, y, y.dtype.type(0))
    return validation.finite("targets (where they count)", counted)


def _class_indices(classes: ArrayLike, logits: Array, weights: Array) -> np.ndarray:
    c = validation.of_kind("classes", classes, "iu", "integers", logits.shape[:-1])
    counted = np.where(weights > 0, c, 0)
    unknown = counted[(counted < 0) | (counted >= logits.shape[-1])]
    if unknown.size:
        msg = f"classes must be from 0 to {logits.shape[-1] - 1}, got {unknown[0]}"
        raise ValueError(msg)
    return counted
