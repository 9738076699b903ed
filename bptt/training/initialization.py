"""Customs of the field for the first parameters, each a function from parameters to parameters.

`bptt.initialize` draws everything uniformly. These change some of it afterwards, and leave the rest:

>>> import numpy as np, bptt
>>> rng = np.random.default_rng(0)
>>> stack = bptt.Stack(cells=(bptt.LSTM(),))
>>> params = bptt.initialize(stack, sizes=(2, 4, 1), rng=rng)
>>> params = bptt.forget_bias(stack, bptt.orthogonal_recurrent(stack, params, rng), 1.0)
>>> params.layers[0].b[4:8]
array([1., 1., 1., 1.])
"""

from collections.abc import Callable

import numpy as np

from bptt._core import Array, LayerParams, validation
from bptt.cells import LSTM, Bidirectional, BothDirections, PeepholeLSTM, layout_of
from bptt.cells.protocol import OneDirection, formula_of, is_factored
from bptt.network.stack import AnyCell, Params, Seed, Stack, check_params

__all__ = ["forget_bias", "orthogonal_recurrent"]


def orthogonal_recurrent(stack: Stack, params: Params, rng: Seed, gain: float = 1.0) -> Params:
    r"""Replace each block of each recurrent matrix by a random orthogonal one.

    An orthogonal u stretches no error: all its singular values are 1 (times the gain), so only the
    slopes a'(z) remain to shrink it.

    Parameters
    ----------
    stack, params
        The architecture, and its parameters.
    rng
        Where the numbers come from, a generator or a seed; the matrices are uniform over all orthogonal
        ones.
    gain
        A factor.

    Returns
    -------
    Params
        With new u in each layer that has one.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If the parameters do not fit the stack, or `gain` is not positive, or too large for their dtype, or a u is
        not made of square blocks.

    Notes
    -----
    Source: Saxe, McClelland & Ganguli (2014).

    Examples
    --------
    >>> import numpy as np, bptt
    >>> rng = np.random.default_rng(0)
    >>> stack = bptt.Stack(cells=(bptt.Elman(),))
    >>> params = bptt.orthogonal_recurrent(stack, bptt.initialize(stack, (2, 4, 1), rng), rng)
    >>> u = params.layers[0].u
    >>> bool(np.allclose(u @ u.T, np.eye(4), atol=1e-14))
    True
    """
    rng = validation.generator("rng", rng)
    gain = validation.number("gain", gain)

    def change(cell: OneDirection, layer: LayerParams) -> LayerParams:
        fields = _fields(cell, layer)
        if "u" not in fields:
            return layer
        u = layer[fields.index("u")]
        _fits("gain", gain, u)
        n = len(u)
        if u.ndim != 2 or u.shape[1] % n:
            validation.refuse_shape(
                f"u of {type(formula_of(cell)).__name__}", ("n", "g n"), u.shape
            )
        blocks = [_orthogonal(n, rng) for _ in range(u.shape[1] // n)]
        with np.errstate(under="ignore"):  # what is too small to be held is zero
            new = (gain * np.concatenate(blocks, axis=1)).astype(u.dtype)
        return layer._replace(**{layer._fields[fields.index("u")]: new})

    return _each_layer(stack, params, change)


def forget_bias(stack: Stack, params: Params, value: float = 1.0) -> Params:
    """Set the bias of each forget gate, so that a cell state is kept until learned otherwise.

    Parameters
    ----------
    stack, params
        The architecture, and its parameters.
    value
        The bias of the block f.

    Returns
    -------
    Params
        With new b in each layer of `bptt.LSTM` or `bptt.PeepholeLSTM` cells, compiled ones and subclasses
        among them: the block of `z_f`, wherever `step` names it.

    Raises
    ------
    TypeError
        If an argument has a wrong type.
    ValueError
        If the parameters do not fit the stack, `value` is not finite, or too large for their dtype, or a
        subclass has no `z_f`.

    Notes
    -----
    Source: Gers, Schmidhuber & Cummins (2000); Jozefowicz, Zaremba & Sutskever (2015).

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.LSTM(),))
    >>> params = bptt.initialize(stack, (2, 3, 1), np.random.default_rng(0))
    >>> bptt.forget_bias(stack, params, 2.0).layers[0].b[3:6]
    array([2., 2., 2.])
    """
    bias = validation.real_number("value", value)
    validation.finite("value", np.asarray(bias))

    def change(cell: OneDirection, layer: LayerParams) -> LayerParams:
        formula = formula_of(cell)
        if not isinstance(formula, (LSTM, PeepholeLSTM)):
            return layer
        weighted, place = layout_of(formula).weighted, _fields(cell, layer).index("b")
        if "z_f" not in weighted:
            msg = f"{type(formula).__name__}.step must take z_f, of the forget gate, got {', '.join(weighted)}"
            raise ValueError(msg)
        b = layer[place].copy()
        _fits("value", bias, b)
        np.split(b, len(weighted))[weighted.index("z_f")][:] = bias
        return layer._replace(**{layer._fields[place]: b})

    return _each_layer(stack, params, change)


def _each_layer(
    stack: Stack, params: Params, change: Callable[[OneDirection, LayerParams], LayerParams]
) -> Params:
    validation.instance("stack", stack, Stack)
    checked = check_params(stack, params)

    def changed(cell: AnyCell, layer: LayerParams) -> LayerParams:
        if isinstance(cell, Bidirectional):
            return BothDirections(*map(change, (cell.forward, cell.backward), layer))
        return change(cell, layer)

    return Params(tuple(map(changed, stack.cells, checked.layers)), checked.readout)


def _fields(cell: OneDirection, layer: LayerParams) -> tuple[str, ...]:
    """Return what the arrays of a layer are; a record may call those of a formula as it likes."""
    formula = formula_of(cell)
    return layout_of(formula).fields if is_factored(formula) else layer._fields


def _fits(name: str, value: float, array: Array) -> None:
    """Refuse a number that is infinite in the precision of an array."""
    with np.errstate(all="ignore"):
        held = array.dtype.type(value)
    if not np.isfinite(held):
        msg = f"{name} must be finite in {array.dtype}, got {value}"
        raise ValueError(msg)


def _orthogonal(n: int, rng: np.random.Generator) -> Array:
    """Return a uniform random orthogonal matrix: QR of a Gaussian one, signs made unique."""
    q, r = np.linalg.qr(rng.normal(size=(n, n)))
    matrix: Array = q * np.sign(np.diag(r))
    return matrix
