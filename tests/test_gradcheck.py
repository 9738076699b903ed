"""Gradient checks find planted errors, name them, and refuse what they cannot check."""

import dataclasses

import numpy as np
import pytest
from problems import problem

import bptt
from bptt.checking.gradcheck import contradiction, refuse_kink

TINY = bptt.teaching.tiny()


def tiny_cost(params):
    trace = bptt.forward(TINY.stack, params, TINY.x)
    return bptt.squared_error(trace.outputs, TINY.targets).value


def tiny_gradient():
    trace = bptt.forward(TINY.stack, TINY.params, TINY.x)
    return bptt.backward(trace, bptt.squared_error(trace.outputs, TINY.targets).d_outputs).params


def planted(layer, part, index, change):
    """Return the gradient of the tiny net with one entry changed."""
    gradient = bptt.tree_map(np.copy, tiny_gradient())
    place = gradient.readout if layer == "readout" else gradient.layers[layer]
    getattr(place, part)[index] = change(getattr(place, part)[index])
    return gradient


@pytest.mark.parametrize("truth", [bptt.complex_step, bptt.central_difference])
def test_the_right_gradient_is_called_right(truth):
    report = bptt.check_gradient(tiny_cost, TINY.params, tiny_gradient(), truth=truth)
    assert report.ok
    assert report.error == max(report.errors.values()) <= report.tolerance
    assert str(report).startswith("gradient right: largest relative error ")
    assert str(report).endswith(f"at {report.worst}")
    assert "\n" not in str(report)


@pytest.mark.parametrize("truth", [bptt.complex_step, bptt.central_difference])
@pytest.mark.parametrize(
    ("layer", "part", "index", "name"),
    [
        (0, "w", (0, 1), "layers[0].w[0, 1]"),
        (0, "u", (1, 0), "layers[0].u[1, 0]"),
        (0, "b", (1,), "layers[0].b[1]"),
        (1, "u", (0, 1), "layers[1].u[0, 1]"),
        (1, "w", (1, 1), "layers[1].w[1, 1]"),
        ("readout", "w", (1, 0), "readout.w[1, 0]"),
        ("readout", "b", (0,), "readout.b[0]"),
    ],
)
@pytest.mark.parametrize(
    "change", [lambda g: -g, lambda _: 0.0, lambda g: g * 1.01], ids=["sign", "zero", "percent"]
)
def test_a_planted_error_is_found_and_named(truth, layer, part, index, name, change):
    gradient = planted(layer, part, index, change)
    report = bptt.check_gradient(tiny_cost, TINY.params, gradient, truth=truth)
    array = name[: name.rindex("[")]
    assert not report.ok
    assert report.worst == name
    assert {n for n, error in report.errors.items() if error > report.tolerance} == {array}
    place = gradient.readout if layer == "readout" else gradient.layers[layer]
    assert report.got == getattr(place, part)[index]
    lines = str(report).splitlines()
    assert lines[0].startswith("gradient WRONG: largest relative error ")
    assert lines[1].startswith(f"  worst entry {name}: got ")
    assert [line for line in lines[2:] if "WRONG" in line] == [
        f"  WRONG {array}: {report.errors[array]:.1e}"
    ]
    assert len(lines) == 2 + 8


def test_the_last_digits_count_for_the_complex_step():
    """An error of 1e-9 is above its default tolerance, and below that of central differences."""
    gradient = planted(1, "u", (0, 0), lambda g: g * (1 + 1e-9))
    assert not bptt.check_gradient(tiny_cost, TINY.params, gradient).ok
    args = tiny_cost, TINY.params, gradient
    assert bptt.check_gradient(*args, truth=bptt.central_difference).ok
    assert bptt.check_gradient(*args, tolerance=1e-6).ok
    assert bptt.compare(gradient, gradient).tolerance == 1e-10
    for truth, tolerance in ((bptt.complex_step, 1e-10), (bptt.central_difference, 1e-6)):
        assert bptt.check_gradient(*args, truth=truth).tolerance == tolerance


