r"""A cell whose loops over time are compiled: the same formula, the same interface, the same results.

Before anything is compiled the two methods of the cell are run once on symbols, which record what the formula does to an
entry (`bptt.jit.recording`); the record is compared with the formula on arrays (`bptt.jit.formula`). From that the text
of both loops is written (`bptt.jit.source`), and Numba compiles it at the first call in each precision
(`bptt.jit.cache`).
"""

import copy
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bptt._core import Array, LayerParams, Saved, State
from bptt.cells.bidirectional import Bidirectional
from bptt.cells.layout import Layout, layout_of
from bptt.cells.protocol import AnyMask, Formula, formula_of
from bptt.jit.formula import recorded
from bptt.jit.source import Source, source
from bptt.network import engines
from bptt.network.backward import outer_sum
from bptt.network.stack import AnyCell
from bptt.network.traces import LayerGradient, LayerTrace

if TYPE_CHECKING:
    from bptt.jit.cache import Program

__all__ = ["Compiled", "compiled"]

CompiledCell: TypeAlias = Any  # a `Compiled`, or a `Bidirectional` of two

PRECISIONS = (np.dtype(np.float32), np.dtype(np.float64))
EVERYWHERE = np.empty(0, np.bool_)  # the mask that the loops take for none


def compiled(cell: AnyCell) -> CompiledCell:
    """Return a cell that runs the same formula in compiled loops over time.

    It goes wherever the cell itself goes: into a `bptt.Stack`, alone or among others, with masks, truncation,
    checkpoints and `bptt.check_cell`. Its results are those of the plain loop, up to rounding: in float64 to 1e-12.
    Complex numbers, for the complex step, run through the plain loop.

    The cell is copied: a change of it afterwards has no effect on what was compiled, nor on copies and pickles of
    that. To use a changed cell, compile it again.

    The first call in each precision compiles, for some seconds; the result is kept in a folder of the user's caches
    (`NUMBA_CACHE_DIR` names another), so that later processes read it from there.

    Parameters
    ----------
    cell
        A cell of the library or of your own, or a `bptt.Bidirectional` of two.

    Returns
    -------
    Compiled or Bidirectional
        The cell, compiled; a layer of both directions with both of its cells compiled.

    Raises
    ------
    ImportError
        If Numba is not installed: ``pip install "bptt[fast]"``.
    TypeError
        If the cell cannot be compiled, with the reason: its formula is not elementwise, or does something else to
        arrays than to the symbols that record it, or it does its own products (`bptt.ResetBeforeGRU`), or the cell
        cannot be copied.
    RuntimeError
        If the environment variable NUMBA_DISABLE_JIT turns Numba's compiler off.

    See Also
    --------
    bptt.Cell : what a formula is.

    Examples
    --------
    >>> import bptt
    >>> stack = bptt.Stack(cells=(bptt.compiled(bptt.LSTM()),))
    """
    if isinstance(cell, Bidirectional):
        return Bidirectional(compiled(cell.forward), compiled(cell.backward))
    return Compiled(formula_of(cell))


