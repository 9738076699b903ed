"""What a network learns, as records of arrays.

A weight matrix has a row for each unit it comes FROM and a column for each unit it goes TO, so that
a batch of row vectors is multiplied from the left: z = a w + b. A gradient has the type of what it is
the gradient of: that of a `Params` is a `Params`.
"""

from typing import NamedTuple

from bptt._core import validation
from bptt._core.tree import array_record, check_like, one_precision, tree_leaves
from bptt._core.types import Array, LayerParams, Tree

__all__ = ["Affine", "Params"]


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


def check_affine(name: str, layer: object, below: int | str) -> Affine:
    """Return a layer whose arrays are finite and fit together and to the layer below."""
    given = validation.instance(name, layer, Affine)
    w = validation.array(f"{name}.w", given.w, (below, "n"), validation.ANALYTIC)
    b = validation.array(f"{name}.b", given.b, (w.shape[1],), validation.ANALYTIC)
    return Affine(w, b)


def check_floats(name: str, record: Tree) -> None:
    """Refuse a record in which an array is not float32 or float64, or a number is not finite."""
    for leaf_name, leaf in tree_leaves(record, name):
        validation.finite(leaf_name, validation.floating(leaf_name, leaf))


def check_twins(params: Tree, **records: Tree) -> None:
    """Refuse records that are not made like the parameters, array by array, in one precision."""
    check_floats("params", params)
    for name, record in records.items():
        check_floats(name, record)
        check_like(name, record, "params", params)
        one_precision(("params", params), (name, record))


def refuse_overflow(**records: Tree) -> None:
    """Refuse to return records in which a number is not finite."""
    for name, record in records.items():
        for leaf_name, leaf in tree_leaves(record, name):
            validation.computed(leaf_name, leaf)
