"""What each known bug does to the gradients of six right layers, against a table.

The truth is the right layer's gradient. The table `spoilt.txt` says of each bug how far it is from the truth in
each tensor, relative to the largest entry: 0 where the bug leaves a tensor right, - where it says nothing.
Its numbers come from derivatives with bugs that were written by hand for each cell, line by line. The library
has none of these any more: it takes the derivative of a formula with the bug, by the complex step.
"""

import importlib
from pathlib import Path
from types import SimpleNamespace

import handwritten
import numpy as np
import planted
import pytest
from handwritten import ELMAN, GRU_AFTER, GRU_BEFORE, LSTM, replaced

import bptt
from bptt.checking.cell_bugs import GRU_BUGS
from bptt.checking.handwritten import Layer
from bptt.checking.handwritten import roles as roles_of
from bptt.checking.jacobian import Truth
from bptt.checking.suite import Case

# The same units, s being how much of the past is kept.
KEPT = (
    ("h = s * n + (1 - s) * h", "h = (1 - s) * n + s * h"),
    ("d_n = d_h * s *", "d_n = d_h * (1 - s) *"),
    ("d_s = d_h * (n - h)", "d_s = d_h * (h - n)"),
    ("d_h = d_h * (1 - s)", "d_h = d_h * s"),
)
LAYERS = {
    "elman": (ELMAN, ELMAN),
    "lstm": (LSTM, LSTM),
    "gru after": (GRU_AFTER, GRU_AFTER),
    "gru before": (GRU_BEFORE, GRU_BEFORE),
    "gru after, s keeps": (replaced(GRU_AFTER, *KEPT), GRU_AFTER),
    "gru before, s keeps": (replaced(GRU_BEFORE, *KEPT), GRU_BEFORE),
}
TABLE = Path(__file__).with_name("spoilt.txt")
KNOWN = importlib.import_module("bptt.checking.known_bugs")


def made_of(layer, monkeypatch):
    """Return the lines of the table that belong to a layer, as they are now."""
    lines = []

    def collect(case, bugs):
        for name, evidence, made in bugs:
            filled = [w if m is None else m for m, w in zip(made, case.want, strict=True)]
            off = KNOWN.errors(case.layer.names, filled, case.want)
            shown = (
                f"{tensor} {'-' if m is None else f'{error:.2g}' if error > 1e-9 else '0'}"
                for m, (tensor, error) in zip(made, off.items(), strict=True)
            )
            lines.append(f"{layer} | {name} | {evidence} | {', '.join(shown)}")
        return {}

    monkeypatch.setattr(KNOWN, "best", collect)
    if layer == "masked elman":
        planted.checked(next(bug for bug in planted.PLANTED if bug.bug == "mask ignored"))
        return [line for line in lines if line.split(" | ")[1] in MASKED]
    source, like = LAYERS[layer]
    handwritten.check(replaced(source, ("+= x", "+= 1.1 * x")), like=like)
    if layer.startswith("gru"):  # the bugs of loops are those of the others
        lines = [line for line in lines if line.split(" | ")[2].startswith(GATES)]
    return lines


MASKED = ("mask ignored", "error lost at the mask", "masked steps counted")
GATES = (
    "gate",
    *(evidence for _, evidence, _ in GRU_BUGS),
)


@pytest.mark.parametrize(("source", "like"), LAYERS.values(), ids=LAYERS)
def test_the_layers_of_the_table_are_right(source, like):
    assert handwritten.check(source, like=like).ok


@pytest.mark.parametrize("layer", [*LAYERS, "masked elman"])
def test_a_known_bug_spoils_what_the_table_says(layer, monkeypatch):
    rows = TABLE.read_text(encoding="utf-8").splitlines()
    made = sorted(made_of(layer, monkeypatch))
    assert made == sorted(row for row in rows if row.startswith(f"{layer} | "))


# The parts of the diagnosis, each by itself: what they must give follows from their inputs.


