"""Run a formula once on symbols that record what is done to them: the formula as a list of statements.

A formula is elementwise: it does the same arithmetic to every entry. Run on a `Symbol` in place of an array it
leaves a straight line of assignments, whatever helper functions, attributes of the cell, lambdas and activations it
went through. NumPy's two documented protocols, ``__array_ufunc__`` and ``__array_function__``, hand its functions over.

A compiled loop holds truth values and numbers of one precision, NumPy has whole numbers and more precisions. So each
function is first called on a small array of the types that it would meet: the type of the result says whether NumPy
would add numbers or truth values, for instance. What a loop would not compute as NumPy does is refused.
"""

from collections.abc import Callable
from typing import Any, Never, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike

from bptt._core import Array

OPERATORS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "floor_divide": "{} // {}",
    "negative": "-{}",
    "positive": "{}",
    "conjugate": "{}",
    "absolute": "abs({})",
    "fabs": "abs({})",
    "exp": "exp({})",
    "tanh": "tanh({})",
    "square": "{0} * {0}",
    "reciprocal": "one / {}",
    "maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",  # a NaN stays one
    "minimum": "{0} if {0} <= {1} or {0} != {0} else {1}",
    "sign": "one if {0} > zero else -one if {0} < zero else {0} - {0}",
}
TESTS = {
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "equal": "{} == {}",
    "not_equal": "{} != {}",
    "isnan": "{0} != {0}",
    "isfinite": "abs({}) < inf",
    "isinf": "abs({}) == inf",
}
# Where NumPy's result is true or false: of two truth values also the sum and the product are, and the extremes.
LOGIC = {
    **dict.fromkeys(("logical_and", "bitwise_and", "multiply", "minimum"), "{} and {}"),
    **dict.fromkeys(("logical_or", "bitwise_or", "add", "maximum"), "{} or {}"),
    **dict.fromkeys(("logical_xor", "bitwise_xor"), "{} != {}"),
    **dict.fromkeys(("logical_not", "invert"), "not {}"),
}
# Numba takes these from the C library, one number after the other: right, and slower than the others.
LIBRARY = {
    *("arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cbrt"),
    *("ceil", "copysign", "cos", "cosh", "deg2rad", "exp2", "expm1", "floor"),
    *("fmax", "fmin", "hypot", "log", "log10", "log1p", "log2"),
    *("logaddexp", "logaddexp2", "power", "rad2deg", "remainder", "rint", "sin", "sinh"),
    *("sqrt", "tan", "trunc"),
}
POWERS = {"power", "float_power"}
COMPILED = {*OPERATORS, *TESTS, *LOGIC, *LIBRARY, *POWERS}
# What whole numbers, too, give exactly when it is computed with real numbers.
WHOLE = {
    *("add", "subtract", "multiply", "negative", "absolute", "square"),
    *("maximum", "minimum", "sign", "positive", "conjugate"),
}
# What, computed with more digits and then rounded, is what NumPy gives in single precision.
SINGLE = {
    *OPERATORS.keys() - {"exp", "floor_divide", "tanh"},
    *("ceil", "copysign", "floor", "fmax", "fmin", "rint", "sqrt", "trunc"),
}
SHAPE = (4, 3)  # of the small arrays on which NumPy's functions and whole formulas are tried


class NotElementwiseError(TypeError):
    """A formula did to a symbol what is not arithmetic on every entry by itself."""


Operand: TypeAlias = Any  # what a formula hands to NumPy: a `Symbol`, a number, or what is refused
Operands: TypeAlias = tuple[Operand, ...]


class Record:
    """The statements that a formula has left so far.

    Parameters
    ----------
    dtype
        float32 or float64: what a formula is told if it asks for the dtype of an array.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self._names: dict[str, str] = {}

    @property
    def statements(self) -> list[str]:
        """The assignments, in order."""
        return [f"{name} = {expression}" for expression, name in self._names.items()]

    def assign(self, expression: str, dtype: np.dtype) -> "Symbol":
        """Write down one statement, unless it stands there already; return the symbol of its result."""
        if self.rounds(dtype):
            expression = f"real(np.float32({expression}))"
        return Symbol(self, self._names.setdefault(expression, f"v{len(self._names)}"), dtype)

    def rounds(self, dtype: np.dtype) -> bool:
        """Say whether numbers of a type have fewer digits than the loop's."""
        return dtype == np.float32 and self.dtype == np.float64

    def number(self, value: Operand) -> str:
        """Return how an operand is written where a number is meant."""
        return self.written(value, self.dtype)

    def condition(self, value: Operand) -> str:
        """Return how an operand is written where true or false is meant."""
        return self.written(value, np.dtype(np.bool_))

    def written(self, value: Operand, dtype: np.dtype) -> str:
        """Return how an operand is written where something of this type is meant."""
        truth = dtype.kind == "b"
        if not isinstance(value, Symbol):
            _refuse_other_than_numbers(value)
            # Inf and nan, too, are names in a loop.
            return str(bool(value)) if truth else f"real({float(value)!r})"
        symbol = value.astype(np.bool_ if truth else self.dtype)
        if symbol.record is not self:
            msg = "meets an array of another call, such as one that step keeps in the cell and does not return as saved"
            raise NotElementwiseError(msg)
        return symbol.name


