"""The proof bench: the reference of every check here is the definition of the error, worked out otherwise."""

import sys

import numpy as np
import pytest
import sympy

import bptt
from bptt.teaching import EquationCheck, EquationError, proof


def bp2(net, l, t):
    bracket = net.w[l + 1] @ net.delta[l + 1, t] + net.u[l] @ net.delta[l, t + 1]
    return net.slope[l, t] * bracket


def without_future(net, l, t):
    return net.slope[l, t] * (net.w[l + 1] @ net.delta[l + 1, t])


def of_weights(net, l):
    return sum(np.outer(net.a[l - 1, t], net.delta[l, t]) for t in net.steps)


def layers(net):
    return [(l,) for l in net.b]


@pytest.fixture(scope="module")
def small():
    return proof.bench(sizes=(1, 2, 1), T=2, nets=6)


def test_a_right_line_holds_on_both_kinds_of_nets(small, capsys):
    small.check("bp2", bp2)
    first, second = EquationCheck.read(capsys.readouterr().out)
    assert (first.kind, first.cases, first.of) == ("exact", 1, "symbolic net")
    assert (second.kind, second.cases, second.of) == ("close", 6, "random net")


def test_a_line_that_leaves_out_a_term_is_refused(small):
    with pytest.raises(EquationError, match="bp2 does not hold"):
        small.check("bp2", without_future)


def test_a_line_wrong_on_the_random_nets_alone_is_refused(small, capsys):
    def line(net, l, t):
        factor = 1 if net is small.letters else 1 + 1e-9
        return factor * bp2(net, l, t)

    with pytest.raises(EquationError, match="relative error 1e-09"):
        small.check("bp2", line)
    assert "symbolic net" in capsys.readouterr().out


def test_fails_reports_a_wrong_line_and_refuses_a_right_one(small, capsys):
    def early(net):
        return [(l, t) for l, t in proof.hidden(net) if t < net.T]

    small.fails("bp2", without_future, places=early, at_least=1e-4)
    (found,) = EquationCheck.read(capsys.readouterr().out)
    assert (found.kind, found.limit, found.of) == ("broken", 1e-4, "random net")
    assert found.cases == sum(net.T > 1 for net in small.numbers)
    with pytest.raises(EquationError, match="should fail and does not"):
        small.fails("bp2", bp2)
    small.fails("bp2", lambda *at: 1.015 * bp2(*at))  # one hundredth is enough if nothing is said
    with pytest.raises(EquationError, match=r"must be >= 0\.01"):
        small.fails("bp2", lambda *at: 1.009 * bp2(*at))


def test_the_tied_weight_moves_all_its_copies(small):
    small.check("bp4", of_weights, lambda net, l: net.total(net.cost, "w", l), layers)


@pytest.mark.parametrize("recurrent", ["hidden", "all", "none"])
def test_errors_and_gradients_are_those_of_the_library(recurrent):
    sizes, T = (2, 3, 2), 1 if recurrent == "none" else 3
    net = proof.Net(proof.Numbers(np.random.default_rng(0)), sizes, T, recurrent)
    w, b = (tuple(part[l] for l in (1, 2)) for part in (net.w, net.b))
    x = np.array([[net.a[0, t]] for t in net.steps])
    y = np.array([net.y[t] for t in net.steps])
    if recurrent == "none":
        params = tuple(map(bptt.Affine, w, b))
        run = bptt.teaching.feedforward.forward(params, x[0], (bptt.tanh, bptt.tanh))
        found = bptt.teaching.feedforward.backward(run, run.outputs - y)
        assert np.allclose(found.delta[0][0], net.delta[1, 1], rtol=0, atol=1e-14)
        assert np.allclose(found.layers[0].w, net.total(net.cost, "w", 1), rtol=0, atol=1e-14)
        return
    u = [net.u.get(l, np.zeros((n, n))) for l, n in enumerate(sizes)][1:]
    params = tuple(map(bptt.Recurrent, w, u, b))
    low = bptt.layer_forward(bptt.Elman(), params[0], x, (net.a[1, 0][None],))
    start = (net.a[2, 0] if recurrent == "all" else np.zeros(2))[None]
    high = bptt.layer_forward(bptt.Elman(), params[1], low.outputs, (start,))
    upper = bptt.layer_backward(high, high.outputs - y[:, None])
    lower = bptt.layer_backward(low, upper.x)
    for l, gradient in (1, lower), (2, upper):
        errors = [net.delta[l, t] for t in net.steps]
        assert np.allclose(gradient.delta[:, 0], errors, rtol=0, atol=1e-13)
        of_w = net.total(net.cost, "w", l)
        assert np.allclose(gradient.params.w, of_w, rtol=0, atol=1e-13)