def test_a_gradient_with_an_axis_too_many_is_told_by_its_sum():
    got = np.arange(20.0).reshape(4, 5) ** 2
    whole = np.stack([got, 2 * got, 3 * got])  # steps, sequences, entries
    for size, axis in ((4, 0), (5, 1)):
        assert KNOWN._unsummed(got, got.sum(axis=axis), size) is got
        assert KNOWN._unsummed(got, got.sum(axis=axis), size + 1) is None
        assert KNOWN._unsummed(got, got.sum(axis=axis) + 1e-5, size) is None
        assert KNOWN._unsummed(got, got.sum(axis=1 - axis), size) is None
    assert KNOWN._unsummed(whole, whole.sum(axis=1), 4) is whole
    assert KNOWN._unsummed(got, got, 4) is None


TRUE = [np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([5.0])]


def best(got, bugs, tolerance=1e-10):
    truth = Truth(tolerance < 1e-6, "")
    case = SimpleNamespace(names=["w", "u", "b"], truth=truth, got=got, want=TRUE)
    return KNOWN.best(case, bugs)


def times(*factors):
    """Return the true gradients, each times a number, None for none."""
    return [None if f is None else f * a for f, a in zip(factors, TRUE, strict=True)]


@pytest.mark.parametrize(
    ("got", "bugs", "found"),
    [
        # what explains all that is wrong, and spoils nothing else, before what does
        (
            times(3, 1, 1),
            [("spoils u", "", times(3, 2, 1)), ("w alone", "as is", times(3, None, None))],
            {"w alone": "w: as is"},
        ),
        (times(3, 1, 1), [("spoils u", "too", times(3, 2, 1))], {"spoils u": "w: too"}),
        # bugs of one tensor are made for all tensors at once
        (
            times(2, 1, 1),
            [("spoils u", "", times(2, 2, 1)), ("factor 2", "twice", times(2, 2, 2))],
            {"factor 2": "w: twice"},
        ),
        # two bugs at once: the one that explains most first, no part of what is told
        (
            times(3, 3, 7),
            [("b", "B", times(1, 1, 7)), ("u", "U", times(1, 3, 1)), ("w, u", "W", times(3, 3, 1))],
            {"w, u": "w, u: W", "b": "b: B"},
        ),
        # how near: to eight digits, and a hundred times nearer than the truth
        (times(3 + 2e-8, 1, 1), [("near", "n", times(3, 1, 1))], {"near": "w: n"}),
        (times(3 + 4e-8, 1, 1), [("near", "n", times(3, 1, 1))], {}),
        (times(1 + 1e-8, 1, 1), [("near", "n", times(1 + 1.009e-8, 1, 1))], {"near": "w: n"}),
        (times(1 + 1e-8, 1, 1), [("near", "n", times(1 + 1.02e-8, 1, 1))], {}),
        (times(1, 1, 1), [("nothing is wrong", "", times(1, 1, 1))], {}),
        # one name, said once
        (
            times(3, 1, 1),
            [("twice", "first", times(3, 1, 1)), ("twice", "then", times(3, 1, 1))],
            {"twice": "w: first"},
        ),
    ],
)
def test_the_bug_that_explains_what_came_is_chosen(got, bugs, found):
    assert best(got, bugs) == found
    assert list(best(got, bugs)) == list(found)


def test_behind_a_trap_a_bug_must_fit_to_four_digits():
    """A hundred times the tolerance of central differences, 1e-6."""
    for off, found in ((2e-4, {"near": "w: n"}), (4e-4, {})):
        near = times(3 + off, 1, 1)
        assert best(near, [("near", "n", times(3, 1, 1))], tolerance=1e-6) == found


