r"""Backpropagation in a feedforward network: the chapter that time is added to.

.. math::

   z^l &= a^{l-1} w^l + b^l , \qquad a^l = a(z^l)                                      && \text{(FWD-FF)}

   \delta^L &= \nabla_a C \odot a'(z^L)                                                && \text{(BP1-FF)}

   \delta^l &= a'(z^l) \odot \delta^{l+1} (w^{l+1})^\top                               && \text{(BP2-FF)}

   \partial C / \partial b^l &= \textstyle\sum_{\text{batch}} \delta^l                 && \text{(BP3-FF)}

   \partial C / \partial w^l &= (a^{l-1})^\top \delta^l                                && \text{(BP4-FF)}

Rows are the members of a batch, shape (B, n); the error :math:`\delta^l` is the total derivative
:math:`\partial C / \partial z^l`. In code, lists that begin at layer 1 are indexed from 0.

Sources: Rumelhart, Hinton & Williams (1986); the names BP1 to BP4 are those of Nielsen (2015).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, validation
from bptt._core.tree import array_record, one_precision, refuse_overflow, tree_leaves
from bptt.cells.activations import Activation
from bptt.network.stack import Affine, check_affine

__all__ = ["Gradient", "Trace", "backward", "forward"]


@array_record
class Trace(NamedTuple):
    """What a forward run leaves behind: all that `backward` needs.

    Attributes
    ----------
    layers
        The parameters that were run, w and b of layers 1 to L.
    activations
        Their activation functions.
    z
        Weighted inputs of layers 1 to L, each (B, n_l).
    a
        Activations of layers 0 to L, each (B, n_l); ``a[0]`` is the input.
    """

    layers: tuple[Affine, ...]
    activations: tuple[Activation, ...]
    z: tuple[Array, ...]
    a: tuple[Array, ...]

    @property
    def outputs(self) -> Array:
        """The activations of the last layer, a^L, shape (B, n_L)."""
        return self.a[-1]


@array_record
class Gradient(NamedTuple):
    """The gradient of a cost.

    Attributes
    ----------
    layers
        With respect to the parameters: (BP4-FF) in the place of each w, (BP3-FF) in that of each b.
    x
        With respect to the input, shape (B, n_0).
    delta
        The errors of layers 1 to L, each (B, n_l): (BP1-FF) for the last, (BP2-FF) for the others.
    """

    layers: tuple[Affine, ...]
    x: Array
    delta: tuple[Array, ...]


def forward(
    layers: Sequence[Affine], x: ArrayLike, activations: Activation | Sequence[Activation]
) -> Trace:
    """Run a feedforward network, and keep what its backward pass will need.

    Parameters
    ----------
    layers
        w and b of layers 1 to L.
    x
        Input, shape (B, n_0). Kept in the trace, not copied.
    activations
        One for all layers, or one for each.

    Returns
    -------
    Trace
        Weighted inputs and activations of all layers.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype, or float32 meets float64.
    ValueError
        If shapes do not match, a number is not finite, or there is no layer.
    FloatingPointError
        If an activation overflows.

    Examples
    --------
    One unit with one input:

    >>> import numpy as np, bptt
    >>> layer = bptt.Affine(w=np.array([[2.0]]), b=np.array([1.0]))
    >>> bptt.teaching.feedforward.forward([layer], [[3.0]], bptt.identity).outputs
    array([[7.]])
    """
    checked, a0 = _checked(layers, x)
    functions = _one_each(activations, len(checked))
    z: list[Array] = []
    a = [a0]
    with np.errstate(all="ignore"):
        for (w, b), function in zip(checked, functions, strict=True):
            z.append(a[-1] @ w + b)  # (FWD-FF)
            a.append(function(z[-1]))  # (FWD-FF)
    refuse_overflow(a=a)
    return Trace(checked, functions, tuple(z), tuple(a))


def backward(trace: Trace, d_outputs: ArrayLike) -> Gradient:
    r"""Carry the gradient of a cost back through a feedforward network: (BP1-FF) to (BP4-FF).

    Parameters
    ----------
    trace
        What `forward` returned.
    d_outputs
        :math:`\nabla_a C`, the derivative of the cost with respect to the outputs, shape (B, n_L).

    Returns
    -------
    Gradient
        With respect to the parameters and the input, and the errors of all layers.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype.
    ValueError
        If `d_outputs` does not have the shape of the outputs, or is not finite.
    FloatingPointError
        If the gradient overflows.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> layer = bptt.Affine(w=np.array([[2.0]]), b=np.array([1.0]))
    >>> trace = bptt.teaching.feedforward.forward([layer], [[3.0]], bptt.identity)
    >>> bptt.teaching.feedforward.backward(trace, [[1.0]]).layers[0].w
    array([[3.]])
    """
    validation.instance("trace", trace, Trace)
    validation.real("trace.outputs", trace.outputs)
    d_a = validation.array("d_outputs", d_outputs, trace.outputs.shape)
    one_precision(("trace.outputs", trace.outputs), ("d_outputs", d_a))
    run = zip(trace.activations, trace.z, trace.a[1:], strict=True)
    with np.errstate(all="ignore"):
        slopes = [function.derivative(z, a) for function, z, a in run]
        delta = [d_a * slopes[-1]]  # (BP1-FF)
        for slope, above in zip(slopes[-2::-1], trace.layers[:0:-1], strict=True):
            delta.insert(0, slope * (delta[0] @ above.w.T))  # (BP2-FF)
        layers = tuple(
            Affine(w=below.T @ d, b=d.sum(axis=0))  # (BP4-FF), (BP3-FF)
            for below, d in zip(trace.a[:-1], delta, strict=True)
        )
        d_x = delta[0] @ trace.layers[0].w.T
    gradient = Gradient(layers, d_x, tuple(delta))
    # δ first, the last one's before all.
    for leaf in reversed(tree_leaves(gradient, "gradient")):
        validation.computed(*leaf)
    return gradient


def _checked(layers: Sequence[Affine], x: ArrayLike) -> tuple[tuple[Affine, ...], Array]:
    if not isinstance(layers, (tuple, list)) or not layers:
        msg = f"layers must be a tuple of one Affine or more, got {layers!r:.40}"
        raise (ValueError if isinstance(layers, (tuple, list)) else TypeError)(msg)
    checked: list[Affine] = []
    below: int | str = "n_0"
    for i, layer in enumerate(layers):
        checked.append(check_affine(f"layers[{i}]", layer, below))
        below = checked[-1].w.shape[1]
    a0 = validation.array("x", x, ("B", checked[0].w.shape[0]), validation.ANALYTIC)
    one_precision(("layers", checked), ("x", a0))
    return tuple(checked), a0


def _one_each(activations: Activation | Sequence[Activation], count: int) -> tuple[Activation, ...]:
    if isinstance(activations, Activation):
        return (activations,) * count
    each = validation.sequence("activations", activations, count, "activations")
    return tuple(
        validation.instance(f"activations[{i}]", f, Activation) for i, f in enumerate(each)
    )
