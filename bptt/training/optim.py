r"""Update rules: how parameters are changed by a gradient.

.. math::

   \theta &\leftarrow \theta - \eta \, \nabla C                         && \text{(gradient descent)}

   v &\leftarrow \mu v + \nabla C , \quad \theta \leftarrow \theta - \eta \, v && \text{(momentum)}

   m &\leftarrow \beta_1 m + (1 - \beta_1) \nabla C , \quad
   s \leftarrow \beta_2 s + (1 - \beta_2) (\nabla C)^2 , \quad
   \theta \leftarrow \theta - \eta \,
      \frac{m / (1 - \beta_1^k)}{\sqrt{s / (1 - \beta_2^k)} + \varepsilon} && \text{(Adam)}

   \nabla C &\leftarrow \nabla C \, \min(1, c / \lVert \nabla C \rVert)            && \text{(clipping)}

Each rule is a frozen record of its settings with two pure functions, ``init`` and ``update``. Nothing
is changed in place: parameters, gradients and states go in, new ones come out. No rule clips unless
told to.

Sources: Polyak (1964); Kingma & Ba (2015); Pascanu, Mikolov & Bengio (2013).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bptt._core import Array, Tree, validation
from bptt._core.tree import (
    Record,
    array_record,
    arrays_of,
    check_floats,
    check_twins,
    euclidean_norm,
    refilled,
    refuse_overflow,
    tree_leaves,
    tree_map,
)

__all__ = ["Adam", "AdamState", "GradientDescent", "Momentum", "clip_by_global_norm", "global_norm"]

LAST = int(np.iinfo(np.int64).max)  # count of updates
SMALLEST = float(np.finfo(np.float64).smallest_normal)  # below, numbers lose digits


@dataclass(frozen=True)
class GradientDescent:
    r"""Go downhill: :math:`\theta \leftarrow \theta - \eta g`.

    Parameters
    ----------
    rate
        The learning rate η.

    Raises
    ------
    TypeError, ValueError
        If `rate` is not a positive number.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> rule = bptt.GradientDescent(rate=0.5)
    >>> theta = np.array([1.0])
    >>> theta, state = rule.update(theta, np.array([2.0]), rule.init(theta))
    >>> theta
    array([0.])
    """

    rate: float

    def __post_init__(self) -> None:
        """Refuse a rate that is not positive."""
        _settle(self, "rate")

    def init(self, params: Tree) -> tuple[()]:
        """Return the state before the first update: this rule remembers nothing."""
        check_floats("params", params)
        return ()

    def update(
        self, params: Record, gradient: Record, state: tuple[()]
    ) -> tuple[Record, tuple[()]]:
        """Return the parameters after one update, and the state."""
        check_twins(params, gradient=gradient)
        _refuse_memory(state)
        with np.errstate(all="ignore"):
            # (ff-descent)
            moved = tree_map(lambda p, g: p - self.rate * g, params, gradient)
        refuse_overflow(params=moved)
        return moved, ()


@dataclass(frozen=True)
class Momentum:
    r"""Keep some of the velocity: :math:`v \leftarrow \mu v + g`, :math:`\theta \leftarrow \theta - \eta v`.

    Parameters
    ----------
    rate
        The learning rate η.
    momentum
        μ, from 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number in its range.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> rule = bptt.Momentum(rate=0.5, momentum=0.9)
    >>> theta, velocity = np.array([1.0]), rule.init(np.array([1.0]))
    >>> for _ in range(2):
    ...     theta, velocity = rule.update(theta, np.array([1.0]), velocity)
    >>> theta, velocity
    (array([-0.45]), array([1.9]))
    """

    rate: float
    momentum: float = 0.9

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _settle(self, "rate")
        _settle(self, "momentum", fraction=True)

    def init(self, params: Record) -> Record:
        """Return the state before the first update: a velocity of zero."""
        check_floats("params", params)
        return tree_map(np.zeros_like, params)

    def update(self, params: Record, gradient: Record, state: Record) -> tuple[Record, Record]:
        """Return the parameters after one update, and the new velocity."""
        check_twins(params, gradient=gradient, state=state)
        with np.errstate(all="ignore"):
            velocity = tree_map(lambda v, g: self.momentum * v + g, state, gradient)
            moved = tree_map(lambda p, v: p - self.rate * v, params, velocity)
        refuse_overflow(state=velocity, params=moved)
        return moved, velocity


@array_record
class AdamState(NamedTuple):
    """What Adam remembers.

    Attributes
    ----------
    updates
        k, how many there have been, an int64 array without axes.
    mean
        m, the running mean of the gradient, a record like the parameters.
    square
        s, the running mean of its square.
    """

    updates: NDArray[np.int64]
    mean: Tree
    square: Tree


@dataclass(frozen=True)
class Adam:
    r"""Scale each entry's step by the size that its gradients have had.

    Parameters
    ----------
    rate
        The learning rate η.
    beta1, beta2
        How much of the running means is kept, from 0 to below 1.
    epsilon
        ε, what keeps the denominator from zero.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number in its range.

    Examples
    --------
    The first step has the length of the rate, whatever the gradient's:

    >>> import numpy as np, bptt
    >>> rule = bptt.Adam(rate=0.25)
    >>> theta = np.array([1.0, 1.0])
    >>> theta, state = rule.update(theta, np.array([1e-3, 1e3]), rule.init(theta))
    >>> theta.round(4), int(state.updates)
    (array([0.75, 0.75]), 1)
    """

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _settle(self, "rate", "epsilon")
        _settle(self, "beta1", "beta2", fraction=True)

    def init(self, params: Tree) -> AdamState:
        """Return the state before the first update: means of zero."""
        check_floats("params", params)
        mean, square = (tree_map(np.zeros_like, params) for _ in range(2))
        return AdamState(np.array(0, np.int64), mean, square)

    def update(
        self, params: Record, gradient: Record, state: AdamState
    ) -> tuple[Record, AdamState]:
        """Return the parameters after one update, and the new means."""
        validation.instance("state", state, AdamState)
        means = {"state.mean": state.mean, "state.square": state.square}
        check_twins(params, gradient=gradient, **means)
        _refuse_negative("state.square", state.square)
        given: object = state.updates
        one = given[()] if isinstance(given, np.ndarray) and given.ndim == 0 else given
        count = validation.between("state.updates", one, 0, LAST - 1) + 1
        b1, b2 = self.beta1, self.beta2
        bias1, bias2 = 1 - b1**count, 1 - b2**count

        def step(p: Array, g: Array, m: Array, s: Array) -> tuple[Array, Array, Array]:
            if not p.dtype.type(self.epsilon):
                msg = (
                    f"epsilon must be > 0 in {p.dtype}, the precision of params, got {self.epsilon}"
                )
                raise ValueError(msg)
            m = b1 * m + (1 - b1) * g
            s = b2 * s + (1 - b2) * g**2
            return p - self.rate * (m / bias1) / (np.sqrt(s / bias2) + self.epsilon), m, s

        before = (params, gradient, state.mean, state.square)
        each = zip(*(arrays_of("params", record) for record in before), strict=True)
        with np.errstate(all="ignore"):
            steps = [step(*twins) for twins in each]
        moved, mean, square = (
            refilled(record, [after[k] for after in steps])
            for k, record in enumerate((params, state.mean, state.square))
        )
        refuse_overflow(**{"state.square": square}, params=moved)
        return moved, AdamState(np.array(count, np.int64), mean, square)


def _refuse_memory(state: object) -> None:
    if not isinstance(state, tuple) or state:
        msg = f"state must be (), as init returns it, got {validation.describe(state)}"
        raise TypeError(msg)


def _refuse_negative(name: str, record: Tree) -> None:
    if any((array < 0).any() for array in arrays_of(name, record)):
        leaf_name, leaf = next(leaf for leaf in tree_leaves(record, name) if (leaf[1] < 0).any())
        where = tuple(np.argwhere(leaf < 0)[0].tolist())
        msg = f"{leaf_name} must be >= 0, got {leaf[where]} at index {where}"
        raise ValueError(msg)


def global_norm(record: Tree) -> float:
    """Return the Euclidean norm of all entries of a record taken together.

    Parameters
    ----------
    record
        Nested tuples, lists or mappings of arrays.

    Returns
    -------
    float
        The norm. Entries are scaled by the largest before they are squared, so that no square
        overflows.

    Raises
    ------
    TypeError
        If a leaf is not an array of float32 or float64.
    ValueError
        If an entry is not finite.
    FloatingPointError
        If the norm itself is larger than any number.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.global_norm((np.array([3.0]), np.array([4.0])))
    5.0
    """
    return _norm("record", record)


def _norm(name: str, record: Tree) -> float:
    check_floats(name, record)
    flat = [np.zeros(0), *(array.ravel() for array in arrays_of(name, record))]
    norm = euclidean_norm(np.concatenate(flat))
    return float(validation.computed(f"norm of {name}", norm))


def clip_by_global_norm(gradient: Record, limit: float) -> tuple[Record, float]:
    r"""Shorten a gradient that is longer than a limit, and keep its direction.

    Parameters
    ----------
    gradient
        Nested tuples, lists or mappings of arrays.
    limit
        c, the norm that it may have.

    Returns
    -------
    gradient, norm
        The gradient times :math:`\min(1, c / \lVert g \rVert)`, and the norm it had before.

    Raises
    ------
    TypeError
        If a leaf is not an array of float32 or float64, or `limit` is no number.
    ValueError
        If an entry is not finite or `limit` is not positive.
    FloatingPointError
        If the norm is larger than any number.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.clip_by_global_norm(np.array([3.0, 4.0]), limit=1.0)
    (array([0.6, 0.8]), 5.0)
    """
    limit = validation.number("limit", limit)
    norm = _norm("gradient", gradient)
    # (clipping), in float64: in float32 the factor itself may vanish
    scale, length = np.float64(min(1.0, limit / norm) if norm else 1.0), np.float64(norm)

    def shortened(g: Array) -> Array:
        short = g * scale if scale >= SMALLEST else g / length * limit  # in float64 it may, too
        return short.astype(g.dtype, copy=False)

    with np.errstate(all="ignore"):
        return tree_map(shortened, gradient), norm


def _settle(rule: object, *names: str, fraction: bool = False) -> None:
    """Check settings of a frozen record, and put them in the form in which they are used."""
    for name in names:
        value = getattr(rule, name)
        below = 1.0 if fraction else np.inf
        object.__setattr__(rule, name, validation.number(name, value, below=below, zero=fraction))
