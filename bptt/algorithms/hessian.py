r"""Products of the Hessian with a vector, by Pearlmutter's R-operator.

.. math:: \mathcal R\{f\} = \left. \frac{\partial}{\partial \varepsilon} f(\theta + \varepsilon v)
   \right|_{\varepsilon = 0} , \qquad H v = \mathcal R\{ \nabla C \}                    && \text{(HVP)}

R obeys the rules of a derivative, so running it beside every line of the forward and the backward pass
gives H v for about twice the price of a gradient, without H. Here the two run together in one complex
number: the real part is the quantity, the imaginary part R of it, times a step so small that its
square vanishes. It is the complex step applied to backpropagation itself; and since that is wrong where
code is not analytic, each product is compared with a central difference of the gradient along v, for the
price of two gradients more, and of five near a kink.

Source: Pearlmutter (1994), "Fast exact multiplication by the Hessian".
"""

import numpy as np
from numpy.typing import ArrayLike

from bptt._core import Array, validation
from bptt._core.tree import check_twins, flatten, refuse_overflow, tree_leaves, tree_map
from bptt.algorithms.calls import CostOfSteps, ask
from bptt.checking.gradcheck import NOT_ANALYTIC, TINY, contradiction
from bptt.network.backward import run_backward
from bptt.network.forward import Initial, MaskLike, forward
from bptt.network.stack import Params, Stack

__all__ = ["hessian_vector_product"]


def hessian_vector_product(
    stack: Stack,
    params: Params,
    x: ArrayLike,
    cost: CostOfSteps,
    vector: Params,
    initial: Initial = None,
    mask: MaskLike = None,
) -> Params:
    """Multiply the Hessian of the cost with a vector, by the R-operator: (HVP).

    Parameters
    ----------
    stack, params, x, initial, mask
        As for `bptt.forward`; float64. The cells and activations must be analytic where they are evaluated.
    cost
        A function of outputs and the steps they belong to, see `bptt.algorithms.CostOfSteps`; this library's costs
        are analytic.
    vector
        v, a record like the parameters.

    Returns
    -------
    Params
        H v, exact up to rounding.

    Raises
    ------
    TypeError
        If an argument has a wrong type or dtype; or if the cost, a cell or an activation is not analytic,
        which is seen where a central difference of the gradient along v differs from the product.
    ValueError
        If shapes do not match, or a number is not finite.
    FloatingPointError
        If the product overflows.

    Examples
    --------
    The product with a vector, and twice that with twice the vector:

    >>> import bptt
    >>> tiny = bptt.teaching.tiny()
    >>> cost = lambda outputs, steps: bptt.squared_error(outputs, tiny.targets[steps])
    >>> problem = tiny.stack, tiny.params, tiny.x, cost
    >>> once = bptt.hessian_vector_product(*problem, tiny.params)
    >>> twice = bptt.hessian_vector_product(*problem, bptt.tree_map(lambda p: 2 * p, tiny.params))
    >>> bptt.compare(twice.readout.w, 2 * once.readout.w, tolerance=1e-14).ok
    True
    """
    check_twins(validation.instance("params", params, Params), vector=vector)
    for leaf in tree_leaves(params, "params"):
        validation.float64(*leaf)

    def gradient(at: Params) -> Params:
        trace = forward(stack, at, x, initial, mask)  # (r-forward)
        d_outputs = ask(cost, trace.outputs, slice(0, len(trace.x))).d_outputs
        if np.iscomplexobj(trace.outputs) and not np.iscomplexobj(d_outputs):
            msg = "cost must keep complex numbers: the imaginary part carries the R-operator"
            raise TypeError(msg)
        shape = trace.outputs.shape
        d_outputs = validation.array("d_outputs", d_outputs, shape, validation.ANALYTIC)
        zero = tree_map(np.zeros_like, trace.final)
        return run_backward(trace, d_outputs, zero).params  # (r-bp2), (r-bp4)

    with np.errstate(all="ignore"):
        sizes = flatten(tree_map(lambda p, v: np.abs(v) / np.maximum(1, np.abs(p)), params, vector))
        size = float(sizes[0].max()) or 1.0
        way = tree_map(lambda v: v / size, vector)  # of the size of the parameters, whatever v is
        moved: Params = tree_map(lambda p, w: p + 1j * TINY * w, params, way)  # (r-operator)
    found = tree_map(lambda leaf: leaf.imag / TINY, gradient(moved))

    def along_the_way(step: float) -> Array:
        return flatten(gradient(tree_map(lambda p, w: p + step * w, params, way)))[0]

    if apart := contradiction(along_the_way, flatten(found)[0]):
        msg = (
            f"cost, cells and activations must be analytic for the R-operator, which finds {apart[0]:.6g} "
            f"where a central difference of the gradient finds {apart[1]:.6g}: {NOT_ANALYTIC}"
        )
        raise TypeError(msg)
    with np.errstate(all="ignore"):
        product: Params = tree_map(lambda leaf: size * leaf, found)  # (HVP)
    refuse_overflow(product=product)
    return product
