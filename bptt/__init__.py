"""Backpropagation through time: derived, proved, run and copied from.

Run a stack of recurrent layers over a sequence with `forward`, take the gradient of a cost with
`backward`, and hold it against an independent truth with `check_gradient`.
"""

from bptt import interop, teaching
from bptt._core.tree import flatten, tree_leaves, tree_map
from bptt.algorithms.calls import full_bptt, segment, value_and_grad
from bptt.algorithms.checkpointed import checkpointed_bptt
from bptt.algorithms.hessian import hessian_vector_product
from bptt.algorithms.rtrl import rtrl, uoro
from bptt.algorithms.scan import scan_bptt
from bptt.algorithms.truncated import truncated_bptt
from bptt.cells.activations import Activation, identity, relu, sigmoid, softmax, softplus, tanh
from bptt.cells.bidirectional import Bidirectional, BothDirections
from bptt.cells.diagonal import Diagonal, DiagonalParams
from bptt.cells.elman import Elman
from bptt.cells.gru import GRU, GRUParams, ResetBeforeGRU
from bptt.cells.lstm import LSTM, PeepholeLSTM, PeepholeLSTMParams
from bptt.cells.protocol import Cell, Recurrent
from bptt.checking.cell import check_cell, check_layer
from bptt.checking.gradcheck import central_difference, check_gradient, compare, complex_step
from bptt.diagnostics import contributions, delta_norms, jacobian_spectrum, truncation_bias
from bptt.interop.flax import from_flax, to_flax
from bptt.interop.torch import from_torch, to_torch
from bptt.jit import Compiled, compiled
from bptt.network.backward import backward, layer_backward
from bptt.network.forward import forward, layer_forward
from bptt.network.stack import Affine, Params, Stack, initialize
from bptt.network.states import lengths_to_mask
from bptt.network.traces import Gradient, Trace
from bptt.training.batches import minibatches
from bptt.training.initialization import forget_bias, orthogonal_recurrent
from bptt.training.losses import Cost, softmax_cross_entropy, squared_error
from bptt.training.optim import Adam, GradientDescent, Momentum, clip_by_global_norm, global_norm
from bptt.training.snapshots import load_snapshot, save_snapshot
from bptt.training.storage import load, save
from bptt.training.windows import carry_state, parallel_streams, windows

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Adam",
    "Affine",
    "Bidirectional",
    "BothDirections",
    "Cell",
    "Compiled",
    "Cost",
    "Diagonal",
    "DiagonalParams",
    "Elman",
    "GRUParams",
    "Gradient",
    "GradientDescent",
    "Momentum",
    "Params",
    "PeepholeLSTM",
    "PeepholeLSTMParams",
    "Recurrent",
    "ResetBeforeGRU",
    "Stack",
    "Trace",
    "__version__",
    "backward",
    "carry_state",
    "central_difference",
    "check_cell",
    "check_gradient",
    "check_layer",
    "checkpointed_bptt",
    "clip_by_global_norm",
    "compare",
    "compiled",
    "complex_step",
    "contributions",
    "delta_norms",
    "flatten",
    "forget_bias",
    "forward",
    "from_flax",
    "from_torch",
    "full_bptt",
    "global_norm",
    "hessian_vector_product",
    "identity",
    "initialize",
    "interop",
    "jacobian_spectrum",
    "layer_backward",
    "layer_forward",
    "lengths_to_mask",
    "load",
    "load_snapshot",
    "minibatches",
    "orthogonal_recurrent",
    "parallel_streams",
    "relu",
    "rtrl",
    "save",
    "save_snapshot",
    "scan_bptt",
    "segment",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "squared_error",
    "tanh",
    "teaching",
    "to_flax",
    "to_torch",
    "tree_leaves",
    "tree_map",
    "truncated_bptt",
    "truncation_bias",
    "uoro",
    "value_and_grad",
    "windows",
]
