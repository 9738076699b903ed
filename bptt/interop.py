"""Weight layouts of other frameworks, as plain mappings of arrays.

Nothing is imported from them. PyTorch keeps a matrix with a row for each unit it goes TO, and two
biases where one is enough; Flax keeps a matrix for each gate, the same way round as here.

=============  ===========================================  =========================================
here           PyTorch, layer k (``_reverse`` at the end)   Flax, gate g of a cell
=============  ===========================================  =========================================
``w``          ``weight_ih_lk``, transposed                 ``ig.kernel``, gates side by side
``u``          ``weight_hh_lk``, transposed                 ``hg.kernel``, gates side by side
``b``          ``bias_ih_lk`` + ``bias_hh_lk``              ``ig.bias``, or ``hg.bias`` of an LSTM
``c``, GRU     the last third of ``bias_hh_lk``             ``hn.bias``
=============  ===========================================  =========================================

The order of the gates is PyTorch's in all three. From here to there and back is exact, bit for bit.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bptt._core import validation
from bptt._core.tree import tree_map
from bptt._core.types import Array
from bptt.cells import GRU, LSTM, Bidirectional, BothDirections, Elman, GRUParams
from bptt.cells.activations import relu, tanh
from bptt.cells.layout import parameters_of
from bptt.cells.protocol import Recurrent
from bptt.network.stack import OneDirection, check_layer

__all__ = ["from_flax", "from_torch", "to_flax", "to_torch"]

FLAX_GATES = {LSTM: "ifgo", GRU: "rzn"}


def to_torch(cells: tuple[Any, ...], layers: tuple[Any, ...]) -> dict[str, Array]:
    """Name the parameters of recurrent layers as PyTorch's nn.RNN, nn.LSTM and nn.GRU do.

    Parameters
    ----------
    cells
        The cell of each layer, all of one kind: `bptt.Elman`, `bptt.LSTM`, `bptt.GRU`, or
        `bptt.Bidirectional` ones of those.
    layers
        Their parameters, such as ``params.layers``.

    Returns
    -------
    dict of str to Array
        What ``module.load_state_dict`` takes, as arrays.

    Raises
    ------
    TypeError
        If PyTorch has no such cell, or they are of several kinds.
    ValueError
        If the parameters do not fit the cells.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.GRU(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> {name: array.shape for name, array in bptt.to_torch(stack.cells, params.layers).items()}
    {'weight_ih_l0': (9, 2), 'weight_hh_l0': (9, 3), 'bias_ih_l0': (9,), 'bias_hh_l0': (9,)}
    """
    found: dict[str, Array] = {}
    _torch_has_all(cells)
    given = validation.sequence("layers", layers, len(cells), "recurrent layers")
    for k, (cell, layer) in enumerate(zip(cells, given, strict=True)):
        for suffix, one, params in _directions(f"layers[{k}]", cell, layer):
            second = np.zeros_like(params.b)
            if isinstance(one, GRU):
                second[2 * len(params.c) :] = params.c
            found[f"weight_ih_l{k}{suffix}"] = params.w.T.copy()
            found[f"weight_hh_l{k}{suffix}"] = params.u.T.copy()
            found[f"bias_ih_l{k}{suffix}"] = params.b.copy()
            found[f"bias_hh_l{k}{suffix}"] = second
    return found


def from_torch(cells: tuple[Any, ...], state: Mapping[str, Any]) -> tuple[Any, ...]:
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
        The parameters of each layer. PyTorch's two biases are added up where they act as one.

    Raises
    ------
    TypeError
        If PyTorch has no such cell, or they are of several kinds.
    ValueError
        If an array is missing, or has another shape than its neighbors ask for, or is left over.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(), bptt.LSTM()))
    >>> params = bptt.initialize(stack, (2, 3, 4, 1), np.random.default_rng(0))
    >>> again = bptt.from_torch(stack.cells, bptt.to_torch(stack.cells, params.layers))
    >>> bool((again[1].u == params.layers[1].u).all())
    True
    """
    _torch_has_all(cells)
    left = dict(_mapping("state", state))

    def take(name: str, *shape: int | str) -> Array:
        if name not in left:
            msg = f"state must hold {name}, got {', '.join(sorted(map(str, state))) or 'nothing'}"
            raise ValueError(msg)
        return validation.array(f"state[{name!r}]", left.pop(name), shape).copy()

    layers: list[Any] = []
    below: int | None = None
    for k, cell in enumerate(cells):
        if isinstance(cell, Bidirectional):
            there = _read_torch(take, cell.forward, f"l{k}")
            layer: Any = BothDirections(there, _read_torch(take, cell.backward, f"l{k}_reverse"))
        else:
            layer = _read_torch(take, cell, f"l{k}")
        checked, below = check_layer(f"layers[{k}]", cell, layer, below)
        layers.append(checked)
    if left:
        msg = (
            f"state must hold nothing but these layers, got {', '.join(sorted(map(str, left)))} too"
        )
        raise ValueError(msg)
    return tuple(layers)


def _read_torch(take: Callable[..., Array], cell: OneDirection, end: str) -> Any:
    """Read one layer of one direction, whose names end in `end`."""
    u = take(f"weight_hh_{end}", "gates n", "n").T.copy()
    w = take(f"weight_ih_{end}", u.shape[1], "n_below").T.copy()
    one, second = take(f"bias_ih_{end}", u.shape[1]), take(f"bias_hh_{end}", u.shape[1])
    if not isinstance(cell, GRU):
        return Recurrent(w, u, one + second)
    n = len(u)
    c = second[2 * n :].copy()
    second[2 * n :] = 0
    return GRUParams(w, u, one + second, c)


def to_flax(cell: OneDirection, layer: Any) -> dict[str, dict[str, Array]]:
    """Name the parameters of one layer as Flax's SimpleCell, LSTMCell and GRUCell do.

    Parameters
    ----------
    cell
        `bptt.Elman`, `bptt.LSTM` or `bptt.GRU`.
    layer
        Its parameters.

    Returns
    -------
    dict
        Arrays by gate and kind, what the cell's ``apply`` takes as ``{"params": ...}``.

    Raises
    ------
    TypeError
        If Flax has no such cell.
    ValueError
        If the parameters do not fit the cell.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.Elman(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> sorted(bptt.to_flax(bptt.Elman(), params.layers[0]))
    ['h', 'i']
    """
    _torch_has("cell", cell)
    params, n = check_layer("layer", cell, layer, None)
    gates = FLAX_GATES.get(type(cell), "")
    params = tree_map(np.copy, params)
    if not gates:
        return {"i": {"kernel": params.w, "bias": params.b}, "h": {"kernel": params.u}}
    found: dict[str, dict[str, Array]] = {}
    for j, gate in enumerate(gates):
        columns = slice(j * n, (j + 1) * n)
        found[f"i{gate}"] = {"kernel": params.w[:, columns]}
        found[f"h{gate}"] = {"kernel": params.u[:, columns]}
        found[f"{'h' if isinstance(cell, LSTM) else 'i'}{gate}"]["bias"] = params.b[columns]
    if isinstance(cell, GRU):
        found["hn"]["bias"] = params.c
    return found


def from_flax(cell: OneDirection, tree: Mapping[str, Mapping[str, Any]]) -> Any:
    """Read the parameters of one layer out of those of a Flax cell.

    Parameters
    ----------
    cell
        `bptt.Elman`, `bptt.LSTM` or `bptt.GRU`.
    tree
        The cell's parameters, as Flax keeps them, with arrays for leaves.

    Returns
    -------
    Recurrent or GRUParams
        The parameters of the layer.

    Raises
    ------
    TypeError
        If Flax has no such cell.
    ValueError
        If an array is missing, or has another shape than its neighbors ask for.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> again = bptt.from_flax(bptt.LSTM(), bptt.to_flax(bptt.LSTM(), params.layers[0]))
    >>> bool((again.b == params.layers[0].b).all())
    True
    """
    _torch_has("cell", cell)
    _mapping("tree", tree)

    def take(part: str, kind: str, *shape: int | str) -> Array:
        try:
            found = tree[part][kind]
        except (LookupError, TypeError):
            msg = f"tree must hold {part}.{kind}, got {', '.join(sorted(map(str, tree))) or 'nothing'}"
            raise ValueError(msg) from None
        return validation.array(f"tree[{part!r}][{kind!r}]", found, shape).copy()

    gates = FLAX_GATES.get(type(cell), "") or ("",)
    side = "h" if isinstance(cell, LSTM) else "i"
    n = take(f"h{gates[0]}", "kernel", "n", "n").shape[1]
    n_below = len(take(f"i{gates[0]}", "kernel", "n_below", n))
    w = np.concatenate([take(f"i{gate}", "kernel", n_below, n) for gate in gates], axis=1)
    u = np.concatenate([take(f"h{gate}", "kernel", n, n) for gate in gates], axis=1)
    b = np.concatenate([take(f"{side}{gate}", "bias", n) for gate in gates])
    own = (take("hn", "bias", n),) if isinstance(cell, GRU) else ()
    checked, _ = check_layer("tree", cell, parameters_of(cell)(w, u, b, *own), None)
    return checked


def _directions(name: str, cell: Any, layer: Any) -> list[tuple[str, OneDirection, Any]]:
    checked, _ = check_layer(name, cell, layer, None)
    if isinstance(cell, Bidirectional):
        return [("", cell.forward, checked.forward), ("_reverse", cell.backward, checked.backward)]
    return [("", cell, checked)]


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"{name} must be a mapping of names to arrays, got {validation.describe(value)}"
        raise TypeError(msg)
    return value


def _torch_has_all(cells: Any) -> None:
    """Refuse cells that are not of one kind, or that PyTorch does not have."""
    kinds: list[Any] = []
    for k, cell in enumerate(validation.instance("cells", cells, tuple)):
        both = isinstance(cell, Bidirectional)
        for one in (cell.forward, cell.backward) if both else (cell,):
            _torch_has(f"cells[{k}]", one)
            if isinstance(one, Elman) and one.activation not in {tanh, relu}:
                msg = f"cells[{k}] must be an Elman of tanh or relu, got {one!r:.60}"
                raise TypeError(msg)
            kinds.append(one)
            if one != kinds[0]:
                msg = f"cells must be all of one kind, got {kinds[0]!r:.40} and {one!r:.40}"
                raise TypeError(msg)


def _torch_has(name: str, cell: Any) -> None:
    if not isinstance(cell, (Elman, LSTM, GRU)):
        msg = f"{name} must be a bptt.Elman, LSTM or GRU, got {cell!r:.60}"
        raise TypeError(msg)
