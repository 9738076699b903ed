"""The loops over time of a cell that does its own products: step by step, (FWD) and (BP2) again."""

from collections.abc import Iterator

import numpy as np

from bptt._core import Array, LayerParams, Saved, State
from bptt._core.tree import tree_map
from bptt._core.validation import called, read_only
from bptt.cells.layout import check_unfactored
from bptt.cells.protocol import AnyMask, Formula, UnfactoredCell
from bptt.network.traces import LayerGradient, LayerTrace


def walk(
    cell: UnfactoredCell, params: LayerParams, x: Array, state: State, mask: AnyMask
) -> Iterator[tuple[State, Saved]]:
    """Go forward step by step: yield the state after each, and what the cell saved."""
    if mask is not None and mask.any():  # what stands in a gap may be outside of the cell's domain
        x = np.where(mask[:, :, None], x, x[mask][0])
    params, x, state = tree_map(read_only, (params, x, state))
    name = f"{type(cell).__name__}.unfactored_step"
    of = np.empty(0, np.result_type(x, *params, *state))
    for t, x_t in enumerate(x):
        returned = called(name, cell.unfactored_step, params, x_t, state)
        if t == 0:
            check_unfactored(name, returned, {"new_state": state, "saved": None}, of)
        stepped, kept = returned
        if mask is None:
            state = stepped
        else:  # (mask-step)
            there = mask[t, :, None]
            state = tuple(np.where(there, a, b) for a, b in zip(stepped, state, strict=True))
        yield state, kept


def run_layer_backward(trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
    """Go back through one layer on arguments that have been checked: the same recursion."""
    cell: Formula = trace.cell
    name = f"{type(cell).__name__}.unfactored_backward"
    params = tree_map(read_only, trace.params)
    d_params = tree_map(np.zeros_like, trace.params)
    d_x = np.zeros(trace.x.shape, d_a.dtype)
    checked = False
    for t in reversed(range(len(d_a))):
        d_state = (d_a[t] + d_state[0], *d_state[1:])
        held = None
        if trace.mask is not None:
            there = trace.mask[t, :, None]
            if not there.any():
                continue
            held = tuple(d * ~there for d in d_state)  # (mask-bp)
            d_state = tuple(d * there for d in d_state)  # (mask-bp)
        d_state = tuple(map(read_only, d_state))
        returned = called(name, cell.unfactored_backward, params, d_state, trace.saved[t])
        if not checked:
            like = {"d_params": params, "d_x": trace.x[t], "d_state": d_state}
            check_unfactored(name, returned, like, d_x)
            checked = True
        now, d_x[t], d_state = returned
        d_params = tree_map(np.add, d_params, type(d_params)(*now))  # of a plain tuple, too
        if held is not None:
            d_state = tuple(d + passed for d, passed in zip(d_state, held, strict=True))
    return LayerGradient(d_params, d_x, tuple(d.copy() for d in d_state), ())
