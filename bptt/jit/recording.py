"""Run a formula once on symbols that record what is done to them: the formula as a list of statements.

A formula is elementwise: it does the same arithmetic to every entry. Run on a `Symbol` in place of an array it
leaves a straight line of assignments, whatever helper functions, attributes of the cell, lambdas and activations it
went through. NumPy's two documented protocols, ``__array_ufunc__`` and ``__array_function__``, hand its functions over.
"""

from collections.abc import Callable
from typing import Any, Never, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike

OPERATORS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "absolute": "absolute({})",
    "fabs": "absolute({})",
    "exp": "exp({})",
    "tanh": "tanh({})",
    "square": "{0} * {0}",
    "reciprocal": "one / {}",
    "maximum": "maximum({}, {})",
    "minimum": "minimum({}, {})",
    "sign": "sign({})",
}
COMPARISONS = {
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "equal": "{} == {}",
    "not_equal": "{} != {}",
}
LOGIC = {
    "logical_and": "{} and {}",
    "bitwise_and": "{} and {}",
    "logical_or": "{} or {}",
    "bitwise_or": "{} or {}",
    "logical_not": "not {}",
    "invert": "not {}",
}
TESTS = {
    "isnan": "{0} != {0}",
    "isfinite": "{0} - {0} == zero",
    "isinf": "absolute({}) == infinity",
}
# Numba takes these from the C library, one number after the other: right, and slower than the others.
LIBRARY = {
    *(
        "arccos",
        "arccosh",
        "arcsin",
        "arcsinh",
        "arctan",
        "arctan2",
        "arctanh",
        "cbrt",
        "ceil",
        "copysign",
        "cos",
    ),
    *(
        "cosh",
        "deg2rad",
        "exp2",
        "expm1",
        "floor",
        "floor_divide",
        "fmax",
        "fmin",
        "hypot",
        "log",
        "log10",
        "log1p",
    ),
    *(
        "log2",
        "logaddexp",
        "logaddexp2",
        "power",
        "rad2deg",
        "remainder",
        "rint",
        "sin",
        "sinh",
        "sqrt",
        "tan",
    ),
    "trunc",
}
UNCHANGED = {"positive", "conjugate"}


class NotElementwiseError(TypeError):
    """A formula did to a symbol what is not arithmetic on every entry by itself."""


Operand: TypeAlias = Any  # what a formula hands to NumPy: a `Symbol`, a number, or what is refused


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

    def assign(self, expression: str, *, boolean: bool = False) -> "Symbol":
        """Write down one statement, unless it stands there already; return the symbol of its result."""
        return Symbol(
            self, self._names.setdefault(expression, f"v{len(self._names)}"), boolean=boolean
        )

    def number(self, value: Operand) -> str:
        """Return how an operand is written where a number is meant."""
        if isinstance(value, Symbol):
            return (
                self.assign(f"one if {value.name} else zero").name if value.boolean else value.name
            )
        if (
            isinstance(value, (tuple, list))
            or np.ndim(value)
            or np.asarray(value).dtype.kind not in "biuf"
        ):
            msg = f"meets a {type(value).__name__} where one real number is meant"
            raise NotElementwiseError(msg)
        plain = float(value)
        if plain in {0.0, 1.0}:
            return "one" if plain else "zero"
        return (
            f"real({plain!r})"
            if np.isfinite(plain)
            else {"inf": "infinity", "-inf": "-infinity"}.get(str(plain), "nan")
        )

    def condition(self, value: Operand) -> str:
        """Return how an operand is written where true or false is meant."""
        if isinstance(value, Symbol):
            return value.name if value.boolean else self.assign(f"{value.name} != zero").name
        return str(bool(value))


