"""Records as trees: every array once, in one order, and types kept."""

import gc
import weakref

import numpy as np
import pytest

import bptt

RECORD = bptt.Params(
    (bptt.Recurrent(np.ones((1, 2)), np.ones((2, 2)), np.ones(2)),),
    bptt.Affine(np.ones((2, 1)), np.ones(1)),
)
X = np.ones(1)
NAMES = ["layers[0].w", "layers[0].u", "layers[0].b", "readout.w", "readout.b"]


def test_leaves_are_named_as_python_reaches_them():
    """The name, evaluated, is the array."""
    assert [name for name, _ in bptt.tree_leaves(RECORD)] == NAMES
    for name, leaf in bptt.tree_leaves(RECORD, "RECORD"):
        assert eval(name) is leaf
    nested = [(np.zeros(1), [np.ones(2)]), np.ones(3)]
    assert [name for name, _ in bptt.tree_leaves(nested)] == ["[0][0]", "[0][1][0]", "[1]"]
    assert bptt.tree_leaves(np.ones(1), "x")[0][0] == "x"
    assert bptt.tree_leaves(()) == []


def test_map_keeps_types_and_visits_in_the_order_of_leaves():
    seen = []

    def visit(leaf):
        seen.append(leaf)
        return 2 * leaf

    doubled = bptt.tree_map(visit, RECORD)
    assert type(doubled) is bptt.Params
    assert type(doubled.layers) is tuple
    assert type(doubled.layers[0]) is bptt.Recurrent
    order = [leaf for _, leaf in bptt.tree_leaves(RECORD)]
    assert [id(leaf) for leaf in seen] == [id(leaf) for leaf in order]
    assert all((leaf == 2).all() for _, leaf in bptt.tree_leaves(doubled))
    assert type(bptt.tree_map(np.copy, [np.ones(1)])) is list
    (number,) = bptt.tree_map(np.negative, (np.array(1.0),))
    assert type(number) is np.ndarray  # NumPy gives a number


def test_map_over_several_pairs_equal_places():
    numbered = [bptt.tree_map(lambda leaf, n=n: n * leaf, RECORD) for n in (2, 3, 5)]
    found = bptt.tree_map(lambda a, b, c: a * b + c, *numbered)
    assert {float(leaf.min()) for _, leaf in bptt.tree_leaves(found)} == {11.0}


@pytest.mark.parametrize(
    ("record", "others", "kind", "message"),
    [
        (3.0, (), TypeError, r"record must be an array, or .*, got float"),
        ((np.ones(1), "w"), (), TypeError, r"record\[1\] must be .* got str"),
        (RECORD, (RECORD.readout,), ValueError, r"others\[0\] must have the 5 arrays of record, got 2"),
        ((X, X), ((X, X), (X,)), ValueError, r"others\[1\] must have the 2 arrays of record, got 1"),
        ((X,), (X,), ValueError, r"must have the structure of record, got others\[0\] for record\[0\]"),
        ((X,), (3.0,), TypeError, r"others\[0\] must be an array, or .*, got float"),
        (
            (np.ones(2),),
            ((np.ones(3),),),
            ValueError,
            r"others\[0\]\[0\] must have shape \(2,\), that of record\[0\], got \(3,\)",
        ),
    ],
)  # fmt: skip
def test_records_that_do_not_match_are_refused_at_the_place(record, others, kind, message):
    with pytest.raises(kind, match=message):
        bptt.tree_map(lambda *leaves: leaves[0], record, *others)


@pytest.mark.parametrize(
    "function",
    [
        lambda record: bptt.tree_map(np.add, record, record),
        lambda record: bptt.flatten(record)[1](bptt.flatten(record)[0]),
        lambda record: bptt.complex_step(lambda at: at[0][0].sum(), record),
    ],
)
def test_no_array_is_held_by_a_record_that_was_filled(function):
    """By nothing that only the search for cycles finds: it may come after gigabytes."""
    gc.collect()
    gc.disable()
    try:
        given = ((np.ones(3), np.ones(2)),)
        arrays = [weakref.ref(leaf) for _, leaf in bptt.tree_leaves((given, function(given)))]
        del given
        assert [array() for array in arrays] == [None] * 4
    finally:
        gc.enable()
