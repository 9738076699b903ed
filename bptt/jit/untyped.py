"""Names for what Numba and llvmlite hand over: they have no types that a checker could read, so each is Any to it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

# The precision that a function is compiled for.
Real: TypeAlias = type[np.float32] | type[np.float64]

Options: TypeAlias = dict[str, Any]  # of Numba's decorator

Inferred: TypeAlias = Any  # in compiled code: a number or an array, of a type that Numba infers
NumbaFunction: TypeAlias = Any  # what Numba makes of a function; only compiled code can call it
NumbaType: TypeAlias = Any  # what an intrinsic is given in place of an argument: the type of it
Signature: TypeAlias = Any  # of an intrinsic: which types it takes and returns
Context: TypeAlias = Any  # Numba's, for types or for code
Builder: TypeAlias = Any  # llvmlite's: writes one instruction after the other
Module: TypeAlias = Any  # llvmlite's: what the instructions and their metadata stand in
Value: TypeAlias = Any  # llvmlite's: what an instruction takes or leaves

Build: TypeAlias = Callable[[Context, Builder, Signature, tuple[Value, ...]], Value]
Intrinsic: TypeAlias = tuple[Signature, Build] | None
