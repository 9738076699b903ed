r"""Where does the gradient flow? Which costs feel which steps, and how strongly.

The gradient of a recurrent network is a double sum, over the step t of the cost and the step s at which
a weight was used:

.. math:: \frac{\partial C}{\partial \theta} = \sum_t \sum_{s \le t} G_{ts} , \qquad
   G_{ts} = \frac{\partial C^{(t)}}{\partial \theta^{(s)}}                              && \text{(CONTRIB)}

Full backpropagation through time adds up this lower triangle column by column; real-time recurrent
learning row by row; truncation leaves out what is far from the diagonal.

Sources: Pascanu, Mikolov & Bengio (2013); Marschall, Cho & Savin (2020).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, validation
from bptt._core.tree import array_record, euclidean_norm, flatten, refuse_overflow
from bptt.algorithms.calls import CostOfSteps, Result, full_bptt, segment
from bptt.algorithms.scan import step_jacobians
from bptt.algorithms.truncated import truncated_bptt
from bptt.network.backward import Gradient, backward
from bptt.network.stack import Params, Stack
from bptt.network.traces import LayerTrace, States, Trace

__all__ = [
    "Contributions",
    "JacobianSpectrum",
    "TruncationBias",
    "contributions",
    "delta_norms",
    "jacobian_spectrum",
    "truncation_bias",
]


@array_record
class Contributions(NamedTuple):
    """What the cost at each step contributes to the gradient through each step: (CONTRIB).

    Attributes
    ----------
    matrix
        Shape (T, T, P): ``matrix[t, s]`` is the gradient of the cost at step t + 1 through the weights
        used at step s + 1, all P parameters in a row; zero for s > t.
    like
        The parameters, whose order and shapes the rows have.
    """

    matrix: Array
    like: Params

    def norms(self) -> Array:
        """Return the norm of each contribution, shape (T, T)."""
        return validation.computed("norms", euclidean_norm(self.matrix, axis=2))

    def of_cost(self, t: int) -> Params:
        """Return the gradient of the cost at step t + 1 alone: the sum of a row, as in RTRL."""
        return _sum(self.matrix[validation.between("t", t, 0, len(self.matrix) - 1)], self.like)

    def through_step(self, s: int) -> Params:
        """Return the gradient of all costs through step s + 1: the sum of a column, as in BPTT."""
        return _sum(self.matrix[:, validation.between("s", s, 0, len(self.matrix) - 1)], self.like)

    def total(self, band: int | None = None) -> Params:
        """Return the gradient: the sum of all, or of those with t - s < band, as if truncated."""
        t, s = np.indices(self.matrix.shape[:2])
        kept = np.ones(t.shape, bool) if band is None else t - s < validation.size("band", band)
        return _sum(self.matrix[kept], self.like)


def _sum(rows: Array, like: Params) -> Params:
    with np.errstate(all="ignore"):
        total = flatten(like)[1](rows.sum(axis=0))
    refuse_overflow(sum=total)
    return total


def contributions(trace: Trace, d_outputs: ArrayLike) -> Contributions:
    """Take the gradient apart by the step of the cost and the step of the weight.

    Parameters
    ----------
    trace
        What `bptt.forward` returned, for layers of one direction.
    d_outputs
        ∇_a C^(t) of all steps, shape (T, B, n_L).

    Returns
    -------
    Contributions
        Their number grows as T²; meant for short sequences.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.backward` does; also if a layer reads in both directions.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    >>> _, d_outputs = bptt.squared_error(trace.outputs, tiny.targets)
    >>> parts = bptt.contributions(trace, d_outputs)
    >>> gradient = bptt.backward(trace, d_outputs).params
    >>> bptt.compare(parts.total(), gradient, tolerance=1e-13).ok
    True
    """
    validation.instance("trace", trace, Trace)
    given = validation.array("d_outputs", d_outputs, trace.outputs.shape)
    steps = len(trace.x)
    each = [segment(trace, s, s + 1) for s in range(steps)]
    matrix = np.zeros((steps, steps, len(flatten(trace.params)[0])), given.dtype)
    for t in range(steps):
        d_state: States | None = None
        for s in range(t, -1, -1):
            here = given[t : t + 1] if s == t else np.zeros_like(given[:1])
            found = backward(each[s], here, d_state)
            matrix[t, s] = flatten(found.params)[0]  # (CONTRIB)
            d_state = found.initial
    return Contributions(matrix, trace.params)


def delta_norms(gradient: Gradient) -> Array:
    """Return the norm of the error δ of each layer at each step.

    Parameters
    ----------
    gradient
        What `bptt.backward` returned, for layers of one direction whose cells are formulas (`bptt.Cell`).

    Returns
    -------
    Array
        Shape (L, T): the norm over the batch and the units, the readout's in the last row.

    Raises
    ------
    TypeError
        If `gradient` is not a gradient, or holds no array of errors for a layer.
    FloatingPointError
        If a norm is larger than any number of its dtype.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    >>> bptt.delta_norms(bptt.backward(trace, trace.outputs)).shape
    (3, 3)
    """
    validation.instance("gradient", gradient, Gradient)
    if not gradient.delta:
        msg = "gradient.delta must hold the errors of each layer, got none"
        raise TypeError(msg)
    for i, d in enumerate(gradient.delta):
        if not isinstance(d, np.ndarray):
            msg = f"gradient.delta[{i}] must be an array (T, B, n), got {validation.describe(d)}"
            raise TypeError(msg)
    norms = [euclidean_norm(d, axis=(1, 2)) for d in gradient.delta]
    return validation.computed("norms", np.stack(norms))


@array_record
class JacobianSpectrum(NamedTuple):
    """How much one step can stretch an error, and how much it does in the long run.

    Attributes
    ----------
    singular_values
        Of each step's Jacobian, largest first, shape (T, B, S): what one step can do.
    spectral_radius
        The largest absolute eigenvalue, shape (T, B): what many equal steps do.
    """

    singular_values: Array
    spectral_radius: Array


def jacobian_spectrum(trace: LayerTrace) -> JacobianSpectrum:
    """Measure the step Jacobians ∂state/∂(previous state) of one layer.

    Parameters
    ----------
    trace
        What a layer left behind: of `bptt.layer_forward`, or from ``Trace.layers``.

    Returns
    -------
    JacobianSpectrum
        Singular values and spectral radius of each step of each sequence.

    Raises
    ------
    TypeError
        If `trace` is not the trace of a layer of one direction.
    FloatingPointError
        If one of them is larger than any number of its dtype.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> layer = bptt.forward(tiny.stack, tiny.params, tiny.x).layers[0]
    >>> found = bptt.jacobian_spectrum(layer)
    >>> bool((found.spectral_radius <= found.singular_values[:, :, 0] + 1e-15).all())
    True
    """
    jacobians = step_jacobians(trace)
    with np.errstate(all="ignore"):
        singular_values = np.linalg.svd(jacobians, compute_uv=False)
        radius = np.abs(np.linalg.eigvals(jacobians)).max(axis=-1)
    found = JacobianSpectrum(singular_values, radius)
    refuse_overflow(found=found)
    return found


@array_record
class TruncationBias(NamedTuple):
    """How far a truncated gradient is from the full one, as it reaches further back.

    Attributes
    ----------
    k
        Through how many steps each backward pass goes, shape (K,).
    cosine
        Of the angle between the truncated and the full gradient, shape (K,); 1 if they agree.
    norm
        The norm of the truncated gradient over that of the full one, shape (K,).
    """

    k: Array
    cosine: Array
    norm: Array


def truncation_bias(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    ks: Sequence[int],
    *,
    windowed: bool = False,
) -> TruncationBias:
    """Compare truncated gradients with the full one.

    Parameters
    ----------
    stack, params, x, cost
        As for `bptt.full_bptt`.
    ks
        The reaches to try: k2, with k1 = 1; or the window sizes k1 = k2.
    windowed
        Whether the sequence is cut into windows.

    Returns
    -------
    TruncationBias
        Cosine and norm for each k.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.truncated_bptt` does; also if the full gradient is zero.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> found = bptt.truncation_bias(tiny.stack, tiny.params, tiny.x, cost, ks=[1, 2, 3])
    >>> bool(found.cosine[-1] > 1 - 1e-12)
    True
    """
    validation.instance("windowed", windowed, bool)
    if validation.as_array("ks", ks).ndim != 1 or len(ks) == 0:
        msg = f"ks must be a sequence of one number or more, got {ks!r:.40}"
        raise ValueError(msg)
    reaches = [validation.size(f"ks[{i}]", k) for i, k in enumerate(ks)]
    length, full = _length_and_direction(full_bptt(stack, params, x, cost))
    if length == 0:
        msg = "the full gradient must not be zero: there is no angle to it"
        raise ValueError(msg)
    cosine, norm = [], []
    for k in reaches:
        found = truncated_bptt(stack, params, x, cost, k1=k if windowed else 1, k2=k)
        own_length, direction = _length_and_direction(found)
        norm.append(own_length / length)
        with np.errstate(all="ignore"):
            cosine.append(float(direction @ full))
    return TruncationBias(*map(np.asarray, (reaches, cosine, norm)))


def _length_and_direction(result: Result) -> tuple[float, Array]:
    """Return the norm of a gradient, and the gradient divided by it, in float64."""
    vector = flatten(result.gradient.params)[0].astype(np.float64)
    length = float(validation.computed("norm of the gradient", euclidean_norm(vector)))
    with np.errstate(all="ignore"):
        scaled = vector / (np.abs(vector).max() or 1.0)
        return length, scaled / (np.linalg.norm(scaled) or 1.0)