def test_total_follows_and_immediate_holds():
    net = proof.Net(proof.Letters(), (1, 1, 1), 2)
    (z,), (u,) = net.z[1, 1], net.u[1]

    def of_next(values):
        return values["z", 1, 2]

    assert net.total(of_next, "z", 1, 1) == u.item() * sympy.Symbol("z") ** 0 * net.slope[1, 1][0]
    assert net.immediate(of_next, "z", 1, 1) == 0
    assert net.immediate(lambda values: net.weighted_input(values, 1, 2), "a", 1, 1) == u.item()
    assert z == sympy.Symbol("z1_1_1")


def test_after_the_last_step_there_is_no_error(small):
    for net in [small.letters, *small.numbers]:
        assert (net.delta[1, net.T + 1] == 0).all()


def test_letters_know_only_the_names_of_derivatives():
    letters = proof.Letters()
    x, y = letters.draw("x", 1), letters.draw("y", 1)
    f = letters.unknown("f")
    assert str(letters.derivative(lambda y: f(x, y), y).item()) == "f_2(x_1, y_1)"
    assert str(letters.derivative(letters.da, x).item()) == "dda(x_1)"
    assert letters.unknown("a")(x) == letters.a(x)  # one function, however often it is asked for


def test_breaks_needs_the_held_copy_to_matter(capsys):
    z, h, w = sympy.symbols("z h w")
    proof.breaks("bp2-insert", w * sympy.tanh(z) * sympy.tanh(h))
    assert "broken as it should be" in capsys.readouterr().out
    with pytest.raises(EquationError, match="should fail"):
        proof.breaks("bp2-insert", w * sympy.tanh(z))


def test_numbers_take_a_seed():
    one, other = (proof.Numbers(rng).draw("w", 2) for rng in (3, np.random.default_rng(3)))
    assert (one == other).all()
    with pytest.raises(TypeError, match=r"rng must be a .*Generator or a seed >= 0, got None"):
        proof.Numbers(None)


def test_numbers_need_no_sympy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)  # an import of it would fail
    net = proof.Net(proof.Numbers(np.random.default_rng(0)), (1, 2, 1), 2)
    assert np.allclose(bp2(net, 1, 1), net.delta[1, 1], rtol=0, atol=1e-14)


@pytest.mark.parametrize(("T", "steps"), [(1, {1}), (2, {1, 2, 3}), (3, {1, 2, 3, 4})])
def test_random_nets_have_the_sizes_that_the_docstring_says(T, steps):
    bench = proof.bench((1, 1), T, nets=60)
    assert {net.L for net in bench.numbers} == {2, 3, 4}
    assert {n for net in bench.numbers for n in net.sizes} == {1, 2, 3}
    assert {net.T for net in bench.numbers} == steps
    assert (bench.letters.sizes, bench.letters.T) == ((1, 1), T)
    inputs = [
        proof.bench((1, 1), T, nets=2, seed=seed).numbers[k].a[0, 1][0]
        for seed, k in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert inputs[0] == inputs[1] == bench.numbers[0].a[0, 1][0]
    assert len(set(inputs)) == 3


def test_without_arguments_a_bench_has_layers_of_one_two_two_and_one_units_and_three_steps():
    bench = proof.bench()
    assert (bench.letters.sizes, bench.letters.T, len(bench.numbers)) == ((1, 2, 2, 1), 3, 12)
    assert set(bench.letters.u) == {1, 2}
    assert all(set(net.u) == set(range(1, net.L)) for net in bench.numbers)
