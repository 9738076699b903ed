"""Names for what Numba and llvmlite hand over: they have no types that a checker could read, so each is Any to it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

# The precision that a function is compiled for.
Real: TypeAlias = type[np.float32] | type[np.float64]

# Numba's contexts, types and signatures; llvmlite's builder, module, instructions and values; what Numba makes of a
# function; and, in compiled code, a number or an array of a type that Numba infers.
Untyped: TypeAlias = Any
Build: TypeAlias = Callable[[Untyped, Untyped, Untyped, Untyped], Untyped]
Intrinsic: TypeAlias = tuple[Untyped, Build] | None  # a signature, and what writes its instructions
