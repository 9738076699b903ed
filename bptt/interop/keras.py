"""The layers SimpleRNN, LSTM and GRU of Keras 3: the same arrays, GRUs in the order z, r, h.

===========  ================================================================
here         Keras
===========  ================================================================
``w``        ``kernel``
``u``        ``recurrent_kernel``
``b``        ``bias``; of a GRU that resets after the product, both rows added
``c``, GRU   the last third of the second row of ``bias``
===========  ================================================================

A `bptt.GRU` is Keras's GRU as it comes, with ``reset_after=True`` and a bias of two rows; a
`bptt.ResetBeforeGRU` is the one with ``reset_after=False``. A layer made with ``use_bias=False`` has no bias.
The arrays do not say which activations a layer has: for LSTMs and GRUs the default ones are meant.

Source: keras.layers.LSTM, GRU and SimpleRNN of Keras 3.
"""

from typing import Any

import numpy as np

from bptt._core import Array, LayerParams, validation
from bptt.cells import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU
from bptt.cells.protocol import OneDirection, formula_of
from bptt.interop import parts
from bptt.network.stack import AnyCell

__all__ = ["from_keras", "to_keras"]

KINDS = (Elman, LSTM, GRU, ResetBeforeGRU)
ORDER = {"rzn": "zrn"}  # of the blocks here, and there
OTHER: dict[type, type] = {GRU: ResetBeforeGRU, ResetBeforeGRU: GRU}  # by reset_after
SIDES = ("forward_layer", "backward_layer")


def to_keras(cell: AnyCell, layer: LayerParams, *, bias: bool = True) -> dict[str, Any]:
    """Name the parameters of one layer as SimpleRNN, LSTM and GRU of Keras 3 do.

    Parameters
    ----------
    cell
        `bptt.Elman`, `bptt.LSTM`, `bptt.GRU` (for ``reset_after=True``), `bptt.ResetBeforeGRU` (for
        ``reset_after=False``), or a `bptt.Bidirectional` one of those.
    layer
        Its parameters.
    bias
        Whether the layer has a bias. For a layer made with ``use_bias=False`` it must be zero here.

    Returns
    -------
    dict of str to Array
        The arrays by name, in the order of ``layer.set_weights``. For a `bptt.Bidirectional` one such
        dict for each of ``"forward_layer"`` and ``"backward_layer"``.

    Raises
    ------
    TypeError
        If Keras has no such layer, or `layer` is not a record of its parameters.
    ValueError
        If the parameters do not fit the cell, or hold a bias that would be lost.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.GRU(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> named = bptt.interop.to_keras(bptt.GRU(), params.layers[0])
    >>> {name: array.shape for name, array in named.items()}
    {'kernel': (2, 9), 'recurrent_kernel': (3, 9), 'bias': (2, 9)}
    """
    parts.kinds_of(cell, KINDS)
    validation.instance("bias", bias, bool)
    found = [_written(*each, bias) for each in parts.directions("layer", cell, layer)]
    return dict(zip(SIDES, found, strict=True)) if isinstance(cell, Bidirectional) else found[0]


def from_keras(cell: AnyCell, weights: parts.Nested) -> LayerParams:
    """Read the parameters of one layer out of those of SimpleRNN, LSTM or GRU of Keras 3.

    Parameters
    ----------
    cell
        The cell, as for `to_keras`; of GRUs the kind says how `weights` are read.
    weights
        Arrays by name: ``{w.name: numpy.asarray(w) for w in layer.weights}``. For a
        `bptt.Bidirectional` one such mapping for each of ``"forward_layer"`` and ``"backward_layer"``.

    Returns
    -------
    Recurrent, GRUParams or BothDirections
        The parameters of the layer. Two biases are added up where only their sum acts; without a bias,
        as of a layer made with ``use_bias=False``, it is zero.

    Raises
    ------
    TypeError
        If Keras has no such layer, or `weights` is not a mapping of arrays of one precision,
        float32 or float64.
    ValueError
        If an array is missing, or has another shape than its neighbors ask for, or is left over, or if
        the bias is that of a GRU with the other ``reset_after``.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> named = bptt.interop.to_keras(bptt.LSTM(), params.layers[0])
    >>> again = bptt.interop.from_keras(bptt.LSTM(), named)
    >>> bool((again.b == params.layers[0].b).all())
    True
    """
    parts.kinds_of(cell, KINDS)
    reader = parts.Reader("weights", weights)
    paths = [(side,) for side in SIDES] if isinstance(cell, Bidirectional) else [()]
    below: int | str = "n_below"
    layers: list[LayerParams] = []
    for (_, one), path in zip(parts.cells_of("cell", cell), paths, strict=True):
        layers.append(_read(reader, one, path, below))
        below = len(layers[-1].w)
    reader.finish("a kernel, a recurrent_kernel and a bias")
    return parts.joined(layers)


def _written(name: str, cell: OneDirection, params: LayerParams, bias: bool) -> dict[str, Array]:
    w, u, b, b_u = parts.parts_of(name, cell, params, ORDER)
    found = {"kernel": w, "recurrent_kernel": u}
    if bias:
        found["bias"] = np.stack([b, b_u]) if type(formula_of(cell)) is GRU else b
    else:
        parts.refuse_bias(name, "use_bias=False", b=b, c=b_u)
    return found


def _read(
    reader: parts.Reader, cell: OneDirection, path: tuple[str, ...], below: int | str
) -> LayerParams:
    kind = type(formula_of(cell))
    u = reader.take_recurrent(*path, "recurrent_kernel", blocks=len(parts.GATES[kind]))
    width = u.shape[1]
    w = reader.take(*path, "kernel", shape=(below, width))
    b = b_u = np.zeros(width, u.dtype)
    if reader.has(*path, "bias"):
        shape, other = ((2, width), (width,)) if kind is GRU else ((width,), (2, width))
        name = reader.called(*path, "bias")
        came = validation.as_array(name, reader.left[(*path, "bias")]).shape
        if kind in OTHER and came == other:
            msg = (
                f"{name} must be that of a GRU with reset_after={kind is GRU}, got "
                f"shape {other}: that is a bptt.{OTHER[kind].__name__}"
            )
            raise ValueError(msg)
        bias = reader.take(*path, "bias", shape=shape)
        b, b_u = bias if kind is GRU else (bias, b_u)
    return parts.layer_of("weights", cell, (w, u, b, b_u), ORDER)