def test_both_truths_agree_on_a_network():
    given = problem(12)
    exact = bptt.complex_step(given.total, given.at)
    # The rounding of a cost of 23, divided by the step, leaves up to 5e-8 of the smallest entries.
    assert bptt.compare(bptt.central_difference(given.total, given.at), exact, 1e-7).ok


def test_both_truths_know_a_derivative_in_closed_form():
    z = np.array([[0.5, -2.0], [3.0, 0.0]])
    for truth, tolerance in (bptt.complex_step, 1e-15), (bptt.central_difference, 1e-9):
        found = truth(lambda z: (np.sin(z) * z).sum(), z)
        assert found == pytest.approx(np.cos(z) * z + np.sin(z), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("at", [0.3, 1e9])
def test_differences_are_divided_by_the_step_that_was_taken(at):
    """The truths are 1, exactly, and 2 z: steps grow with large entries, and the rounding of one is no error."""
    z = np.array([at])
    assert bptt.central_difference(np.sum, z) == 1
    assert bptt.central_difference(lambda z: (z**2).sum(), z) == pytest.approx(2 * at, rel=1e-9)


def test_numbers_of_numpy_count_like_those_of_python():
    """A float32 of NumPy would round the points between which a cost is taken, and the verdict be no bool."""
    at = np.array([1.23456789012345, 0.7])
    steps = np.float32(2**-10), 2.0**-10
    one, other = (bptt.central_difference(lambda z: (z**3).sum(), at, step) for step in steps)
    assert (one == other).all()
    found = bptt.compare(at, at, tolerance=np.float32(1e-3))
    assert found.ok is True
    assert type(found.tolerance) is float


def test_a_record_of_one_number_without_axes():
    report = bptt.check_gradient(lambda z: z[()] ** 2, np.array(3.0), np.array(6.0))
    assert report.ok
    assert report.errors == {"gradient": 0.0}
    assert not bptt.compare(np.array(6.0), np.array(7.0)).ok


def test_central_differences_go_where_the_complex_step_cannot():
    z = np.array([1.0, -2.0])
    cost = lambda z: np.abs(z).sum()
    assert bptt.check_gradient(cost, z, np.sign(z), truth=bptt.central_difference).ok
    with pytest.raises(TypeError, match="truth=central_difference"):
        bptt.check_gradient(cost, z, np.sign(z))


PENALTIES = {
    "L1": (lambda a: np.abs(a).sum(), np.sign),
    "np.abs squared": (lambda a: (np.abs(a) ** 2).sum(), lambda a: 2 * a),
    "norm squared": (lambda a: np.linalg.norm(a) ** 2, lambda a: 2 * a),
    "conjugate": (lambda a: (a * a.conj()).sum(), lambda a: 2 * a),
    "conjugate transpose": (lambda a: (a.conj().T @ a).trace(), lambda a: 2 * a),
    "conjugate of a part": (lambda a: (a * a).sum() + a[0, 0].conj() * a[0, 0], lambda a: 2 * a * [[2, 1], [1, 1]]),
    "vdot": (lambda a: np.vdot(a, a), lambda a: 2 * a),
    "absolute, made complex": (lambda a: (np.abs(a) ** 2).sum() + 0j, lambda a: 2 * a),
    "real, made complex": (lambda a: (a.real**2).sum() + 0j, lambda a: 2 * a),
}  # fmt: skip


@pytest.mark.parametrize("much", [1e-5, 1.0])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_small_penalty_that_is_not_analytic_is_named_and_nobody_is_blamed(name, much):
    """Neither is the right gradient called wrong, nor is the one right that leaves the penalty out."""
    penalty, slope = PENALTIES[name]
    cost = lambda p: tiny_cost(p) + much * penalty(p.layers[1].u)
    real = lambda p: float(np.real(cost(p)))
    plain = tiny_gradient()
    layer = plain.layers[1]._replace(u=plain.layers[1].u + much * slope(TINY.params.layers[1].u))
    right = plain._replace(layers=(plain.layers[0], layer))
    for gradient in (right, plain):
        with pytest.raises(
            TypeError, match=r"^cost must be analytic .* in at\.layers\[1\]\.u where"
        ):
            bptt.check_gradient(cost, TINY.params, gradient)
    assert bptt.check_gradient(real, TINY.params, right, truth=bptt.central_difference).ok


def test_one_entry_that_is_not_analytic_is_enough():
    at = np.random.default_rng(1).normal(size=1000)
    cost = lambda z: (z**3).sum() + 1e-3 * np.abs(z[7])
    for gradient in (3 * at**2, 3 * at**2 + 1e-3 * (np.arange(1000) == 7) * np.sign(at)):
        with pytest.raises(TypeError, match="cost must be analytic"):
            bptt.check_gradient(cost, at, gradient)


def test_one_entry_of_many_is_looked_at_alone():
    """Its part of the slope, 5e-6, is lost in the sum along a random way; the true gradient is not blamed."""
    z = np.zeros(4000)
    true = np.full(z.shape, 1e3)
    true[7] += 5e-3
    with pytest.raises(TypeError, match="analytic"):
        bptt.check_gradient(lambda z: 1e3 * z.sum() + 5e-3 * z[7].real, z, true)


def test_a_large_entry_that_is_not_analytic_is_moved_by_a_part_of_itself():
    """The derivative of z times its conjugate is 2 z; the complex step says 0, and a step of 1e-6 would say so, too."""
    z = np.array([1e13])
    for gradient in 0 * z, 2 * z:
        with pytest.raises(TypeError, match="analytic"):
            bptt.check_gradient(lambda z: (z * z.conj()).sum(), z, gradient)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bias", [0.0, 1e-7, 3e-6])
def test_a_kink_at_hand_is_no_loss_of_the_imaginary_part(bias, seed):
    """A first input of zeros: there relu stands at its kink, or nearer to it than differences can see."""
    rng = np.random.default_rng(seed)
    stack = bptt.Stack((bptt.Elman(bptt.relu),))
    params = bptt.initialize(stack, (2, 3, 1), rng)
    params.layers[0].b[:] = bias
    x, y = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 5, 1))
    x[0] = 0
    cost = lambda p: bptt.squared_error(bptt.forward(stack, p, x).outputs, y)
    trace = bptt.forward(stack, params, x)
    gradient = bptt.backward(trace, cost(params).d_outputs).params
    assert bptt.check_gradient(lambda p: cost(p).value, params, gradient).ok


