"""check_cell and check_layer: what is right passes, and each planted bug is caught and named.

The truths are the planted bugs themselves (`planted`): one line of a right layer is wrong, and known.
"""

import importlib
import os
import re
from functools import partial
from itertools import cycle
from pathlib import Path

import handwritten
import numpy as np
import planted
import pytest
from handwritten import ELMAN, GRU_AFTER, GRU_BEFORE, LSTM

import bptt

ACTIVATIONS = (bptt.tanh, bptt.sigmoid, bptt.relu, bptt.softplus, bptt.identity)
CELLS = (
    *map(bptt.Elman, ACTIVATIONS),
    *map(bptt.Diagonal, ACTIVATIONS),
    bptt.LSTM(),
    bptt.PeepholeLSTM(),
    bptt.GRU(),
    bptt.ResetBeforeGRU(),
)
TOLD = Path(__file__).with_name("planted.txt")
CONFIGURATIONS = 500 if os.environ.get("NIGHTLY") else 14


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_no_false_alarm_on_built_in_cells(seed):
    rng = np.random.default_rng([7, seed])
    cell = CELLS[seed % len(CELLS)]
    steps, batch, n_below, n = (int(i) for i in rng.integers([1, 1, 1, 1], [8, 6, 5, 5]))
    report = bptt.check_cell(cell, sizes=(steps, batch, n_below, n), seed=seed)
    assert report.ok, f"{cell}, {steps, batch, n_below, n}, {seed}\n{report}"
    assert report.truth == "complex step"
    assert report.likely == report.faulty == ()


@pytest.mark.parametrize("source", [ELMAN, LSTM, GRU_AFTER, GRU_BEFORE])
@pytest.mark.parametrize("seed", range(2))
def test_right_layers_pass(source, seed):
    report = handwritten.check(source, seed)
    assert report.ok, report


def told_of(bug):
    """Return the lines on a bug in the list of what is told of each: the wrong checks, the likely bugs."""
    lines = TOLD.read_text(encoding="utf-8").splitlines()
    first = lines.index(bug.id)
    after = (i for i, line in enumerate(lines) if i > first and line[0] != " ")
    return lines[first : next(after, None)]


@pytest.mark.parametrize("bug", planted.PLANTED, ids=lambda bug: bug.id)
def test_planted_bug_is_caught_its_tensors_named_and_the_bug_too(bug):
    report = planted.checked(bug)
    assert not report.ok
    assert set(report.faulty) == set(bug.tensors), report
    assert bug.bug in report.likely, report
    wrong = "; ".join(check.name for check in report.checks if not check.ok)
    likely = [f"  likely: {name} ({evidence})" for name, evidence in report.bugs]
    assert [bug.id, f"  wrong: {wrong}", *likely] == told_of(bug)
    assert len(report.likely) <= 2
    assert bug.bug in bptt.checking.KNOWN_BUGS
    assert f"likely bug: {bug.bug}" in str(report)


def test_enough_families_are_planted():
    families = {bug.bug for bug in planted.PLANTED}
    assert len(families) >= 30
    assert len({bug.id for bug in planted.PLANTED}) == len(planted.PLANTED)


@pytest.mark.parametrize("seed", [6, 7, 9])  # in which they looked so
def test_sums_that_are_kept_are_not_called_clipped_as_well(seed):
    bug = next(p for p in planted.PLANTED if p.bug == "accumulates across calls")
    assert planted.checked(bug, seed).likely == ("accumulates across calls",)


def test_gradients_that_are_not_there_count_as_zeros():
    report = handwritten.check_elman((planted.RETURN, "return None, d_x, d_next"))
    assert report.faulty == ("w", "u", "b")
    assert report.likely == ("gradient missing",)


def test_a_gradient_without_entries_has_the_wrong_shape_and_is_nothing_else():
    report = handwritten.check_elman((planted.RETURN, "return (d_w, d_u, d_b[:0]), d_x, d_next"))
    assert report.faulty == ("b",)
    assert "b has shape (0,), not (2,)" in report["one step"].note


@pytest.mark.parametrize("bug", ["mask ignored", "error lost at the mask"])
def test_bugs_of_a_mask_are_named_where_outputs_are_wider_than_the_state(bug):
    """Outputs that hold the state twice: what a masked step passes on is the state's error alone."""
    given = next(p for p in planted.PLANTED if p.bug == bug)
    twice = (
        ("return h[1:], h[-1]", "return np.concatenate([h[1:], h[1:]], axis=2), h[-1]"),
        (planted.D_H, "d_h = sum(np.split(d_outputs[t], 2, axis=1)) + d_next"),
    )
    report = handwritten.check_elman(*twice)
    assert all(report[name].ok for name in ("all 5 steps", "batch backward")), report
    report = handwritten.check_elman(*twice, (given.right, given.wrong))
    assert report.likely == (bug,)


def test_a_layer_that_writes_to_x_on_the_way_there_is_wrong_in_x_alone():
    """The checks of one point come before those that write to it row by row."""
    start = "    h, a = [initial], []\n"
    report = handwritten.check_elman((start, f"    x *= 0.5\n{start}"))
    assert report.faulty == ("x",)
    assert report.likely[0] == "modifies its arguments"


def test_a_layer_that_writes_to_its_arguments_is_blamed_for_nothing_else():
    """Its derivative is right; nothing of the caller's is written to."""
    start, rng = "    h, a = [initial], []\n", np.random.default_rng(0)
    source = handwritten.replaced(ELMAN, (start, f"    x += 1\n    w -= 0.5\n{start}"))
    shapes = [(3, 2), (2, 2), (2,), (5, 4, 3), (4, 2)]
    *params, x, h = given = [rng.uniform(-0.6, 0.6, shape) for shape in shapes]
    before = [array.copy() for array in given]
    report = bptt.check_layer(*handwritten.functions(source), tuple(params), x, h, masked=True)
    assert report.likely == ("modifies its arguments",)
    assert [check.name for check in report.checks if not check.ok] == ["arguments left alone"]
    np.testing.assert_equal(given, before)


