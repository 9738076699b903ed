"""Activation functions, each with its derivative.

An activation acts on every entry by itself, a_i = a(z_i): this is the assumption under which the
proofs of (BP1) and (BP2) may write a'(z_i). Softmax breaks it, and so is a plain function here; its
derivative is taken together with the cost, in `bptt.training.losses`.

All of them accept complex128 too, and are analytic there, so that the complex step can pass through.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike

from bptt._core import Array, ElementWise, validation
from bptt._core.tree import numbers_in, refuse_overwritten

__all__ = ["Activation", "identity", "relu", "sigmoid", "softmax", "softplus", "tanh"]

Derivative: TypeAlias = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Activation:
    r"""A function a of the weighted input z, with its derivative.

    Parameters
    ----------
    name
        What error messages and figures call it.
    function
        Takes z, of any shape, and returns a(z), of the same shape and dtype.
    derivative
        Takes z and a = a(z), and returns a'(z). Whoever runs a network has a(z) at hand already, and
        for some activations it is all that the derivative needs: :math:`\tanh' = 1 - \tanh^2`.

    Raises
    ------
    TypeError
        If `name` is not a string or one of the pair cannot be called; or if one of them, tried on a few
        numbers, writes to its arguments, or to what it has returned before.
    ValueError
        If one of the pair, tried on a few numbers, does not keep their shape and precision, or mixes entries,
        as softmax does.

    See Also
    --------
    bptt.check_gradient : is the derivative that of the function?

    Examples
    --------
    A pair of one's own, the arctangent, at one point:

    >>> import numpy as np, bptt
    >>> arctan = bptt.Activation("arctan", np.arctan, lambda z, a: 1 / (1 + z**2))
    >>> z = np.array([1.0])
    >>> arctan(z), arctan.derivative(z, arctan(z))
    (array([0.78539816]), array([0.5]))
    """

    name: str
    function: ElementWise = field(repr=False)  # an address is no name
    derivative: Derivative = field(repr=False)

    def __post_init__(self) -> None:
        """Try the pair on a few numbers."""
        validation.instance("name", self.name, str)
        validation.function("function", self.function, 1)
        validation.function("derivative", self.derivative, 2)
        for dtype in (np.float32, np.float64):
            z: Array = np.linspace(-1, 1, 6).reshape(2, 3).astype(dtype)
            with np.errstate(all="ignore"):  # its domain may be smaller: its numbers do not matter
                self._try("derivative", z, self._try("function", z))

    def _try(self, part: str, z: Array, *more: Array) -> Array:
        """Call one of the pair, and refuse what it returns if the form of z is not kept, or entries are mixed."""
        name, function = f"{part} of {self.name}", getattr(self, part)
        got: object = validation.tried(name, function, z, *more)
        validation.plain(name, got)
        if not isinstance(got, np.ndarray) or got.shape != z.shape or got.dtype != z.dtype:
            what = f"{got.dtype} {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
            msg = f"{name} must keep shape and dtype, {z.dtype} {z.shape}, got {what}"
            raise ValueError(msg)
        before, stays = numbers_in(got), np.arange(z.size).reshape(z.shape) % 2 == 0
        # Of another size, too: a norm does not change with signs.
        half = validation.read_only(np.where(stays, z, -2 * z))
        again = validation.called(name, function, half, *more)
        refuse_overwritten(name, got, before)
        if not np.allclose(again[stays], got[stays], equal_nan=True):
            msg = f"{name} must act on every entry by itself, got other numbers where other entries changed"
            raise ValueError(msg)
        return got

    def __call__(self, z: ArrayLike) -> Array:
        """Return a(z), of float32 or float64 (or complex128, for the complex step)."""
        # What records a formula stands in for an array.
        recorded = isinstance(z, NDArrayOperatorsMixin)
        given = cast("Array", z) if recorded else validation.floating("z", z, validation.ANALYTIC)
        with np.errstate(under="ignore"):  # what is too small to be held is zero
            return self.function(given)


# The largest z whose exponential is finite, and one, in each precision. NumPy takes an array without axes faster
# than a number of Python.
CONSTANTS: dict[str, tuple[Array, Array]] = {
    kind: (np.array(limit, kind), np.array(1, kind))
    for kind, limit in (("f", 88.0), ("d", 709.0), ("D", 709.0))
}


def gate(z: Array) -> tuple[Array, Array]:
    r"""Return :math:`\sigma(z) = e^z / (1 + e^z)` and :math:`1 - \sigma(z) = 1 / (1 + e^z)`.

    Both are right to a few units in the last place, whatever z is: neither is made by a subtraction.
    """
    limit, one = CONSTANTS[z.dtype.char]
    e = np.exp(np.minimum(z, limit))
    whole = e + one
    return e / whole, one / whole


def logistic(z: Array) -> Array:
    r"""Return :math:`\sigma(z) = e^z / (1 + e^z)`, right to a few units in the last place."""
    limit, one = CONSTANTS[z.dtype.char]
    e = np.exp(np.minimum(z, limit))
    return e / (e + one)


def _positive_part(z: Array) -> Array:
    return np.where(z.real <= 0, z.dtype.type(0), z)  # written so that a NaN stays one


def _softplus(z: Array) -> Array:
    above = z.real > 0  # no difference of the two parts: of infinity it would be NaN
    a: Array = np.where(above, z, z.dtype.type(0)) + np.log1p(np.exp(np.where(above, -z, z)))
    return a


def _one(z: Array, _: Array) -> Array:
    return np.ones_like(z)


@np.errstate(under="ignore")
def _tanh_slope(_: Array, a: Array) -> Array:
    return 1 - a**2


@np.errstate(under="ignore")
def _sigmoid_slope(z: Array, a: Array) -> Array:
    return a * logistic(-z)  # 1 - a, without the digits that a subtraction loses


def _relu_slope(z: Array, _: Array) -> Array:
    return (z.real > 0).astype(z.dtype)


@np.errstate(under="ignore")
def _softplus_slope(z: Array, _: Array) -> Array:
    return logistic(z)


identity = Activation("identity", np.positive, _one)
"""a(z) = z, a'(z) = 1."""

