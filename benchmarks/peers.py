"""The contenders: each turns a `Problem` into a function without arguments that does one gradient.

What such a function returns is put into the library's form by `Contender.gradient`, outside the timing.
Peers are imported where they are used, so that one of them can be measured without the others.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import bptt
from benchmarks.problems import CELLS, Problem


class Contender(NamedTuple):
    """One way to a gradient, made ready.

    Attributes
    ----------
    run
        Takes one gradient; this is what is timed.
    arrays
        Puts what `run` returned into a list of arrays: outputs, ∂C/∂x, then the parameters of each layer.
    """

    run: Callable[[], Any]
    arrays: Callable[[Any], list[np.ndarray]]


def ours(problem: Problem, *, compiled: bool = False) -> Contender:
    """Take the gradient with the public functions of this library, checks of arguments included."""
    cell = bptt.compiled(CELLS[problem.cell]) if compiled else CELLS[problem.cell]

    def run() -> Any:
        a, traces = problem.x, []
        for params in problem.layers:
            traces.append(bptt.layer_forward(cell, params, a, mask=problem.mask))
            a = traces[-1].outputs
        d_a, found = problem.d_a, []
        for trace in reversed(traces):
            found.insert(0, bptt.layer_backward(trace, d_a))
            d_a = found[0].x
        return traces[-1].outputs, d_a, found

    def arrays(result: Any) -> list[np.ndarray]:
        outputs, d_x, found = result
        return [outputs, d_x, *(leaf for layer in found for leaf in layer.params)]

    return Contender(run, arrays)


def torch(problem: Problem) -> Contender:
    """Take the gradient with PyTorch's own layer: nn.RNN, nn.LSTM or nn.GRU, on the CPU."""
    import torch  # noqa: PLC0415

    n, depth = problem.sizes[2], len(problem.layers)
    kind = {"Elman": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[problem.cell]
    x = torch.from_numpy(problem.x.copy()).requires_grad_()
    d_a = torch.from_numpy(problem.d_a.copy())
    module = kind(n, n, depth).to(x.dtype)
    with torch.no_grad():
        for name, p in module.named_parameters():
            layer = problem.layers[int(name[-1])]
            p.copy_(torch.from_numpy(_torch_arrays(layer)[name[:-3]].copy()))
    if problem.mask is not None:
        x_in = lambda: torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.from_numpy(problem.mask.sum(axis=0)), enforce_sorted=False
        )
    wanted = [x, *module.parameters()]

    def run() -> Any:
        if problem.mask is None:
            outputs, _ = module(x)
            return outputs, torch.autograd.grad(outputs, wanted, d_a)
        packed, _ = module(x_in())
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, total_length=len(problem.x))
        return outputs, torch.autograd.grad(outputs, wanted, d_a)

    def arrays(result: Any) -> list[np.ndarray]:
        outputs, (d_x, *found) = result
        each = [a.numpy() for a in found]
        layers = []
        for i in range(depth):
            w, u, b, c = each[4 * i : 4 * i + 4]
            own = [c[2 * n :]] if problem.cell == "GRU" else []
            layers += [w.T, u.T, b, *own]
        return [outputs.detach().numpy(), d_x.numpy(), *layers]

    return Contender(run, arrays)


def _torch_arrays(layer: Any) -> dict[str, np.ndarray]:
    """Return the library's parameters under PyTorch's names, which has a second bias."""
    w, u, b, *own = layer
    second = np.zeros_like(b)
    for c in own:
        second[-len(c) :] = c
    return {"weight_ih": w.T, "weight_hh": u.T, "bias_ih": b, "bias_hh": second}


