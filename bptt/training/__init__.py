"""What a training loop needs around the gradient: costs, updates, batches, first parameters, files."""

from bptt.training.optim import AdamState
from bptt.training.pieces import Minibatch, Window
from bptt.training.snapshots import Snapshot

__all__ = ["AdamState", "Minibatch", "Snapshot", "Window"]
