"""What all layouts share: a layer with two biases, gates in another order, and mappings read to the end.

Every library here has the arrays of a layer of this library under other names, but for the bias: several
libraries add one bias to x w and a second one to a u. The sum of the two is what acts, except in the last
block of a GRU that resets after the product, where the second bias is c.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from bptt._core import Array, LayerParams, validation
from bptt._core.tree import one_precision, tree_leaves
from bptt.cells import GRU, LSTM, Bidirectional, BothDirections, Elman, PeepholeLSTM, ResetBeforeGRU
from bptt.cells.layout import parameters_of
from bptt.cells.protocol import OneDirection, formula_of
from bptt.network.stack import AnyCell, check_layer

# The blocks of w, u and b in this library, a letter for each.
GATES = {Elman: "h", LSTM: "ifgo", PeepholeLSTM: "ifgo", GRU: "rzn", ResetBeforeGRU: "rzn"}


Parts: TypeAlias = tuple[Array, Array, Array, Array]  # a bias for each product: x w + b, a u + b_u
Order: TypeAlias = Mapping[str, str]  # of the blocks here, and there
KEPT: Order = {}
Entry: TypeAlias = Any  # what should be an array, before it is taken
Nested: TypeAlias = Mapping[str, Any]  # of arrays, or of such mappings


def kind_of(name: str, cell: object, kinds: tuple[type, ...]) -> type:
    """Return which of some kinds a cell is; a subclass is none, since it may compute something else."""
    formula = formula_of(cell)
    found = type(formula)
    if found not in kinds:
        *most, last = (kind.__name__ for kind in kinds)
        own = " itself, not of a subclass" if isinstance(formula, kinds) else ""
        msg = f"{name} must be a bptt.{', '.join(most)} or {last}{own}, got {cell!r:.60}"
        raise TypeError(msg)
    return found


def kinds_of(cell: AnyCell, kinds: tuple[type, ...]) -> list[type]:
    """Return which of some kinds the cell of each direction is."""
    return [kind_of(name, one, kinds) for name, one in cells_of("cell", cell)]


def directions(
    name: str, cell: AnyCell, layer: LayerParams
) -> list[tuple[str, OneDirection, LayerParams]]:
    """Return what errors call each direction of a layer, its cell and its parameters."""
    checked, _ = check_layer(name, cell, layer, None)
    both = checked if isinstance(cell, Bidirectional) else (checked,)
    return [(*each, params) for each, params in zip(cells_of(name, cell), both, strict=True)]


def joined(layers: list[LayerParams]) -> LayerParams:
    """Return the parameters of a layer of as many directions as are given."""
    return BothDirections(*layers) if len(layers) > 1 else layers[0]


def cells_of(name: str, cell: AnyCell) -> list[tuple[str, OneDirection]]:
    """Return what errors call the cell of each direction, and the cell."""
    if isinstance(cell, Bidirectional):
        return [(f"{name}.forward", cell.forward), (f"{name}.backward", cell.backward)]
    return [(name, cell)]


def parts_of(name: str, cell: OneDirection, params: LayerParams, order: Order = KEPT) -> Parts:
    """Return a checked layer with two biases, the second 0 but for the c of a GRU, and its blocks in another order."""
    for path, leaf in tree_leaves(params, name):
        validation.real(path, leaf)
    kind, second = type(formula_of(cell)), np.zeros_like(params.b)
    if kind is GRU:
        # of the wider precision of the two
        second = np.concatenate([second[: -len(params.c)], params.c])
    here = GATES[kind]
    there = order.get(here, here)
    w, u, b, b_u = (_reordered(a, here, there) for a in (params.w, params.u, params.b, second))
    return w, u, b, b_u


def layer_of(
    name: str, cell: OneDirection, parts: Parts, order: Order = KEPT, own: tuple[Array, ...] = ()
) -> LayerParams:
    """Return the parameters of a layer, its two biases added up where only their sum acts."""
    kind = type(formula_of(cell))
    here = GATES[kind]
    w, u, first, second = (_reordered(part, order.get(here, here), here) for part in parts)
    if kind is GRU:
        n = len(u)
        own = (second[2 * n :].copy(),)
        second = np.concatenate([second[: 2 * n], np.zeros_like(own[0])])
    layer = parameters_of(cell)(w, u, _added(first, second), *own)
    return check_layer(name, cell, layer, None)[0]


def _added(first: Array, second: Array) -> Array:
    """Return the sum, in which a 0 leaves the other bias as it is: -0.0 + 0.0 would be 0.0."""
    negative = (first == 0) & (second == 0) & (np.signbit(first) | np.signbit(second))
    return np.where(negative, first.dtype.type(-0.0), first + second)


def _reordered(array: Array, before: str, after: str) -> Array:
    """Return the blocks of the last axis in another order, as an array of its own."""
    blocks = np.split(array, len(before), axis=-1)
    return np.concatenate([blocks[before.index(gate)] for gate in after], axis=-1)


def refuse_bias(name: str, option: str, **biases: Array) -> None:
    """Refuse biases where they would be lost."""
    for field, bias in biases.items():
        if bias.any():
            msg = f"{name}.{field} must be zero for {option}, got {bias[bias != 0][0]} in it"
            raise ValueError(msg)


class Reader:
    """The arrays of a mapping, or of mappings in it, each to be taken once; what is left is refused."""

    def __init__(self, name: str, given: object) -> None:
        if not isinstance(given, Mapping):
            msg = f"{name} must be a mapping of names to arrays, got {validation.describe(given)}"
            raise TypeError(msg)
        self.name = name
        self.left: dict[tuple[str, ...], Entry] = dict(_leaves(given))
        self.names = _listed(self.left)
        self.taken: list[tuple[str, Array]] = []

    def has(self, *path: str) -> bool:
        """Say whether an array of this name is left."""
        return path in self.left

    def take(self, *path: str, shape: tuple[int | str, ...]) -> Array:
        """Return a copy of one array, which must be there and have this shape."""
        if path not in self.left:
            msg = f"{self.name} must hold {'.'.join(path)}, got {self.names}"
            raise ValueError(msg)
        name = self.called(*path)
        found = validation.array(name, self.left.pop(path), shape).copy()
        self.taken.append((name, found))
        return found

    def take_recurrent(
        self, *path: str, blocks: int, turned: bool = False, each: tuple[int, ...] = ()
    ) -> Array:
        """Return u, shape (n, blocks * n), from an array of that shape, or turned round, or of several of them."""
        wide = "n" if blocks == 1 else f"{blocks}n"
        shape: tuple[int | str, ...] = (*each, wide, "n") if turned else (*each, "n", wide)
        found = self.take(*path, shape=shape)
        u = found.swapaxes(-1, -2).copy() if turned else found
        if u.shape[-1] != blocks * u.shape[-2]:
            validation.refuse_shape(self.called(*path), shape, found.shape)
        return u

    def called(self, *path: str) -> str:
        """Return what an error calls an array."""
        return self.name + "".join(f"[{part!r}]" for part in path)

    def finish(self, what: str) -> None:
        """Refuse what has not been taken, and a mix of precisions in what has."""
        if self.left:
            msg = f"{self.name} must hold nothing but {what}, got {_listed(self.left)} too"
            raise ValueError(msg)
        one_precision(*self.taken)


def _leaves(given: Nested, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Entry]]:
    for key, value in given.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _listed(paths: Iterable[tuple[str, ...]]) -> str:
    return ", ".join(sorted(".".join(map(str, path)) for path in paths)) or "nothing"