def _refuse_other_than_numbers(value: Operand) -> None:
    if not isinstance(value, int) and (  # of any size
        isinstance(value, (tuple, list))
        or np.ndim(value)
        or np.asarray(value).dtype.kind not in "biuf"
    ):
        msg = f"meets a {type(value).__name__} where one real number is meant"
        raise NotElementwiseError(msg)


def _tried(function: Callable[..., Operand], args: Operands, kwargs: dict[str, Operand]) -> Operand:
    """Return what NumPy makes of arrays in place of the symbols: of which type it is, if it is one array."""
    name = f"np.{function.__name__}"
    try:
        with np.errstate(all="ignore"):
            found = function(*map(_example, args), **{k: _example(v) for k, v in kwargs.items()})
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"uses {name} in a way that NumPy refuses: {error}"
        raise NotElementwiseError(msg) from None
    if isinstance(found, np.ndarray) and (
        found.dtype.kind not in "biuf" or found.dtype.char == "e"
    ):
        msg = f"uses {name} where NumPy's result is {found.dtype}, which compiled loops do not hold"
        raise NotElementwiseError(msg)
    return found


def _example(value: Operand) -> Operand:
    return np.ones(SHAPE, value.held) if isinstance(value, Symbol) else value


class Symbol(NDArrayOperatorsMixin):
    """A stand-in for an array, of which only the entries' arithmetic is known."""

    def __init__(self, record: Record, name: str, dtype: np.dtype | None = None) -> None:
        self.record, self.name = record, name
        self.held = record.dtype if dtype is None else dtype  # by the array, in NumPy

    @property
    def dtype(self) -> np.dtype:
        """The type of the array, or that of the loop, if it has fewer digits: limits of numbers are taken by it."""
        return self.held if self.held.kind != "f" else min(self.held, self.record.dtype)

    @property
    def real(self) -> "Symbol":
        """The symbol itself: compiled formulas meet real numbers."""
        return self

    def copy(self) -> "Symbol":
        """Return the symbol itself: it is real, and nothing is ever written to it."""
        return self

    conj = conjugate = copy

    def astype(self, dtype: DTypeLike, *args: Operand, **options: Operand) -> "Symbol":
        """Return the same number as another type, where that is the same number."""
        dtype = np.ones(SHAPE, self.held).astype(dtype, *args, **options).dtype
        if dtype == self.held:
            return self
        if dtype.kind == "b":
            return self.record.assign(f"{self.name} != zero", dtype)
        if self.held.kind == "b" and dtype.char != "e" and dtype.kind in "iuf":
            return self.record.assign(f"one if {self.name} else zero", dtype)
        if dtype.char not in "fdg":
            msg = f"turns {self.held} into {dtype} by astype, which cuts off digits; np.trunc, np.floor and np.rint can be compiled"
            raise NotElementwiseError(msg)
        if self.record.rounds(dtype):
            return self.record.assign(self.name, dtype)
        return Symbol(self.record, self.name, dtype)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Operand, **options: object
    ) -> "Symbol":
        """Write down a universal function of NumPy's."""
        name = ufunc.__name__
        if method != "__call__" or options or ufunc.nout != 1 or ufunc.signature:
            how = f"as {name}.{method} with {sorted(options)}"
            if "out" in options:
                how = "in place (out=...)"
            elif method == "__call__" and not options:
                how = "of several entries, or for several results"
            msg = f"uses np.{name} {how}, which is not a formula of each entry"
            raise NotElementwiseError(msg)
        return _universal(self.record, ufunc, inputs)

    def __array_function__(
        self, function: Callable[..., object], _: object, args: Operands, kwargs: dict[str, Operand]
    ) -> Operand:
        """Write down one of NumPy's other functions, if it is elementwise."""
        name = function.__name__
        if function not in FUNCTIONS and function not in QUESTIONS:
            msg = f"uses np.{name}, which does not act on each entry by itself, or has no compiled form"
            raise NotElementwiseError(msg)
        found = _tried(function, args, kwargs)
        if function in QUESTIONS:
            return found
        if not isinstance(found, np.ndarray) or found.shape != SHAPE:
            msg = f"uses np.{name} in a way that does not act on each entry by itself"
            raise NotElementwiseError(msg)
        return FUNCTIONS[function](self.record, found, *args, **kwargs)

    def __bool__(self) -> bool:
        """Refuse: which way to go depends on the entry."""
        msg = "decides by the value of an entry; write np.where in place of if, and, or, while, min and max"
        raise NotElementwiseError(msg)

    def _refuse(self, *_: object, **__: object) -> Never:
        msg = "takes an array apart, or writes into it; a formula treats every entry alike"
        raise NotElementwiseError(msg)

    __getitem__ = __setitem__ = __len__ = __iter__ = __float__ = __int__ = __array__ = _refuse
    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Never:
        """Refuse what an array has, and a single entry has not."""
        if name.startswith("__"):
            raise AttributeError(name)
        msg = f"asks an array for .{name}, which is not a property of each entry by itself, or has no compiled form"
        raise NotElementwiseError(msg)