def test_weights_in_columns_are_turned_round_everywhere():
    """The shapes of an LSTM with n_below = 5, n = 3 whose w and u are (12, 5) and (12, 3)."""
    rng = np.random.default_rng(0)
    shapes = {"w": (12, 5), "u": (12, 3), "b": (12,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    x, h = rng.normal(size=(4, 2, 5)), rng.normal(size=(2, 3))

    def forward(params, *others):
        return {name: p.copy() for name, p in params.items()}, others

    layer = Layer(forward, None, params, h, True)
    at = [*params.values(), x, h]

    def case(arrays):
        five = [[factor * a for a in arrays] for factor in (1, 2, 3, 4, 5)]
        padded = Case(layer, None, arrays, [], *five[1:3], None, [], ([], []), {}, None)
        return Case(
            layer, None, arrays, [], *five[:2], None, five[2], (five[3], five[4]), {}, padded
        )

    turned = KNOWN._from_below(case(at))
    want = case([a.T if a.shape in {(12, 5), (12, 3)} else a for a in at])
    pairs = [
        (turned, want, ("at", "got", "want", "large")),
        (turned.padded, want.padded, ("at", "got", "want")),
    ]
    for found, wanted, parts in pairs:
        for part in parts:
            assert all(map(np.array_equal, getattr(found, part), getattr(wanted, part)))
    for found, wanted in zip(turned.twice, want.twice, strict=True):
        assert all(map(np.array_equal, found, wanted))
    assert [p.shape for p in turned.layer.params.values()] == [(5, 12), (3, 12), (12,)]
    ran, others = turned.layer.forward(turned.layer.params, x, h)
    assert all(np.array_equal(ran[name], params[name]) for name in params)
    assert others[0] is x
    assert KNOWN._from_below(want) is want
    unknown = case([np.ones((7, 5)), np.ones((7, 3)), np.ones(7), x, h])  # 7 is no multiple of 3
    assert KNOWN._from_below(unknown) is unknown
    unsummed = case(at)._replace(got=[*at[:2], np.ones((2, 12)), x, h])
    assert KNOWN._from_below(unsummed).got[2].shape == (2, 12)


@pytest.mark.parametrize(
    ("shapes", "roles"),
    [
        ([(2, 9), (3, 9), (9,)], (0, 1, 2)),
        ([(3, 9), (9,), (2, 9)], (2, 0, 1)),
        ([(3,), (2, 9), (9,), (3, 9)], (1, 3, 2)),  # own parameters before the others
        ([(7, 7), (3, 9), (7,), (9,), (2, 9)], (4, 1, 3)),  # and some of another width
        ([(2, 9), (3, 9)], (0, 1, None)),
        ([(3, 9), (9,)], (None, 0, 1)),
        ([(2, 9), (9,)], (0, None, None)),
        ([(2, 7), (3, 7), (7,)], (0, None, None)),  # 7 is no multiple of n
        ([(9,)], (None, None, None)),
    ],
)
def test_weights_and_biases_are_known_by_their_shapes(shapes, roles):
    """Of w, (n_below, g n); u, (n, g n); b, (g n,), for n_below = 2, n = 3 and g = 3."""
    x, a = np.zeros((5, 4, 2)), np.zeros((6, 4, 3))
    assert roles_of([np.zeros(shape) for shape in shapes], x, a) == roles


def test_of_two_matrices_of_one_shape_the_first_is_w():
    params = [np.zeros(shape) for shape in ((3, 6), (6,), (3, 6))]
    assert roles_of(params, np.zeros((5, 4, 3)), np.zeros((6, 4, 3))) == (0, 2, 1)


TWO_BLOCKS = replaced(
    handwritten.ELMAN,
    ("@ w +", "@ (w[:, : len(u)] + w[:, len(u) :]) +"),
    ("d_w += x[t].T @ delta", "d_w += np.tile(x[t].T @ delta, 2)"),
    ("d_x[t] = delta @ w.T", "d_x[t] = delta @ (w[:, : len(u)] + w[:, len(u) :]).T"),
)


TWO_OF_U = replaced(
    handwritten.ELMAN,
    ("h[t] @ u + b", "h[t] @ (u[:, : len(u)] + u[:, len(u) :]) + b[: len(u)] + b[len(u) :]"),
    ("d_u += h[t].T @ delta", "d_u += np.tile(h[t].T @ delta, 2)"),
    ("d_b += delta.sum(axis=0)", "d_b += np.tile(delta.sum(axis=0), 2)"),
    ("delta @ u.T", "delta @ (u[:, : len(u)] + u[:, len(u) :]).T"),
)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(("source", "of_w", "of_u"), [(TWO_BLOCKS, 2, 1), (TWO_OF_U, 1, 2)])
def test_a_layer_whose_w_and_u_have_not_as_many_blocks_is_checked_too(source, of_w, of_u, n):
    rng = np.random.default_rng(0)
    shapes = (3, of_w * n), (n, of_u * n), (of_u * n,)
    params = tuple(rng.uniform(-0.6, 0.6, shape) for shape in shapes)
    at = params, rng.normal(size=(5, 4, 3)), rng.normal(size=(4, n))
    assert bptt.check_layer(*handwritten.functions(source), *at, masked=True).ok
    wrong = replaced(source, ("return (d_w, d_u, d_b)", "return (d_w, d_u, 2 * d_b)"))
    report = bptt.check_layer(*handwritten.functions(wrong), *at, masked=True)
    assert (report.faulty, report.likely) == (("[2]",), ("factor 2",))


class MeanBeside:
    """An Elman cell of tanh with a second array in its state, a running mean; its slope is wrong."""

    def step(self, z, a, m):
        new = np.tanh(z)
        return (new, 0.9 * m + 0.1 * new), (new,)

    def step_backward(self, d_a, d_m, a, m, new):
        return ((d_a + 0.1 * d_m) * new,), (0.0, 0.9 * d_m), ()


class MeanBesideGRU(bptt.GRU):
    """The same beside a GRU, whose gate r has a slope of the wrong sign."""

    def step(self, z_r, z_s, x_n, h_n, a, m, c):
        (new,), saved = super().step(z_r, z_s, x_n, h_n, a, c)
        return (new, 0.9 * m + 0.1 * new), saved

    def step_backward(self, d_a, d_m, a, m, c, r, not_r, s, not_s, n, reset):
        d_new = d_a + 0.1 * d_m
        (d_r, *others), (d_past,), d_own = super().step_backward(
            d_new, a, c, r, not_r, s, not_s, n, reset
        )
        return (-d_r, *others), (d_past, 0.9 * d_m), d_own


@pytest.mark.parametrize(("cell", "faulty"), [(MeanBeside(), "d_z"), (MeanBesideGRU(), "d_z_r")])
def test_a_state_with_an_array_more_is_taken_for_no_known_cell(cell, faulty):
    report = bptt.check_cell(cell)
    assert report.faulty == (faulty,)
    assert not report["one step"].ok


@pytest.mark.parametrize("width", [1, 2])
def test_states_of_two_widths_are_taken_for_no_known_cell(width):
    """A sum of four blocks, as many as an LSTM has, beside an array that stays as it is; b's gradient is wrong."""

    def forward(params, x, initial):
        (w, u, b), (h, kept), past = params, initial, [initial[0]]
        for x_t in x:
            h = sum(np.split(x_t @ w + h @ u + b, 4, axis=1))
            past.append(h)
        return np.array(past[1:]), (h, kept), (x, past)

    def backward(params, saved, d_outputs, d_final):
        (w, u, b), (x, past), (d_h, d_kept) = params, saved, d_final
        d_w, d_u, d_b, d_x = 0 * w, 0 * u, 0 * b, 0 * x
        for t in reversed(range(len(x))):
            delta = np.tile(d_h + d_outputs[t], 4)
            d_w, d_u, d_b = d_w + x[t].T @ delta, d_u + past[t].T @ delta, d_b + delta.sum(axis=0)
            d_x[t], d_h = delta @ w.T, delta @ u.T
        return (d_w, d_u, 2 * d_b), d_x, (d_h, d_kept)

    draw = np.random.default_rng(0).normal
    params = tuple(draw(size=shape) for shape in ((2, 12), (3, 12), (12,)))
    at = params, draw(size=(5, 4, 2)), (draw(size=(4, 3)), draw(size=(4, width)))
    report = bptt.check_layer(forward, backward, *at)
    assert (report.faulty, report.likely) == (("[2]",), ("factor 2",))


WITH_C = replaced(
    GRU_BEFORE,
    ("w, u, b = params\n    h, saved", "b, v, u, c, w = params\n    h, saved"),
    ("np.tanh(x_n + (r", "np.tanh(x_n + c + (r"),
    ("w, u, b = params\n    u_s", "b, v, u, c, w = params\n    u_s"),
    ("d_w, d_u, d_b = map", "d_b, d_v, d_u, d_c, d_w = map"),
    ("return (d_w, d_u, d_b)", "d_c = d_b[2 * len(u) :]\n    return (d_b, d_v, d_u, d_c, d_w)"),
)


def test_a_bias_beside_that_of_x_has_the_gradient_of_that_whatever_the_bug(monkeypatch):
    """A GRU whose c is added to x_n, its parameters in another order, with a matrix that it does not use."""
    made = []

    def collect(_case, bugs):
        made.extend((evidence, found) for _, evidence, found in bugs)
        return {}

    rng = np.random.default_rng(0)
    params = tuple(rng.uniform(-0.6, 0.6, s) for s in ((6,), (4, 2), (2, 6), (2,), (3, 6)))
    at = params, rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 2))
    assert bptt.check_layer(*handwritten.functions(WITH_C), *at).ok
    monkeypatch.setattr(KNOWN, "best", collect)
    wrong = replaced(WITH_C, ("+= x", "+= 1.1 * x"))
    bptt.check_layer(*handwritten.functions(wrong), *at)
    of_gates = [(told, found) for told, found in made if told.startswith(GATES)]
    assert len(of_gates) == len(GRU_BUGS) + 5 * 4  # five sets of gates, four wrong slopes
    for told, (d_b, d_v, _, d_c, *_) in of_gates:
        assert not d_v.any()
        if told != GRU_BUGS[0][1]:  # there all of u's product, and c with it, is multiplied by r
            np.testing.assert_allclose(d_c, d_b[4:], rtol=1e-12, atol=1e-15, err_msg=told)


