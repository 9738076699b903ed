"""What a network learns, as records of arrays.

A weight matrix has a row for each unit it comes FROM and a column for each unit it goes TO, so that
a batch of row vectors is multiplied from the left: z = a w + b. A gradient has the type of what it is
the gradient of: that of a `Params` is a `Params`.
"""

from typing import Any, NamedTuple

from bptt import _check
from bptt._typing import Array
from bptt.tree import check_like, tree_leaves

__all__ = ["Affine", "Params", "Recurrent"]


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


class Recurrent(NamedTuple):
    """The parameters of a recurrent layer: z = x w + a u + b, where a is its own past.

    For a cell with g gates, the last axis holds the g blocks of n columns one after the other.

    Attributes
    ----------
    w
        Weights from the layer below, shape (n_below, g n).
    u
        Recurrent weights, from the layer at t - 1 to itself at t, shape (n, g n).
    b
        Bias, shape (g n,).
    """

    w: Array
    u: Array
    b: Array


class Params(NamedTuple):
    """The parameters of a stack of recurrent layers under a readout.

    Attributes
    ----------
    layers
        The parameters of each recurrent layer, the lowest first: `Recurrent`, or what its cell has.
    readout
        The output layer, an `Affine`.
    """

    layers: tuple[Any, ...]
    readout: Affine


def check_affine(name: str, layer: Any, below: int | str) -> Affine:
    """Return a layer whose arrays are finite and fit together and to the layer below."""
    given = _check.instance(name, layer, Affine)
    w = _check.array(f"{name}.w", given.w, (below, "n"), _check.ANALYTIC)
    b = _check.array(f"{name}.b", given.b, (w.shape[1],), _check.ANALYTIC)
    return Affine(w, b)


def check_floats(name: str, record: Any) -> None:
    """Refuse a record in which an array is not float32 or float64, or a number is not finite."""
    for leaf_name, leaf in tree_leaves(record, name):
        _check.finite(leaf_name, _check.floating(leaf_name, leaf))


def check_twins(params: Any, **records: Any) -> None:
    """Refuse records that are not made like the parameters, array by array, in one precision."""
    check_floats("params", params)
    for name, record in records.items():
        check_floats(name, record)
        check_like(name, record, "params", params)
        for leaf, own in zip(tree_leaves(record, name), tree_leaves(params, "params"), strict=True):
            _check.one_precision([own, leaf])


def refuse_overflow(**records: Any) -> None:
    """Refuse to return records in which a number is not finite."""
    for name, record in records.items():
        for leaf_name, leaf in tree_leaves(record, name):
            _check.computed(leaf_name, leaf)
