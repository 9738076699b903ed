"""The mathematics of one step of each recurrent layer, and the activations it uses."""

from bptt.cells.bidirectional import Bidirectional, BothDirections
from bptt.cells.diagonal import Diagonal, DiagonalParams
from bptt.cells.elman import Elman
from bptt.cells.gru import GRU, GRUParams, ResetBeforeGRU
from bptt.cells.lstm import LSTM, PeepholeLSTM, PeepholeLSTMParams
from bptt.cells.protocol import Cell, Recurrent, UnfactoredCell

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
    "PeepholeLSTM",
    "PeepholeLSTMParams",
    "Recurrent",
    "ResetBeforeGRU",
    "UnfactoredCell",
]
