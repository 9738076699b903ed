"""Stacks of layers, and the two passes over them: (FWD) in `forward`, (BP0) to (BP4) in `backward`."""

from bptt.network.gradients import LayerGradient
from bptt.network.traces import BidirectionalTrace, LayerTrace

__all__ = ["BidirectionalTrace", "LayerGradient", "LayerTrace"]
