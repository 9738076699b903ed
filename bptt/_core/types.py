"""The array types that the library's signatures speak of."""

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

ElementWise: TypeAlias = Callable[[Array], Array]
"""A function applied to each entry of an array by itself."""
