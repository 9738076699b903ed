"""The array types that the library's signatures speak of; beside them, what else all packages stand on."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.inexact[Any]]
"""A NumPy array of float32 or float64; complex128 where the complex step passes through."""

Scalar: TypeAlias = np.inexact[Any]
"""A NumPy number of the same types as `Array`."""

State: TypeAlias = tuple[Array, ...]
"""What one recurrent layer hands from step to step: ``(a,)`` for an Elman layer, each (B, n)."""

Stepped: TypeAlias = tuple[State, tuple[Array, ...]]
"""What the step of a formula returns: the new state, and what is saved for its derivative."""

SteppedBack: TypeAlias = tuple[
    tuple[Array | float, ...], tuple[Array | float, ...], tuple[Array | float, ...]
]
"""What its derivative returns: ∂C/∂ the weighted inputs, the state before the step, and the own parameters.

The number 0.0 may stand for a path that does not exist.
"""

ElementWise: TypeAlias = Callable[[Array], Array]
"""A function applied to each entry of an array by itself."""

Mask: TypeAlias = NDArray[np.bool_]
"""Which steps of which sequences there are, booleans of shape (T, B)."""

Arrays: TypeAlias = list[Any]  # of arrays; a list is invariant, and theirs differ in dtype

# Which types these have depends on the cell, and is seen when they are checked. To a type checker, and on the pages of
# the reference, each is Any; the names say what is meant.
Tree: TypeAlias = Any  # nested tuples, lists or mappings, whose leaves are arrays
LayerParams: TypeAlias = Any  # of one layer: the named tuple of its cell, or a pair of them
LayerState: TypeAlias = Any  # of one layer: a `State` or its cotangent, or a pair of them
Saved: TypeAlias = Any  # what a step keeps for its derivative: arrays, in the form of the cell