def test_what_can_be_seen_in_a_tensor_by_itself_is_made_of_the_true_one():
    """Five steps, four sequences; w and b are parameters, b came without a sum over the batch, u over the steps."""
    rng = np.random.default_rng(0)
    b, u = rng.normal(size=(4, 3)), rng.normal(size=(5, 2, 3))
    want = [rng.normal(size=(2, 3)), b.sum(axis=0), u.sum(axis=0), rng.normal(size=(5, 4, 2))]
    got = [want[0], b, u, want[3]]
    layer = SimpleNamespace(n_params=3)
    case = SimpleNamespace(layer=layer, at=want, got=got, want=want)
    made = [(name, evidence, list(parts)) for name, evidence, parts in KNOWN._tensor_bugs(case)]
    factors = [("twice the true one", 2), ("half the true one", 0.5), ("minus the true one", -1)]
    factors += [
        ("divided by B", 1 / 4),
        ("divided by T", 1 / 5),
        ("divided by T B", 1 / 20),
        ("zeros", 0),
    ]
    for (_, evidence, parts), (told, factor) in zip(made[:7], factors, strict=True):
        assert evidence == told
        for part, true in zip(parts, want, strict=True):
            np.testing.assert_allclose(part, factor * true, rtol=1e-15)
    turned, over_batch, over_steps = (parts for _, _, parts in made[7:])
    assert [t if t is None else t.shape for t in turned] == [(3, 2), None, (3, 2), None]
    assert [part is b for part in over_batch] == [False, True, False, False]
    assert [part is u for part in over_steps] == [False, False, True, False]
    assert [part is None for part in (*over_batch, *over_steps)].count(True) == 6
    unsummed_x = SimpleNamespace(layer=layer, at=want, got=[*got[:3], got[3][None]], want=want)
    assert all(parts[3] is None for *_, parts in list(KNOWN._tensor_bugs(unsummed_x))[8:])
