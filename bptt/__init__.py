"""Backpropagation through time: derived, proved, run and copied from.

Run a stack of recurrent layers over a sequence with `forward`, take the gradient of a cost with
`backward`, and hold it against an independent truth with `check_gradient`.
"""

from bptt import exercises, feedforward
from bptt.activations import Activation, identity, relu, sigmoid, softmax, softplus, tanh
from bptt.backward import Gradient, LayerGradient, backward, layer_backward
from bptt.batches import Minibatch, minibatches
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
from bptt.check_cell import check_cell, check_layer
from bptt.checkpointed import binomial, checkpointed_bptt, every, square_root
from bptt.diagnostics import (
    Contributions,
    JacobianSpectrum,
    TruncationBias,
    contributions,
    delta_norms,
    jacobian_spectrum,
    truncation_bias,
)
from bptt.equations import (
    EquationCheck,
    EquationError,
    check_bound,
    check_equation,
    check_fails,
)
from bptt.examples import Example, tiny
from bptt.fingerprints import KNOWN_BUGS
from bptt.forward import forward, layer_forward
from bptt.gradcheck import Comparison, central_difference, check_gradient, compare, complex_step
from bptt.hessian import hessian_vector_product
from bptt.initialization import forget_bias, orthogonal_recurrent
from bptt.interop import from_flax, from_torch, to_flax, to_torch
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
from bptt.report import CellReport, Check
from bptt.rtrl import rtrl, uoro
from bptt.scan import scan_bptt, step_jacobians
from bptt.snapshots import Snapshot, load_snapshot, save_snapshot
from bptt.stack import Stack, initialize
from bptt.states import lengths_to_mask
from bptt.storage import load, save
from bptt.streams import Window, carry_state, parallel_streams, windows
from bptt.traces import BidirectionalTrace, LayerTrace, Trace
from bptt.tree import flatten, tree_leaves, tree_map
from bptt.truncated import surrogate, truncated_bptt
from bptt.unrolled import Unrolled, copies, fold, unroll
from bptt.ways import CostOfSteps, Result, full_bptt, segment
from bptt.workspace import Workspace

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "KNOWN_BUGS",
    "LSTM",
    "Activation",
    "Adam",
    "AdamState",
    "Affine",
    "Bidirectional",
    "BidirectionalTrace",
    "BothDirections",
    "Cell",
    "CellReport",
    "Check",
    "Comparison",
    "Contributions",
    "Cost",
    "CostOfSteps",
    "Diagonal",
    "DiagonalParams",
    "Elman",
    "EquationCheck",
    "EquationError",
    "Example",
    "GRUParams",
    "Gradient",
    "GradientDescent",
    "JacobianSpectrum",
    "LayerGradient",
    "LayerTrace",
    "Minibatch",
    "Momentum",
    "Params",
    "PeepholeLSTM",
    "PeepholeLSTMParams",
    "Recurrent",
    "ResetBeforeGRU",
    "Result",
    "Snapshot",
    "Stack",
    "Trace",
    "TruncationBias",
    "UnfactoredCell",
    "Unrolled",
    "Window",
    "Workspace",
    "__version__",
    "backward",
    "binomial",
    "carry_state",
    "central_difference",
    "check_bound",
    "check_cell",
    "check_equation",
    "check_fails",
    "check_gradient",
    "check_layer",
    "checkpointed_bptt",
    "clip_by_global_norm",
    "compare",
    "complex_step",
    "contributions",
    "copies",
    "delta_norms",
    "every",
    "exercises",
    "feedforward",
    "flatten",
    "fold",
    "forget_bias",
    "forward",
    "from_flax",
    "from_torch",
    "full_bptt",
    "global_norm",
    "hessian_vector_product",
    "identity",
    "initialize",
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
    "square_root",
    "squared_error",
    "step_jacobians",
    "surrogate",
    "tanh",
    "tiny",
    "to_flax",
    "to_torch",
    "tree_leaves",
    "tree_map",
    "truncated_bptt",
    "truncation_bias",
    "unroll",
    "uoro",
    "windows",
]
