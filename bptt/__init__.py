"""Backpropagation through time: derived, proved, run and copied from.

Run a stack of recurrent layers over a sequence with `forward`, take the gradient of a cost with
`backward`, and hold it against an independent truth with `check_gradient`.
"""

from bptt import feedforward
from bptt.activations import Activation, identity, relu, sigmoid, softmax, softplus, tanh
from bptt.backward import Gradient, LayerGradient, backward, layer_backward
from bptt.cells import Cell, Elman
from bptt.examples import Example, tiny
from bptt.forward import LayerTrace, Trace, forward, layer_forward
from bptt.gradcheck import Comparison, central_difference, check_gradient, compare, complex_step
from bptt.losses import Cost, softmax_cross_entropy, squared_error
from bptt.optim import (
    Adam,
    AdamState,
    GradientDescent,
    Momentum,
    clip_by_global_norm,
    global_norm,
)
from bptt.parameters import Affine, Params, Recurrent
from bptt.stack import Stack, initialize
from bptt.tree import tree_leaves, tree_map
from bptt.unrolled import Unrolled, copies, fold, unroll

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "Adam",
    "AdamState",
    "Affine",
    "Cell",
    "Comparison",
    "Cost",
    "Elman",
    "Example",
    "Gradient",
    "GradientDescent",
    "LayerGradient",
    "LayerTrace",
    "Momentum",
    "Params",
    "Recurrent",
    "Stack",
    "Trace",
    "Unrolled",
    "__version__",
    "backward",
    "central_difference",
    "check_gradient",
    "clip_by_global_norm",
    "compare",
    "complex_step",
    "copies",
    "feedforward",
    "fold",
    "forward",
    "global_norm",
    "identity",
    "initialize",
    "layer_backward",
    "layer_forward",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "squared_error",
    "tanh",
    "tiny",
    "tree_leaves",
    "tree_map",
    "unroll",
]
