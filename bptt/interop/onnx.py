"""The operators RNN, LSTM and GRU of ONNX: rows lead to a unit, blocks in the orders i, o, f, c and z, r, h.

==============  =======================================================
here            ONNX, each with a first axis of one or two directions
==============  =======================================================
``w``           ``W``, transposed
``u``           ``R``, transposed
``b``           ``B``, both halves added
``c``, GRU      the last sixth of ``B``
``p_i, p_f``,   ``P``, in the order i, o, f
``p_o``
==============  =======================================================

A `bptt.GRU` is the operator GRU with ``linear_before_reset=1``, a `bptt.ResetBeforeGRU` the one with 0, which is
ONNX's default. A `bptt.PeepholeLSTM` is the operator LSTM with ``P``.

Source: the specification of the operators, https://onnx.ai/onnx/operators/.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, LayerParams, validation
from bptt.cells import GRU, LSTM, Bidirectional, Elman, PeepholeLSTM, ResetBeforeGRU
from bptt.cells.activations import relu, sigmoid, softplus, tanh
from bptt.cells.protocol import OneDirection, formula_of
from bptt.interop import parts
from bptt.network.stack import AnyCell

__all__ = ["from_onnx", "to_onnx"]

Attributes: TypeAlias = dict[str, Any]  # of a node: whole numbers, text, lists of text

ORDER = {"ifgo": "iofg", "rzn": "zrn"}  # of the blocks here, and there
DIRECTIONS = ("forward", "bidirectional")
FUNCTIONS = {tanh: "Tanh", relu: "Relu", sigmoid: "Sigmoid", softplus: "Softplus"}


def to_onnx(cell: AnyCell, layer: LayerParams) -> tuple[dict[str, Array], Attributes]:
    """Name the parameters of one layer as the operators RNN, LSTM and GRU of ONNX do.

    Parameters
    ----------
    cell
        `bptt.Elman`, `bptt.LSTM`, `bptt.PeepholeLSTM`, `bptt.GRU`, `bptt.ResetBeforeGRU`, or a
        `bptt.Bidirectional` one of two of one kind.
    layer
        Its parameters.

    Returns
    -------
    inputs, attributes
        Inputs of the node by their names: W, shape (directions, g n, n_below), R, B and, of a
        `bptt.PeepholeLSTM`, P. And the node's attributes, such as
        ``onnx.helper.make_node(operator, names, outputs, **attributes)`` takes them.

    Raises
    ------
    TypeError
        If ONNX has no such operator, or `layer` is not a record of its parameters.
    ValueError
        If the parameters do not fit the cell, or the directions have different numbers of units.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.GRU(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> inputs, attributes = bptt.interop.to_onnx(bptt.GRU(), params.layers[0])
    >>> {name: array.shape for name, array in inputs.items()}
    {'W': (1, 9, 2), 'R': (1, 9, 3), 'B': (1, 18)}
    >>> attributes
    {'hidden_size': 3, 'direction': 'forward', 'activations': ['Sigmoid', 'Tanh'], 'linear_before_reset': 1}
    """
    kind = _check_cell(cell)
    both = parts.directions("layer", cell, layer)
    sizes = [len(params.u) for _, _, params in both]
    if len(set(sizes)) > 1:
        msg = f"layer must have as many units in both directions, got {sizes[0]} and {sizes[1]}"
        raise ValueError(msg)
    written = [_written(kind, *each) for each in both]
    inputs = {key: np.stack([one[key] for one in written]) for key in written[0]}
    return inputs, _attributes(kind, cell, sizes[0])


def from_onnx(
    cell: AnyCell, inputs: Mapping[str, ArrayLike], attributes: Mapping[str, Any]
) -> LayerParams:
    """Read the parameters of one layer out of a node RNN, LSTM or GRU of ONNX.

    Parameters
    ----------
    cell
        The cell, as for `to_onnx`.
    inputs
        The node's W, R and, if it has them, B and P, as arrays by these names
        (``onnx.numpy_helper.to_array`` makes an array of an initializer). The others (X, lengths, initial
        states) are no parameters.
    attributes
        All attributes of the node, by name, with the values of ``onnx.helper.get_attribute_value``. They
        say what the arrays do not, and must fit the cell; one that is missing has ONNX's default.

    Returns
    -------
    Recurrent, GRUParams, PeepholeLSTMParams or BothDirections
        The parameters of the layer. Two biases are added up where only their sum acts; without B they
        are zero.

    Raises
    ------
    TypeError
        If ONNX has no such operator, or `attributes` is no mapping, or `inputs` not one of arrays of one precision,
        float32 or float64.
    ValueError
        If an array is missing, or has another shape than its neighbors ask for, or is left over, or if
        an attribute asks for what the cell does not do: ``clip``, ``input_forget``, other activations,
        another direction, the other ``linear_before_reset``.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> cell = bptt.PeepholeLSTM()
    >>> params = bptt.initialize(bptt.Stack(cells=(cell,)), (2, 3, 1), np.random.default_rng(0))
    >>> again = bptt.interop.from_onnx(cell, *bptt.interop.to_onnx(cell, params.layers[0]))
    >>> bool((again.p_f == params.layers[0].p_f).all())
    True
    """
    kind = _check_cell(cell)
    reader = parts.Reader("inputs", inputs)
    if kind is LSTM and reader.has("P"):
        msg = "inputs must hold no P (peepholes) for a bptt.LSTM; a bptt.PeepholeLSTM has them"
        raise ValueError(msg)
    count = 2 if isinstance(cell, Bidirectional) else 1
    u = reader.take_recurrent("R", blocks=len(parts.GATES[kind]), turned=True, each=(count,))
    _, n, width = u.shape
    _check_attributes(kind, cell, attributes, n)
    arrays = {"W": reader.take("W", shape=(count, width, "n_below")), "u": u}
    arrays["B"] = np.zeros((count, 2 * width), u.dtype)
    if reader.has("B"):
        arrays["B"] = reader.take("B", shape=(count, 2 * width))
    if kind is PeepholeLSTM:
        arrays["P"] = reader.take("P", shape=(count, 3 * n))
    reader.finish("W, R, B and P" if kind is PeepholeLSTM else "W, R and B")
    cells = enumerate(parts.cells_of("cell", cell))
    return parts.joined([_read(kind, one, arrays, d) for d, (_, one) in cells])


def _check_cell(cell: AnyCell) -> type:
    """Return the kind of a cell, in both directions the same one."""
    kinds = parts.kinds_of(cell, tuple(parts.GATES))
    if len(set(kinds)) > 1:
        msg = f"cell must be of one kind in both directions, got {cell!r:.100}"
        raise TypeError(msg)
    for name, one in parts.cells_of("cell", cell):
        activation = getattr(formula_of(one), "activation", tanh)
        if activation not in FUNCTIONS:
            known = ", ".join(function.name for function in FUNCTIONS)
            msg = f"{name} must have an activation that ONNX has ({known}), got {activation.name}"
            raise TypeError(msg)
    return kinds[0]


def _written(kind: type, name: str, cell: OneDirection, params: LayerParams) -> dict[str, Array]:
    w, u, b, b_u = parts.parts_of(name, cell, params, ORDER)
    found = {"W": w.T, "R": u.T, "B": np.concatenate([b, b_u])}
    if kind is PeepholeLSTM:
        found["P"] = np.concatenate([params.p_i, params.p_o, params.p_f])
    return found


def _read(kind: type, cell: OneDirection, arrays: dict[str, Array], d: int) -> LayerParams:
    """Read one layer of one direction, the d-th."""
    b, b_u = np.split(arrays["B"][d], 2)
    own: tuple[Array, ...] = ()
    if kind is PeepholeLSTM:
        p_i, p_o, p_f = (part.copy() for part in np.split(arrays["P"][d], 3))
        own = (p_i, p_f, p_o)
    return parts.layer_of("inputs", cell, (arrays["W"][d].T, arrays["u"][d], b, b_u), ORDER, own)


def _attributes(kind: type, cell: AnyCell, n: int) -> Attributes:
    """Return the attributes of the operator that computes what a cell does."""
    cells = [formula_of(one) for _, one in parts.cells_of("cell", cell)]
    reset = kind in (GRU, ResetBeforeGRU)
    of_one = [] if kind is Elman else ["Sigmoid", "Tanh"] if reset else ["Sigmoid", "Tanh", "Tanh"]
    found = {
        "hidden_size": n,
        "direction": DIRECTIONS[len(cells) - 1],
        "activations": of_one * len(cells) or [FUNCTIONS[one.activation] for one in cells],
    }
    if reset:
        found["linear_before_reset"] = int(kind is GRU)
    return found


def _check_attributes(kind: type, cell: AnyCell, attributes: object, n: int) -> None:
    """Refuse attributes that ask for something that the cell does not do."""
    if not isinstance(attributes, Mapping):
        msg = f"attributes must be a mapping of names to values, got {validation.describe(attributes)}"
        raise TypeError(msg)
    does = _attributes(kind, cell, n)
    # What ONNX takes where an attribute is missing and the cell may do something else.
    given: Attributes = {"direction": "forward"}
    if "linear_before_reset" in does:
        given["linear_before_reset"] = 0
    if kind is Elman:
        given["activations"] = ["Tanh"] * len(does["activations"])
    given |= attributes
    if _plain(given.get("layout", 0)) not in (0, 1):
        msg = f"attributes['layout'] must be 0 or 1, got {given['layout']!r:.60}"
        raise ValueError(msg)
    # The one says the order of the axes of X and Y, not of the weights; the other is 0 by default.
    does |= {"layout": given.get("layout")} | (
        {} if "linear_before_reset" in does else {"input_forget": 0}
    )
    for name, value in given.items():
        got = _plain(value)
        if name not in does:
            msg = (
                f"attributes must not have {name}, which {cell!r:.60} does not do, got {got!r:.60}"
            )
            raise ValueError(msg)
        if _plain(does[name], str.lower) != _plain(value, str.lower):
            default = "" if name in attributes else ", ONNX's default"
            msg = f"attributes[{name!r}] must be {does[name]!r} for {cell!r:.60}, got {got!r:.60}{default}"
            raise ValueError(msg)


def _plain(value: object, form: Callable[[str], str] = str) -> object:
    """Return text for the bytes that ONNX keeps, also in lists; ONNX reads names of functions in any case."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(part, form) for part in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return form(value) if isinstance(value, str) else value
