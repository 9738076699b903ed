r"""Check a line about a layer with gates: on one layer of letters, exactly, and on ten layers of random numbers.

A *run* is a function that computes the layer step by step, and hands each quantity to `keep` under its name::

    def run(net, keep):
        a = net.a0
        for x_t in net.x:
            a = keep("a", net.tanh(keep("z", x_t @ net.w + a @ net.u + net.b)))

`bench` moves one entry of one quantity at one step, runs the layer again, and differentiates the cost by the move:
by the complex step in numbers, by SymPy in letters. This is the total derivative with respect to that quantity;
backpropagation is not used. In letters, each quantity gets a name as soon as it is known, and goes on as its name
plus :math:`\varepsilon` times its slope, which keeps the expressions short.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from bptt.cells.activations import sigmoid
from bptt.teaching import proof
from bptt.teaching.calculus import Expression, Letters, Numbers, Value, sympy

__all__ = ["Bench", "bench", "cost_of", "earlier", "later"]

Net: TypeAlias = Any
"""A layer: its parameters, its input, every quantity of its run, and in ``d`` the derivatives of the cost."""

Run: TypeAlias = Callable[[Net, Callable[[str, Value], Value]], None]
"""A function of a net and of ``keep(name, value)``, which returns the value to go on with."""

Place: TypeAlias = tuple[str, int]  # the name of a quantity, and the step
Draw: TypeAlias = Callable[..., Value]
"""A function of a name and a shape."""

STEP = 1e-30j


@dataclass(frozen=True)
class Bench:
    """A layer of letters and layers of numbers, on which a line is compared with its derivative.

    Every layer has the parameters ``w``, ``u``, ``b``, ``p`` (three peepholes, zero unless asked for) and
    ``c_n``, the initial state ``a0`` and ``c0``, the input ``x``, and as ``above`` the derivative that the layer
    above returns: the cost is the sum of ``above * a``. Each quantity of its run stands under its name, with the
    steps as its first axis; its derivative stands in ``d``.
    """

    letters: Net
    numbers: list[Net]

    def check(self, label: str, name: str, line: Callable[[Net], Value]) -> None:
        """Assert that a line is the derivative of the cost with respect to the quantity of that name.

        Parameters
        ----------
        label
            The label of the equation that the line is.
        name
            The name under which the run keeps the quantity.
        line
            A function of a net that returns an array of the quantity's shape.

        Raises
        ------
        EquationError
            If the line differs from the derivative.
        """
        bench = proof.Bench(self.letters, self.numbers)
        bench.check(label, line, truth=lambda net: net.d[name], places=lambda _: [()])


def bench(run: Run, gates: int, *, peepholes: bool = False) -> Bench:
    """Return a layer of letters (two units, two steps) and ten of random numbers, with all derivatives.

    Parameters
    ----------
    run
        What computes the layer.
    gates
        The number of blocks of `w`, `u` and `b`.
    peepholes
        Whether the weights ``p`` are more than zeros.

    Examples
    --------
    >>> from bptt.teaching import gated
    >>> def run(net, keep):
    ...     a = net.a0
    ...     for x_t in net.x:
    ...         a = keep("a", net.tanh(keep("z", x_t @ net.w + a @ net.u + net.b)))
    >>> found = gated.bench(run, gates=1)
    >>> def bp2(net):
    ...     return (net.above + gated.later(net.d["z"]) @ net.u.T) * (1 - net.a**2)
    >>> found.check("bp2", "z", bp2)
    bp2: holds exactly (1 symbolic net)
    bp2: holds, largest relative error ... <= 1e-12 (10 random nets)
    """
    numbers = [_numbers(seed, run, gates, peepholes) for seed in range(10)]
    return Bench(_letters(run, gates, peepholes), numbers)


def cost_of(net: Net, weights: Mapping[str, Value]) -> Value:
    """Return the cost of a net when some of its parameters are replaced, by name."""
    return _cost(SimpleNamespace(**{**vars(net), **weights}))


def later(array: Value) -> Value:
    """Return the same quantity one step later; zero after the last step."""
    return np.concatenate([array[1:], 0 * array[:1]])


def earlier(array: Value, start: Value) -> Value:
    """Return the same quantity one step earlier; the first is the start."""
    return np.concatenate([start[None], array[:-1]])


def _numbers(seed: int, run: Run, gates: int, peepholes: bool) -> Net:
    """Return a random layer: one to four steps, one or two sequences, one to three units."""
    rng = np.random.default_rng(seed)
    sizes = 1 + seed % 4, *rng.integers(1, [3, 4, 4])
    net = SimpleNamespace(
        tanh=np.tanh, sigma=sigmoid, run=run, step=STEP,
        keep=lambda _, __, value: value, slope=lambda C: C.imag / STEP.imag,
    )  # fmt: skip
    return _filled(net, Numbers(rng).draw, gates, peepholes, *sizes)


@cache
def _function(name: str) -> Callable[[Value], Value]:
    """Return SymPy's sigma or tanh, whose derivative is written with the function itself."""

    def fdiff(function: Expression, _: int = 1) -> Expression:
        return function * (1 - function) if name == "sigma" else 1 - function**2

    return np.vectorize(type(name, (sympy().Function,), {"fdiff": fdiff}))


