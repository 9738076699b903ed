"""The table of random problems that all algorithms are held to: nets, data, costs, states, by seed."""

from typing import Any, NamedTuple

import numpy as np
import reference

import bptt

SEEDS = range(200)

squash = bptt.Activation(
    "squash", lambda z: z / np.sqrt(1 + z * z), lambda z, _: (1 + z * z) ** -1.5
)
"""A pair that a user might bring along: not of the library."""

ACTIVATIONS = (bptt.tanh, bptt.sigmoid, bptt.relu, bptt.softplus, bptt.identity, squash)
COSTS = {
    "squared_error": bptt.squared_error,
    "softmax_cross_entropy": bptt.softmax_cross_entropy,
}


class Where(NamedTuple):
    """All that the cost of a run depends on, and so all that a gradient is taken with respect to."""

    params: bptt.Params
    x: Any
    initial: tuple


class Problem(NamedTuple):
    """A net, where to run it, and a cost that depends on its outputs and on its final state.

    The cost is a scalar: C = cost(outputs) + Σ ⟨d_final, final state⟩.
    """

    stack: bptt.Stack
    at: Where
    cost: str
    targets: Any
    mask: Any
    d_final: tuple

    def run(self, at=None):
        """Run the net where the problem says, or elsewhere."""
        return bptt.forward(self.stack, *(at or self.at))

    def outputs_cost(self, trace):
        """Return the part of the cost that depends on the outputs, with its derivative."""
        return COSTS[self.cost](trace.outputs, self.targets, self.mask)

    def total(self, at):
        """Return the scalar C(params, x, initial), for truths that know nothing of gradients."""
        trace = self.run(at)
        pairs = zip(trace.final, self.d_final, strict=True)
        through_final = sum((final[0] * d[0]).sum() for final, d in pairs)
        return self.outputs_cost(trace).value + through_final

    def gradient(self):
        """Return what backpropagation through time says."""
        trace = self.run()
        return bptt.backward(trace, self.outputs_cost(trace).d_outputs, self.d_final)


def problem(seed):
    """Draw a problem: 1-3 layers, T 1-12, B 1-4, widths 1-5, any activations, cost and mask.

    Inputs and initial states are between -1 and 1, so that no array of a problem has all its tanh units
    saturated: 1 - a² has lost digits there that no algorithm which takes a' from a can have (see
    test_activations.py, which bounds the loss), and 1e-13 would measure that and not the algorithm.
    """
    rng = np.random.default_rng([2, seed])
    depth, steps, batch = rng.integers(1, 4), int(rng.integers(1, 13)), int(rng.integers(1, 5))
    sizes = tuple(int(n) for n in rng.integers(1, 6, depth + 2))
    cost = str(rng.choice(list(COSTS)))
    # A readout that is not linear goes with squared error; softmax brings its own.
    output = bptt.identity if cost == "softmax_cross_entropy" else ACTIVATIONS[rng.integers(6)]
    stack = bptt.Stack(tuple(bptt.Elman(ACTIVATIONS[i]) for i in rng.integers(0, 6, depth)), output)
    params = bptt.initialize(stack, sizes, rng)
    x = rng.uniform(-1, 1, (steps, batch, sizes[0]))
    hidden = sizes[1:-1]
    initial = tuple((rng.uniform(-1, 1, (batch, n)),) for n in hidden)
    d_final = tuple((rng.normal(size=(batch, n)),) for n in hidden)
    if cost == "softmax_cross_entropy":
        targets = rng.integers(0, sizes[-1], (steps, batch))
    else:
        targets = rng.normal(size=(steps, batch, sizes[-1]))
    mask = masks(rng, steps, batch)[seed % 4]
    return Problem(stack, Where(params, x, initial), cost, targets, mask, d_final)


def masks(rng, steps, batch):
    """Return the four kinds: cost at every step, at the last only, at random ones, weighted."""
    last = np.zeros((steps, batch), bool)
    last[-1] = True
    return None, last, rng.random((steps, batch)) < 0.5, rng.random((steps, batch))


def literal(given):
    """Solve a problem by the literal loops; return outputs, cost, and a record as `bptt.backward` does."""
    params, x, initial = given.at
    layers = [*params.layers, params.readout]
    net = reference.Net(
        w=[None, *(layer.w.tolist() for layer in layers)],
        u=[None, *(layer.u.tolist() for layer in params.layers), None],
        b=[None, *(layer.b.tolist() for layer in layers)],
        names=[None, *(c.activation.name for c in given.stack.cells), given.stack.output.name],
        n=[x.shape[2], *(len(layer.b) for layer in layers)],
        L=len(layers),
        T=x.shape[0],
        B=x.shape[1],
    )
    run = reference.forward(net, x.tolist(), [state[0].tolist() for state in initial])
    mask = np.ones(x.shape[:2]) if given.mask is None else given.mask.astype(float)
    outputs = by_layer(net, run.a, net.L)
    cost, d_outputs = reference.COSTS[given.cost](
        outputs.tolist(), given.targets.tolist(), mask.tolist()
    )
    delta = reference.errors(net, run, d_outputs, [d[0].tolist() for d in given.d_final])
    found = reference.gradient(net, run, delta)
    recurrent = zip(found.w[1:-1], found.u[1:-1], found.b[1:-1], strict=True)
    gradient = bptt.Gradient(
        params=bptt.Params(
            tuple(bptt.Recurrent(*map(np.array, layer)) for layer in recurrent),
            bptt.Affine(np.array(found.w[-1]), np.array(found.b[-1])),
        ),
        x=np.array(found.x),
        initial=tuple((np.array(state),) for state in found.initial),
        delta=tuple(by_layer(net, delta, l) for l in range(1, net.L + 1)),
    )
    return outputs, cost, gradient


def by_layer(net, quantity, l):
    """Return quantity[l, t, m, j] of one layer as an array (T, B, n_l)."""
    found = [
        [[quantity[l, t, m, j] for j in range(net.n[l])] for m in range(net.B)]
        for t in range(1, net.T + 1)
    ]
    return np.array(found)
