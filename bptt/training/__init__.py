"""What a training loop needs around the gradient: costs, updates, batches, first parameters, files."""

from bptt.training.batches import Minibatch
from bptt.training.optim import AdamState
from bptt.training.snapshots import Snapshot
from bptt.training.windows import Window

__all__ = ["AdamState", "Minibatch", "Snapshot", "Window"]
