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
