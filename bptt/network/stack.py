"""The architecture of a recurrent network, and what it learns: a `Stack` without numbers, and `Params`, records of arrays.

A weight matrix has a row for each unit it comes FROM and a column for each unit it goes TO, so that
a batch of row vectors is multiplied from the left: z = a w + b. A gradient has the type of what it is
the gradient of: that of a `Params` is a `Params`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bptt._core import Array, LayerParams, validation
from bptt._core.tree import array_record
from bptt.cells import Bidirectional, BothDirections, UnfactoredCell
from bptt.cells.activations import Activation, identity
from bptt.cells.layout import Layout, layout_of, parameters_of
from bptt.cells.protocol import OneDirection, check_one_direction, formula_of, is_factored

__all__ = ["Affine", "Params", "Stack", "initialize"]

AnyCell: TypeAlias = OneDirection | Bidirectional
Cells: TypeAlias = tuple[AnyCell, ...]  # of all recurrent layers, the lowest first
Seed: TypeAlias = int | np.random.Generator  # where random numbers begin
Checked: TypeAlias = tuple[LayerParams, int]  # of a layer, and how many units the layer above sees


@array_record
class Affine(NamedTuple):
    """The parameters of a layer without a past: z = x w + b.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, n).
    b
        Bias, shape (n,).
    """

    w: Array
    b: Array


@array_record
class Params(NamedTuple):
    """The parameters of a stack of recurrent layers under a readout.

    Attributes
    ----------
    layers
        The parameters of each recurrent layer, the lowest first: `Recurrent`, or what its cell has.
    readout
        The output layer, an `Affine`.
    """

    layers: tuple[LayerParams, ...]
    readout: Affine


@dataclass(frozen=True)
class Stack:
    """Recurrent layers, one upon the other, under a readout that is not recurrent.

    Parameters
    ----------
    cells
        The cell of each recurrent layer, the lowest first.
    output
        The activation of the readout, layer L.

    Raises
    ------
    TypeError
        If `cells` is not a tuple or list of cells, or `output` is not an `Activation`.
    ValueError
        If there is no cell.

    Examples
    --------
    Two recurrent layers with different activations, and a linear readout:

    >>> import bptt
    >>> stack = bptt.Stack(cells=(bptt.Elman(bptt.tanh), bptt.Elman(bptt.relu)))
    >>> stack.output.name
    'identity'
    """

    cells: Cells
    output: Activation = identity

    def __post_init__(self) -> None:
        """Refuse what is no cell, and a cell whose names do not say what it needs."""
        object.__setattr__(self, "cells", some_cells(self.cells))
        for i, cell in enumerate(self.cells):
            ways = (cell.forward, cell.backward) if isinstance(cell, Bidirectional) else (cell,)
            for one in ways:
                check_one_direction(f"cells[{i}]", one)
                parameters_of(one)
        validation.instance("output", self.output, Activation)


def some_cells(cells: object) -> Cells:
    """Return what stands for cells as a tuple, and refuse one without any."""
    given = validation.instance("cells", tuple(cells) if isinstance(cells, list) else cells, tuple)
    if not given:
        msg = "cells must hold one cell or more, got ()"
        raise ValueError(msg)
    return given


def initialize(
    stack: Stack, sizes: Sequence[int], rng: Seed, dtype: DTypeLike = np.float64
) -> Params:
    r"""Draw the parameters of a stack, uniform between :math:`\pm 1/\sqrt{n_{in}}`.

    For a recurrent layer of n units :math:`n_{in}` is n, as in PyTorch's recurrent layers; for the
    readout it is the number of units below.

    Parameters
    ----------
    stack
        The architecture.
    sizes
        Units of each layer, a tuple or list, :math:`n_0` (the input) to :math:`n_L` (the readout); of
        each direction, for a `bptt.Bidirectional` layer.
    rng
        Where the numbers come from, a generator or a seed.
    dtype
        float64 or float32.

    Returns
    -------
    Params
        The parameters of each layer.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If `sizes` does not hold two more numbers than there are cells, or one is not positive.

    See Also
    --------
    bptt.orthogonal_recurrent : another custom, applied afterwards.
    bptt.forget_bias : likewise, for LSTM cells.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.Elman(),))
    >>> params = bptt.initialize(stack, sizes=(1, 8, 2), rng=np.random.default_rng(0))
    >>> [(name, p.shape) for name, p in bptt.tree_leaves(params)][:2]
    [('layers[0].w', (1, 8)), ('layers[0].u', (8, 8))]
    """
    validation.instance("stack", stack, Stack)
    rng = validation.generator("rng", rng)
    precision = validation.real_dtype("dtype", dtype)
    given = validation.sequence("sizes", sizes, len(stack.cells) + 2, "numbers, n_0 to n_L")
    below, *units, outputs = (validation.size(f"sizes[{i}]", size) for i, size in enumerate(given))

    def uniform(n_in: int, shape: tuple[int, ...]) -> Array:
        bound = 1 / math.sqrt(n_in)
        return rng.uniform(-bound, bound, shape).astype(precision)

    def draw(cell: AnyCell, n_below: int, n: int) -> LayerParams:
        if isinstance(cell, Bidirectional):
            return BothDirections(draw(cell.forward, n_below, n), draw(cell.backward, n_below, n))
        arrays = (uniform(n, shape) for shape in parameter_shapes(cell, n_below, n))
        return parameters_of(cell)(*arrays)

    layers: list[LayerParams] = []
    for cell, n in zip(stack.cells, units, strict=True):
        layers.append(draw(cell, below, n))
        below = 2 * n if isinstance(cell, Bidirectional) else n
    readout = Affine(w=uniform(below, (below, outputs)), b=uniform(below, (outputs,)))
    return Params(tuple(layers), readout)


def parameter_shapes(cell: OneDirection, n_below: int, n: int) -> tuple[tuple[int, ...], ...]:
    """Return the shape of each parameter of a layer of n units."""
    formula = formula_of(cell)
    if is_factored(formula):
        return layout_of(cell).shapes(n_below, n)
    found, count = formula.shapes(n_below, n), len(parameters_of(formula)._fields)
    lists = isinstance(found, (tuple, list)) and all(isinstance(s, (tuple, list)) for s in found)
    if not lists or len(found) != count:
        msg = f"{type(formula).__name__}.shapes must return {count} tuples of sizes, got {found!r:.60}"
        raise TypeError(msg)
    return tuple(map(tuple, found))


def units_of(cell: OneDirection, params: LayerParams) -> int:
    """Return n, the number of units of a layer whose parameters have been checked."""
    if is_factored(formula_of(cell)):
        layout = layout_of(cell)
        return len(layout.split(params)[2]) // layout.w_blocks
    shapes = tuple(p.shape for p in params)
    return next(n for n in _sizes(shapes) if parameter_shapes(cell, shapes[0][0], n) == shapes)


def check_affine(name: str, layer: object, below: int | str) -> Affine:
    """Return a layer whose arrays are finite and fit together and to the layer below."""
    given = validation.instance(name, layer, Affine)
    w = validation.array(f"{name}.w", given.w, (below, "n"), validation.ANALYTIC)
    b = validation.array(f"{name}.b", given.b, (w.shape[1],), validation.ANALYTIC)
    return Affine(w, b)


def check_params(stack: Stack, params: object) -> Params:
    """Return parameters that are finite and fit the stack and one another."""
    given = validation.instance("params", params, Params)
    checked, below = check_layers("params.layers", stack.cells, given.layers)
    return Params(checked, check_affine("params.readout", given.readout, below))


def check_layers(
    name: str, cells: Sequence[AnyCell], layers: Sequence[LayerParams]
) -> tuple[tuple[LayerParams, ...], int]:
    """Return the parameters of layers one above the other, and how many numbers the last one hands on."""
    below: int | None = None
    checked: list[LayerParams] = []
    given = validation.sequence(name, layers, len(cells), "recurrent layers")
    for i, (cell, layer) in enumerate(zip(cells, given, strict=True)):
        found, below = check_layer(f"{name}[{i}]", cell, layer, below)
        checked.append(found)
    return tuple(checked), below or 0


def check_layer(name: str, cell: AnyCell, layer: LayerParams, below: int | None) -> Checked:
    """Return the parameters of a recurrent layer, and how many units the layer above sees."""
    if isinstance(cell, Bidirectional):
        both = validation.instance(name, layer, BothDirections)
        there, n_there = check_layer(f"{name}.forward", cell.forward, both.forward, below)
        back, n_back = check_layer(f"{name}.backward", cell.backward, both.backward, len(there[0]))
        return BothDirections(there, back), n_there + n_back
    arrays: LayerParams = validation.instance(name, layer, parameters_of(cell))
    names = [f"{name}.{field}" for field in arrays._fields]
    formula = formula_of(cell)
    if is_factored(formula):
        return _check_factored(names, layout_of(cell), arrays, below)
    return _check_unfactored(name, names, formula, arrays, below)


def _check_factored(
    names: Sequence[str], layout: Layout, layer: LayerParams, below: int | None
) -> Checked:
    second, n = _units(names[1], layer[1], layout)
    (_, across), _, *shapes = layout.shapes(0, n)
    others = zip(names[2:], layer[2:], shapes, strict=True)
    each = (names[0], layer[0], (below or "n_below", across)), *others
    w, *rest = (validation.array(*one, validation.ANALYTIC) for one in each)
    return type(layer)(w, second, *rest), n


def _units(name: str, given: ArrayLike, layout: Layout) -> tuple[Array, int]:
    """Return u, or b if there is no u, and the number of units that is read off it."""
    blocks = layout.u_blocks
    across = blocks or layout.w_blocks
    axis = "n" if across == 1 else f"{across}n"
    shape = ("n", axis) if blocks else (axis,)
    array = validation.array(name, given, shape, validation.ANALYTIC)
    n = len(array) if blocks else len(array) // across
    if array.shape[-1] != across * n:
        validation.refuse_shape(name, shape, array.shape)
    return array, n


def _check_unfactored(
    name: str, names: Sequence[str], cell: UnfactoredCell, layer: LayerParams, below: int | None
) -> Checked:
    named = zip(names, layer, strict=True)
    arrays = [validation.array(*one, ("...", "n"), validation.ANALYTIC) for one in named]
    got = tuple(array.shape for array in arrays)
    n_below = below or got[0][0]
    for n in _sizes(got):  # no more than needed: a cell may refuse more units than it can have
        if parameter_shapes(cell, n_below, n) == got:
            return type(layer)(*arrays), n
    n = max(_sizes(got))
    want = parameter_shapes(cell, n_below, n)
    msg = f"{name} must have arrays of shapes {want} (if n = {n}), got {got}"
    raise ValueError(msg)


def _sizes(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return the numbers that n may be, the smallest first."""
    return sorted({size for shape in shapes for size in shape})
