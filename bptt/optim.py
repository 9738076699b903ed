r"""Update rules: what to do with a gradient g once it is there.

.. math::

   \theta &\leftarrow \theta - \eta \, g                                && \text{(gradient descent)}

   v &\leftarrow \mu v + g , \quad \theta \leftarrow \theta - \eta \, v && \text{(momentum)}

   m &\leftarrow \beta_1 m + (1 - \beta_1) g , \quad
   s \leftarrow \beta_2 s + (1 - \beta_2) g^2 , \quad
   \theta \leftarrow \theta - \eta \,
      \frac{m / (1 - \beta_1^k)}{\sqrt{s / (1 - \beta_2^k)} + \varepsilon} && \text{(Adam)}

   g &\leftarrow g \, \min(1, c / \lVert g \rVert)                      && \text{(clipping)}

Each rule is a frozen record of its settings with two pure functions, ``init`` and ``update``. Nothing
is changed in place: parameters, gradients and states go in, new ones come out. No rule clips unless
told to.

Sources: Polyak (1964); Kingma & Ba (2015); Pascanu, Mikolov & Bengio (2013).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from bptt import _check
from bptt._typing import Array
from bptt.tree import tree_leaves, tree_map

__all__ = [
    "Adam",
    "AdamState",
    "GradientDescent",
    "Momentum",
    "clip_by_global_norm",
    "global_norm",
]

Record = TypeVar("Record")


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
        _check.number("rate", self.rate, above=0)

    def init(self, params: Any) -> tuple[()]:
        """Return the state before the first update: this rule remembers nothing."""
        tree_leaves(params)
        return ()

    def update(
        self, params: Record, gradient: Record, state: tuple[()]
    ) -> tuple[Record, tuple[()]]:
        """Return the parameters after one update, and the state."""
        _finite("gradient", gradient)
        return tree_map(lambda p, g: p - self.rate * g, params, gradient), state


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
        _check.number("rate", self.rate, above=0)
        _fraction("momentum", self.momentum)

    def init(self, params: Record) -> Record:
        """Return the state before the first update: a velocity of zero."""
        return tree_map(np.zeros_like, params)

    def update(self, params: Record, gradient: Record, state: Record) -> tuple[Record, Record]:
        """Return the parameters after one update, and the new velocity."""
        _finite("gradient", gradient)
        velocity = tree_map(lambda v, g: self.momentum * v + g, state, gradient)
        return tree_map(lambda p, v: p - self.rate * v, params, velocity), velocity


class AdamState(NamedTuple):
    """What Adam remembers.

    Attributes
    ----------
    updates
        k, how many there have been.
    mean
        m, the running mean of the gradient, a record like the parameters.
    square
        s, the running mean of its square.
    """

    updates: int
    mean: Any
    square: Any


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
    >>> theta.round(4), state.updates
    (array([0.75, 0.75]), 1)
    """

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _check.number("rate", self.rate, above=0)
        _fraction("beta1", self.beta1)
        _fraction("beta2", self.beta2)
        _check.number("epsilon", self.epsilon, above=0)

    def init(self, params: Any) -> AdamState:
        """Return the state before the first update: means of zero."""
        return AdamState(0, tree_map(np.zeros_like, params), tree_map(np.zeros_like, params))

    def update(
        self, params: Record, gradient: Record, state: AdamState
    ) -> tuple[Record, AdamState]:
        """Return the parameters after one update, and the new means."""
        _finite("gradient", gradient)
        _check.instance("state", state, AdamState)
        count = state.updates + 1
        mean = tree_map(lambda m, g: self.beta1 * m + (1 - self.beta1) * g, state.mean, gradient)
        square = tree_map(
            lambda s, g: self.beta2 * s + (1 - self.beta2) * g**2, state.square, gradient
        )
        bias1, bias2 = 1 - self.beta1**count, 1 - self.beta2**count

        def step(p: Array, m: Array, s: Array) -> Array:
            moved: Array = p - self.rate * (m / bias1) / (np.sqrt(s / bias2) + self.epsilon)
            return moved

        return tree_map(step, params, mean, square), AdamState(count, mean, square)


def global_norm(record: Any) -> float:
    """Return the Euclidean norm of all entries of a record taken together.

    Parameters
    ----------
    record
        Nested tuples of arrays.

    Returns
    -------
    float
        The norm, free of overflow: entries are scaled by the largest before they are squared.

    Raises
    ------
    TypeError
        If a leaf is not an array.
    ValueError
        If an entry is not finite.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.global_norm((np.array([3.0]), np.array([4.0])))
    5.0
    """
    _finite("record", record)
    leaves = [leaf.astype(np.float64).ravel() for _, leaf in tree_leaves(record)]
    entries = np.concatenate(leaves) if leaves else np.zeros(0)
    largest = float(np.abs(entries).max(initial=0.0))
    return largest * float(np.linalg.norm(entries / largest)) if largest else 0.0


def clip_by_global_norm(gradient: Record, limit: float) -> tuple[Record, float]:
    r"""Shorten a gradient that is longer than a limit, and keep its direction.

    Parameters
    ----------
    gradient
        Nested tuples of arrays.
    limit
        c, the norm that it may have.

    Returns
    -------
    gradient, norm
        The gradient times :math:`\min(1, c / \lVert g \rVert)`, and the norm it had before.

    Raises
    ------
    TypeError
        If a leaf is not an array.
    ValueError
        If an entry is not finite or `limit` is not positive.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.clip_by_global_norm(np.array([3.0, 4.0]), limit=1.0)
    (array([0.6, 0.8]), 5.0)
    """
    _check.number("limit", limit, above=0)
    norm = global_norm(gradient)
    scale = min(1.0, limit / norm) if norm else 1.0
    return tree_map(lambda g: g * scale, gradient), norm


def _finite(name: str, record: Any) -> None:
    for leaf_name, leaf in tree_leaves(record, name):
        _check.finite(leaf_name, leaf)


def _fraction(name: str, value: float) -> None:
    if value != 0:
        _check.number(name, value, above=0, below=1)