def test_of_gradients_with_fewer_digits_it_is_said_that_they_are_float32():
    wrong = "return (d_w.astype(np.float32), d_u, d_b), d_x, d_next"
    report = handwritten.check_elman((planted.RETURN, wrong))
    assert (report.faulty, report["one step"].note) == (("w",), "w is float32")

    class Narrow(bptt.Elman):
        def step_backward(self, d_a, a, z, a_new):
            return ((d_a * (1 - a_new**2)).astype(np.float32),), (0.0,), ()

    assert bptt.check_cell(Narrow())["the cell's own step"].note == "d_z is float32"


def test_two_bugs_at_once_are_both_named():
    report = handwritten.check_elman(
        (planted.D_U, "d_u += h[t + 1].T @ delta"), (planted.D_B, "d_b += delta.mean(axis=0)")
    )
    assert set(report.faulty) == {"u", "b"}
    assert set(report.likely) == {"h_t for h_(t-1)", "mean over the batch"}


def test_an_unknown_bug_is_caught_though_not_named():
    report = handwritten.check_elman((planted.D_U, "d_u += h[t].T @ delta * 1.1"))
    assert report.faulty == ("u",)
    assert report.likely == ()
    assert "none of the known ones" in str(report)


@pytest.mark.parametrize("bug", ["h_t for h_(t-1)", "u transposed", "a' missing", "mask ignored"])
def test_bugs_are_named_whichever_way_the_weights_are_written(bug):
    given = next(p for p in planted.PLANTED if p.bug == bug and p.source == ELMAN)
    forward, backward = handwritten.functions(planted.with_bug(given))

    def turned(params):
        return {"w": params["w"].T, "u": params["u"].T, "b": params["b"]}

    def forward_turned(params, *others):
        return forward(tuple(turned(params).values()), *others)

    def backward_turned(params, *others):
        (d_w, d_u, d_b), *rest = backward(tuple(turned(params).values()), *others)
        return turned({"w": d_w, "u": d_u, "b": d_b}), *rest

    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(2, 3)), "u": rng.normal(size=(2, 2)), "b": rng.normal(size=2)}
    x, h = rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 2))
    report = bptt.check_layer(forward_turned, backward_turned, params, x, h, masked=True)
    assert set(report.faulty) == set(given.tensors)
    assert bug in report.likely, report


@pytest.mark.parametrize("source", [ELMAN, LSTM, GRU_AFTER, GRU_BEFORE])
def test_every_bug_that_can_be_named_is_described(source, monkeypatch):
    named = set()

    def collect(_case, bugs):
        named.update(name for name, *_ in bugs)
        return {}

    monkeypatch.setattr(importlib.import_module("bptt.checking.known_bugs"), "best", collect)
    wrong = handwritten.replaced(source, ("+= x", "+= 1.1 * x"))
    handwritten.check(wrong, like=source)
    assert len(named) >= 20
    assert named <= set(bptt.checking.KNOWN_BUGS)


def test_paths_are_told_apart():
    by_bug = {bug.bug: bug for bug in planted.PLANTED if bug.source == ELMAN}
    no_future = planted.checked(by_bug["no recurrence"])
    assert no_future["one step"].ok
    assert not no_future["two steps"].ok
    with pytest.raises(KeyError, match="three steps"):
        no_future["three steps"]
    no_final = planted.checked(by_bug["final state ignored"])
    assert no_final["outputs only"].ok
    assert not no_final["final state only"].ok
    no_costs = planted.checked(by_bug["nothing from above"])
    assert no_costs["last output only"].ok
    assert not no_costs["outputs only"].ok


def test_forward_that_mixes_the_batch_is_caught():
    report = handwritten.check_elman(("a.append(np.tanh(", "a.append(0.1 * h[t][::-1] + np.tanh("))
    assert not report["batch forward"].ok
    assert "forward crosses sequences" in report.likely


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_where_all_units_are_saturated_nothing_is_checked(factor):
    """Inputs of size 1000, as raw data are: 1 - tanh² is rounded to 0, and the truth is 1e-104, or 0 itself."""
    wrong = handwritten.functions(
        handwritten.replaced(ELMAN, (planted.D_W, f"d_w += {factor} * x[t].T @ delta"))
    )
    rng = np.random.default_rng(0)
    params = tuple(rng.normal(size=shape) for shape in ((3, 2), (2, 2), (2,)))
    x, initial = rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 2))
    assert bptt.check_layer(*wrong, params, x, initial, masked=True).ok == (factor == 1)
    for size in (1e3, 1e6):
        with pytest.raises(
            ValueError, match=r"^params, x and initial must leave units that are not"
        ):
            bptt.check_layer(*wrong, params, size * np.sign(x), initial, masked=True)


@pytest.mark.parametrize(
    ("cell", "sizes", "weights", "inputs"),
    [
        (bptt.GRU(), (4, 3, 5, 2), 1, 100),
        (bptt.GRU(), (25, 1, 2, 3), 1, 100),
        (bptt.GRU(), (1, 1, 1, 1), 30, 1e-4),
        (bptt.GRU(), (4, 3, 5, 2), 30, 100),
        (bptt.LSTM(), (4, 3, 5, 2), 30, 100),
        (bptt.Elman(), (4, 3, 5, 2), 30, 1),
        (bptt.Elman(), (4, 3, 5, 2), 30, 1e-4),
    ],
)
def test_where_some_units_are_saturated_rounding_is_not_blamed(cell, sizes, weights, inputs):
    """As at raw inputs: of some costs, or in some tensors, nothing but rounding is left."""

    def forward(params, x, initial):
        trace = bptt.layer_forward(cell, params, x, initial)
        return trace.outputs, trace.final, trace

    def backward(_, trace, d_outputs, d_final, factor=1):
        found = bptt.layer_backward(trace, d_outputs, d_final)
        return found.params._replace(w=factor * found.params.w), found.x, found.initial

    (steps, batch, below, n), rng = sizes, np.random.default_rng(1)
    params = bptt.initialize(bptt.Stack([cell]), (below, n, 1), rng).layers[0] * weights
    x = rng.normal(size=(steps, batch, below)) * inputs
    at = params, x, tuple(rng.normal(size=(batch, n)) for _ in bptt.cells.state_names_of(cell))
    assert bptt.check_layer(forward, backward, *at).ok
    if weights == 1:
        assert bptt.check_layer(forward, partial(backward, factor=1.001), *at).faulty == ("w",)