@pytest.mark.parametrize("seed", range(4))
def test_what_is_too_steep_for_differences_is_not_refused(seed):
    """The sine of a SIREN, in eight steps: slopes of 1e9 between costs of 10, which no difference of them shows."""
    sine = bptt.Activation("sine", lambda z: np.sin(30 * z), lambda z, _: 30 * np.cos(30 * z))
    stack, rng = bptt.Stack((bptt.Elman(sine),)), np.random.default_rng(seed)
    params = bptt.initialize(stack, (2, 4, 2), rng)
    x, y = rng.normal(size=(2, 8, 2, 2))
    cost = lambda outputs, *_: bptt.squared_error(outputs, y)
    _, gradient = bptt.value_and_grad(stack, params, x, cost)
    report = bptt.check_gradient(
        lambda p: cost(bptt.forward(stack, p, x).outputs).value, params, gradient
    )
    assert report.ok, report
    one, two = (bptt.tree_map(lambda p: rng.normal(size=p.shape), params) for _ in range(2))
    curved, other = (
        bptt.flatten(bptt.hessian_vector_product(stack, params, x, cost, v))[0] for v in (one, two)
    )
    size = np.linalg.norm(curved) * np.linalg.norm(bptt.flatten(two)[0])
    assert abs(curved @ bptt.flatten(two)[0] - other @ bptt.flatten(one)[0]) < 1e-9 * size