class Symbol(NDArrayOperatorsMixin):
    """A stand-in for an array, of which only the entries' arithmetic is known."""

    def __init__(self, record: Record, name: str, *, boolean: bool = False) -> None:
        self.record, self.name, self.boolean = record, name, boolean

    @property
    def dtype(self) -> np.dtype:
        """The dtype that the array will have."""
        return np.dtype(np.bool_) if self.boolean else self.record.dtype

    @property
    def real(self) -> "Symbol":
        """The symbol itself: compiled formulas meet real numbers."""
        return self

    def conj(self) -> "Symbol":
        """Return the symbol itself."""
        return self

    conjugate = conj

    def copy(self) -> "Symbol":
        """Return the symbol itself: nothing is ever written to one."""
        return self

    def astype(self, dtype: DTypeLike, **_: object) -> "Symbol":
        """Return the number in place of a truth value; other types stay what they are."""
        if self.boolean and np.dtype(dtype).kind != "b":
            return self.record.assign(f"one if {self.name} else zero")
        return self

    def __pow__(self, exponent: Operand) -> Operand:
        """Return a power; small whole ones as products."""
        return np.power(self, exponent)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Operand, **options: object
    ) -> "Symbol":
        """Write down a universal function of NumPy's."""
        name = ufunc.__name__
        if method != "__call__" or options or ufunc.nout != 1 or ufunc.signature:
            how = (
                "in place (out=...)"
                if "out" in options
                else f"as {name}.{method} with {sorted(options)}"
            )
            msg = f"uses np.{name} {how}, which is not a formula of each entry"
            raise NotElementwiseError(msg)
        return _universal(self.record, name, inputs)

    def __array_function__(
        self,
        function: Callable[..., object],
        _: object,
        args: tuple[Operand, ...],
        kwargs: dict[str, Operand],
    ) -> Operand:
        """Write down one of NumPy's other functions, if it is elementwise."""
        found = FUNCTIONS.get(function)
        if found is None:
            msg = f"uses np.{function.__name__}, which does not act on each entry by itself"
            raise NotElementwiseError(msg)
        return found(self.record, *args, **kwargs)

    def __bool__(self) -> bool:
        """Refuse: which way to go depends on the entry."""
        msg = "decides by the value of an entry; write np.where in place of if, and, or, while, min and max"
        raise NotElementwiseError(msg)

    def _refuse(self, *_: object) -> Never:
        msg = "takes an array apart, or writes into it; a formula treats every entry alike"
        raise NotElementwiseError(msg)

    __getitem__ = __setitem__ = __len__ = __iter__ = __float__ = __int__ = __array__ = _refuse
    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Never:
        """Refuse what an array has, and a single entry has not."""
        if name.startswith("__"):
            raise AttributeError(name)
        msg = f"asks an array for .{name}, which is not a property of each entry by itself"
        raise NotElementwiseError(msg)


def _universal(record: Record, name: str, inputs: tuple[Operand, ...]) -> Symbol:
    if name in LOGIC:
        return record.assign(LOGIC[name].format(*map(record.condition, inputs)), boolean=True)
    if name in {"power", "float_power"}:
        return _power(record, *inputs)
    numbers = [record.number(value) for value in inputs]
    if name in COMPARISONS or name in TESTS:
        return record.assign((COMPARISONS | TESTS)[name].format(*numbers), boolean=True)
    if name in UNCHANGED:
        return Symbol(record, numbers[0])
    return record.assign(
        OPERATORS[name].format(*numbers) if name in OPERATORS else _call(name, numbers)
    )


def _call(name: str, numbers: list[str]) -> str:
    if name not in LIBRARY:
        msg = f"uses {name}, which has no compiled form"
        raise NotElementwiseError(msg)
    return f"real(np.{name}({', '.join(numbers)}))"


def _power(record: Record, base: Operand, exponent: Operand) -> Symbol:
    known = not isinstance(exponent, Symbol) and np.ndim(exponent) == 0
    if known and float(exponent) in {-2.0, -1.0, 1.0, 2.0, 3.0, 4.0}:
        factor = record.number(base)
        product = " * ".join([factor] * abs(int(exponent)))
        return record.assign(product if exponent > 0 else f"one / ({product})")
    if known and float(exponent) == 0.5:
        return record.assign(_call("sqrt", [record.number(base)]))
    return record.assign(_call("power", [record.number(base), record.number(exponent)]))


def _where(record: Record, condition: Operand, yes: Operand, no: Operand) -> Symbol:
    there, one, other = record.condition(condition), record.number(yes), record.number(no)
    return record.assign(f"{one} if {there} else {other}")


def _clip(record: Record, a: Operand, a_min: Operand = None, a_max: Operand = None) -> Operand:
    if a_min is not None:
        a = _universal(record, "maximum", (a, a_min))
    return a if a_max is None else _universal(record, "minimum", (a, a_max))


def _filled(value: float | None) -> Callable[..., Symbol]:
    def like(record: Record, _: Operand, fill: Operand = None, **__: object) -> Symbol:
        return record.assign(record.number(fill if value is None else value))

    return like


FUNCTIONS: dict[Callable[..., object], Callable[..., Operand]] = {
    np.where: _where,
    np.clip: _clip,
    np.zeros_like: _filled(0.0),
    np.ones_like: _filled(1.0),
    np.full_like: _filled(None),
    np.copy: lambda _, a, **__: a,
    np.real: lambda _, a: a,
    np.iscomplexobj: lambda *_: False,
    np.isrealobj: lambda *_: True,
    np.result_type: lambda record, *_: record.dtype,
}
