r"""Check a line of a derivation on small nets: with letters, exactly, and with random numbers, to rounding.

A *line* is a Python function of a net. `Bench.check` evaluates it and its truth on two kinds of nets:

- one net of letters (`Letters`): a SymPy symbol for each number, and an activation of which only the name of
  its derivative is known. What holds there holds for all weights, inputs, targets and activations;
- a few nets of random numbers (`Numbers`), of other sizes, differentiated by the complex step.

Neither way to differentiate uses backpropagation. A `Net` keeps a value for each copy of each weight, each
weighted input and each activation, under a key such as ``("z", l, t)`` for :math:`z^{l(t)}`. Two derivatives
are taken with respect to a value: the *total* one, :math:`\partial`, recomputes what depends on the value;
the *immediate* one, :math:`\partial^+`, holds every other value still.

SymPy is imported when a net of letters is made, and not before.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from bptt._core import validation
from bptt.teaching.calculus import Expression, Letters, Numbers, Value, sympy
from bptt.teaching.equations import check_equation, check_fails
from bptt.teaching.sides import Side

__all__ = ["Bench", "Calculus", "Letters", "Net", "Numbers", "bench", "breaks", "hidden", "readout"]

Calculus: TypeAlias = Letters | Numbers
"""What the values of a net are, and how they are differentiated."""

Key: TypeAlias = tuple[str | int, ...]
Recurrence: TypeAlias = Literal["hidden", "all", "none"]
Values: TypeAlias = dict[Key, Value]
Line: TypeAlias = Callable[..., Value]
"""A function of a net and of a place, such as ``(net, l, t)``, that returns an array or a list."""


class Net:
    r"""A net of which each value can be moved.

    Parameters
    ----------
    calculus
        What its values are and how they are differentiated.
    sizes
        The numbers of units :math:`n_0, \dots, n_L`.
    T
        The number of steps.
    recurrent
        The layers that have a past: those below the readout (``"hidden"``), ``"all"`` or ``"none"``.

    Attributes
    ----------
    L
        The number of layers.
    T
        The number of steps.
    sizes
        The numbers of units.
    values
        Every value by its key: ``("w", l, t)``, ``("u", l, t)`` and ``("b", l, t)`` for the copies of
        the weights, ``("z", l, t)`` and ``("a", l, t)`` for each layer and step. ``("a", 0, t)`` is
        the input, ``("a", l, 0)`` the initial state.
    w
        The tied weights from the layer below, by layer.
    u
        The tied recurrent weights, by layer.
    b
        The tied biases, by layer.
    y
        The targets, by step.
    z
        :math:`z^{l(t)}`, by ``(l, t)``.
    a
        :math:`a^{l(t)}`, by ``(l, t)``.
    slope
        :math:`a'(z^{l(t)})`, by ``(l, t)``.
    delta
        The errors :math:`\partial C / \partial z^{l(t)}`, by ``(l, t)``, each from its definition;
        zero for ``t = T + 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from bptt.teaching.proof import Net, Numbers
    >>> net = Net(Numbers(np.random.default_rng(0)), sizes=(1, 2, 1), T=2)
    >>> bracket = net.w[2] @ net.delta[2, 1] + net.u[1] @ net.delta[1, 2]
    >>> np.allclose(net.delta[1, 1], net.slope[1, 1] * bracket, rtol=0, atol=1e-14)
    True
    """

    def __init__(
        self, calculus: Calculus, sizes: Sequence[int], T: int, recurrent: Recurrence = "hidden"
    ) -> None:
        self.calculus, self.sizes, self.T, self.L = calculus, tuple(sizes), T, len(sizes) - 1
        last = {"hidden": self.L, "all": self.L + 1, "none": 1}.get(recurrent)
        if last is None:
            msg = f"recurrent must be hidden, all or none, got {validation.describe(recurrent)}"
            raise ValueError(msg)
        n, draw, layers = self.sizes, calculus.draw, range(1, self.L + 1)
        self.w = {l: draw(f"w{l}", n[l - 1], n[l]) for l in layers}
        self.u = {l: draw(f"u{l}", n[l], n[l]) for l in range(1, last)}
        self.b = {l: draw(f"b{l}", n[l]) for l in layers}
        self.y = {t: draw(f"y{t}", n[self.L]) for t in self.steps}
        self.values: Values = {("a", 0, t): draw(f"x{t}", n[0]) for t in self.steps}
        self.values |= {("a", l, 0): draw(f"start{l}", n[l]) for l in self.u}
        for name, tied in ("w", self.w), ("u", self.u), ("b", self.b):
            self.values |= {(name, l, t): tied[l] for l in tied for t in self.steps}
        for t in self.steps:
            for l in layers:
                formula = self.weighted_input(self.values, l, t)
                self.values["z", l, t] = calculus.named(f"z{l}_{t}", formula)
                self.values["a", l, t] = calculus.a(self.values["z", l, t])
        self.z = {key[1:]: value for key, value in self.values.items() if key[0] == "z"}
        self.a = {key[1:]: value for key, value in self.values.items() if key[0] == "a"}
        self.slope = {key: calculus.da(z) for key, z in self.z.items()}
        self.delta = {key: self.total(self.cost, "z", *key) for key in self.z}
        self.delta |= {(l, T + 1): np.zeros_like(b) for l, b in self.b.items()}

    @property
    def steps(self) -> range:
        """The steps, 1 to T."""
        return range(1, self.T + 1)

    def weighted_input(self, values: Values, l: int, t: int) -> Value:
        r"""Return :math:`(w^l)^\top a^{l-1(t)} + (u^l)^\top a^{l(t-1)} + b^l`, by :eq:`fwd`."""
        found = values["w", l, t].T @ values["a", l - 1, t] + values["b", l, t]
        if l in self.u:
            found = found + values["u", l, t].T @ values["a", l, t - 1]
        return found

    def cost(self, values: Values) -> Value:
        r"""Return :math:`C = \sum_t \frac12 \lVert a^{L(t)} - y^{(t)} \rVert^2`."""
        return sum(((values["a", self.L, t] - y) ** 2).sum() for t, y in self.y.items()) / 2

    def run(self, moved: Values) -> Values:
        """Return all values when some are moved, and what is computed from these follows."""
        values, changed = {**self.values, **moved}, set(moved)
        for t in self.steps:
            for l in self.b:
                z, a = ("z", l, t), ("a", l, t)
                reads = {("w", l, t), ("u", l, t), ("b", l, t), ("a", l - 1, t)}
                reads |= {("a", l, t - 1)} if l in self.u else set()
                if z not in moved and changed & reads:
                    values[z] = self.weighted_input(values, l, t)
                    changed.add(z)
                if a not in moved and z in changed:
                    values[a] = self.calculus.a(values[z])
                    changed.add(a)
        return values

    def total(self, f: Callable[[Values], Value], *key: str | int) -> Value:
        """Differentiate `f` of all values by the value of a key; what is computed from it follows.

        A key without a step, such as ``"w", l``, means the tied weight: all its copies move.
        """
        name, l, *step = key
        keys = [key] if step else [(name, l, t) for t in self.steps]
        at = self.values[keys[0]]
        return self.calculus.derivative(lambda moved: f(self.run(dict.fromkeys(keys, moved))), at)

    def immediate(self, f: Callable[[Values], Value], *key: str | int) -> Value:
        """Differentiate `f` of all values by the value of a key, while every other value is held."""
        at = self.values[key]
        return self.calculus.derivative(lambda moved: f({**self.values, key: moved}), at)


Places: TypeAlias = Callable[[Net], Iterable[Key]]
"""A function of a net that returns places."""


def hidden(net: Net) -> list[Key]:
    """Return ``(l, t)`` for every layer below the readout and every step."""
    return [(l, t) for l in range(1, net.L) for t in net.steps]


def readout(net: Net) -> list[Key]:
    """Return ``(L, t)`` for every step."""
    return [(net.L, t) for t in net.steps]


def _error(net: Net, *place: int) -> Value:
    return net.delta[place]


@dataclass(frozen=True)
class Bench:
    """A net of letters and nets of numbers, on which a line is compared with its truth.

    The nets may be `Net` or any other objects that the lines of a page know how to read.
    """

    letters: Net
    numbers: Sequence[Net]

    def check(self, label: str, line: Line, truth: Line = _error, places: Places = hidden) -> None:
        """Assert that a line gives its truth at every place of every net, and print what was found.

        Parameters
        ----------
        label
            The label of the equation that the line is.
        line, truth
            Functions of a net and a place. Without `truth`, a line is compared with the errors
            ``net.delta`` at its place.
        places
            The places of a net. Without it, all layers below the readout at all steps.

        Raises
        ------
        EquationError
            If the line differs from its truth somewhere: at all on the net of letters, by more than
            rounding on a net of numbers.
        """
        exact = _pairs([self.letters], line, truth, places, object)
        check_equation(label, *exact, of="symbolic net")
        check_equation(label, *_pairs(self.numbers, line, truth, places), of="random net")

    def fails(
        self,
        label: str,
        line: Line,
        truth: Line = _error,
        places: Places = hidden,
        *,
        at_least: float = 0.01,
    ) -> None:
        """Assert that a wrong line is wrong on every net of numbers that has such a place."""
        sides = _pairs(self.numbers, line, truth, places)
        check_fails(label, *sides, at_least=at_least, of="random net")


def _pairs(
    nets: Sequence[Net], line: Line, truth: Line, places: Places, dtype: type | None = None
) -> tuple[list[Side], list[Side]]:
    """Return both sides: a case for each net that has places, and in it an array for each of these."""
    found = [(net, list(places(net))) for net in nets]
    left, right = (
        [tuple(np.array(side(net, *at), dtype) for at in there) for net, there in found if there]
        for side in (line, truth)
    )
    return left, right


def bench(
    sizes: Sequence[int] = (1, 2, 2, 1),
    T: int = 3,
    *,
    recurrent: Recurrence = "hidden",
    nets: int = 12,
    seed: int = 0,
) -> Bench:
    """Return a bench: a net of letters of the given sizes, and random nets of two to four layers.

    Parameters
    ----------
    sizes, T, recurrent
        Those of the net of letters. The random nets have two to four layers of one to three units,
        and one to ``T + 1`` steps, or one step if `T` is 1.
    nets
        How many random nets.
    seed
        Of their sizes and numbers.

    Raises
    ------
    ValueError
        If `recurrent` is none of its words.

    Examples
    --------
    >>> from bptt.teaching import proof
    >>> bench = proof.bench(sizes=(1, 2, 1), T=2)
    >>> def bp2(net, l, t):
    ...     return net.slope[l, t] * (net.w[l + 1] @ net.delta[l + 1, t] + net.u[l] @ net.delta[l, t + 1])
    >>> bench.check("bp2", bp2)
    bp2: holds exactly (1 symbolic net)
    bp2: holds, largest relative error ... <= 1e-12 (12 random nets)
    """
    numbers = []
    for k in range(nets):
        rng = np.random.default_rng([seed, k])
        shape = rng.integers(1, 4, size=rng.integers(3, 6)).tolist()
        steps = int(rng.integers(1, T + 2)) if T > 1 else 1
        numbers.append(Net(Numbers(rng), shape, steps, recurrent))
    return Bench(Net(Letters(), sizes, T, recurrent), numbers)


def breaks(label: str, reads: Expression) -> None:
    """Assert that a line is wrong once its assumption is broken, on one unit in letters.

    Parameters
    ----------
    label
        The label of the line.
    reads
        What is differentiated by the symbol ``z``. The symbol ``h`` stands for the same ``z`` in the
        places that the line leaves out; the truth differentiates these too.

    Raises
    ------
    EquationError
        If both derivatives are equal.

    Examples
    --------
    >>> import sympy as sp
    >>> from bptt.teaching import proof
    >>> z, h, w = sp.symbols("z h w")
    >>> proof.breaks("bp2-insert", w * sp.tanh(z) * sp.tanh(h))
    bp2-insert: broken as it should be, exactly (1 case)
    """
    sp = sympy()
    z, h = sp.symbols("z h")
    check_fails(label, sp.diff(reads, z).subs(h, z), sp.diff(reads.subs(h, z), z))