def test_differences_that_agree_to_a_hundredth_or_to_their_rounding_may_contradict():
    """One bends within the steps, the other is all rounding; both find another slope than is said."""
    for value, slope, found in (
        (lambda h: np.sin(1e4 * h), 3e4, 1e4),
        (lambda h: 3 + 1e-13 * np.sin(1e9 * h), 1.0, 0.0),
    ):
        apart = contradiction(lambda h, value=value: np.array([value(h)]), np.array([slope]))
        assert apart == (slope, pytest.approx(found, rel=1e-3, abs=1e-6))


def test_a_kink_is_one_on_both_sides_and_more_than_rounding():
    for value in (lambda h: max(h, 0.0) ** 1.5, lambda h: h + 1e-9 * abs(h), np.cos):
        refuse_kink("z", lambda h, value=value: np.array([value(h)]))
    with pytest.raises(
        ValueError, match=r"^z must be where there is a derivative, got a kink, as t"
    ):
        refuse_kink("z", lambda h: np.array([h, h + 1e-5 * abs(h)]))


@pytest.mark.parametrize("truth", [bptt.complex_step, bptt.central_difference])
def test_at_a_kink_itself_no_gradient_is_blamed(truth):
    """The slope of ReLU at 0 is 0 by custom, 1 by the complex step and 1/2 by central differences."""
    at = {"v": np.ones(2), "w": np.array([[1.0, -2.0], [0.0, 3.0]])}

    def cost(at):
        return (at["v"] @ np.maximum(at["w"], 0)).sum()

    slope = (at["w"] > 0) * at["v"][:, None]
    gradient = {"v": np.maximum(at["w"], 0).sum(axis=1), "w": slope}
    with pytest.raises(
        ValueError, match=r"^at\.w must be where there is a derivative, got a kink, a"
    ):
        bptt.check_gradient(cost, at, gradient, truth=truth)
    at["w"][1, 0] = -1e-3
    assert bptt.check_gradient(cost, at, gradient, truth=truth).ok
    assert not bptt.check_gradient(cost, at, gradient | {"w": 1.1 * slope}, truth=truth).ok


@pytest.mark.parametrize(
    "cost",
    [
        lambda z: 0 * z.sum(),
        lambda z: (1e8 + np.sin(z).sum()) - 1e8,  # most digits lost
        lambda z: 1e-200 * (z**3).sum(),
        lambda z: 1e200 * np.exp(z).sum(),
        lambda z: np.exp(30 * z).sum(),
        lambda z: np.tanh(1e3 * z).sum(),
        lambda z: np.log(np.exp(z - z.max()).sum()),
    ],
)
def test_an_analytic_cost_of_any_size_is_not_refused(cost):
    for seed in range(5):
        z = np.random.default_rng(seed).normal(size=30)
        assert bptt.check_gradient(cost, z, bptt.complex_step(cost, z)).ok


@pytest.mark.parametrize("truth", [bptt.complex_step, bptt.central_difference])
def test_a_cost_that_changes_from_call_to_call_is_named_and_no_gradient_is_blamed(truth):
    calls = iter(range(10**6))
    cost = lambda z: (1 + 1e-9 * next(calls)) * (z**2).sum()
    with pytest.raises(
        TypeError, match="must be a function of its argument, got several values at"
    ):
        bptt.check_gradient(cost, np.ones(3), np.full(3, 2.0), truth=truth)


def test_the_record_is_not_changed_by_a_check():
    before = bptt.tree_map(np.copy, TINY.params)
    bptt.check_gradient(tiny_cost, TINY.params, tiny_gradient())
    bptt.central_difference(tiny_cost, TINY.params)
    for (_, now), (_, then) in zip(
        bptt.tree_leaves(TINY.params), bptt.tree_leaves(before), strict=True
    ):
        assert (now == then).all()


