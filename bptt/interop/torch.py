"""PyTorch's nn.RNN, nn.LSTM and nn.GRU: a matrix has a row for each unit it leads to, and there are two biases.

===========  ===========================================
here         PyTorch, layer k (``_reverse`` at the end)
===========  ===========================================
``w``        ``weight_ih_lk``, transposed
``u``        ``weight_hh_lk``, transposed
``b``        ``bias_ih_lk`` + ``bias_hh_lk``
``c``, GRU   the last third of ``bias_hh_lk``
===========  ===========================================

The order of the gates is the same. A module made with ``bias=False`` has no biases; one made with
``proj_size`` has a matrix more (``weight_hr_lk``), for which no cell here has a place.

Source: the documentation of torch.nn.LSTM and torch.nn.GRU, section "Variables".
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, LayerParams, validation
from bptt.cells import GRU, LSTM, Bidirectional, Elman
from bptt.cells.activations import relu, tanh
from bptt.cells.protocol import Formula, OneDirection, formula_of
from bptt.interop import parts
from bptt.network.stack import Cells, check_layers, some_cells

__all__ = ["from_torch", "to_torch"]

ENDS = ("", "_reverse")  # of the names of each direction's arrays


def to_torch(
    cells: Cells, layers: tuple[LayerParams, ...], *, bias: bool = True
) -> dict[str, Array]:
    """Name the parameters of recurrent layers as PyTorch's nn.RNN, nn.LSTM and nn.GRU do.

    Parameters
    ----------
    cells
        The cell of each layer, all of one kind: `bptt.Elman`, `bptt.LSTM`, `bptt.GRU`, or
        `bptt.Bidirectional` ones of those.
    layers
        Their parameters, such as ``params.layers``.
    bias
        Whether the module has biases. For a module made with ``bias=False`` those here must be zero.

    Returns
    -------
    dict of str to Array
        What ``module.load_state_dict`` takes, as arrays.

    Raises
    ------
    TypeError
        If PyTorch has no such cell, if they are of several kinds, if only some read both directions, or if
        `layers` are not their records.
    ValueError
        If there is no cell, if the parameters do not fit the cells or the layer below, if the layers, or
        the directions of one, have different numbers of units (a module has one ``hidden_size``), or if a
        bias would be lost.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.GRU(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> {name: array.shape for name, array in bptt.to_torch(stack.cells, params.layers).items()}
    {'weight_ih_l0': (9, 2), 'weight_hh_l0': (9, 3), 'bias_ih_l0': (9,), 'bias_hh_l0': (9,)}
    """
    found: dict[str, Array] = {}
    _check_cells(cells)
    validation.instance("bias", bias, bool)
    given, _ = check_layers("layers", cells, layers)
    sizes: set[int] = set()
    for k, (cell, layer) in enumerate(zip(cells, given, strict=True)):
        both = parts.directions(f"layers[{k}]", cell, layer)
        sizes |= {len(params.u) for _, _, params in both}
        if len(sizes) > 1:
            msg = f"layers must all have the same number of units, PyTorch's hidden_size, got {sorted(sizes)}"
            raise ValueError(msg)
        for end, (name, one, params) in zip(ENDS, both, strict=False):
            w, u, b, b_u = parts.parts_of(name, one, params)
            found[f"weight_ih_l{k}{end}"] = w.T.copy()
            found[f"weight_hh_l{k}{end}"] = u.T.copy()
            if bias:
                found |= {f"bias_ih_l{k}{end}": b, f"bias_hh_l{k}{end}": b_u}
            else:
                parts.refuse_bias(name, "bias=False", b=b, c=b_u)
    return found


def from_torch(cells: Cells, state: Mapping[str, ArrayLike]) -> tuple[LayerParams, ...]:
    """Read the parameters of recurrent layers out of a PyTorch state dict.

    Parameters
    ----------
    cells
        The cell of each layer, as for `to_torch`.
    state
        Arrays by PyTorch's names: ``{name: t.numpy() for name, t in module.state_dict().items()}``.

    Returns
    -------
    tuple
        The parameters of each layer. PyTorch's two biases are added up where only their sum acts; those
        of a module made with ``bias=False`` are zero.

    Raises
    ------
    TypeError
        If PyTorch has no such cell, if they are of several kinds, if only some read both directions, or if
        `state` is not a mapping of arrays of one precision, float32 or float64.
    ValueError
        If there is no cell, if an array is missing, or has another shape than its neighbors ask for, or
        is left over, or if the module has a ``proj_size``.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(), bptt.LSTM()))
    >>> params = bptt.initialize(stack, (2, 3, 3, 1), np.random.default_rng(0))
    >>> again = bptt.from_torch(stack.cells, bptt.to_torch(stack.cells, params.layers))
    >>> bool((again[1].u == params.layers[1].u).all())
    True
    """
    _check_cells(cells)
    reader = parts.Reader("state", state)
    if projected := sorted(str(name) for name in state if str(name).startswith("weight_hr_")):
        msg = (
            "state must be that of a module without proj_size, which no cell here has, "
            f"got {', '.join(projected)}"
        )
        raise ValueError(msg)
    bias = any(str(name).startswith("bias_") for name in state)
    below: int | str = "n_below"
    layers: list[LayerParams] = []
    for k, cell in enumerate(cells):
        both: list[LayerParams] = []
        for (_, one), end in zip(parts.cells_of("", cell), ENDS, strict=False):
            both.append(_read(reader, one, f"l{k}{end}", bias, below))
            below = len(both[-1].w)
        layers.append(parts.joined(both))
        below = sum(len(one.u) for one in both)
    reader.finish("these layers")
    return tuple(layers)


def _read(
    reader: parts.Reader, cell: OneDirection, end: str, bias: bool, below: int | str
) -> LayerParams:
    """Read one layer of one direction, whose names end in `end`."""
    blocks = len(parts.GATES[type(formula_of(cell))])
    u = reader.take_recurrent(f"weight_hh_{end}", blocks=blocks, turned=True)
    width = u.shape[1]
    w = reader.take(f"weight_ih_{end}", shape=(width, below)).T.copy()
    first = second = np.zeros(width, u.dtype)
    if bias:
        first, second = (reader.take(f"bias_{i}_{end}", shape=(width,)) for i in ("ih", "hh"))
    return parts.layer_of("state", cell, (w, u, first, second))


def _check_cells(cells: object) -> None:
    """Refuse cells that are not of one kind, or that PyTorch does not have."""
    checked = some_cells(cells)
    named = [one for k, cell in enumerate(checked) for one in parts.cells_of(f"cells[{k}]", cell)]
    first: Formula = formula_of(named[0][1])
    for name, found in named:
        parts.kind_of(name, found, (Elman, LSTM, GRU))
        one = formula_of(found)
        if isinstance(one, Elman) and one.activation not in {tanh, relu}:
            msg = f"{name} must be an Elman of tanh or relu, got {one!r:.60}"
            raise TypeError(msg)
        if one != first:
            msg = f"cells must be all of one kind, got {first!r:.40} and {one!r:.40}"
            raise TypeError(msg)
    both = sum(isinstance(cell, Bidirectional) for cell in checked)
    if both not in {0, len(checked)}:
        msg = f"cells must all be Bidirectional or none, got {both} of {len(checked)}"
        raise TypeError(msg)