tanh = Activation("tanh", np.tanh, _tanh_slope)
"""a(z) = tanh z, a'(z) = 1 - a²."""

sigmoid = Activation("sigmoid", logistic, _sigmoid_slope)
"""a(z) = 1 / (1 + e^(-z)), a'(z) = a (1 - a), both right to a few units in the last place for every z."""

relu = Activation("relu", _positive_part, _relu_slope)
"""a(z) = max(z, 0), a'(z) = 1 for z > 0, else 0; at the kink z = 0 this library says 0."""

softplus = Activation("softplus", _softplus, _softplus_slope)
"""a(z) = log(1 + e^z), a'(z) = sigmoid(z)."""


def softmax(z: ArrayLike) -> Array:
    r"""Turn weighted inputs into probabilities, over the last axis.

    .. math:: a_i = e^{z_i} \Big/ \sum_k e^{z_k}

    Each a_i depends on every z_k, so this is not an `Activation`.

    Parameters
    ----------
    z
        Weighted inputs, shape (..., n).

    Returns
    -------
    Array
        Probabilities, shape (..., n), each row adding up to 1.

    Raises
    ------
    TypeError
        If `z` is not float32 or float64.
    ValueError
        If `z` is a single number, empty, or not finite.

    Examples
    --------
    >>> import bptt
    >>> bptt.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    z = validation.array("z", z, ("...", "n"), validation.ANALYTIC)
    with np.errstate(all="ignore"):  # further apart than numbers go: e^(-inf) = 0 is right
        e = np.exp(z - z.real.max(axis=-1, keepdims=True))
        a: Array = e / e.sum(axis=-1, keepdims=True)  # (ff-softmax)
    return a