@dataclass(frozen=True)
class Compiled:
    """A cell with compiled loops; made by `bptt.compiled`.

    Attributes
    ----------
    cell
        The formula: a copy of the cell that was given.
    layout
        What the names in it say.
    """

    cell: Formula
    layout: Layout = field(init=False, repr=False, compare=False)
    _sources: dict[np.dtype, Source] = field(init=False, repr=False, compare=False)
    _programs: dict[np.dtype, "Program"] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Record the formula; refuse what cannot be compiled."""
        object.__setattr__(self, "layout", layout_of(self.cell))
        _need_numba()
        try:
            cell = copy.deepcopy(self.cell)
        except Exception as error:
            msg = f"{type(self.cell).__name__} cannot be compiled: it cannot be copied: {error}"
            raise TypeError(msg) from error
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "_sources", _sources(cell))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy the formula alone: it is recorded anew where it arrives."""
        if _sources(self.cell) != self._sources:
            msg = (
                f"the formula of {type(self.cell).__name__} has changed since it was compiled; "
                "compile it again to copy or pickle it"
            )
            raise TypeError(msg)
        return Compiled, (self.cell,)

    def run_layer(self, params: LayerParams, x: Array, state: State, mask: AnyMask) -> LayerTrace:
        """Run a layer forward on arguments that have been checked: (FWD)."""
        dtype = np.result_type(x, *params, *state)
        found = self._sources.get(dtype)
        if found is None:  # complex numbers
            return engines.run_layer(self.cell, params, x, state, mask)
        (steps, batch, _), n = x.shape, state[0].shape[1]
        states = np.empty((len(state), steps + 1, batch, n), dtype)
        states[:, 0] = state
        saved: Saved = np.empty((steps, found.saves, batch, n), dtype)
        w, u, b, own = self.layout.split(params)
        u = np.empty((1, 0), dtype) if u is None else u
        z_x = x.reshape(steps * batch, len(w)).dot(w)  # (FWD), of all steps
        given = (z_x, u, b, *own, EVERYWHERE if mask is None else mask, states, saved)
        self._program(dtype).forward(steps, batch, n, *map(_flat, given))
        return LayerTrace(self, params, x, tuple(states), saved, mask)

    def run_layer_backward(self, trace: LayerTrace, d_a: Array, d_state: State) -> LayerGradient:
        """Go back through a layer on arguments that have been checked: (BP2), then (BP3), (BP4) and (BP0)."""
        saved: Saved = trace.saved
        dtype, (steps, batch, n) = saved.dtype, d_a.shape
        w, u, b, own = self.layout.split(trace.params)
        u = np.empty((1, 0), dtype) if u is None else u
        delta_x = np.empty((steps, batch, w.shape[1]), dtype)
        # A block of kind x or h: what meets u is not what meets w.
        blocks = self.layout.w_blocks, self.layout.u_blocks
        apart = u.size and len(self.layout.weighted) > min(blocks)
        delta_h = np.empty((steps, batch, u.shape[1]), dtype) if apart else delta_x
        d_b, d_own = np.zeros(b.shape, dtype), np.zeros((len(own), n), dtype)
        carried = np.empty((2, len(d_state), batch, n), dtype)
        carried[0] = d_state
        mask = EVERYWHERE if trace.mask is None else trace.mask
        given = (u, *own, mask, *trace.states, saved, d_a, carried)
        arrays = (*given, delta_x, delta_h, d_b, d_own)
        self._program(dtype).backward(steps, batch, n, *map(_flat, arrays))
        d_x = delta_x.reshape(steps * batch, -1).dot(w.T).reshape(trace.x.shape)  # (BP0)
        d_u = (outer_sum(trace.states[0][:-1], delta_h),) if u.size else ()  # (BP4)
        params = type(trace.params)(outer_sum(trace.x, delta_x), *d_u, d_b, *d_own)  # (BP4), (BP3)
        return LayerGradient(params, d_x, tuple(carried[0]), delta_x)

    def _program(self, dtype: np.dtype) -> "Program":
        """Return both loops of one precision."""
        if dtype not in self._programs:
            from bptt.jit.cache import load  # noqa: PLC0415 - NumPy alone is enough to import bptt

            self._programs[dtype] = load(self._sources[dtype].text)
        return self._programs[dtype]


def _sources(cell: Formula) -> dict[np.dtype, Source]:
    """Return the texts of the loops of a cell, by precision."""
    name, layout = type(cell).__name__, layout_of(cell)
    return {
        dtype: source(name, dtype.name, layout, *recorded(cell, layout, dtype))
        for dtype in PRECISIONS
    }


def _flat(array: np.ndarray) -> np.ndarray:
    """Return an array as one axis, of the one kind that is compiled for: C-contiguous and writable."""
    flat = array.ravel()
    return flat if flat.flags.writeable else flat.copy()


def _need_numba() -> None:
    try:
        numba = import_module("numba")
    except ImportError as error:
        msg = 'bptt.compiled needs Numba, which is not installed or cannot be imported here: pip install "bptt[fast]"'
        raise ImportError(msg) from error
    if numba.config.DISABLE_JIT:
        msg = "bptt.compiled needs Numba's compiler, which the environment variable NUMBA_DISABLE_JIT turns off"
        raise RuntimeError(msg)
