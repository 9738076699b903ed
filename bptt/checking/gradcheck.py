r"""Is my gradient right? Two independent ways to a derivative that know nothing of backpropagation.

.. math::

   \frac{\partial C}{\partial \theta_k} &= \frac{\operatorname{Im} C(\theta + i h e_k)}{h} + O(h^2)
      && \text{(complex step)}

   \frac{\partial C}{\partial \theta_k} &=
      \frac{C(\theta + h e_k) - C(\theta - h e_k)}{2 h} + O(h^2)     && \text{(central difference)}

The complex step subtracts nothing, so h can be so small that its error vanishes: it is exact to the
last digits. It needs a cost that is analytic, and computed without abs, max, .real or conjugation of
what depends on the parameters. Central differences go everywhere, and lose about a third of the digits.

Sources: Squire & Trapp (1998); Martins, Sturdza & Alonso (2003).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from bptt._core import Array, Tree, validation
from bptt._core.tree import Leaves, Record, check_like, refilled, tree_leaves, tree_map

__all__ = ["Comparison", "central_difference", "check_gradient", "compare", "complex_step"]

CostValue: TypeAlias = Any  # a real or a complex number, once it has been checked
CostFunction = Callable[[Tree], CostValue]

EPSILON = float(np.finfo(np.float64).eps)
STEP = 6e-6  # of central differences: the cube root of the rounding unit
TINY = 1e-30  # the complex step's h: h² is far below the rounding error of any number in reach
SMALLEST = float(np.finfo(np.float64).smallest_normal)  # below it numbers lose their digits
# How right central differences are, relative to the cost: EPSILON / STEP = 4e-11 for each rounding, and three
# digits for the thousands of roundings that a cost, or a gradient, adds up.
ACCURACY = 1e-7
VAGUE = 1e-2  # central differences of two steps that differ by more say nothing
NOT_ANALYTIC = "np.abs, np.sign, np.vdot, .conj() and .real lose the imaginary part, or change it"


def complex_step(cost: CostFunction, at: Record) -> Record:
    """Differentiate a cost by the complex step, entry by entry.

    Parameters
    ----------
    cost
        Takes a record like `at`, of complex128 arrays, and returns a complex number.
    at
        Where: a record of float64 arrays.

    Returns
    -------
    Record
        The gradient, a record like `at`; exact up to rounding.

    Raises
    ------
    TypeError
        If a leaf of `at` is not a float64 array, or the cost returns a real number: somewhere it has
        thrown the imaginary part away, and the complex step with it.
    ValueError
        If an entry of `at` is not finite, or there is none; or if the cost is so small, below 1e-262, that
        h times its slope underflows.
    FloatingPointError
        If the cost is not finite.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.complex_step(lambda z: (z**3).sum(), np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    def slope(value: Callable[[], CostValue], place: Array, index: tuple[int, ...]) -> float:
        place[index] += 1j * TINY
        found = _complex_number(value())
        if abs(found.imag) < SMALLEST and 0 < abs(found.real) < SMALLEST / TINY / EPSILON:
            msg = (
                f"cost must be larger for the complex step, whose h of {TINY} times the slope is no "
                f"number any more, got {found.real:.3g}: multiply it by a constant"
            )
            raise ValueError(msg)
        return found.imag / TINY

    return _entry_by_entry(slope, cost, at, np.complex128)


def central_difference(cost: CostFunction, at: Record, step: float = STEP) -> Record:
    """Differentiate a cost by central differences, entry by entry.

    Parameters
    ----------
    cost
        Takes a record like `at`, and returns a real number.
    at
        Where: a record of float64 arrays.
    step
        h, times ``max(1, abs(entry))``. The default, the cube root of the rounding unit, balances the
        errors of rounding and of the formula: some ten digits remain.

    Returns
    -------
    Record
        The gradient, a record like `at`.

    Raises
    ------
    TypeError
        If a leaf of `at` is not a float64 array, or the cost does not return a real number.
    ValueError
        If an entry of `at` is not finite, or there is none; or if `step` is not positive, or too small to
        move an entry.
    FloatingPointError
        If the cost is not finite.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> bptt.central_difference(lambda z: (z**3).sum(), np.array([1.0, 2.0])).round(6)
    array([ 3., 12.])
    """
    step = validation.number("step", step)
    if step < EPSILON:
        msg = f"step must be at least {EPSILON:.1e}, or it would not move an entry, got {step}"
        raise ValueError(msg)

    def slope(value: Callable[[], CostValue], place: Array, index: tuple[int, ...]) -> float:
        here = float(place[index].real)
        h = step * max(1.0, abs(here))
        place[index] = right = here + h
        above = _real_number(value())
        place[index] = left = here - h
        return (above - _real_number(value())) / (right - left)

    return _entry_by_entry(slope, cost, at, np.float64)


def _entry_by_entry(
    slope: Callable[..., float], cost: CostFunction, at: Record, dtype: type[np.inexact[Any]]
) -> Record:
    """Return a record like `at` of slopes, each of a function of the cost, an array, and the entry to be moved."""
    validation.function("cost", cost, 1)
    leaves = _some_leaves("at", at)
    for name, leaf in leaves:
        validation.finite(name, validation.float64(name, leaf))
    moved = tree_map(lambda leaf: leaf.astype(dtype, order="C"), at)
    value = partial(validation.called, "cost", cost, tree_map(validation.read_only, moved))
    gradients: list[Array] = []
    for (_, leaf), (_, place) in zip(leaves, tree_leaves(moved), strict=True):
        found = np.empty_like(leaf)
        for index in np.ndindex(leaf.shape):
            found[index] = slope(value, place, index)
            place[index] = leaf[index]
        gradients.append(found)
    return refilled(at, gradients)


@dataclass(frozen=True)
class Comparison:
    """How far a gradient is from a trusted one.

    The error of an entry is its difference from the trusted one, relative to the largest entry of the
    same array (to the largest of all arrays, where its own are all zero).

    Attributes
    ----------
    errors
        The largest error in each array, by the array's name.
    worst
        The name of the first entry with the largest error of all, such as ``layers[0].u[1, 2]``.
    got
        The gradient there.
    want
        The trusted one.
    tolerance
        Up to which error the gradient counts as right.
    """

    errors: dict[str, float]
    worst: str
    got: float
    want: float
    tolerance: float

    @property
    def error(self) -> float:
        """The largest error of all."""
        return max(self.errors.values())

    @property
    def ok(self) -> bool:
        """Whether no error is above the tolerance."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        """Report in one line, or, for a wrong gradient, with a line for each array."""
        size = f"largest relative error {self.error:.1e}"
        if self.ok:
            return f"gradient right: {size} <= {self.tolerance:.0e}, at {self.worst}"
        lines = [f"gradient WRONG: {size} > {self.tolerance:.0e}"]
        lines.append(f"  worst entry {self.worst}: got {self.got:.9g}, want {self.want:.9g}")
        for name, error in self.errors.items():
            verdict = "ok   " if error <= self.tolerance else "WRONG"
            lines.append(f"  {verdict} {name}: {error:.1e}")
        return "\n".join(lines)


def compare(gradient: Record, trusted: Record, tolerance: float = 1e-10) -> Comparison:
    """Compare a gradient with one that is trusted, and name the worst entry.

    Parameters
    ----------
    gradient, trusted
        Records of one structure, of float32, float64 or integers.
    tolerance
        The largest relative error that counts as right.

    Returns
    -------
    Comparison
        Prints as a report; `Comparison.ok` is the verdict.

    Raises
    ------
    TypeError
        If a leaf is not an array of real numbers.
    ValueError
        If the records differ in structure or shapes, an entry is not finite, there is none, or the
        tolerance is not positive.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> print(bptt.compare(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    gradient WRONG: largest relative error 5.0e-01 > 1e-10
      worst entry [1]: got 2, want 4
      WRONG gradient: 5.0e-01
    """
    tolerance = validation.number("tolerance", tolerance)
    check_like("gradient", gradient, "trusted", trusted)
    for name, leaf in [*_some_leaves("gradient", gradient), *_some_leaves("trusted", trusted)]:
        validation.finite(name, validation.floating(name, leaf, validation.DATA))
    gradient, trusted = tree_map(_as_floats, gradient), tree_map(_as_floats, trusted)
    named = list(zip(tree_leaves(gradient), tree_leaves(trusted), strict=True))
    overall = max(float(np.abs(want).max()) for _, (_, want) in named) or 1.0
    errors: dict[str, float] = {}
    entries: list[tuple[str, float, float]] = []
    for (name, got), (_, want) in named:
        with np.errstate(all="ignore"):  # what is beyond all numbers is an infinite error
            relative = np.abs(got - want) / (float(np.abs(want).max()) or overall)
        at = np.unravel_index(relative.argmax(), relative.shape)
        errors[name or "gradient"] = float(relative[at])
        entry = f"{name}[{', '.join(str(i) for i in at)}]" if at else name
        entries.append((entry, float(got[at]), float(want[at])))
    first_largest = int(np.argmax(list(errors.values())))
    return Comparison(errors, *entries[first_largest], tolerance)


def check_gradient(
    cost: CostFunction,
    at: Record,
    gradient: Record,
    *,
    truth: Callable[[CostFunction, Record], Record] = complex_step,
    tolerance: float | None = None,
) -> Comparison:
    """Hold a gradient against an independent derivative of the cost.

    Parameters
    ----------
    cost
        Takes a record like `at`, and returns the cost. It must not use the gradient in any way.
    at
        Where the gradient was taken: a record of float64 arrays.
    gradient
        What is to be checked, a record like `at`.
    truth
        `complex_step`, or `central_difference` for a cost that is not analytic.
    tolerance
        The largest relative error that counts as right: 1e-10 for the complex step and 1e-6 for
        anything else, if not given.

    Returns
    -------
    Comparison
        Prints as a report; `Comparison.ok` is the verdict.

    Raises
    ------
    TypeError
        If a leaf of `at` is not a float64 array, or the cost returns the wrong kind of number, or the
        complex step cannot be trusted, because the cost is not analytic; or if what differs from the gradient
        gives another value at each call.
    ValueError
        If `gradient` and `at` differ in structure or shapes, an entry is not finite, or the tolerance is not
        positive, or what differs from the gradient is at a kink of the cost, such as that of relu at 0, where
        there is no derivative; and as `truth` does.
    FloatingPointError
        If the cost is not finite.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> z = np.array([1.0, 2.0])
    >>> report = bptt.check_gradient(lambda z: (z**3).sum(), z, 3 * z**2)
    >>> report.ok
    True
    """
    validation.function("truth", truth, 2)
    if tolerance is None:
        tolerance = 1e-10 if truth is complex_step else 1e-6
    trusted = truth(cost, at)
    found = compare(gradient, trusted, tolerance)
    if not found.ok:
        _refuse_what_changes(cost, at)
        _refuse_kinks(cost, at, gradient, trusted)
    if truth is complex_step:
        _refuse_what_is_not_analytic(cost, at, gradient, trusted)
    return found


def _refuse_what_changes(cost: CostFunction, at: Tree) -> None:
    """Refuse a cost that gives other numbers from call to call: no gradient can agree with its differences."""
    values = [float(np.real(cost(at))) for _ in range(5)]
    if max(values) - min(values) > 1e-12 * max(map(abs, values)):
        msg = (
            "cost must be a function of its argument, got several values at one: "
            f"from {min(values):.15g} to {max(values):.15g}, as with dropout or another batch at each call"
        )
        raise TypeError(msg)


def _refuse_kinks(cost: CostFunction, at: Tree, gradient: Tree, found: Tree) -> None:
    """Refuse a point where the cost has no derivative by the entry of an array that is furthest off."""
    each = zip(tree_leaves(at, "at"), tree_leaves(gradient), tree_leaves(found), strict=True)
    for k, ((name, leaf), (_, got), (_, want)) in enumerate(each):
        way = np.zeros_like(leaf)
        way.flat[np.abs(got - want).argmax()] = 1
        refuse_kink(name, partial(_value, cost, at, k, way))


def _value(cost: CostFunction, at: Tree, k: int, way: Array, h: float) -> Array:
    """Return the cost, an array of one number, where array k has moved by h along a way."""
    arrays = [leaf for _, leaf in tree_leaves(at)]
    moved = [*arrays[:k], arrays[k] + h * way, *arrays[k + 1 :]]
    return np.atleast_1d(np.real(cost(refilled(at, moved))))


def _refuse_what_is_not_analytic(cost: CostFunction, at: Tree, gradient: Tree, found: Tree) -> None:
    """Hold the complex step against central differences, along a way through each array alone.

    What loses the imaginary part may be a small part of the cost, such as a penalty on some weights. The
    first ways are random, so that nothing cancels; another goes along the entry that is furthest off.
    """
    rng = np.random.default_rng(0)
    for k, (name, leaf) in enumerate(tree_leaves(at, "at")):
        size = np.maximum(1, np.abs(leaf))
        got, want = (tree_leaves(record)[k][1] for record in (gradient, found))
        worst = np.zeros_like(leaf)
        worst.flat[np.abs(got - want).argmax()] = 1
        three = (3, *leaf.shape)
        drawn = rng.choice([-1, 1], three) * rng.uniform(0.5, 1, three)
        for ways in (drawn, [0.6 * worst, 0.8 * worst, worst]):
            _refuse_if_apart(cost, at, k, want, [size * way for way in ways], name)


def _refuse_if_apart(
    cost: CostFunction, at: Tree, k: int, found: Array, ways: list[Array], name: str
) -> None:
    """Refuse the complex step if central differences contradict it along all of some ways through array k."""
    slope = central = 0.0
    for way in ways:
        with np.errstate(under="ignore"):
            expected = np.atleast_1d((found * way).sum())
        apart = contradiction(partial(_value, cost, at, k, way), expected)
        if apart is None:
            return
        slope, central = apart
    msg = (
        f"cost must be analytic for the complex step, which finds the slope {slope:.6g} along a direction "
        f"in {name} where central differences find {central:.6g}: {NOT_ANALYTIC}; use truth=central_difference"
    )
    raise TypeError(msg)


@np.errstate(all="ignore")
def contradiction(value: Callable[[float], Array], slopes: Array) -> tuple[float, float] | None:
    """Return the slope of a function at 0 that central differences contradict the most, and what they find.

    None if they contradict none. Near a kink, and where the function is too steep, they say nothing: there they depend
    on the step, or the second differences do. So they do where a value is no number, and where it changes from call to call.
    Values after those with slopes are parts of them, whose kinks count.
    """
    left, right = value(-STEP / 2), value(STEP / 2)
    central = (right - left) / STEP
    gap = np.abs(central[: len(slopes)] - slopes)
    size = sum(float(np.abs(part).max()) for part in (right, slopes, central))
    margin = ACCURACY * size + EPSILON / STEP
    if not gap.max() > margin:
        return None
    far_left, here, far_right = value(-STEP), value(0), value(STEP)
    bend, near_bend = far_right - 2 * here + far_left, 4 * (right - 2 * here + left)
    wide = (far_right - far_left) / (2 * STEP)
    apart = np.abs(wide - central).max()
    if apart > VAGUE * np.abs(central).max() + ACCURACY * np.abs(right).max():
        return None
    unsure = apart + np.abs(bend - near_bend).sum() / STEP
    margin += 4 * unsure + ACCURACY * np.abs(bend).max() / STEP
    worst = gap.argmax()
    return (slopes[worst], central[worst]) if gap[worst] > margin else None


@np.errstate(all="ignore")
def refuse_kink(name: str, value: Callable[[float], Array]) -> None:
    """Refuse a function with a kink at 0 itself: slopes to its two sides that differ, and stay as the step shrinks."""
    here = value(0)
    right, left = (
        [(value(h) - here) / h for h in (side * STEP, side * STEP / 64)] for side in (1, -1)
    )
    gap = np.abs(right[0] - left[0])
    stay = [np.abs(wide - narrow) <= gap / 100 for wide, narrow in (right, left)]
    size = (np.abs(right[0]) + np.abs(left[0])).max()
    if (np.logical_and(*stay) & (gap > ACCURACY * size)).any():
        msg = f"{name} must be where there is a derivative, got a kink, as that of relu at 0: move it a little"
        raise ValueError(msg)


def _some_leaves(name: str, record: Tree) -> Leaves:
    leaves = tree_leaves(record, name)
    for leaf_name, leaf in leaves or [(name, np.zeros(0))]:
        if leaf.size == 0:
            msg = f"{leaf_name} must hold one number or more, got none"
            raise ValueError(msg)
    return leaves


def _as_floats(leaf: Array) -> Array:
    """Return integers as float64: their differences could wrap around."""
    return leaf if leaf.dtype.kind == "f" else leaf.astype(np.float64)


def _complex_number(value: CostValue) -> complex:
    if not np.iscomplexobj(_one_number(value)):
        msg = (
            "cost must return a complex number when its argument is complex, got "
            f"{type(value).__name__}: abs, max, float(), .real or a real buffer threw the imaginary "
            "part away; use truth=central_difference"
        )
        raise TypeError(msg)
    return complex(validation.computed("cost", np.asarray(value)))


def _real_number(value: CostValue) -> float:
    found = _one_number(value)
    if found.dtype.kind not in "fiu":
        msg = f"cost must return a real number, got {validation.describe(value)}"
        raise TypeError(msg)
    return float(validation.computed("cost", found))


def _one_number(value: CostValue) -> np.ndarray:
    """Return a number as an array without axes; refuse arrays, and records such as a `Cost`."""
    if isinstance(value, (tuple, list)) or np.ndim(value):
        msg = f"cost must return one number, got {validation.describe(value)}"
        raise TypeError(msg)
    return np.asarray(value)
