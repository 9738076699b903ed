"""Stacks of layers, and the two passes over them: (FWD) in `forward`, (BP0) to (BP4) in `backward`.

Both go over the layers; the loops over the time of one layer are in `loop`.
"""

from bptt.network.traces import BidirectionalTrace, LayerGradient, LayerTrace

__all__ = ["BidirectionalTrace", "LayerGradient", "LayerTrace"]
