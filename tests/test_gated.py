"""The bench for layers with gates: the reference is the gradient of the library, and a line with a fault."""

import numpy as np
import pytest

import bptt
from bptt.teaching import EquationCheck, EquationError, gated


def elman(net, keep):
    a = net.a0
    for x_t in net.x:
        a = keep("a", net.tanh(keep("z", x_t @ net.w + a @ net.u + net.b)))


def bp2(net):
    return (net.above + gated.later(net.d["z"]) @ net.u.T) * (1 - net.a**2)


@pytest.fixture(scope="module")
def bench():
    return gated.bench(elman, gates=1)


def test_a_right_line_holds_in_letters_and_in_numbers(bench, capsys):
    bench.check("bp2", "z", bp2)
    first, second = EquationCheck.read(capsys.readouterr().out)
    assert (first.kind, first.cases, first.of) == ("exact", 1, "symbolic net")
    assert (second.kind, second.cases, second.of) == ("close", 10, "random net")


def test_a_line_without_the_future_is_refused(bench):
    with pytest.raises(EquationError, match="bp2 does not hold"):
        bench.check("bp2", "z", lambda net: net.above * (1 - net.a**2))


def test_a_line_wrong_in_numbers_alone_is_refused(bench):
    def line(net):
        return bp2(net) * (1 if net is bench.letters else 1 + 1e-9)

    with pytest.raises(EquationError, match="bp2 does not hold"):
        bench.check("bp2", "z", line)


def test_the_derivatives_are_those_of_the_library(bench):
    for net in bench.numbers:
        params = bptt.Recurrent(net.w, net.u, net.b)
        run = bptt.layer_forward(bptt.Elman(), params, net.x, (net.a0,))
        np.testing.assert_allclose(run.outputs, net.a, rtol=0, atol=1e-14)
        back = bptt.layer_backward(run, net.above)
        np.testing.assert_allclose(back.delta, net.d["z"], rtol=0, atol=1e-12)
        truth = bptt.complex_step(lambda p, net=net: gated.cost_of(net, p._asdict()), params)
        assert bptt.compare(back.params, truth, tolerance=1e-12).ok


def test_one_step_later_and_one_step_earlier():
    steps = np.arange(1.0, 4.0)[:, None]
    assert gated.later(steps).ravel().tolist() == [2, 3, 0]
    assert gated.earlier(steps, np.array([9.0])).ravel().tolist() == [9, 1, 2]


def lstm(net, keep):
    """Run a layer of LSTM units with peepholes, its blocks in the library's order."""
    a, c, n = net.a0, net.c0, net.c0.shape[1]
    for x_t in net.x:
        z_i, z_f, z_g, z_o = (
            (x_t @ net.w + a @ net.u + net.b)[:, k * n : k * n + n] for k in range(4)
        )
        i = net.sigma(keep("z_i", z_i + net.p[0] * c))
        f = net.sigma(keep("z_f", z_f + net.p[1] * c))
        c = keep("c", f * c + i * net.tanh(keep("z_g", z_g)))
        a = keep("a", net.sigma(keep("z_o", z_o + net.p[2] * c)) * net.tanh(c))


@pytest.mark.parametrize("peepholes", [True, False])
def test_gates_and_peepholes_of_numbers_are_those_of_the_library(peepholes):
    letters = gated.bench(lstm, 4, peepholes=peepholes).letters
    assert (letters.w.shape, letters.u.shape, letters.b.shape) == ((1, 8), (2, 8), (8,))
    cell = bptt.PeepholeLSTM() if peepholes else bptt.LSTM()
    for seed in range(10):
        net = gated._numbers(seed, lstm, 4, peepholes)
        own = net.p if peepholes else ()
        params = bptt.cells.layout.parameters_of(cell)(net.w, net.u, net.b, *own)
        run = bptt.layer_forward(cell, params, net.x, (net.a0, net.c0))
        np.testing.assert_allclose(run.outputs, net.a, rtol=0, atol=1e-14)
        delta = np.concatenate([net.d[f"z_{gate}"] for gate in "ifgo"], axis=2)
        np.testing.assert_allclose(
            bptt.layer_backward(run, net.above).delta, delta, rtol=0, atol=1e-12
        )
        assert peepholes or not net.p.any()


def test_sizes_are_those_that_the_docstrings_say():
    nets = [gated._numbers(seed, elman, 1, False) for seed in range(40)]
    assert [len(net.x) for net in nets[:6]] == [1, 2, 3, 4, 1, 2]
    shapes = [(*net.a0.shape, net.x.shape[2]) for net in nets]
    assert list(map(set, zip(*shapes, strict=True))) == [{1, 2}, {1, 2, 3}, {1, 2, 3}]
    for net in nets:
        assert net.c0.shape == net.a0.shape == net.above.shape[1:]
        assert net.c_n.shape == net.a0.shape[1:]


def test_letters_have_two_units_two_steps_and_a_sigma(capsys):
    def run(net, keep):
        for x_t in net.x:
            keep(
                "a",
                net.sigma(keep("z", x_t @ net.w + net.b + net.a0 + net.c0 * net.c_n + net.p[2])),
            )

    for peepholes in (True, False):
        found = gated.bench(run, 1, peepholes=peepholes)
        assert found.letters.a.shape == (2, 1, 2)
        assert found.letters.u.shape == (2, 2)
        found.check("slope", "z", lambda net: net.above * net.a * (1 - net.a))
        assert [bool(np.any(net.p != 0)) for net in (found.letters, *found.numbers)] == [
            peepholes
        ] * 11
    assert capsys.readouterr().out.count("slope: holds exactly") == 2