def _universal(record: Record, ufunc: np.ufunc, inputs: Operands) -> Symbol:
    name = ufunc.__name__
    if name not in COMPILED:
        msg = f"uses {name}, which has no compiled form"
        raise NotElementwiseError(msg)
    for value in inputs:
        if not isinstance(value, Symbol):
            _refuse_other_than_numbers(value)
    dtype = _tried(ufunc, inputs, {}).dtype
    if dtype.kind == "b" and name in LOGIC:
        return record.assign(LOGIC[name].format(*map(record.condition, inputs)), dtype)
    numbers = [record.number(value) for value in inputs]
    if name in TESTS:
        return record.assign(TESTS[name].format(*numbers), dtype)
    if record.rounds(dtype) and name not in SINGLE:
        msg = f"uses np.{name} where NumPy's result is {dtype}, whose last digit is NumPy's own; compute it in {record.dtype}"
        raise NotElementwiseError(msg)
    if name in POWERS:
        return _power(record, dtype, inputs[1], numbers)
    if dtype.kind != "f" and (dtype != np.int64 or name not in WHOLE):
        raise NotElementwiseError(_whole(name, dtype))
    form = OPERATORS.get(name)
    return record.assign(form.format(*numbers) if form else _call(name, numbers), dtype)


def _whole(name: str, dtype: np.dtype) -> str:
    return (
        f"uses np.{name} where NumPy's result is {dtype}, and a compiled loop computes with real numbers; "
        "make its arguments real first, as in 1.0 * (z > 0)"
    )


def _call(name: str, numbers: list[str]) -> str:
    return f"real(np.{name}({', '.join(numbers)}))"


def _power(record: Record, dtype: np.dtype, exponent: Operand, numbers: list[str]) -> Symbol:
    known = None if isinstance(exponent, Symbol) else float(exponent)
    if dtype.kind != "f" and (dtype != np.int64 or known not in {1.0, 2.0, 3.0, 4.0}):
        raise NotElementwiseError(_whole("power", dtype))
    if known in {-2.0, -1.0, 1.0, 2.0, 3.0, 4.0}:
        product = " * ".join(numbers[:1] * abs(int(exponent)))
        return record.assign(product if exponent > 0 else f"one / ({product})", dtype)
    call = _call("sqrt", numbers[:1]) if known == 0.5 else _call("power", numbers)
    return record.assign(call, dtype)


def _where(record: Record, found: Array, condition: Operand, yes: Operand, no: Operand) -> Symbol:
    one, other = (record.written(value, found.dtype) for value in (yes, no))
    return record.assign(f"{one} if {record.condition(condition)} else {other}", found.dtype)


def _clip(
    record: Record,
    _: Array,
    a: Operand,
    a_min: Operand = None,
    a_max: Operand = None,
    out: Operand = None,
    **options: Operand,
) -> Operand:
    low, high = options.pop("min", a_min), options.pop("max", a_max)
    if options or out is not None:
        how = f"with {sorted(options)}" if options else "in place (out=...)"
        msg = f"uses np.clip {how}, which is not a formula of each entry"
        raise NotElementwiseError(msg)
    if low is not None:
        a = _universal(record, np.maximum, (a, low))
    return a if high is None else _universal(record, np.minimum, (a, high))


def _constant(record: Record, found: Array, *_: Operand, **__: Operand) -> Symbol:
    """Return what every entry is: the trial has shown it."""
    return record.assign(record.written(found[0, 0], found.dtype), found.dtype)


def _full(record: Record, found: Array, *args: Operand, **options: Operand) -> Symbol:
    fill = options["fill_value"] if "fill_value" in options else args[1]
    return fill.astype(found.dtype) if isinstance(fill, Symbol) else _constant(record, found)


FUNCTIONS: dict[Callable[..., object], Callable[..., Operand]] = {
    np.where: _where,
    np.clip: _clip,
    np.zeros_like: _constant,
    np.ones_like: _constant,
    np.full_like: _full,
    np.copy: lambda _, __, a, *___, **____: a,
    np.real: lambda _, __, val: val,
}
QUESTIONS = {np.iscomplexobj, np.isrealobj, np.result_type}  # about types, which the trial answers
