"""The mathematics of one step of each recurrent layer, and the activations it uses."""

from bptt.cells.bidirectional import Bidirectional, BothDirections
from bptt.cells.diagonal import Diagonal, DiagonalParams
from bptt.cells.elman import Elman
from bptt.cells.gru import GRU, GRUParams, ResetBeforeGRU
from bptt.cells.layout import Layout, layout_of, state_names_of
from bptt.cells.lstm import LSTM, PeepholeLSTM, PeepholeLSTMParams
from bptt.cells.protocol import Cell, OwnEngine, Recurrent, UnfactoredCell

__all__ = [
    "GRU",
    "LSTM",
    "Bidirectional",
    "BothDirections",
    "Cell",
    "Diagonal",
    "DiagonalParams",
    "Elman",
    "GRUParams",
    "Layout",
    "OwnEngine",
    "PeepholeLSTM",
    "PeepholeLSTMParams",
    "Recurrent",
    "ResetBeforeGRU",
    "UnfactoredCell",
    "layout_of",
    "state_names_of",
]
