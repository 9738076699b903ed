"""Backpropagation through time: derived, proved, run and copied from.

Run a stack of recurrent layers over a sequence with `forward`, take the gradient of a cost with
`backward`, and hold it against an independent truth with `check_gradient`.
"""

from bptt import feedforward
from bptt.activations import Activation, identity, relu, sigmoid, softmax, softplus, tanh
from bptt.backward import Gradient, LayerGradient, backward, layer_backward
from bptt.cells import (
    GRU,
    LSTM,
    Bidirectional,
    BothDirections,
    Cell,
    Diagonal,
    DiagonalParams,
    Elman,
    GRUParams,
    PeepholeLSTM,
    PeepholeLSTMParams,
    ResetBeforeGRU,
    UnfactoredCell,
)
from bptt.examples import Example, tiny
from bptt.forward import (
    BidirectionalTrace,
    LayerTrace,
    Trace,
    forward,
    layer_forward,
    lengths_to_mask,
)
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
    "GRU",
    "LSTM",
    "Activation",
    "Adam",
    "AdamState",
    "Affine",
    "Bidirectional",
    "BidirectionalTrace",
    "BothDirections",
    "Cell",
    "Comparison",
    "Cost",
    "Diagonal",
    "DiagonalParams",
    "Elman",
    "Example",
    "GRUParams",
    "Gradient",
    "GradientDescent",
    "LayerGradient",
    "LayerTrace",
    "Momentum",
    "Params",
    "PeepholeLSTM",
    "PeepholeLSTMParams",
    "Recurrent",
    "ResetBeforeGRU",
    "Stack",
    "Trace",
    "UnfactoredCell",
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
    "lengths_to_mask",
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
