"""The one place that words errors: argument, expectation, what came.

The functions here are called at the public boundary only. They return their argument as an array,
and never write to it; without a copy, unless its numbers lie in memory in a form of another machine.
"""

import inspect
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Never, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bptt._core import Array

Thing = TypeVar("Thing")
# Of each axis the number that must match, or the letter of a size that is free.
Shape = Sequence[int | str]

REAL = ("float32", "float64")
ANALYTIC = (*REAL, "complex128")
DATA = (*REAL, "an integer type")
# NumPy's letters for them: a dtype's name is slow to make.
KINDS = {REAL: "fd", ANALYTIC: "fdD", DATA: "fdbhilqBHILQ"}


def array(name: str, value: ArrayLike, shape: Shape, dtypes: tuple[str, ...] = REAL) -> Array:
    """Return `value` as a finite array of the given shape, in which no size is zero."""
    return finite(name, shaped(name, value, shape, dtypes))


def shaped(name: str, value: ArrayLike, shape: Shape, dtypes: tuple[str, ...] = REAL) -> Array:
    """Return `value` as an array of the given shape, in which no size is zero; its numbers are not read.

    The shape ("...", "n") is that of any array with one axis or more.
    """
    found = floating(name, value, dtypes)
    if found.shape != shape and not _fits(found.shape, shape):
        refuse_shape(name, shape, found.shape)
    if 0 in found.shape:
        free = ", ".join(f"{size} >= 1" for size in shape if isinstance(size, str))
        msg = f"{name} must not be empty ({free}), got shape {found.shape}"
        raise ValueError(msg)
    return found


def _fits(got: tuple[int, ...], want: Shape) -> bool:
    if want[:1] == ("...",):
        return len(got) > 0
    if len(got) != len(want):
        return False
    for size, one in zip(want, got, strict=True):  # a generator takes twice as long
        if size != one and not isinstance(size, str):
            return False
    return True


def read_only(array: Array) -> Array:
    """Return a view of an array that a function of the user cannot write to."""
    view = array.view()
    view.setflags(write=False)
    return view


# How NumPy's errors end where a function writes to an array that is read-only.
READ_ONLY = (
    "array is read-only",
    "destination is read-only",
    "base is read-only",
    "flag set is read-only",
    "cannot set WRITEABLE flag to True of this array",
)


def function(name: str, value: object, count: int | None = None) -> None:
    """Refuse what cannot be called, or not with so many arguments, as far as its signature says."""
    if not callable(value):
        msg = f"{name} must be callable, got {type(value).__name__}"
        raise TypeError(msg)
    if count is None:
        return
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # of some functions that are not Python's nothing is known
        return
    try:
        signature.bind(*range(count))
    except TypeError:
        numbered = f"{count} argument{'s' * (count != 1)}"
        msg = f"{name} must take {numbered}, got a function of {signature}"
        raise TypeError(msg) from None


def called(name: str, function: Callable[..., Thing], *arguments: object) -> Thing:
    """Call a function of the user with arrays that are read-only; if it writes to one, name it."""
    try:
        return function(*arguments)
    except ValueError as error:
        if not str(error).endswith(READ_ONLY):
            raise  # an error of the function's own
        msg = f"{name} must not write to its arguments: {error}"
        raise TypeError(msg) from error


def tried(name: str, function: Callable[..., Thing], *arguments: Array) -> Thing:
    """Call a function of the user as `called` does, and look whether its arguments are as before.

    Other libraries write to the memory of an array without asking whether it is read-only.
    """
    before = [argument.copy() for argument in arguments]
    returned = called(name, function, *map(read_only, arguments))
    for argument, copy in zip(arguments, before, strict=True):
        if argument.tobytes() != copy.tobytes():  # so that NaN is the same as NaN
            msg = f"{name} must not write to its arguments, got other numbers in them afterwards"
            raise TypeError(msg)
    return returned


PLAIN = (np.ndarray, np.memmap)  # a memmap is an array whose memory lies in a file


