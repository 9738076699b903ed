"""Flax's SimpleCell, LSTMCell, OptimizedLSTMCell and GRUCell, of linen and of nnx.

linen keeps a matrix for each gate g; most cells of nnx keep all gates in one, in the order that is used here.

===========  =====================================  ===================================
here         gates apart: linen, nnx.LSTMCell       in one: the other cells of nnx
===========  =====================================  ===================================
``w``        ``ig.kernel``, gates side by side      ``dense_i.kernel``
``u``        ``hg.kernel``, gates side by side      ``dense_h.kernel``
``b``        ``ig.bias``, or ``hg.bias`` of LSTMs   the bias of ``dense_i`` or, LSTM, ``dense_h``
``c``, GRU   ``hn.bias``                            there is none: c must be zero
===========  =====================================  ===================================

The parts of linen's SimpleCell are ``i`` and ``h``, and nnx.LSTMCell says ``if_`` for ``if``. A bias where
Flax has none, as ``ii.bias`` of an LSTM, is read too: it is added to the other bias of its gate.

Source: flax.linen.recurrent and flax.nnx.nn.recurrent of Flax 0.12.
"""

import numpy as np

from bptt._core import Array, LayerParams, validation
from bptt.cells import GRU, LSTM, Elman
from bptt.cells.protocol import OneDirection
from bptt.interop import parts

__all__ = ["from_flax", "to_flax"]

IN_ONE = [("dense_i", "dense_h")]
# The names of the parts of each kind of cell, by form: for each kernel, that of the input's and that of the past's.
PARTS: dict[type, dict[str, list[tuple[str, str]]]] = {
    Elman: {"linen": [("i", "h")], "nnx": IN_ONE},
    LSTM: {
        "linen": [("ii", "hi"), ("if", "hf"), ("ig", "hg"), ("io", "ho")],
        "nnx": [("ii", "hi"), ("if_", "hf"), ("ig", "hg"), ("io", "ho")],
        "nnx.OptimizedLSTMCell": IN_ONE,
    },
    GRU: {"linen": [("ir", "hr"), ("iz", "hz"), ("in", "hn")], "nnx": IN_ONE},
}


def to_flax(
    cell: OneDirection, layer: LayerParams, form: str = "linen"
) -> dict[str, dict[str, Array]]:
    """Name the parameters of one layer as Flax's SimpleCell, LSTMCell and GRUCell do.

    Parameters
    ----------
    cell
        `bptt.Elman`, `bptt.LSTM` or `bptt.GRU`.
    layer
        Its parameters.
    form
        ``"linen"``, where OptimizedLSTMCell has the names of LSTMCell; ``"nnx"``; or
        ``"nnx.OptimizedLSTMCell"``, which has other names than nnx.LSTMCell.

    Returns
    -------
    dict
        Arrays by part and kind: what ``apply`` of linen takes as ``{"params": ...}``, and what
        ``nnx.to_pure_dict(nnx.state(cell, nnx.Param))`` gives.

    Raises
    ------
    TypeError
        If Flax has no such cell, or `layer` is not a record of its parameters, or `form` not a string.
    ValueError
        If the parameters do not fit the cell, if `form` is none of these or not one of the cell, or if
        c of a GRU is not zero for nnx, whose GRUCell has no such bias.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.Elman(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> sorted(bptt.to_flax(bptt.Elman(), params.layers[0]))
    ['h', 'i']
    >>> sorted(bptt.to_flax(bptt.Elman(), params.layers[0], "nnx"))
    ['dense_h', 'dense_i']
    """
    kind = parts.kind_of("cell", cell, tuple(PARTS))
    if validation.instance("form", form, str) not in PARTS[kind]:
        known = " or ".join(map(repr, PARTS[kind]))
        msg = f"form must be {known} for {kind.__name__}, got {form!r:.40}"
        raise ValueError(msg)
    pairs = PARTS[kind][form]
    w, u, b, b_u = parts.parts_of(*parts.directions("layer", cell, layer)[0])
    if kind is LSTM:
        b, b_u = b_u, b
    found: dict[str, dict[str, Array]] = {}
    for side, kernel, bias in ((0, w, b), (1, u, b_u)):
        kernels, biases = np.split(kernel, len(pairs), axis=1), np.split(bias, len(pairs))
        for pair, matrix, vector in zip(pairs, kernels, biases, strict=True):
            found[pair[side]] = {"kernel": matrix.copy()}
            if _has_bias(kind, side, pair):
                found[pair[side]]["bias"] = vector.copy()
            else:
                parts.refuse_bias("layer", "nnx.GRUCell, which has no such bias", c=vector)
    return found


def from_flax(cell: OneDirection, tree: parts.Nested) -> LayerParams:
    """Read the parameters of one layer out of those of a Flax cell, of linen or of nnx.

    Parameters
    ----------
    cell
        `bptt.Elman`, `bptt.LSTM` or `bptt.GRU`.
    tree
        The cell's parameters, with arrays for leaves: those of linen with or without the outer
        ``"params"``; for nnx ``nnx.to_pure_dict(nnx.state(cell, nnx.Param))``.

    Returns
    -------
    Recurrent or GRUParams
        The parameters of the layer. Two biases of a gate are added up where only their sum acts.

    Raises
    ------
    TypeError
        If Flax has no such cell, or `tree` is not a mapping of arrays of one precision,
        float32 or float64.
    ValueError
        If an array is missing, or has another shape than its neighbors ask for, or is left over.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> tree = {"params": bptt.to_flax(bptt.LSTM(), params.layers[0])}
    >>> again = bptt.from_flax(bptt.LSTM(), tree)
    >>> bool((again.b == params.layers[0].b).all())
    True
    """
    kind = parts.kind_of("cell", cell, tuple(PARTS))
    reader = parts.Reader("tree", tree)
    if set(tree) == {"params"}:
        reader = parts.Reader("tree['params']", tree["params"])

    def there(form: list[tuple[str, str]]) -> int:
        return len({path[0] for path in reader.left} & {part for pair in form for part in pair})

    pairs = max(PARTS[kind].values(), key=there)  # linen's if nothing is there
    blocks = len(parts.GATES[kind]) // len(pairs)  # gates in one kernel
    (into, back), *others = pairs
    u = [reader.take_recurrent(back, "kernel", blocks=blocks)]
    n, width = u[0].shape
    w = [reader.take(into, "kernel", shape=("n_below", width))]
    for into, back in others:
        u.append(reader.take(back, "kernel", shape=(n, n)))
        w.append(reader.take(into, "kernel", shape=(len(w[0]), n)))
    zeros = np.zeros(width, u[0].dtype)

    def bias(side: int, pair: tuple[str, str]) -> Array:
        if _has_bias(kind, side, pair) or reader.has(pair[side], "bias"):
            return reader.take(pair[side], "bias", shape=zeros.shape)
        return zeros

    first, second = (np.concatenate([bias(side, pair) for pair in pairs]) for side in (0, 1))
    reader.finish(f"the kernels and biases of a {kind.__name__}")
    return parts.layer_of("tree", cell, (np.hstack(w), np.hstack(u), first, second))


def _has_bias(kind: type, side: int, pair: tuple[str, str]) -> bool:
    """Say whether Flax has a bias in a part: for an LSTM beside the past, else beside the input; n of a GRU has two."""
    return side == (kind is LSTM) or pair[side] == "hn"
