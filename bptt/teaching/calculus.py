"""Two ways to differentiate that use no backpropagation: SymPy's expressions and the complex step."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from bptt._core import validation

Expression: TypeAlias = Any  # of SymPy, which is imported only where letters are asked for
Value: TypeAlias = Any  # an array: of numbers, or of expressions


class Letters:
    """Values are SymPy expressions; derivatives are SymPy's.

    Examples
    --------
    >>> from bptt.teaching.proof import Letters
    >>> letters = Letters()
    >>> z = letters.draw("z", 2)
    >>> letters.derivative(letters.a, z).tolist()
    [[da(z_1), 0], [0, da(z_2)]]
    """

    def __init__(self) -> None:
        self.names: dict[Expression, Expression] = {}
        self.a, self.da = self.unknown("a"), self.unknown("da")

    def draw(self, name: str, *shape: int) -> Value:
        """Return an array of symbols; the indices in their names count from 1."""
        letters = np.empty(shape, dtype=object)
        for at in np.ndindex(shape):
            letters[at] = sympy().Symbol("_".join([name, *(str(k + 1) for k in at)]))
        return letters

    def unknown(self, name: str) -> Callable[..., Value]:
        """Return an elementwise function of which only the names of its derivatives are known.

        The derivative of ``a(z)`` is ``da(z)``; that of ``f(x, y)`` by ``y`` is ``f_2(x, y)``.
        """
        return np.vectorize(_unknown(name))

    def named(self, name: str, value: Value) -> Value:
        """Return letters for an array of expressions; later derivatives are written with them."""
        letters = self.draw(name, *value.shape)
        self.names.update(zip(value.ravel(), letters.ravel(), strict=True))
        return letters

    def derivative(self, f: Callable[[Value], Value], at: Value) -> Value:
        """Differentiate `f` at an array of expressions."""
        free = self.draw("free", *at.shape)
        back = dict(zip(free.ravel(), at.ravel(), strict=True))
        of = np.asarray(f(free), dtype=object)
        found = np.empty((free.size, of.size), dtype=object)
        for i, j in np.ndindex(found.shape):
            slope = sympy().diff(of.ravel()[j], free.ravel()[i]).xreplace(back)
            before = None
            while slope != before:  # a formula may hold others
                before, slope = slope, slope.xreplace(self.names)
            found[i, j] = slope
        return found.reshape(at.shape + of.shape)


def sympy() -> ModuleType:
    """Import SymPy, which only letters need."""
    return import_module("sympy")


@cache
def _unknown(name: str) -> type:
    """Return the one SymPy function of this name: two of them would not be equal."""

    def fdiff(function: Expression, argindex: int = 1) -> Expression:
        several = len(function.args) > 1
        return _unknown(f"{name}_{argindex}" if several else f"d{name}")(*function.args)

    return type(name, (sympy().Function,), {"fdiff": fdiff})


class Numbers:
    """Values are random numbers, the activation is tanh; derivatives are taken by the complex step."""

    def __init__(self, rng: int | np.random.Generator) -> None:
        self.rng = validation.generator("rng", rng)

    @staticmethod
    def a(z: Value) -> Value:
        """Return the activation."""
        return np.tanh(z)

    @staticmethod
    def da(z: Value) -> Value:
        """Return its derivative."""
        return 1 - np.tanh(z) ** 2

    def draw(self, _: str, *shape: int) -> Value:
        """Return normal random numbers."""
        return self.rng.normal(size=shape)

    def named(self, _: str, value: Value) -> Value:
        """Return the value itself."""
        return value

    def derivative(self, f: Callable[[Value], Value], at: Value) -> Value:
        """Differentiate `f` at an array of real numbers."""
        moves = 1e-30j * np.eye(at.size).reshape(-1, *at.shape)
        rows = np.array([np.imag(f(at + move)) / 1e-30 for move in moves])
        return rows.reshape(at.shape + rows.shape[1:])