def as_array(name: str, value: ArrayLike) -> np.ndarray:
    """Return `value` as an array of any dtype, which rows of unequal length do not make.

    Some arrays of other libraries, such as PyTorch's parameters, refuse to become one; the error then gives their reason.
    """
    plain(name, value)
    try:
        found = np.asanyarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        msg = f"{name} must be an array of numbers, got {type(value).__name__}: {error}"
        raise TypeError(msg) from None
    plain(name, found)  # what __array__ returns may be a subclass, too
    return np.asarray(found)


def of_kind(
    name: str, value: ArrayLike, kinds: str, words: str, shape: Shape | None = None
) -> np.ndarray:
    """Return `value` as an array whose dtype is of one of NumPy's kinds, in words, and which has that shape."""
    found = as_array(name, value)
    if found.dtype.kind not in kinds:
        msg = f"{name} must be {words}, got {found.dtype}"
        raise TypeError(msg)
    if shape is not None and not _fits(found.shape, shape):
        refuse_shape(name, shape, found.shape)
    return found


def plain(name: str, value: object) -> None:
    """Refuse subclasses of arrays, also within lists: as a plain array they would lose what they add.

    Without its mask, for instance, a masked array holds numbers that were marked as no data.
    """
    if type(value) in PLAIN:
        return
    if isinstance(value, np.ndarray):
        kind = f"{type(value).__module__}.{type(value).__name__}"
        msg = f"{name} must be a plain NumPy array, got {kind}; convert it first"
        raise TypeError(msg)
    if isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            if type(part) not in PLAIN:  # names are made for those who need them
                plain(f"{name}[{i}]", part)


def floating(name: str, value: ArrayLike, dtypes: tuple[str, ...] = REAL) -> Array:
    """Return `value` as an array of one of `dtypes`, in the byte order of this machine and aligned."""
    found = as_array(name, value)
    if found.dtype.char not in KINDS[dtypes]:
        hint = "; convert with .astype(float)" if found.dtype.kind in "iub" else ""
        kinds = DATA if dtypes == DATA else REAL
        msg = f"{name} must have dtype {' or '.join(kinds)}, got {found.dtype}{hint}"
        raise TypeError(msg)
    if not (found.dtype.isnative and found.flags.aligned):
        found = found.astype(found.dtype.newbyteorder("="))
    return found


def whole_as(name: str, value: ArrayLike, like: Array) -> ArrayLike:
    """Return whole numbers, which have no precision of their own, in that of `like`; anything else as it came."""
    found = as_array(name, value)
    if found.dtype.kind not in "iu":
        return found
    return found.astype("float32" if like.dtype.char == "f" else "float64")


def refuse_shape(name: str, shape: Shape, got: tuple[int, ...]) -> Never:
    """Refuse an array for its shape."""
    inner = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    msg = f"{name} must have shape ({inner}), got {got}"
    raise ValueError(msg)


def finite(name: str, value: Array) -> Array:
    """Refuse NaN and infinity, naming the first place; return the value."""
    if not all_finite(value):
        where = tuple(np.argwhere(~np.isfinite(value))[0].tolist())
        msg = f"{name} must be finite, got {value[where]} at index {where}"
        raise ValueError(msg)
    return value


def all_finite(value: Array) -> bool:
    """Say whether there is no NaN and no infinity.

    A sum is finite only if all its terms are, and needs no array of answers. It may overflow, though.
    BLAS takes the sum of squares the fastest, where memory is in one piece.
    """
    if value.flags.forc or (value.ndim == 3 and value.transpose(0, 2, 1).flags.c_contiguous):
        flat = value.ravel(order="K")
        total = np.vdot(flat, flat).real
    else:
        with np.errstate(all="ignore"):
            total = abs(np.add.reduce(value, axis=None))
    return math.isfinite(total) or bool(np.isfinite(value).all())


def real(name: str, value: Array) -> None:
    """Refuse complex numbers: they pass forward, for the complex step, but a gradient is real."""
    if value.dtype.kind == "c":
        msg = f"{name} must have dtype {' or '.join(REAL)}, got {value.dtype}"
        raise TypeError(msg)


def float64(name: str, value: Array) -> Array:
    """Refuse arrays of other precision than float64, of either byte order."""
    if value.dtype.newbyteorder("=") != np.float64:
        msg = f"{name} must have dtype float64, got {value.dtype}"
        raise TypeError(msg)
    return value


