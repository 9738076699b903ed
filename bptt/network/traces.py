"""What a run leaves behind, and what the way back returns: traces and gradients, as records."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array, LayerParams, LayerState, Mask, Saved, State
from bptt._core.tree import array_record
from bptt.cells import Bidirectional, BothDirections, layout_of
from bptt.cells.protocol import Cell, OneDirection, formula_of
from bptt.network.stack import Params, Stack

__all__ = ["BidirectionalTrace", "Gradient", "LayerGradient", "LayerTrace", "Trace"]

AnyTrace: TypeAlias = Any  # a `LayerTrace` or a `BidirectionalTrace`: the cell tells
States: TypeAlias = tuple[LayerState, ...]  # of all layers, the lowest first, or their cotangents
Errors: TypeAlias = Any  # of one layer: an array, or a pair of them, or () without a z


@array_record
class LayerTrace(NamedTuple):
    """What a run leaves behind in one recurrent layer.

    Attributes
    ----------
    cell
        What was run.
    params
        With which parameters.
    x
        Its input, shape (T, B, n_below).
    states
        The arrays of its state, the activation's first, each (T + 1, B, n): index 0 is the initial
        state, index t the state after step t.
    saved
        For each step, what the cell's derivative needs, in the form of the engine that ran it.
    mask
        Which steps of which sequences there are, booleans of shape (T, B); None if all.
    """

    cell: OneDirection
    params: LayerParams
    x: Array
    states: tuple[Array, ...]
    saved: Sequence[Saved]
    mask: Mask | None = None

    @property
    def a(self) -> Array:
        """The activations, initial state included, shape (T + 1, B, n): ``a[t]`` is a^(t)."""
        return self.states[0]

    @property
    def outputs(self) -> Array:
        """What the layer above sees: the activations of steps 1 to T, shape (T, B, n)."""
        return self.states[0][1:]

    @property
    def final(self) -> State:
        """The state after the last step, arrays of shape (B, n)."""
        return tuple(array[-1] for array in self.states)

    @property
    def intermediates(self) -> dict[str, Array]:
        """What the cell's formula has at each step, by the names it uses there, each (T, B, n).

        That is the weighted inputs, such as ``z`` or ``z_i``, and what `step` saves for its derivative.
        They are computed anew, whichever engine has run. A cell that is no formula has none: a TypeError.
        """
        cell = formula_of(self.cell)
        layout = layout_of(cell)
        *_, own = layout.split(self.params)
        past = [array[:-1] for array in self.states]
        with np.errstate(all="ignore"):  # as in the run itself
            weighted = weighted_inputs(cell, self.params, self.x, past[0])
            rows = [array.reshape(-1, array.shape[2]) for array in (*weighted, *past)]
            _, saved = cell.step(*rows, *own)
        found = (*weighted, *(array.reshape(past[0].shape) for array in saved))
        return dict(zip(layout.weighted + layout.saved, found, strict=True))


def weighted_inputs(cell: Cell, params: LayerParams, x: Array, a: Array) -> list[Array]:
    """Return the weighted inputs of a formula for an input and the activation before: (FWD)."""
    layout = layout_of(cell)
    w, u, b, _ = layout.split(params)

    found: dict[str, Array] = {}
    for z, kinds in ((x @ w + b, "zx"), *([] if u is None else [(a @ u, "zh")])):
        names = [name for name in layout.weighted if name[0] in kinds]
        for name, block in zip(names, np.split(z, len(names), axis=-1), strict=True):
            found[name] = found[name] + block if name in found else block
    return [found[name] for name in layout.weighted]


@array_record
class BidirectionalTrace(NamedTuple):
    """What a run leaves behind in a bidirectional layer.

    Attributes
    ----------
    forward
        The trace of the layer that reads from the first step.
    backward
        The trace of the layer that reads from the last step; its own step 1 is step T.
    """

    forward: LayerTrace
    backward: LayerTrace

    @property
    def cell(self) -> Bidirectional:
        """What was run."""
        return Bidirectional(self.forward.cell, self.backward.cell)

    @property
    def outputs(self) -> Array:
        """What the layer above sees: both activations side by side, shape (T, B, 2 n)."""
        return np.concatenate([self.forward.outputs, self.backward.outputs[::-1]], axis=2)

    @property
    def final(self) -> BothDirections:
        """The states of both directions after their last steps."""
        return BothDirections(self.forward.final, self.backward.final)


@array_record
class Trace(NamedTuple):
    """What a run of a stack leaves behind: all that `bptt.backward` needs.

    Attributes
    ----------
    stack
        What was run.
    params
        With which parameters.
    x
        On which input, shape (T, B, n_0).
    layers
        A `LayerTrace` for each recurrent layer (or `BidirectionalTrace`), the lowest first.
    z
        The weighted inputs of the readout, z^L, shape (T, B, n_L).
    outputs
        The activations of the readout, a^L, shape (T, B, n_L).
    """

    stack: Stack
    params: Params
    x: Array
    layers: tuple[AnyTrace, ...]
    z: Array
    outputs: Array

    @property
    def final(self) -> States:
        """The final state of each recurrent layer: what a next window starts from."""
        return tuple(layer.final for layer in self.layers)


@array_record
class LayerGradient(NamedTuple):
    """The gradient of a cost with respect to one recurrent layer.

    Attributes
    ----------
    params
        With respect to w, u and b: (BP4) and (BP3).
    x
        With respect to the layer's input, shape (T, B, n_below).
    initial
        With respect to its initial state, arrays of shape (B, n): (BP0).
    delta
        The errors ∂C/∂z of all steps, shape (T, B, gates n): (BP2). Empty for an unfactored cell,
        which has no z that the engine knows.
    """

    params: LayerParams
    x: Array
    initial: LayerState
    delta: Errors


@array_record
class Gradient(NamedTuple):
    """The gradient of a cost with respect to all that a run of a stack depends on.

    Attributes
    ----------
    params
        With respect to the parameters: (BP3) and (BP4).
    x
        With respect to the input, shape (T, B, n_0): (BP0).
    initial
        With respect to the initial state of each recurrent layer: (BP0).
    delta
        The errors ∂C/∂z of layers 1 to L: (BP2), as in `LayerGradient`; (BP1) for the last, (T, B, n_L).
    """

    params: Params
    x: Array
    initial: States
    delta: tuple[Errors, ...]
