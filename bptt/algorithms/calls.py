"""What all ways to the gradient have in common: one call shape, one result.

Each takes a stack, its parameters, an input and a cost, and returns a `Result`. The cost is a function
of the outputs of some consecutive steps and of which steps they are, so that a way that sees a sequence
in pieces can ask for the cost of each piece:

>>> import bptt
>>> tiny = bptt.teaching.tiny()
>>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
>>> result = bptt.full_bptt(tiny.stack, tiny.params, tiny.x, cost)
>>> result.gradient.params.readout.b.round(4)
array([3.6583])
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, Mask, validation
from bptt._core.tree import Record, array_record, one_precision, refuse_overflow, tree_map
from bptt.cells import Bidirectional
from bptt.network.backward import Gradient, backward
from bptt.network.forward import Initial, MaskLike, check_run, forward, run_forward
from bptt.network.stack import Params, Stack
from bptt.network.traces import LayerTrace, States, Trace
from bptt.training.losses import Cost

__all__ = ["CostOfSteps", "Result", "full_bptt", "segment", "value_and_grad"]

CostOfSteps: TypeAlias = Callable[[Array, slice], Cost]
"""A cost C = Σ_t C^(t), asked for some steps at a time: takes outputs and a slice, returns a `Cost`."""


@array_record
class Result(NamedTuple):
    """What a way to the gradient returns.

    Attributes
    ----------
    value
        C, the cost of all steps.
    gradient
        Its gradient, or what stands for it where the way is an approximation.
    outputs
        The outputs of all steps, shape (T, B, n_L).
    final
        The final state of each recurrent layer.
    stored
        How many steps were held in memory at once, at most, with all that their derivative needs; a
        bare state that a run can start again from counts as one too.
    """

    value: float
    gradient: Gradient
    outputs: Array
    final: States
    stored: int


def full_bptt(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    initial: Initial = None,
    mask: MaskLike = None,
) -> Result:
    """Take the gradient by full backpropagation through time: every step stored, (BP0) to (BP4).

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`.
    cost
        A function of outputs and the steps they belong to, see `CostOfSteps`.

    Returns
    -------
    Result
        With the exact gradient.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.forward` and `bptt.backward` do; also if `cost` does not return a `Cost`.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> bptt.full_bptt(tiny.stack, tiny.params, tiny.x, cost).stored
    3
    """
    trace = forward(stack, params, x, initial, mask)
    value, d_outputs = cost_of(cost, trace.outputs, slice(0, len(trace.x)))
    gradient = backward(trace, d_outputs)
    return Result(value, gradient, trace.outputs, final_of(trace), len(trace.x))


def value_and_grad(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: Callable[[Array], Cost],
    initial: Initial = None,
    mask: MaskLike = None,
) -> tuple[float, Params]:
    """Return the cost C and ∂C/∂ every parameter: `forward`, the cost, `backward`; (FWD), (BP1) to (BP4).

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`.
    cost
        A function of the outputs, shape (T, B, n_L), that returns a `Cost`.

    Returns
    -------
    value : float
        The cost C.
    gradient : Params
        Its derivatives, a record like `params`.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `bptt.forward` and `bptt.backward` do; also if `cost` does not return a `Cost`.

    See Also
    --------
    bptt.full_bptt : with the outputs and the errors of all layers.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs: bptt.squared_error(outputs, tiny.targets)
    >>> value, gradient = bptt.value_and_grad(tiny.stack, tiny.params, tiny.x, cost)
    >>> gradient.readout.b.round(4)
    array([3.6583])
    """
    trace = forward(stack, params, x, initial, mask)
    value, d_outputs = cost_of(cost, trace.outputs)
    return value, backward(trace, d_outputs).params


def segment(trace: Trace, start: int, stop: int) -> Trace:
    """Return the part of a trace from step `start` + 1 to step `stop`, as views.

    Parameters
    ----------
    trace
        What `bptt.forward` returned, for layers of one direction.
    start, stop
        Steps, with 0 <= start < stop <= T.

    Returns
    -------
    Trace
        As if the run had begun in the state after step `start`.

    Raises
    ------
    TypeError
        If `trace` is not a trace, or has a layer that reads in both directions, or a step is not an integer.
    ValueError
        If the steps are out of range.

    Examples
    --------
    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> trace = bptt.forward(tiny.stack, tiny.params, tiny.x)
    >>> bptt.segment(trace, 1, 3).outputs.shape
    (2, 1, 1)
    """
    validation.instance("trace", trace, Trace)
    start, stop = validation.integer("start", start), validation.integer("stop", stop)
    if not 0 <= start < stop <= len(trace.x):
        msg = f"start and stop must be 0 <= start < stop <= {len(trace.x)}, got {start}, {stop}"
        raise ValueError(msg)
    here, layers = slice(start, stop), list[LayerTrace]()
    for i, layer in enumerate(trace.layers):
        one = validation.instance(f"trace.layers[{i}]", layer, LayerTrace)
        states = tuple(array[start : stop + 1] for array in one.states)
        mask = None if one.mask is None else one.mask[here]
        layers.append(one._replace(x=one.x[here], states=states, saved=one.saved[here], mask=mask))
    x, z, outputs = trace.x[here], trace.z[here], trace.outputs[here]
    return trace._replace(x=x, layers=tuple(layers), z=z, outputs=outputs)


def cost_of(cost: object, outputs: Array, *steps: slice) -> tuple[float, Array]:
    """Ask for the cost, of some steps or of all, and refuse what is not one, or not theirs."""
    validation.real("outputs", outputs)
    found = ask(cost, outputs, *steps)
    d_outputs = validation.array("d_outputs", found.d_outputs, outputs.shape)
    one_precision(("outputs", outputs), ("d_outputs", d_outputs))
    value = validation.as_array("cost", found.value)
    if value.shape or value.dtype.kind not in "fiu":
        msg = f"cost must be a real number, got {validation.describe(found.value)}"
        raise TypeError(msg)
    return float(validation.finite("cost", value)), d_outputs


def ask(cost: object, outputs: Array, *steps: slice) -> Cost:
    """Call what should be a cost, of some steps or of all, and refuse what returns something else."""
    if not callable(cost):
        words = "outputs and steps" if steps else "outputs"
        msg = f"cost must be a function of {words}, got {validation.describe(cost)}"
        raise TypeError(msg)
    call = "cost(outputs, steps)" if steps else "cost(outputs)"
    validation.function("cost", cost, 1 + len(steps))
    found = validation.called("cost", cost, validation.read_only(outputs), *steps)
    return validation.instance(call, found, Cost)


def one_direction(stack: Stack) -> None:
    """Refuse a stack with a layer that reads from the end: it has no gradient in pieces."""
    validation.instance("stack", stack, Stack)
    for i, cell in enumerate(stack.cells):
        if isinstance(cell, Bidirectional):
            msg = f"stack.cells[{i}] must read in one direction, got {type(cell).__name__}"
            raise TypeError(msg)


class Walk:
    """A run that is taken in parts, with its cost: what has been gathered so far, of all steps."""

    def __init__(
        self,
        stack: Stack,
        params: Params,
        x: ArrayLike,
        cost: CostOfSteps,
        initial: Initial,
        mask: MaskLike,
    ) -> None:
        one_direction(stack)
        self.stack, self.cost, self.value = stack, cost, 0.0
        self.params, self.x, self.initial, self.mask = check_run(stack, params, x, initial, mask)
        validation.real("x", self.x)
        # A list of parts would hold each of them twice when they are put together.
        self.outputs = np.empty((*self.x.shape[:2], len(self.params.readout.b)), self.x.dtype)

    def mask_of(self, a: int, b: int) -> Mask | None:
        """Return the mask of the steps after a, up to b."""
        return None if self.mask is None else self.mask[a:b]

    def forward_and_backward(
        self, a: int, b: int, state: States, d_final: States | None = None
    ) -> tuple[Trace, Gradient]:
        """Run the steps after a, up to b, from a state, ask for their cost, and go back through them."""
        trace = run_forward(self.stack, self.params, self.x[a:b], state, self.mask_of(a, b))
        value, d_outputs = cost_of(self.cost, trace.outputs, slice(a, b))
        self.value += value
        self.outputs[a:b] = trace.outputs
        return trace, backward(trace, d_outputs, d_final)

    def result(self, gradient: Gradient, final: States, stored: int) -> Result:
        """Put together what was gathered."""
        return checked(Result(self.value, gradient, self.outputs, final, stored))


def add(total: Record | None, more: Record) -> Record:
    """Add two records of arrays; `checked` looks at the sum."""
    with np.errstate(all="ignore"):
        return more if total is None else tree_map(np.add, total, more)


def final_of(trace: Trace) -> States:
    """Copy the final states: views of them would keep those of all steps alive."""
    return tree_map(np.copy, trace.final)


def checked(result: Result) -> Result:
    """Refuse to return a cost or a gradient that has overflowed as its pieces were added."""
    validation.computed("cost", np.asarray(result.value))
    refuse_overflow(gradient=result.gradient)
    return result
