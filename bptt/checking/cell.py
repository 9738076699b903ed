r"""Is a hand-written backward pass right, and if not, which line is it? Checks, and a diagnosis.

A backward pass is a vector-Jacobian product: it takes cotangents w of all that forward returns, outputs
and final state, and returns :math:`J^\top w` for all that forward depends on. So it can be compared with

.. math::

   \langle J v, w \rangle &= \langle v, J^\top w \rangle    && \text{(adjoint)}

and against J itself, column by column, by the complex step. From one step to two to many, with one
cotangent at a time, for a batch and for its sequences one by one: what fails first tells where to look.
Where the numbers are those that a known bug would give, the report names it (`bptt.checking.known_bugs`).

Sources: Squire & Trapp (1998) for the complex step; Claerbout (1992) for the dot-product test;
Higham (2002), chapters 1 and 3, for the tolerance in float32.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice, product

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Arrays, LayerParams, Mask, State, Tree, validation
from bptt._core.tree import tree_leaves
from bptt.cells import Bidirectional, UnfactoredCell
from bptt.cells.layout import parameters_of, state_names_of
from bptt.cells.protocol import OneDirection, check_one_direction, formula_of, is_factored
from bptt.checking import own_step
from bptt.checking.gradcheck import refuse_kink
from bptt.checking.handwritten import Backward, Forward, Layer
from bptt.checking.jacobian import choose, moved_outputs
from bptt.checking.known_bugs import best, clipped, diagnose
from bptt.checking.report import CellReport
from bptt.checking.suite import layer_checks, unsound
from bptt.network import engines
from bptt.network.backward import run_any_layer_backward
from bptt.network.stack import parameter_shapes
from bptt.network.traces import LayerTrace

__all__ = ["check_cell", "check_layer"]

# No two equal, so that no wrong transpose or sum fits by accident; T and B not 2, so that a mean cannot
# pass for a missing factor 2; nor n, for a layer normalized over two units has next to no derivative; small,
# since every entry is moved by itself.
LONG, NARROW, UNITS = (4, 5, 6), 2, 3
# Where numbers are drawn that a step takes no others of: log(k), sqrt(k), sqrt(k - 1).
DOMAINS: dict[str, Callable[[Array], Array]] = {
    "": np.asarray,
    " > 0": lambda a: 0.5 + np.abs(a) / 2,
    " < 0": lambda a: -0.5 - np.abs(a) / 2,
    " > 1": lambda a: 1.5 + np.abs(a) / 2,
}
BEYOND = 1e9  # a run explodes
STEP = "the cell's own step"
FAR_OUT, FAR_STEP = f"{STEP}, |z| to 15", "one step, |x| to 15"


@np.errstate(all="ignore")  # what is not finite is reported
def check_layer(
    forward: Forward,
    backward: Backward,
    params: Tree,
    x: ArrayLike,
    initial: Tree,
    *,
    masked: bool = False,
    seed: int = 0,
) -> CellReport:
    """Check the backward pass of a hand-written recurrent layer, its loop over time included.

    Parameters
    ----------
    forward
        ``forward(params, x, initial)`` returns outputs, shape (T, B, n), the final state, a record like
        `initial`, and anything that `backward` needs.
    backward
        ``backward(params, saved, d_outputs, d_final)`` returns ∂C/∂params, ∂C/∂x and ∂C/∂initial, like
        what they are derivatives of. For a derivative that is missing, None stands.
    params
        Where to check: float64 arrays in nested tuples, lists or mappings. A bug is named most surely if
        w is (n_below, g n), u is (n, g n) and b is (g n,), as in `bptt.Recurrent`.
    x
        The input, shape (T, B, n_below). T, B, n_below and n should differ, and T and B not be 2.
    initial
        The initial state: an array of shape (B, n), or a record of such.
    masked
        Whether `forward` takes a mask, booleans of shape (T, B), as a fourth argument; where it is False,
        at the end of a sequence or elsewhere, there is no step, and the state stays as it was.
    seed
        Of the cotangents and directions.

    Returns
    -------
    CellReport
        Prints as a report: the verdict of each check, the faulty tensors, the likely bug.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or one of the functions returns something else; or where nothing can be
        checked: what differs is at a kink, such as that of relu at 0, or all units are saturated.

    See Also
    --------
    bptt.check_cell : for the mathematics of a single step, where the loop is this library's.

    Examples
    --------
    A running sum whose author forgot that each state is the sum of all inputs before it:

    >>> import numpy as np, bptt
    >>> def forward(params, x, initial):
    ...     outputs = initial + np.cumsum(x * params["gain"], axis=0)
    ...     return outputs, outputs[-1], x
    >>> def backward(params, x, d_outputs, d_final):
    ...     d = d_outputs.copy()
    ...     d[-1] += d_final  # and nothing from step t + 1 to step t
    ...     return {"gain": (d * x).sum(axis=(0, 1))}, d * params["gain"], d[0]
    >>> rng = np.random.default_rng(0)
    >>> params, x, initial = {"gain": np.ones(5)}, rng.normal(size=(4, 3, 5)), np.zeros((3, 5))
    >>> report = bptt.check_layer(forward, backward, params, x, initial)
    >>> report["one step"].ok, report["two steps"].ok
    (True, False)
    >>> report.faulty, report.likely
    (('gain', 'x', 'initial'), ('no recurrence',))
    """
    rng = validation.generator("seed", seed)
    validation.instance("masked", masked, bool)
    validation.function("forward", forward, 3 + masked)
    validation.function("backward", backward, 4)
    found = _float64("x", validation.array("x", x, ("T", "B", "n_below")))
    at: Arrays = [_float64(*leaf) for leaf in tree_leaves(params, "params")]
    at += [found, *(_float64(*leaf) for leaf in tree_leaves(initial, "initial"))]
    layer = Layer(forward, backward, params, initial, masked)
    if not layer.states:
        msg = f"initial must hold one array or more, got {initial!r}"
        raise ValueError(msg)
    for name, state in zip(layer.states, at[layer.n_params + 1 :], strict=True):
        validation.array(f"initial{name}", state, (found.shape[1], "n"))
    return _report("layer", layer, at, rng)


@np.errstate(all="ignore")
def check_cell(
    cell: OneDirection, *, sizes: Sequence[int] | None = None, seed: int = 0
) -> CellReport:
    """Check the derivative of a cell, of either level, alone and in the engine's loop over time.

    Parameters
    ----------
    cell
        A `bptt.Cell` or a `bptt.cells.UnfactoredCell`.
    sizes
        T, B, n_below and n, a tuple or list; different numbers from 2 to 6 if not given.
    seed
        Of all random numbers, and of the sizes.

    Returns
    -------
    CellReport
        Prints as a report: the verdict of each check, the faulty tensors, the likely bug. What a factored
        cell's `step_backward` returns is named after the arguments of its `step`: d_z, d_a and so on; it
        is checked at weighted inputs and states up to 15 and own parameters up to 4 as well, and has to be
        numbers where exp overflows; one step of an unfactored cell is checked at inputs and states up to 15,
        and all else at numbers below one. Where a run is no number, or explodes, parameters that are
        vectors, and states, are taken positive, negative or above one, and the title says so: ``k > 0``.

    Raises
    ------
    TypeError
        If `cell` is not a cell that reads in one direction, or its methods return something else than
        the protocol says.
    ValueError
        If a size is not positive, or an array has a wrong shape.

    See Also
    --------
    bptt.check_layer : for a layer with a loop over time of its own.

    Examples
    --------
    >>> import bptt
    >>> bptt.check_cell(bptt.LSTM()).ok
    True

    A tanh layer, written by hand, whose derivative takes a for z:

    >>> class Mine(bptt.Elman):
    ...     def step_backward(self, d_a, a, z, a_new):
    ...         delta = d_a * self.activation.derivative(a_new, self.activation(a_new))
    ...         return (delta,), (0.0,), ()
    >>> report = bptt.check_cell(Mine())
    >>> report.faulty, report.likely
    (('d_z',), ("a' at a instead of z",))
    """
    rng = validation.generator("seed", seed)
    if isinstance(cell, Bidirectional):
        msg = "cell must read in one direction, got Bidirectional; check each direction's cell"
        raise TypeError(msg)
    check_one_direction("cell", cell)
    *long, left = rng.permutation(LONG).tolist()
    given = (*long, int(rng.choice([NARROW, left])), UNITS) if sizes is None else sizes
    counts = validation.sequence("sizes", given, 4, "numbers: T, B, n_below, n")
    steps, batch, n_below, n = (validation.size(f"sizes[{i}]", s) for i, s in enumerate(counts))

    def draw(*shape: int) -> Array:
        return rng.uniform(-0.8, 0.8, shape)

    params = parameters_of(cell)(*(draw(*shape) for shape in parameter_shapes(cell, n_below, n)))
    initial = tuple(draw(batch, n) for _ in state_names_of(cell))
    layer = _engine(cell, params, initial)
    k, formula = layer.n_params, formula_of(cell)
    at, domain = _in_domain(layer, [*params, draw(steps, batch, n_below), *initial])
    kind = type(formula).__name__
    name = ", ".join([kind if formula is cell else f"{type(cell).__name__} {kind}", *domain])
    if is_factored(formula):  # first of all, whether the cell has the form of one
        own_step.step_and_back(formula, own_step.point_of(formula, at, k), rng.spawn(1)[0])
    else:
        outputs = layer.function(at)  # whose loops refuse what has not the form of one
        layer.gradient(at, [np.ones_like(a) for a in outputs])
        _refuse_memory(formula, parameters_of(cell)(*at[:k]), at[k][0], tuple(at[k + 1 :]))
    return _report(name, layer, at, rng, formula)


def _float64(name: str, array: Array) -> Array:
    return validation.float64(name, validation.array(name, array, ("...", "n")))


def _engine(cell: OneDirection, params: LayerParams, initial: State) -> Layer:
    """Return a cell in the loops that `layer_forward` would choose for it, as a layer of its own.

    Complex numbers, of which the truth is made, go through the formula's plain loop.
    """

    def forward(
        params: LayerParams, x: Array, initial: State, mask: Mask
    ) -> tuple[Array, State, LayerTrace]:
        run = cell if x.dtype.kind == "f" else formula_of(cell)
        trace = engines.run_layer(run, params, x, initial, None if mask.all() else mask)
        return trace.outputs, trace.final, trace

    def backward(
        _: LayerParams, trace: LayerTrace, d_outputs: Array, d_final: State
    ) -> tuple[LayerParams, Array, State]:
        gradient = run_any_layer_backward(trace, d_outputs, d_final)
        return gradient.params, gradient.x, gradient.initial

    return Layer(forward, backward, params, initial, True, state_names_of(cell))


def _in_domain(layer: Layer, at: Arrays) -> tuple[Arrays, list[str]]:
    """Give vectors among the parameters, and states, one sign, or more than one, if a run is no number otherwise, or explodes.

    So for the logarithm of a time constant. The second result says what was done; nothing, where nothing helps.
    """
    k, places = layer.n_params, range(len(at))
    some = [i for i in (*places[k + 1 :], *places[:k]) if i > k or at[i].ndim == 1]
    for each in islice(product(DOMAINS, repeat=len(some)), 1000):
        moved, chosen = list(at), dict(zip(some, each, strict=True))
        for i, ending in chosen.items():
            moved[i] = DOMAINS[ending](at[i])
        with suppress(ArithmeticError, ValueError, AssertionError):  # it may refuse them
            if all(abs(a).max() < BEYOND for a in layer.function(moved)):
                return moved, [layer.names[i] + ending for i, ending in chosen.items() if ending]
    return at, []


def _refuse_memory(cell: UnfactoredCell, params: LayerParams, x: Array, state: State) -> None:
    """Refuse an unfactored cell whose derivative needs what its step keeps elsewhere than in `saved`."""
    name = type(cell).__name__
    returned = cell.unfactored_step(params, x, state)
    own_step.refuse_memory(
        f"{name}.unfactored_backward",
        lambda: cell.unfactored_backward(params, tuple(map(np.ones_like, state)), returned[1]),
        lambda: own_step.refuse_reuse(
            f"{name}.unfactored_step", returned, lambda: cell.unfactored_step(params, x / 2, state)
        ),
    )


def _report(
    title: str, layer: Layer, at: Arrays, rng: np.random.Generator, cell: OneDirection | None = None
) -> CellReport:
    """Run all checks: of a layer, and if it is that of a factored cell, of the cell's own step."""
    if void := unsound(title, layer, at):
        return void
    k = layer.n_params
    truth = choose(layer.function, at, rng)
    own = own_step.step_check(STEP, cell, at, k, truth, rng) if is_factored(cell) else None
    checks, case = layer_checks(layer, at, truth, rng)
    if own is not None:
        far = own_step.far_check(FAR_OUT, own, rng.spawn(1)[0])
        checks = (own.checks["step"], far, own.checks["linear"], *checks)
    elif cell is not None:
        checks = (*checks, own_step.far_layer_check(FAR_STEP, layer, at, truth, rng.spawn(1)[0]))
    bugs: dict[str, str] = {}
    if not all(check.ok for check in checks):
        names = [n for n, _ in tree_leaves(layer.params, "params")] + layer.names[k:]
        for i, name in enumerate(names):
            way = rng.normal(size=at[i].shape)
            refuse_kink(name, partial(moved_outputs, layer.function, at, i, way))
        bugs = diagnose(case)
        if own is not None and "not a function of its arguments" not in bugs:
            found = best(own, own_step.own_step_bugs(own)) | clipped(own)
            bugs = found | (own_step.mixed(own) or bugs)
    named = tuple(bugs.items())
    return CellReport(title, checks, truth.name, truth.trap, named, STEP if own else "")
