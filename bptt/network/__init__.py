"""Stacks of layers, and the two passes over them: (FWD) and (BP2) over the time of one layer in `loop`.

`forward` and `backward` go over the layers.
"""

from bptt.network.traces import BidirectionalTrace, LayerGradient, LayerTrace

__all__ = ["BidirectionalTrace", "LayerGradient", "LayerTrace"]