def jax(problem: Problem) -> Contender:
    """Take the gradient with JAX: a step in jax.numpy, lax.scan over time, jit around its gradient."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    jax.config.update("jax_enable_x64", problem.x.dtype == np.float64)
    step = _step(problem.cell, jnp, jax.nn.sigmoid)
    n_states = len(bptt.cells.state_names_of(CELLS[problem.cell]))
    mask = None if problem.mask is None else jnp.asarray(problem.mask[:, :, None])

    def layer(params: Any, x: Any) -> Any:
        w, u, b, *own = params
        state = (jnp.zeros_like(x[0, :, : u.shape[0]]),) * n_states

        def advance(state: Any, now: Any) -> Any:
            z_x, there = now
            new = step(z_x, state[0] @ u, state, *own)
            if there is not None:
                new = tuple(jnp.where(there, one, old) for one, old in zip(new, state, strict=True))
            return new, new[0]

        return jax.lax.scan(advance, state, (x @ w + b, mask))[1]

    def outputs(layers: Any, x: Any) -> Any:
        for params in layers:
            x = layer(params, x)
        return x

    @jax.jit
    def gradient(layers: Any, x: Any, d_a: Any) -> Any:
        a, pull = jax.vjp(outputs, layers, x)
        return a, pull(d_a)

    at = jax.tree.map(
        jnp.asarray, (tuple(tuple(p) for p in problem.layers), problem.x, problem.d_a)
    )

    def run() -> Any:
        return jax.block_until_ready(gradient(*at))

    def arrays(result: Any) -> list[np.ndarray]:
        a, (layers, d_x) = result
        return [np.asarray(leaf) for leaf in (a, d_x, *(p for layer in layers for p in layer))]

    return Contender(run, arrays)


def hips(problem: Problem) -> Contender:
    """Take the gradient with HIPS autograd: a loop over time in its NumPy, and its reverse mode."""
    import autograd.numpy as anp  # noqa: PLC0415
    from autograd import make_vjp  # noqa: PLC0415

    step = _step(problem.cell, anp, lambda z: 0.5 * (anp.tanh(0.5 * z) + 1))
    n_states = len(bptt.cells.state_names_of(CELLS[problem.cell]))

    def outputs(at: Any) -> Any:
        layers, x = at
        for w, u, b, *own in layers:
            state = (np.zeros(x[0].shape, problem.x.dtype),) * n_states
            z_x = anp.dot(x, w) + b
            each = []
            for t in range(len(problem.x)):
                state = step(z_x[t], anp.dot(state[0], u), state, *own)
                each.append(state[0])
            x = anp.stack(each)
        return x

    at = (tuple(tuple(p) for p in problem.layers), problem.x)

    def run() -> Any:
        pull, a = make_vjp(outputs)(at)
        return a, pull(problem.d_a)

    def arrays(result: Any) -> list[np.ndarray]:
        a, (layers, d_x) = result
        return [a, d_x, *(leaf for layer in layers for leaf in layer)]

    return Contender(run, arrays)


def _step(cell: str, np_: Any, sigmoid: Any) -> Any:
    """Return the step of a cell in the words of some NumPy: state out of z_x, z_h and the state."""

    def elman(z_x: Any, z_h: Any, _: Any) -> Any:
        return (np_.tanh(z_x + z_h),)

    def lstm(z_x: Any, z_h: Any, state: Any) -> Any:
        z, n = z_x + z_h, state[0].shape[1]
        i, f, o = (sigmoid(z[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
        c = f * state[1] + i * np_.tanh(z[:, 2 * n : 3 * n])
        return o * np_.tanh(c), c

    def gru(z_x: Any, z_h: Any, state: Any, c: Any) -> Any:
        (a,), n = state, state[0].shape[1]
        r, s = (sigmoid(z_x[:, k * n : (k + 1) * n] + z_h[:, k * n : (k + 1) * n]) for k in (0, 1))
        new = np_.tanh(z_x[:, 2 * n :] + r * (z_h[:, 2 * n :] + c))
        return ((1 - s) * new + s * a,)

    return {"Elman": elman, "LSTM": lstm, "GRU": gru}[cell]