BOTH = """
def forward(params, x, initial, mask):
    of_ways = zip(params, (x, x[::-1]), initial, (mask, mask[::-1]))
    (a, there, saved), (b, back, saved_back) = [one_forward(*each) for each in of_ways]
    return np.concatenate([a, b[::-1]], axis=2), (there, back), (saved, saved_back)

def backward(params, saved, d_outputs, d_final):
    costs = d_outputs[:, :, :2], d_outputs[::-1, :, 2:]
    ways = [one_backward(*each) for each in zip(params, saved, costs, d_final)]
    (d_p, d_x, d_i), (d_q, d_y, d_j) = ways
    return (d_p, d_q), d_x + d_y[::-1], (d_i, d_j)
"""


def test_a_layer_that_reads_in_both_directions_is_not_resumed():
    """Its two directions are right layers, of which one reads the steps in reverse; or they are wrong ones."""
    rng = np.random.default_rng(0)
    params = [tuple(rng.normal(size=shape) for shape in ((3, 2), (2, 2), (2,))) for _ in "ab"]
    x, initial = rng.normal(size=(5, 4, 3)), [rng.normal(size=(4, 2)) for _ in "ab"]
    for wrong, faulty in ((planted.D_U, ()), ("d_u += h[t + 1].T @ delta", ("[0][1]", "[1][1]"))):
        source = handwritten.replaced(ELMAN, (planted.D_U, wrong)).replace("def ", "def one_")
        functions = handwritten.functions(source + BOTH)
        report = bptt.check_layer(*functions, params, x, initial, masked=True)
        assert (report.ok, report.faulty) == (not faulty, faulty), report
        assert report["not resumed, since outputs depend on later steps"].ok


@pytest.mark.parametrize(("turned", "factor", "likely"), [(-1, 2, ("factor 2",)), (1, 1, ())])
def test_of_a_layer_that_is_no_chain_of_its_steps_only_what_a_tensor_shows_is_named(
    turned, factor, likely
):
    """It returns its outputs in reverse; turned the other way, its costs are not, and no peephole is missing."""
    cell, rng = bptt.LSTM(), np.random.default_rng(3)

    def forward(params, x, initial):
        trace = bptt.layer_forward(cell, params, x, initial)
        return trace.outputs[::-1], trace.final, trace

    def backward(_, trace, d_outputs, d_final):
        found = bptt.layer_backward(trace, d_outputs[::turned], d_final)
        return found.params * factor, found.x, found.initial

    params = bptt.initialize(bptt.Stack([cell]), (5, 2, 1), rng).layers[0]
    x, initial = rng.normal(size=(4, 3, 5)), tuple(rng.normal(size=(2, 3, 2)))
    report = bptt.check_layer(forward, backward, params, x, initial)
    assert not report.ok
    assert report.likely == likely


def test_a_final_state_that_does_not_hold_all_is_named():
    """A layer that looks at the input before as well, and is right: at the first step of a run there is none."""
    both = "(x[t] + (t > 0) * x[t - 1])"
    report = handwritten.check_elman(
        ("np.tanh(x[t]", f"np.tanh({both}"),
        (planted.D_W, f"d_w += {both}.T @ delta"),
        (planted.D_X, "d_x[t] += delta @ w.T; d_x[t - 1] += (t > 0) * (delta @ w.T)"),
    )
    assert report["all 5 steps"].ok
    assert report.likely == ("final state incomplete",)


def test_results_that_later_calls_change_are_noticed():
    """A buffer that is reused gives the right numbers, and takes them away again."""
    kept = "SUMS.setdefault('kept', [np.zeros_like(p) for p in (w, u, b)])"
    counted = "SUMS.setdefault('calls', []).append(1)"
    stale = handwritten.check_elman(
        (planted.ZEROS, f"{counted}; {planted.ZEROS}"),
        (
            planted.RETURN,
            f"k = {kept}; k[0][...] = d_w * len(SUMS['calls']); return (k[0], d_u, d_b), d_x, d_next",
        ),
    )
    assert "first call" in stale["called twice"].note


# Cells on the protocol's two levels, each with one wrong line.


class SquashedTwice(bptt.Elman):
    """Takes a for z in the derivative."""

    def step_backward(self, d_a, a, z, a_new):
        return (d_a * (1 - np.tanh(a_new) ** 2),), (0.0,), ()


class NoDirectPath(bptt.LSTM):
    """Leaves out the cell state's own way to the past."""

    def step_backward(self, d_a, d_c, a, c, i, not_i, f, not_f, g, o, not_o, tanh_c):
        saved = (i, not_i, f, not_f, g, o, not_o, tanh_c)
        d_weighted, _, _ = super().step_backward(d_a, d_c, a, c, *saved)
        return d_weighted, (0.0, 0.0), ()


class OpenReset(bptt.GRU):
    """Forgets the reset gate on the way to the past."""

    def step_backward(self, d_a, a, c, r, not_r, s, not_s, n, reset):
        saved = (r, not_r, s, not_s, n, reset)
        (d_r, d_s, d_n, _), direct, d_own = super().step_backward(d_a, a, c, *saved)
        return (d_r, d_s, d_n, d_n), direct, d_own