def test_an_array_whose_trusted_gradient_is_zero_is_measured_by_the_largest_of_all():
    trusted = (np.zeros(2), np.array([4.0]))
    report = bptt.compare((np.array([0.0, 1e-12]), np.array([4.0])), trusted)
    assert report.errors == {"[0]": 2.5e-13, "[1]": 0.0}
    assert report.worst == "[0][1]"
    assert bptt.compare((np.full(2, 0.5),), (np.zeros(2),)).errors == {"[0]": 0.5}


def test_an_error_at_the_tolerance_is_right_and_the_first_of_the_largest_is_named():
    """One in four, of two entries in two arrays; what is right is called so beside what is wrong."""
    want = np.full(3, 4.0)
    got, more = np.array([4.0, 3.0, 5.0]), np.array([4.0, 4.0, 6.0])
    report = bptt.compare((got, got), (want, want), 0.25)
    assert report.ok
    assert str(report) == "gradient right: largest relative error 2.5e-01 <= 2e-01, at [0][1]"
    assert (report.worst, report.got, report.want) == ("[0][1]", 3.0, 4.0)
    assert not bptt.compare((got, got), (want, want), 0.2499).ok
    report = bptt.compare((got, more, more), (want,) * 3, 0.25)
    assert (report.worst, report.got, report.want) == ("[1][2]", 6.0, 4.0)
    *_, first, second, third = str(report).splitlines()
    assert (first, second, third) == (
        "  ok    [0]: 2.5e-01", "  WRONG [1]: 5.0e-01", "  WRONG [2]: 5.0e-01"
    )  # fmt: skip


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("cost", "times_h", "refused"),
    [(0.99e-262, 1e-309, True), (1.01e-262, 1e-309, False), (0.99e-262, 3e-308, False), (0, 1e-309, False)],
)  # fmt: skip
def test_a_cost_below_the_size_that_the_docstring_says_is_refused(cost, times_h, refused, sign):
    """If h times its slope is below 2.2e-308, the smallest number that has all digits."""
    call = lambda: bptt.complex_step(lambda _: sign * complex(cost, times_h), np.ones(1))
    if refused:
        with pytest.raises(ValueError, match="cost must be larger for the complex step"):
            call()
    else:
        assert call() == pytest.approx([sign * times_h / 1e-30])


def test_a_comparison_is_frozen():
    report = bptt.compare(np.ones(1), np.ones(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.tolerance = 1.0


def test_integers_are_compared_as_numbers_and_do_not_wrap_around():
    for kind in (np.uint8, np.int8, np.int64, np.uint64):
        report = bptt.compare(np.array([1, 4], kind), np.array([2, 4], kind))
        assert report.errors == {"gradient": 0.25}
        assert (report.got, report.want) == (1, 2)
    assert bptt.compare(np.array([-128], np.int8), np.array([-128], np.int8)).ok


def test_a_difference_beyond_all_numbers_is_an_infinite_error():
    with np.errstate(all="raise"):
        assert bptt.compare(np.array([1e308]), np.array([-1.7e308])).error == np.inf
        assert bptt.compare(np.array([1e10, 1e-300]), np.array([1e10, 0.0])).ok


def test_parameters_of_another_byte_order_are_checked_like_their_own():
    """Compared with the report of the same numbers in this machine's order."""
    at = (np.array([0.5, -2.0]),)
    swapped = tuple(a.astype(a.dtype.newbyteorder("S")) for a in at)

    def cost(p):
        return (p[0] ** 3).sum()

    gradient = (3 * at[0] ** 2,)
    assert bptt.check_gradient(cost, swapped, gradient) == bptt.check_gradient(cost, at, gradient)
