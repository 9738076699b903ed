r"""The unrolled network: a stack over T steps, written out as an ordinary feedforward network.

Every step of every layer becomes one feedforward layer. It computes the units of that layer and step,
and hands on, unchanged, whatever a later layer still needs: inputs of steps to come, states, outputs
that are ready. The weights of a layer thus stand in the unrolled network T times. Plain
backpropagation gives a gradient for each copy; since the copies are one and the same parameter, their
gradients are added:

.. math:: \frac{\partial C}{\partial w^l} = \sum_t \frac{\partial C}{\partial w^{l(t)}} && \text{(TIE)}

This module exists to be compared with: `bptt.backward` gives the same numbers, without the copies.

Source: Rumelhart, Hinton & Williams (1986), section "Recurrent nets"; Minsky & Papert (1969).
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, State, validation
from bptt._core.tree import array_record, check_like, one_precision, tree_map
from bptt.cells import Elman, Recurrent
from bptt.cells.activations import Activation
from bptt.network.backward import Gradient
from bptt.network.stack import Affine, Params
from bptt.network.states import check_states
from bptt.network.traces import Trace
from bptt.teaching import feedforward

__all__ = ["Unrolled", "copies", "fold", "unroll"]

Block: TypeAlias = tuple[str, int, int]
"""A group of units: ("x", 0, t), ("a", l, t) or ("y", L, t), with l and t counted as in the formulas."""
Columns: TypeAlias = dict[Block, slice]  # which of them are those of a block


@array_record
class Unrolled(NamedTuple):
    """A stack over T steps as a feedforward network.

    Attributes
    ----------
    layers
        Its parameters, for `bptt.teaching.feedforward.forward`.
    activations
        Its activation functions, one a layer.
    x
        Its input: all initial states and all inputs of a sequence in one row, shape (B, n).
    blocks
        For layers 0 to the last, which columns hold which units.
    computes
        For layers 1 to the last, the block that the layer computes; all others it hands on.
    trace
        The run that was unrolled.
    """

    layers: tuple[Affine, ...]
    activations: tuple[Activation, ...]
    x: Array
    blocks: tuple[Columns, ...]
    computes: tuple[Block, ...]
    trace: Trace

    def cotangent(
        self, d_outputs: ArrayLike, d_final: Sequence[State | ArrayLike] | None = None
    ) -> Array:
        """Lay out ∂C/∂outputs and ∂C/∂(final states) as one row for each sequence, shape (B, n).

        Takes and refuses what `bptt.backward` does.
        """
        found = np.zeros((self.x.shape[0], _width(self.blocks[-1])), self.x.dtype)
        outputs = validation.array("d_outputs", d_outputs, self.trace.outputs.shape)
        cells, final = self.trace.stack.cells, self.trace.final
        states = check_states("d_final", d_final, cells, final, validation.REAL)
        one_precision(("trace.outputs", found), ("d_outputs", outputs), ("d_final", states))
        for (kind, l, t), columns in self.blocks[-1].items():
            found[:, columns] = outputs[t - 1] if kind == "y" else states[l - 1][0]
        return found


def unroll(trace: Trace) -> Unrolled:
    """Write the network of a run out as a feedforward network, one copy of the weights a step.

    Parameters
    ----------
    trace
        What `bptt.forward` returned, for a stack of `bptt.Elman` cells.

    Returns
    -------
    Unrolled
        The feedforward network, with its input.

    Raises
    ------
    TypeError
        If `trace` is not a trace, or one of its cells is not an `bptt.Elman` itself.
    ValueError
        If the run had a mask, for which a feedforward network has no place.

    Examples
    --------
    Two recurrent layers and a readout over three steps are nine feedforward layers:

    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> unrolled = bptt.teaching.unroll(bptt.forward(tiny.stack, tiny.params, tiny.x))
    >>> len(unrolled.layers)
    9
    """
    validation.instance("trace", trace, Trace)
    functions: list[Activation] = []
    for i, cell in enumerate(trace.stack.cells):
        elman = validation.instance(f"trace.stack.cells[{i}]", cell, Elman)
        if type(elman) is not Elman:
            msg = f"trace.stack.cells[{i}] must be an Elman itself, not of a subclass, got {cell!r:.60}"
            raise TypeError(msg)
        functions.append(elman.activation)
    functions.append(trace.stack.output)
    if trace.layers[0].mask is not None:
        msg = "trace must be of a run without a mask, got one with a mask"
        raise ValueError(msg)
    top, steps = len(trace.layers) + 1, range(1, len(trace.x) + 1)
    order = [("a" if l < top else "y", l, t) for t in steps for l in range(1, top + 1)]
    start = [("a", l, 0) for l in range(1, top)] + [("x", 0, t) for t in steps]
    final, alive = {("a", l, len(steps)) for l in range(1, top)}, [start]
    for i, block in enumerate(order):
        needed = {source for later in order[i + 1 :] for source in _sources(later, top)}
        kept = [b for b in alive[-1] if b in needed or b[0] == "y" or b in final]
        alive.append([*kept, block])
    blocks = tuple(_columns(there, trace) for there in alive)
    each = list(zip(order, blocks[:-1], blocks[1:], strict=True))
    layers = tuple(_layer(trace, *one) for one in each)
    activations = tuple(_only_on(here[block], functions[block[1] - 1]) for block, _, here in each)
    x = np.concatenate([*(layer.a[0] for layer in trace.layers), *trace.x], axis=1)
    return Unrolled(layers, activations, x, blocks, tuple(order), trace)


def copies(unrolled: Unrolled, gradient: feedforward.Gradient) -> tuple[Params, ...]:
    """Pick the gradient of each step's copy of the parameters out of plain backpropagation's.

    Parameters
    ----------
    unrolled
        What `unroll` returned.
    gradient
        What `bptt.teaching.feedforward.backward` returned for it.

    Returns
    -------
    tuple of Params
        The gradients with respect to the copies of steps 1 to T: views of `gradient`.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If `gradient` is that of another network.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> unrolled = bptt.teaching.unroll(bptt.forward(tiny.stack, tiny.params, tiny.x))
    >>> run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    >>> d_outputs = unrolled.cotangent(run.outputs[:, -3:].T[:, :, None] - tiny.targets)
    >>> len(bptt.teaching.copies(unrolled, bptt.teaching.feedforward.backward(run, d_outputs)))
    3
    """
    validation.instance("unrolled", unrolled, Unrolled)
    validation.instance("gradient", gradient, feedforward.Gradient)
    check_like("gradient.layers", gradient.layers, "unrolled.layers", unrolled.layers)
    top = len(unrolled.trace.layers) + 1
    found: dict[Block, Affine | Recurrent] = {}
    for i, block in enumerate(unrolled.computes):
        w, b = gradient.layers[i]
        columns, rows = unrolled.blocks[i + 1][block], unrolled.blocks[i]
        below, *past = (w[rows[source], columns] for source in _sources(block, top))
        # (copy-gradient)
        found[block] = Recurrent(below, past[0], b[columns]) if past else Affine(below, b[columns])
    return tuple(
        Params(tuple(found["a", l, t] for l in range(1, top)), found["y", top, t])  # type: ignore[arg-type]
        for t in range(1, len(unrolled.trace.x) + 1)
    )


def fold(unrolled: Unrolled, gradient: feedforward.Gradient) -> Gradient:
    """Turn plain backpropagation's gradient of the unrolled network into that of the stack: (TIE).

    Parameters
    ----------
    unrolled
        What `unroll` returned.
    gradient
        What `bptt.teaching.feedforward.backward` returned for it.

    Returns
    -------
    Gradient
        What `bptt.backward` returns for the run that was unrolled.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If `gradient` is that of another network.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> tiny = bptt.teaching.tiny()
    >>> trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    >>> _, d_outputs = bptt.squared_error(trace.outputs, tiny.targets)
    >>> unrolled = bptt.teaching.unroll(trace)
    >>> run = bptt.teaching.feedforward.forward(unrolled.layers, unrolled.x, unrolled.activations)
    >>> plain = bptt.teaching.feedforward.backward(run, unrolled.cotangent(d_outputs))
    >>> tied = bptt.teaching.fold(unrolled, plain).params.layers[0].u
    >>> bool(np.allclose(tied, bptt.backward(trace, d_outputs).params.layers[0].u, rtol=1e-13))
    True
    """
    each = copies(unrolled, gradient)
    trace, start = unrolled.trace, unrolled.blocks[0]
    top, steps = len(trace.layers) + 1, range(1, len(trace.x) + 1)
    places = zip(unrolled.computes, unrolled.blocks[1:], gradient.delta, strict=True)
    errors = {block[1:]: delta[:, columns[block]] for block, columns, delta in places}
    return Gradient(
        params=tree_map(lambda *of_steps: np.sum(of_steps, axis=0), *each),  # (TIE)
        x=np.stack([gradient.x[:, start["x", 0, t]] for t in steps]),
        initial=tuple((gradient.x[:, start["a", l, 0]].copy(),) for l in range(1, top)),
        delta=tuple(np.stack([errors[l, t] for t in steps]) for l in range(1, top + 1)),
    )


def _sources(block: Block, top: int) -> list[Block]:
    """Return the blocks that a block is computed from: the one below, and its own past."""
    _, l, t = block
    below = ("x", 0, t) if l == 1 else ("a", l - 1, t)
    return [below] if l == top else [below, ("a", l, t - 1)]


def _size(block: Block, trace: Trace) -> int:
    kind, l, _ = block
    layer = trace.x if kind == "x" else trace.outputs if kind == "y" else trace.layers[l - 1].a
    return int(layer.shape[2])


def _columns(blocks: Sequence[Block], trace: Trace) -> Columns:
    ends = np.cumsum([0, *(_size(block, trace) for block in blocks)]).tolist()
    return {block: slice(*ends[i : i + 2]) for i, block in enumerate(blocks)}


def _width(columns: Columns) -> int:
    return max(int(c.stop) for c in columns.values())


def _layer(trace: Trace, block: Block, below: Columns, here: Columns) -> Affine:
    """Return the weights of one unrolled layer: the block's own, and ones for what is handed on."""
    w = np.zeros((_width(below), _width(here)), trace.outputs.dtype)
    b = np.zeros(_width(here), trace.outputs.dtype)
    for other, columns in here.items():
        if other != block:
            w[below[other], columns] = np.eye(_size(other, trace))
    *weights, bias = (*trace.params.layers, trace.params.readout)[block[1] - 1]
    for source, matrix in zip(_sources(block, len(trace.layers) + 1), weights, strict=True):
        w[below[source], here[block]] = matrix
    b[here[block]] = bias
    return Affine(w, b)


def _only_on(columns: slice, inner: Activation) -> Activation:
    """Apply an activation to some units of a layer, and the identity to the others."""
    name = f"{inner.name} on units {columns.start} to {columns.stop - 1}"
    return Activation(name, partial(_applied, columns, inner), partial(_slope, columns, inner))


def _applied(columns: slice, inner: Activation, z: Array) -> Array:
    a = z.copy()
    a[..., columns] = inner.function(z[..., columns])
    return a


def _slope(columns: slice, inner: Activation, z: Array, a: Array) -> Array:
    slope = np.ones_like(z)
    slope[..., columns] = inner.derivative(z[..., columns], a[..., columns])
    return slope
