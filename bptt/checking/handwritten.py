"""A hand-written layer as a function of a list of arrays: parameters, input, initial state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bptt._core import Array, Arrays, Mask, Saved, Tree, validation
from bptt._core.tree import arrays_in, parts, refilled, tree_leaves

# What a user's functions return is looked at before it is used.
Forward: TypeAlias = Callable[..., Any]  # returns outputs, the final state, and what backward needs
Backward: TypeAlias = Callable[..., Any]  # returns ∂C/∂ parameters, input and initial state


class Layer(NamedTuple):
    """A pair of functions, forward and backward, and where their arrays are to be put."""

    forward: Forward
    backward: Backward
    params: Tree
    initial: Tree
    masked: bool
    state_names: tuple[str, ...] = ()

    @property
    def n_params(self) -> int:
        """The number of parameter arrays."""
        return len(arrays_in(self.params))

    @property
    def states(self) -> list[str]:
        """The names of the arrays of a state; an array that stands bare has none."""
        if self.state_names:
            return [f".{name}" for name in self.state_names]
        return [name.removeprefix("initial") for name, _ in tree_leaves(self.initial, "initial")]

    @property
    def names(self) -> list[str]:
        """The names of all arrays that there are gradients of."""
        params = [name or "params" for name, _ in tree_leaves(self.params)]
        return [*params, "x", *(f"initial{name}" for name in self.states)]

    @property
    def returned(self) -> list[str]:
        """The names of the arrays that forward returns."""
        return ["outputs", *(f"final{name}" for name in self.states)]

    def run(self, at: Arrays, mask: Mask | None = None) -> tuple[Arrays, Saved]:
        """Run forward; return outputs and final state as a list, and what backward needs."""
        k = self.n_params
        x = at[k]
        arguments = [refilled(self.params, at[:k]), x, refilled(self.initial, at[k + 1 :])]
        if self.masked:
            arguments.append(np.ones(x.shape[:2], bool) if mask is None else mask)
        found = self.forward(*arguments)
        outputs, final, saved = validation.sequence(
            "forward(...)", found, 3, "items: outputs, final state, saved"
        )
        complex_too = any(np.iscomplexobj(a) for a in at)
        outputs = numbers("outputs of forward", outputs, complex_too)
        if outputs.ndim != 3 or outputs.shape[:2] != x.shape[:2]:
            validation.refuse_shape("outputs of forward", (*x.shape[:2], "n"), outputs.shape)
        states = aligned("final state of forward", self.initial, final, complex_too, optional=False)
        for name, state, first in zip(self.states, states, at[k + 1 :], strict=True):
            if state.shape != first.shape:
                validation.refuse_shape(f"final state{name} of forward", first.shape, state.shape)
        return [*map(np.array, (outputs, *states))], saved  # copies: it may use a buffer again

    def function(self, at: Arrays, mask: Mask | None = None) -> Arrays:
        """Return outputs and final state: the layer as a function of a list of arrays, of which it gets copies."""
        return self.run(copies(at), mask)[0]

    def pull(self, at: Arrays, cotangents: Sequence[Array], saved: Saved) -> Arrays:
        """Run backward; return all gradients, zero for those that are None."""
        k = self.n_params
        d_final = refilled(self.initial, list(cotangents[1:]))
        found = self.backward(refilled(self.params, at[:k]), saved, cotangents[0], d_final)
        d_params, d_x, d_initial = validation.sequence(
            "backward(...)", found, 3, "items: d_params, d_x, d_initial"
        )
        return [
            *aligned("d_params of backward", refilled(self.params, at[:k]), d_params),
            np.zeros_like(at[k]) if d_x is None else numbers("d_x of backward", d_x),
            *aligned("d_initial of backward", refilled(self.initial, at[k + 1 :]), d_initial),
        ]

    def gradient(self, at: Arrays, cotangents: Sequence[Array], mask: Mask | None = None) -> Arrays:
        """Run forward and backward on copies of all arguments; return copies of what they give."""
        at = copies(at)
        _, saved = self.run(at, mask)
        return copies(self.pull(at, copies(cotangents), saved))


def copies(arrays: Sequence[Array]) -> Arrays:
    """Copy each array: a user's function may write to it, or use it again as a buffer."""
    return [array.copy() for array in arrays]


def aligned(
    name: str, template: Tree, found: Tree, complex_too: bool = False, *, optional: bool = True
) -> Arrays:
    """List the arrays of a record that should be like another one; zeros where it has none, if it may."""
    if found is None and optional:
        return [np.zeros_like(array) for array in arrays_in(template)]
    if isinstance(template, np.ndarray):
        if isinstance(found, (tuple, list, Mapping)):
            msg = f"{name} must be one array, got {type(found).__name__} of {len(found)}"
            raise TypeError(msg)
        return [numbers(name, found, complex_too)]
    if isinstance(template, Mapping):
        keys = ", ".join(map(str, template))
        if not isinstance(found, Mapping):
            msg = f"{name} must be a mapping with the keys {keys}, got {type(found).__name__}"
            raise TypeError(msg)
        if more := [str(key) for key in found if key not in template]:
            msg = f"{name} must have no keys but {keys}, got {', '.join(more)} too"
            raise ValueError(msg)
        children = tuple(found.get(key) for key in template)
    else:
        children = validation.sequence(name, found, len(template), "parts")
    arrays: Arrays = []
    for (end, part), child in zip(parts(template), children, strict=True):
        arrays += aligned(name + end, part, child, complex_too, optional=optional)
    return arrays


def numbers(name: str, found: object, complex_too: bool = False) -> Array:
    """Return what a user's function made as an array of numbers, complex ones only if `complex_too`."""
    array = validation.as_array(name, found)  # type: ignore[arg-type]
    if array.dtype.kind not in ("fiuc" if complex_too else "fiu"):
        kind = "numbers" if complex_too else "real numbers"
        msg = f"{name} must be an array of {kind}, got {type(found).__name__} of {array.dtype}"
        raise TypeError(msg)
    return array


def roles(params: Arrays, x: Array, a: Array) -> tuple[int | None, int | None, int | None]:
    """Find w, (n_below, g n); u, (n, g n); and b, (g n,) by their shapes."""
    n_below, n = x.shape[2], a.shape[2]
    matrices = [i for i, p in enumerate(params) if p.ndim == 2]
    w = next((i for i in matrices if params[i].shape[0] == n_below), None)
    u = next((i for i in matrices if i != w and params[i].shape[0] == n), None)
    if u is None or params[u].shape[1] % n:
        return w, None, None
    width = params[u].shape[1]
    return w, u, next((i for i, p in enumerate(params) if p.shape == (width,)), None)