class Leaky:
    """A unit that forgets at a rate of its own."""

    def step(self, z, a, k):
        n = np.tanh(z)
        return (k * a + (1 - k) * n,), (n,)

    def step_backward(self, d_a, a, k, n):
        return (d_a * (1 - k) * (1 - n**2),), (d_a * k,), (d_a * (a - n),)


class MeanOfOwn(Leaky):
    """Averages its own gradient over the batch."""

    def step_backward(self, d_a, a, k, n):
        d_weighted, direct, (d_k,) = super().step_backward(d_a, a, k, n)
        return d_weighted, direct, (d_k / len(d_k),)


@pytest.mark.parametrize(
    ("cell", "tensors", "bug"),
    [
        (SquashedTwice(), {"d_z"}, "a' at a instead of z"),
        (NoDirectPath(), {"d_c"}, "direct path missing"),
        (OpenReset(), {"d_h_n"}, "reset gate left out"),
        (MeanOfOwn(), {"d_k"}, "mean over the batch"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_wrong_cells_are_caught_and_the_bug_named(cell, tensors, bug):
    report = bptt.check_cell(cell)
    assert set(report.faulty) == tensors, report
    assert bug in report.likely, report


class Doubled(bptt.ResetBeforeGRU):
    """Gives twice the gradient."""

    def unfactored_backward(self, params, d_state, saved):
        return super().unfactored_backward(params, (2 * d_state[0],), saved)


class Normed(bptt.ResetBeforeGRU):
    """Layer normalization without gain and bias; its derivative is that of learn/normalization."""

    def shapes(self, n_below, n):
        return (n_below, n), (n, n), (n,)

    def unfactored_step(self, params, x, state):
        (w, u, b), (past,) = params, state
        z = x @ w + past @ u + b
        away = z - z.mean(axis=1, keepdims=True)
        sigma = np.sqrt((away**2).mean(axis=1, keepdims=True) + 1e-5)
        a = np.tanh(away / sigma)
        return (a,), (x, past, sigma, away / sigma, a)

    def unfactored_backward(self, params, d_state, saved):
        (w, u, _), (d_a,), (x, past, sigma, z_hat, a) = params, d_state, saved
        mean = lambda d: d.mean(axis=1, keepdims=True)
        d_hat = d_a * (1 - a**2)
        delta = (d_hat - mean(d_hat) - z_hat * mean(d_hat * z_hat)) / sigma
        return (x.T @ delta, past.T @ delta, delta.sum(axis=0)), delta @ w.T, (delta @ u.T,)


@pytest.mark.parametrize("seed", range(12))
def test_a_normalized_layer_is_right_with_every_seed(seed):
    """Over two units it has next to no derivative, and float32 none of its digits: so many are not drawn."""
    assert bptt.check_cell(Normed(), seed=seed).ok


def test_wrong_cell_of_the_unfactored_level_is_caught():
    report = bptt.check_cell(Doubled())
    assert report.faulty == ("w", "u", "b", "x", "initial.a")


def test_check_layer_is_deterministic():
    bug = planted.PLANTED[0]
    assert str(planted.checked(bug)) == str(planted.checked(bug))


def test_float32_that_is_half_precision_inside_is_noticed():
    half = "delta = delta if delta.dtype == float else delta.astype(np.float16).astype(np.float32)"
    report = handwritten.check_elman((planted.D_X, f"{half}; {planted.D_X}"))
    assert not report["float32"].ok
    assert [check.name for check in report.checks if not check.ok] == ["float32"]
    wide = handwritten.check_elman(
        (planted.RETURN, "return (d_w, d_u, d_b), d_x.astype(float), d_next")
    )
    assert wide.ok
    assert "x not float32" in wide["float32"].note


class Formula(bptt.Elman):
    """A function of z alone, with its derivative, each as given."""

    def __init__(self, function, slope):
        super().__init__()
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "slope", slope)

    def step(self, z, a):
        return (self.function(z),), (z,)

    def step_backward(self, d_a, a, z):
        return (d_a * self.slope(z),), (0.0,), ()


STEEP = {
    "cubes": Formula(lambda z: z**3, lambda z: 3 * z**2),
    "large": Formula(lambda z: 1e12 * z, lambda z: np.full_like(z, 1e12)),
    "bell": Formula(
        lambda z: np.exp(-1e4 * (z - 0.3) ** 2),
        lambda z: -2e4 * (z - 0.3) * np.exp(-1e4 * (z - 0.3) ** 2),
    ),
    "small": Formula(lambda z: 1e-60 * z, lambda z: np.full_like(z, 1e-60)),
}


@pytest.mark.parametrize("name", STEEP)
@pytest.mark.parametrize("seed", range(3))
def test_a_right_cell_that_leaves_the_range_of_float32_is_right(name, seed):
    """Under the strictest error state, too: what overflows is told by the report."""
    with np.errstate(all="raise"):
        report = bptt.check_cell(STEEP[name], seed=seed)
    assert report.ok, report
    said = {"large": "float32 overflows here", "small": "float32 underflows here"}
    assert said.get(name, "") in str(report)
    steeper = Formula(STEEP[name].function, lambda z: 1.1 * STEEP[name].slope(z))
    if name != "bell":  # which is zero, to the last digit, nearly everywhere
        assert bptt.check_cell(steeper, seed=seed).faulty == ("d_z",)


@pytest.mark.parametrize(("far", "ok"), [(1.0, True), (0.6, False)])
def test_where_no_complex_step_passes_far_out_central_differences_decide(far, ok):
    """|z| far out, where the complex step finds 0: a slope nearer to 0 than to 1 would still be wrong."""
    cell = Formula(
        lambda z: np.where(np.abs(z.real) < 5, z, np.abs(z.real)),
        lambda z: np.where(np.abs(z) < 5, 1.0, far * np.sign(z)),
    )
    report = bptt.check_cell(cell, seed=0)
    assert report.truth == "complex step"
    assert report.ok == ok
    assert ok or "faulty: d_z" in str(report).splitlines()


def hard_sigmoid(z):
    return np.where(z.real < -3, 0 * z, np.where(z.real > 3, 0 * z + 1, z / 6 + 0.5))


def relu6(z):
    return np.where(z.real < 0, 0 * z, np.where(z.real < 6, z, 0 * z + 6))


def hard_tanh(z):
    """Real at its ends, where no complex step passes."""
    return np.where(np.abs(z.real) < 2, z, 2 * np.sign(z))


FAR_OUT = {
    "hard sigmoid": (hard_sigmoid, lambda z: (np.abs(z) < 3) / 6, lambda z: 0 * z + 1 / 6),
    "relu6": (relu6, lambda z: (z > 0) * (z < 6) * 1.0, lambda z: (z > 0) * 1.0),
    "hard tanh": (hard_tanh, lambda z: (np.abs(z) < 2) * 1.0, lambda z: 0 * z + 1),
    "hard sigmoid, of another edge": (
        lambda z: np.clip(z / 5 + 0.5, 0, 1),
        lambda z: (np.abs(z) < 2.5) / 5,
        lambda z: (np.abs(z) < 3) / 5,
    ),
    "hard sigmoid, of an edge too near": (
        lambda z: np.clip(z / 5 + 0.5, 0, 1),
        lambda z: (np.abs(z) < 2.5) / 5,
        lambda z: (np.abs(z) < 2) / 5,
    ),
    "relu6, of an edge too near": (
        relu6,
        lambda z: (z > 0) * (z < 6) * 1.0,
        lambda z: (z > 0) * (z < 5.5) * 1.0,
    ),
    "logarithm": (
        lambda z: np.log(z + 4),  # its domain ends at -4
        lambda z: 1 / (z + 4),
        lambda z: np.where(z < 5, 1 / (z + 4), 0),
    ),
    "steep": (  # in complex numbers NaN, far out
        lambda z: 1 / (1 + np.exp(-50 * z)),
        lambda z: 50 * bptt.sigmoid(50 * z) * bptt.sigmoid(-50 * z),
        lambda z: 50 * bptt.sigmoid(50 * z) * bptt.sigmoid(-50 * z) + (z > 5),
    ),
    "conjugate": (  # of which the complex step has half the slope, far out
        lambda z: np.where(np.abs(z.real) < 4, z, 0.75 * (z + np.conj(z) / 3)),
        lambda z: 0 * z + 1,
        lambda z: np.where(np.abs(z) < 4, 1, 1.001),
    ),
    "waves": (  # of which central differences have the slope wrong by a thousandth and more
        lambda z: np.where(np.abs(z.real) < 4, z, np.sin(1e6 * z) / 1e6),
        lambda z: np.where(np.abs(z) < 4, 1, np.cos(1e6 * z)),
        lambda z: np.where(np.abs(z) < 4, 1, np.cos(1e6 * z) + 0.001),
    ),
    "tiny": (
        lambda z: z**2,
        lambda z: 2 * z,
        lambda z: np.where(np.abs(z) < 0.02, 1, 2 * z),
    ),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FAR_OUT)
def test_a_slope_that_is_wrong_far_out_or_near_zero_is_noticed(name, seed):
    """What is right is right there too, by one of the two truths."""
    function, slope, wrong = FAR_OUT[name]
    for sizes in ((3, 1, 2, 2), (1, 1, 1, 1)):
        right = Formula(function, lambda z: slope(z).astype(z.dtype))
        assert bptt.check_cell(right, sizes=sizes, seed=seed).ok
        spoilt = Formula(function, lambda z: wrong(z).astype(z.dtype))
        report = bptt.check_cell(spoilt, sizes=sizes, seed=seed)
        assert not report["the cell's own step, |z| to 15"].ok
        assert report.faulty == ("d_z",)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("error", [5e-10, 1e-9, 5e-9])
def test_what_fits_the_truth_as_well_as_a_bug_is_not_called_by_its_name(error, seed):
    """An error below the eight digits to which a guess must fit: every guess that is near would."""
    small = Formula(np.tanh, lambda z: (1 - np.tanh(z) ** 2) * (1 + error))
    report = bptt.check_cell(small, seed=seed)
    assert report.faulty == ("d_z",)
    assert report.likely == ()
    alone = bptt.check_cell(small, sizes=(1, 1, 1, 1), seed=seed)  # the mean over one is the truth
    assert alone.faulty == ("d_z",)
    assert alone.likely == ()


@pytest.mark.parametrize("seed", range(3))
def test_differences_that_contradict_one_another_are_no_trap(seed):
    """The sine of a SIREN: in six steps slopes grow to 1e8, which no step of differences is small enough for."""
    right = Formula(lambda z: np.sin(30 * z), lambda z: 30 * np.cos(30 * z))
    report = bptt.check_cell(right, sizes=(6, 3, 4, 2), seed=seed)
    assert (report.ok, report.truth) == (True, "complex step"), report
    trapped = Formula(lambda z: np.abs(np.sin(30 * z)), lambda z: 0 * z)
    assert bptt.check_cell(trapped, sizes=(6, 3, 4, 2), seed=seed).truth == "central differences"


class Kept(bptt.Elman):
    """Right at one step: what it returns is copied from a buffer, or the buffer itself."""

    def __init__(self, turns=1, **copied):
        super().__init__()
        object.__setattr__(self, "copied", copied)
        object.__setattr__(self, "buffers", {})
        object.__setattr__(self, "turn", cycle(range(turns)))

    def hand_out(self, name, value):
        which = name, value.shape, value.dtype, next(self.turn)
        buffer = self.buffers.setdefault(which, np.empty_like(value))
        buffer[...] = value
        return buffer if self.copied.get(name) is False else buffer.copy()

    def step(self, z, a):
        a_new = np.tanh(z)
        return (self.hand_out("state", a_new),), (self.hand_out("saved", a_new),)

    def step_backward(self, d_a, a, a_new):
        return (self.hand_out("error", d_a * (1 - a_new**2)),), (0.0,), ()


class KeptUnfactored(bptt.ResetBeforeGRU):
    """Saves what it needs in a buffer, which the next step uses as well."""

    def __init__(self):
        object.__setattr__(self, "buffers", {})

    def unfactored_step(self, params, x, state):
        new, saved = super().unfactored_step(params, x, state)
        kept = self.buffers.setdefault(x.dtype, tuple(map(np.empty_like, saved)))
        if any(a.shape != b.shape for a, b in zip(kept, saved, strict=True)):
            kept = self.buffers[x.dtype] = saved
        for buffer, array in zip(kept, saved, strict=True):
            buffer[...] = array
        return new, kept


@pytest.mark.parametrize(
    ("cell", "method"),
    [
        (Kept(state=False), "Kept.step"),
        (Kept(saved=False), "Kept.step"),
        (Kept(error=False), "Kept.step_backward"),
        (KeptUnfactored(), "KeptUnfactored.unfactored_step"),
    ],
)
def test_a_buffer_that_a_later_step_overwrites_is_named(cell, method):
    words = f"{method} must return arrays of its own, got one that a later call has overwritten"
    with pytest.raises(TypeError, match=words):
        bptt.check_cell(cell)
    assert bptt.check_cell(Kept()).ok


@pytest.mark.parametrize("cell", [Kept(saved=False), KeptUnfactored()])
def test_a_buffer_that_a_later_step_overwrites_is_named_where_it_runs_too(cell):
    """Nobody has to check a cell: the gradient would be wrong without a word."""
    params = bptt.initialize(bptt.Stack([cell]), (2, 3, 1), 0).layers[0]
    for steps in (2, 5):
        x = np.random.default_rng(0).normal(size=(steps, 2, 2))
        for mask in (None, np.arange(2 * steps).reshape(steps, 2) % 3 > 0):
            with pytest.raises(TypeError, match=r"Kept\w*\.\w*step must return arrays of its"):
                bptt.layer_forward(cell, params, x, None, mask)
    bptt.layer_forward(cell, params, x[:1])


def test_buffers_that_are_used_by_turns_are_named_too():
    """The step after the next but one writes over what a step saved."""
    with pytest.raises(
        TypeError, match=r"^Kept\.step must return arrays of its own, got one that a"
    ):
        bptt.check_cell(Kept(saved=False, turns=3))


def test_a_state_in_a_buffer_is_that_of_its_step_when_a_checkpoint_is_taken():
    stack, x = bptt.Stack([Kept(state=False)]), np.random.default_rng(0).normal(size=(9, 2, 2))
    params, cost = bptt.initialize(stack, (2, 3, 1), 0), lambda a, _: bptt.squared_error(a, 0 * a)
    got = bptt.checkpointed_bptt(stack, params, x, cost, schedule=bptt.algorithms.every(1))
    want = bptt.full_bptt(bptt.Stack([bptt.Elman()]), params, x, cost)
    assert bptt.compare(got.gradient.params, want.gradient.params, 1e-13).ok


class KeptErrors(bptt.LSTM):
    """Returns its errors in parts of a buffer, or, where there is no path, zeros that it keeps."""

    def __init__(self, *, zeros):
        object.__setattr__(self, "buffers", {})
        object.__setattr__(self, "zeros", zeros)

    def step_backward(self, d_a, d_c, a, c, i, not_i, f, not_f, g, o, not_o, tanh_c):
        given = d_a, d_c, a, c, i, not_i, f, not_f, g, o, not_o, tanh_c
        d_weighted, (_, d_past), own = super().step_backward(*given)
        buffer = self.buffers.setdefault(a.shape, np.zeros((4, *a.shape)))
        if self.zeros:
            return d_weighted, (buffer[0], d_past), own
        buffer[...] = d_weighted
        return tuple(buffer), (0.0, d_past), own


def test_errors_in_a_buffer_are_named_where_it_runs_too():
    params = bptt.initialize(bptt.Stack([bptt.LSTM()]), (2, 3, 1), 0).layers[0]
    cells = bptt.LSTM(), KeptErrors(zeros=True), KeptErrors(zeros=False)
    traces = [bptt.layer_forward(cell, params, np.ones((5, 2, 2))) for cell in cells]
    want, got = (bptt.layer_backward(trace, np.ones((5, 2, 3))).params for trace in traces[:2])
    assert bptt.compare(got, want, 1e-13).ok
    with pytest.raises(TypeError, match=r"KeptErrors.step_backward must return arrays of its own"):
        bptt.layer_backward(traces[2], np.ones((5, 2, 3)))


class KeptErrorsUnfactored(bptt.ResetBeforeGRU):
    """Returns the error of the state before in a buffer."""

    buffer = np.empty((2, 3))

    def unfactored_backward(self, params, d_state, saved):
        *others, (self.buffer[...],) = super().unfactored_backward(params, d_state, saved)
        return *others, (self.buffer,)


def test_a_gradient_stays_when_the_next_one_is_taken():
    stack = bptt.Stack([KeptErrorsUnfactored()])
    params, x = bptt.initialize(stack, (2, 3, 1), 0), np.ones((4, 2, 2))
    trace = bptt.forward(stack, params, x)
    (once,), (twice,) = (bptt.backward(trace, k * np.ones((4, 2, 1))).initial for k in (1, 2))
    np.testing.assert_allclose(twice[0], 2 * once[0], 1e-14)


class PlainTuple(bptt.ResetBeforeGRU):
    """Returns its gradient as a plain tuple; if it `writes`, over the error that it is given."""

    writes = False

    def unfactored_backward(self, params, d_state, saved):
        if self.writes:
            d_state[0][...] = 0.0
        d_params, *others = super().unfactored_backward(params, d_state, saved)
        return tuple(d_params), *others


def test_the_gradient_of_an_unfactored_cell_may_be_a_plain_tuple():
    assert bptt.check_cell(PlainTuple()).ok


def test_the_errors_that_an_unfactored_cell_is_given_are_read_only():
    cell = type("Writes", (PlainTuple,), {"writes": True})()
    with pytest.raises(TypeError, match=r"^Writes.unfactored_backward must not write to its arg"):
        bptt.check_cell(cell)


class Ranges:
    """Notes the largest of its arguments: weighted inputs and states of a factored cell, and all others."""

    def __init__(self):
        object.__setattr__(self, "seen", {"z": 0.0, "a": 0.0, "other": 0.0})

    def note(self, **arrays):
        for name, array in arrays.items():
            self.seen[name] = max(self.seen[name], float(np.abs(array).max()))


class Factored(Ranges):
    """Of a weighted input, a state and a parameter."""

    def step(self, z, a, p):
        self.note(z=z, a=a, other=p)
        return (np.tanh(z) + p * a,), (np.tanh(z),)

    def step_backward(self, d_a, a, p, tanh):
        return (d_a * (1 - tanh**2),), (d_a * p,), (d_a * a,)


class Unfactored(Ranges, bptt.ResetBeforeGRU):
    """Of parameters."""

    def unfactored_step(self, params, x, state):
        self.note(other=params.u)
        return super().unfactored_step(params, x, state)


@pytest.mark.parametrize("cell", [Factored(), Unfactored()])
def test_weighted_inputs_are_up_to_800_states_up_to_15_own_parameters_up_to_4_all_else_is_below_one(
    cell,
):
    """As the docstring of `check_cell` says."""
    assert bptt.check_cell(cell).ok
    if isinstance(cell, Unfactored):
        assert 0.5 < cell.seen["other"] < 1
    else:
        assert 1 < cell.seen["other"] <= 4
        assert cell.seen["z"] == 800
        assert 10 < cell.seen["a"] <= 15


class ClippedMemory:
    """A sum of tanh(z) that is clipped at 8 on the way forward, and not on the way back."""

    def step(self, z, a, c):
        new = c + np.tanh(z)
        return (0.5 * new, np.where(new.real > 8, 8, new)), (np.tanh(z),)

    def step_backward(self, d_a, d_c, a, c, tanh):
        d_new = 0.5 * d_a + d_c
        return (d_new * (1 - tanh**2),), (0.0, d_new), ()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_wrong_only_for_large_states_is_seen(seed):
    report = bptt.check_cell(ClippedMemory(), seed=seed)
    assert [check.name for check in report.checks if not check.ok] == [
        "the cell's own step, |z| to 15"
    ]
    assert report.faulty == ("d_z", "d_c")


class ClippedRate:
    """Keeps a share of its past that is clipped at -1 and 1 on the way forward, and not on the way back."""

    def step(self, z, a, k):
        rate, new = np.where(np.abs(k.real) > 1, np.sign(k.real), k), np.tanh(z)
        return (rate * a + new,), (new,)

    def step_backward(self, d_a, a, k, new):
        return (d_a * (1 - new**2),), (d_a * np.clip(k, -1, 1),), (d_a * a,)


class OfSmallShares(ClippedRate):
    """The same without the clipping, whose step is no number where a share is large."""

    def step(self, z, a, k):
        new = np.tanh(z)
        return (np.where(np.abs(k.real) > 1, np.nan, k) * a + new,), (new,)


class RefusesLargeShares(ClippedRate):
    """Says so itself."""

    def step(self, z, a, k):
        assert np.abs(k.real).max() <= 1
        return super().step(z, a, k)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_wrong_only_for_large_own_parameters_is_seen(seed):
    report = bptt.check_cell(ClippedRate(), seed=seed)
    assert [check.name for check in report.checks if not check.ok] == [
        "the cell's own step, |z| to 15"
    ]
    assert report.faulty == ("d_k",)
    assert bptt.check_cell(OfSmallShares(), seed=seed).ok
    assert bptt.check_cell(RefusesLargeShares(), seed=seed).ok


def test_a_layer_may_return_its_outputs_in_a_buffer():
    """From one call to the next: within a call all steps have their own memory."""
    report = handwritten.check_elman(
        (
            "return h[1:], h[-1],",
            "out = SUMS.setdefault((h.shape, h.dtype), h); out[...] = h; return out[1:], out[-1],",
        )
    )
    assert report.ok, report


# Arguments.


def _zeros(*shape):
    return np.zeros(shape)


def test_what_cannot_be_checked_is_refused():
    forward, backward = handwritten.functions(GRU_BEFORE)
    params, x, h = (_zeros(3, 6), _zeros(2, 6), _zeros(6)), _zeros(5, 4, 3), _zeros(4, 2)
    with pytest.raises(TypeError, match="cell must be a cell"):
        bptt.check_cell(np.tanh)
    with pytest.raises(TypeError, match="one direction, got Bidirectional"):
        bptt.check_cell(bptt.Bidirectional(bptt.Elman(), bptt.Elman()))
    with pytest.raises(ValueError, match="sizes must have 4 numbers"):
        bptt.check_cell(bptt.Elman(), sizes=(1, 2, 3))
    with pytest.raises(TypeError, match="backward must be callable, got int"):
        bptt.check_layer(forward, 3, params, x, h)
    with pytest.raises(TypeError, match="x must have dtype float64"):
        bptt.check_layer(forward, backward, params, x.astype(np.float32), h)
    with pytest.raises(ValueError, match=r"initial must have shape \(4, n\), got \(3, 2\)"):
        bptt.check_layer(forward, backward, params, x, h[:3])
    with pytest.raises(ValueError, match=r"forward\(...\) must have 3 items"):
        bptt.check_layer(lambda *_: (x, h), backward, params, x, h)
    with pytest.raises(ValueError, match=r"outputs of forward must have shape \(5, 4, n\)"):
        bptt.check_layer(lambda *_: (x[0], h, None), backward, params, x, h)
    with pytest.raises(TypeError, match="final state of forward must be one array, got tuple"):
        bptt.check_layer(lambda *_: (x, (h, h), None), backward, params, x, h)
    with pytest.raises(TypeError, match=r"params must be an array, or .*, got str"):
        bptt.check_layer(forward, backward, "w, u, b", x, h)
    with pytest.raises(ValueError, match="initial must hold one array or more"):
        bptt.check_layer(forward, backward, params, x, ())
    with pytest.raises(TypeError, match="d_params of backward must be"):
        bptt.check_layer(forward, lambda *_: (3.0, x, h), params, x, h)


def _run(params, x, initial):
    """Return the running sum of weighted inputs."""
    outputs = initial["h"] + np.cumsum(x * params["w"], axis=0)
    return outputs, {"h": outputs[-1]}, x


def _run_back(params, x, d_outputs, d_final):
    d = np.cumsum(d_outputs[::-1], axis=0)[::-1] + d_final["h"]
    return {"w": (d * x).sum(axis=(0, 1))}, d * params["w"], {"h": d[0]}


W, X, H = np.arange(1.0, 6), np.random.default_rng(0).normal(size=(4, 3, 5)), np.ones((3, 5))


def _changed(function, place, change):
    """Return a function whose result has one part changed."""

    def changed(*arguments):
        parts = list(function(*arguments))
        parts[place] = change(parts[place])
        return tuple(parts)

    return changed


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (0, lambda a: a.astype(object), "outputs of forward must be an array of real numbers, got"),
        (0, lambda a: a + 0j, "outputs of forward must be .* real numbers, got ndarray of complex128"),
        (0, np.ma.masked_array, "outputs of forward must be a plain NumPy array, got"),
        (0, lambda a: [*a[:-1], a[0, 0]], "outputs of forward must be an array of numbers, got list"),
        (1, lambda s: (s["h"],), "final state of forward must be a mapping with the keys h, got tuple"),
        (1, lambda s: {"h": s["h"], "H": 0}, "final state of forward must have no keys but h, got H too"),
        (1, lambda s: {"h": s["h"][0]}, r"final state.h of forward must have shape \(3, 5\), got \(5,\)"),
        (1, lambda s: {"h": "end"}, "final state of forward.h must be an array of real numbers, got str"),
        (1, lambda s: None, "final state of forward must be a mapping with the keys h, got NoneType"),
        (1, lambda s: {}, "final state of forward.h must be an array of real numbers, got NoneType"),
    ],
)  # fmt: skip
def test_what_a_forward_function_must_return_is_said(place, change, words):
    forward = _changed(_run, place, change)
    with pytest.raises((TypeError, ValueError), match=words):
        bptt.check_layer(forward, _run_back, {"w": W}, X, {"h": H})


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (0, lambda d: (d["w"],), "d_params of backward must be a mapping with the keys w, got tuple"),
        (0, lambda d: {"W": d["w"]}, "d_params of backward must have no keys but w, got W too"),
        (0, lambda d: {"w": "none"}, "d_params of backward.w must be an array of real numbers, got str"),
        (0, lambda d: {"w": d["w"] + 0j}, "d_params of backward.w must .* got ndarray of complex128"),
        (0, lambda d: {"w": np.ma.masked_array(d["w"])}, "d_params of backward.w must be a plain NumPy"),
        (1, lambda d: d.astype(object), "d_x of backward must be an array of real numbers, got"),
        (1, lambda d: d > 0, "d_x of backward must be an array of real numbers, got ndarray of bool"),
        (1, np.ma.masked_array, "d_x of backward must be a plain NumPy array"),
        (2, lambda d: d["h"], "d_initial of backward must be a mapping with the keys h, got ndarray"),
    ],
)  # fmt: skip
def test_what_a_backward_function_must_return_is_said(place, change, words):
    backward = _changed(_run_back, place, change)
    with pytest.raises((TypeError, ValueError), match=words):
        bptt.check_layer(_run, backward, {"w": W}, X, {"h": H})