def real_dtype(name: str, value: DTypeLike) -> np.dtype:
    """Return float32 or float64; refuse other dtypes, and what names no dtype at all."""
    try:
        got = np.dtype(value).name
    except (TypeError, ValueError):
        got = describe(value)
    if got not in REAL:
        msg = f"{name} must be {' or '.join(REAL)}, got {got}"
        raise TypeError(msg)
    return np.dtype(got)  # by its name: in the byte order of this machine


def instance(name: str, value: object, kind: type[Thing]) -> Thing:
    """Refuse anything but a `kind`."""
    if not isinstance(value, kind):
        module = f"{kind.__module__}." if type(value).__name__ == kind.__name__ else ""
        article = "an" if (module + kind.__name__)[0] in "AEIOU" else "a"
        msg = f"{name} must be {article} {module}{kind.__name__}, got {describe(value)}"
        raise TypeError(msg)
    return value


def sequence(name: str, value: object, length: int, of: str) -> tuple[Any, ...]:
    """Return `value` as a tuple, which must have `length` items."""
    if not isinstance(value, (tuple, list)):
        msg = f"{name} must be a tuple of {length} {of}, got {describe(value)}"
        raise TypeError(msg)
    if len(value) != length:
        msg = f"{name} must have {length} {of}, got {len(value)}"
        raise ValueError(msg)
    return tuple(value)


def number(name: str, value: float, *, below: float = np.inf, zero: bool = False) -> float:
    """Return `value` as a float, which must be > 0 (or 0, if `zero`) and < `below`.

    Not as the NumPy number that it may be: a float64 of NumPy would make float32 arrays float64.
    """
    found = real_number(name, value)
    if not (0 < found < below or (zero and found == 0)):
        upper = "" if below == np.inf else f" and < {below}"
        msg = f"{name} must be a number {'>=' if zero else '>'} 0{upper}, got {value}"
        raise ValueError(msg)
    return found


def real_number(name: str, value: float) -> float:
    """Return `value` as a float, of any sign."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        msg = f"{name} must be a real number, got {describe(value)}"
        raise TypeError(msg)
    try:
        return float(value)
    except OverflowError:
        msg = f"{name} must be a number that float64 can hold, got an int of {int(value).bit_length()} bits"
        raise ValueError(msg) from None


def size(name: str, value: int) -> int:
    """Return `value` as an int, which must be 1 or more."""
    return between(name, value, 1)


def between(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return `value` as an int, which must be from `low` to `high`, if there is one."""
    found = integer(name, value)
    if found < low or (high is not None and found > high):
        limits = f">= {low}" if high is None else f"from {low} to {high}"
        msg = f"{name} must be {limits}, got {found}"
        raise ValueError(msg)
    return found


def integer(name: str, value: object) -> int:
    """Return `value` as an int of Python, which neither wraps around nor turns into a float."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        msg = f"{name} must be an integer, got {describe(value)}"
        raise TypeError(msg)
    return int(value)


def computed(name: str, value: Array) -> Array:
    """Return what was computed; refuse what overflowed: never a silent NaN."""
    if not all_finite(value):
        where = tuple(np.argwhere(~np.isfinite(value))[0].tolist())
        why = ", or a function has no value there" if np.isnan(value[where]) else ""
        msg = (
            f"{name} must stay finite, got {value[where]} first at index {where}: "
            f"the computation overflowed{why}; smaller weights, inputs or cotangents are needed"
        )
        raise FloatingPointError(msg)
    return value


def generator(name: str, value: object) -> np.random.Generator:
    """Return a generator of random numbers: the one that is given, or one that begins at a seed."""
    if isinstance(value, np.random.Generator):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        msg = f"{name} must be a numpy.random.Generator or a seed >= 0, got {describe(value)}"
        raise TypeError(msg)
    return np.random.default_rng(value)


def path(name: str, value: object) -> Path:
    """Return a path, of a text or of what the system takes for a path."""
    found = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(found, str) or "\0" in found:
        msg = f"{name} must be a str without NUL, or an os.PathLike of one, got {describe(value)}"
        raise TypeError(msg) if not isinstance(found, str) else ValueError(msg)
    return Path(found)


def describe(value: object) -> str:
    """Name the type of a value, and show it."""
    return f"{type(value).__name__} ({value!r:.40})"
