"""A cell whose loops over time are compiled."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bptt._core.types import Array, State
from bptt.jit.formula import Formula, Layout, layout_of, recorded
from bptt.jit.keep import Program, load
from bptt.jit.source import source
from bptt.network.gradients import LayerGradient
from bptt.network.traces import LayerTrace

PRECISIONS = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Compiled:
    cell: Any

    def __post_init__(self) -> None:
        layout = layout_of(self.cell)
        name = type(self.cell).__name__
        texts = {}
        for dtype in PRECISIONS:
            there, back = recorded(self.cell, layout, dtype)
            texts[dtype] = source(name, dtype.name, layout, there, back)
        object.__setattr__(self, "_layout", layout)
        object.__setattr__(self, "_texts", texts)

    def __reduce__(self) -> Any:
        return Compiled, (self.cell,)

    def run_layer(self, params: Any, x: Array, state: State, mask: Any) -> LayerTrace:
        layout, dtype = self._layout, np.result_type(x, *params, *state)
        text, saves = self._texts[dtype]
        w, u, b, own = self._parts(params, dtype)
        steps, batch, _ = x.shape
        n = state[0].shape[1]
        states = np.empty((layout.states, steps + 1, batch, n), dtype)
        for array, first in zip(states, state, strict=True):
            array[0] = first
        saved = np.empty((steps, saves, batch, n), dtype)
        load(text).forward(np.ascontiguousarray(x), w, u, b, *own, _mask(mask), states, saved)
        return LayerTrace(self, params, x, tuple(states), saved, mask)

    def _parts(self, params, dtype):
        layout = self._layout
        w, *rest = params
        u = rest.pop(0) if layout.blocks("zh") else np.empty((1, 0), dtype)
        b, *own = rest
        return [np.ascontiguousarray(p) for p in (w, u, b)] + [[np.ascontiguousarray(p) for p in own]]

    def run_layer_backward(self, trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
        layout, dtype = self._layout, np.result_type(d_a, *trace.params)
        text, saves = self._texts[dtype]
        w, u, b, own = self._parts(trace.params, dtype)
        x = np.ascontiguousarray(trace.x)
        steps, batch, n = d_a.shape
        d_now = np.array(d_state, dtype)
        in_x, in_h = layout.blocks("zx"), layout.blocks("zh")
        delta_x = np.empty((steps, batch, len(in_x) * n), dtype)
        delta_h = delta_x if in_h == in_x else np.empty((steps, batch, len(in_h) * n), dtype)
        d_x = np.empty(x.shape, dtype)
        d_b = np.zeros(len(in_x) * n, dtype)
        d_own = np.zeros((len(own), n), dtype)
        load(text).backward(
            np.ascontiguousarray(w.T), np.ascontiguousarray(u.T), *own, _mask(trace.mask), *map(np.ascontiguousarray, trace.states),
            np.ascontiguousarray(trace.saved), np.ascontiguousarray(d_a), d_now, delta_x, delta_h, d_x, d_b, d_own,
        )
        d_w = _summed(x, delta_x)
        found = (d_w, _summed(trace.states[0][:-1], delta_h), d_b) if in_h else (d_w, d_b)
        return LayerGradient(type(trace.params)(*found, *d_own), d_x, tuple(d_now), delta_x)


def _summed(a, delta):
    return a.reshape(-1, a.shape[-1]).T @ delta.reshape(-1, delta.shape[-1])


def _mask(mask):
    return np.empty((0, 0), np.bool_) if mask is None else np.ascontiguousarray(mask)