def test_a_layer_may_list_its_outputs_and_have_no_parameters():
    assert bptt.check_layer(_changed(_run, 0, list), _run_back, {"w": W}, X, {"h": H}).ok
    one = np.ones(5)
    assert bptt.check_layer(
        lambda _, x, h: _run({"w": one}, x, h),
        lambda _, *others: ((), *_run_back({"w": one}, *others)[1:]),
        (),
        X,
        {"h": H},
    ).ok


@pytest.mark.parametrize("seed", [-1, "a", 1.5])
def test_seeds_are_checked(seed):
    with pytest.raises(TypeError, match=r"seed must be .* a seed >= 0, got"):
        bptt.check_cell(bptt.Elman(), seed=seed)
    with pytest.raises(TypeError, match=r"seed must be .* a seed >= 0, got"):
        bptt.check_layer(_run, _run_back, {"w": W}, X, {"h": H}, seed=seed)


def test_a_report_shows_digits_of_what_is_wrong_and_none_of_what_is_rounding():
    right = bptt.check_cell(bptt.GRU())
    digits = r"\d\.\de[-+]\d\d"
    assert not re.search(digits, str(right))
    assert all(len(line) <= 88 for line in str(right).splitlines())
    assert " ".join(str(right).split()).count("; ") == len(right.checks) - 1
    assert str(right["one step"]) == "ok    one step, to 1e-10"

    class NothingDirect(bptt.GRU):
        def step_backward(self, d_a, a, c, r, not_r, s, not_s, n, reset):
            saved = (r, not_r, s, not_s, n, reset)
            d_weighted, _, d_own = super().step_backward(d_a, a, c, *saved)
            return d_weighted, (0.0,), d_own

    wrong = bptt.check_cell(NothingDirect())
    told = [line for line in str(wrong).splitlines() if line.startswith("  WRONG")]
    assert len(told) == sum(not check.ok for check in wrong.checks)
    assert all(re.search(digits, line) for line in told)