def _letters(run: Run, gates: int, peepholes: bool) -> Net:
    """Return a layer of letters with two units, two steps and one sequence."""
    sp, draw, names = sympy(), Letters().draw, dict[Any, Any]()
    epsilon = sp.Symbol("epsilon")

    def slope(formula: Expression) -> Expression:
        if not sp.sympify(formula).has(epsilon):
            return sp.S.Zero
        return sp.diff(formula, epsilon).xreplace({epsilon: 0}).xreplace(names)

    def keep(name: str, t: int, value: Value) -> Value:
        named, turned = (draw(f"{kind}{name}_{t + 1}", *value.shape) for kind in ("", "slope_"))
        still = [sp.sympify(formula).xreplace({epsilon: 0}) for formula in value.ravel()]
        names.update(zip(still, named.ravel(), strict=True))
        slopes = np.vectorize(slope)(value)
        names.update(zip(turned.ravel(), slopes.ravel(), strict=True))
        return named + epsilon * np.where(slopes == 0, slopes, turned)

    net = SimpleNamespace(
        tanh=_function("tanh"), sigma=_function("sigma"), run=run, step=epsilon,
        keep=keep, slope=slope,
    )  # fmt: skip
    return _filled(net, draw, gates, peepholes, 2, 1, 1, 2)


def _filled(
    net: Net, draw: Draw, gates: int, peepholes: bool, T: int, B: int, n_x: int, n: int
) -> Net:
    """Give a net parameters, states and input, its quantities, and their derivatives as ``d``."""
    net.__dict__.update(
        x=draw("x", T, B, n_x), above=draw("above", T, B, n), a0=draw("a0", B, n),
        c0=draw("c0", B, n), w=draw("w", n_x, gates * n), u=draw("u", n, gates * n),
        b=draw("b", gates * n), p=draw("p", 3, n) * int(peepholes), c_n=draw("c_n", n), d={},
    )  # fmt: skip
    for name, steps in _recorded(net).items():
        array = np.array(steps)
        setattr(net, name, array)
        net.d[name] = np.empty_like(array)
        for t, *unit in np.ndindex(array.shape):
            move = np.zeros(array.shape[1:], type(net.step))
            move[tuple(unit)] = net.step
            net.d[name][(t, *unit)] = net.slope(_cost(net, (name, t), move))
    return net


def _recorded(net: Net, place: Place | None = None, move: Value = None) -> dict[str, list[Value]]:
    """Run a layer while the quantity of a name is moved at one step, and return all quantities by step."""
    found: dict[str, list[Value]] = {}

    def keep(kept: str, value: Value) -> Value:
        before = found.setdefault(kept, [])
        moved = value + move if (kept, len(before)) == place else value
        before.append(net.keep(kept, len(before), moved))
        return before[-1]

    net.run(net, keep)
    return found


def _cost(net: Net, place: Place | None = None, move: Value = None) -> Value:
    return (net.above * np.array(_recorded(net, place, move)["a"])).sum()
