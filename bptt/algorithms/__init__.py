"""The ways to the gradient: all of them called alike, with results that can be compared."""

from bptt.algorithms.calls import CostOfSteps, Result
from bptt.algorithms.checkpointed import binomial, every, square_root
from bptt.algorithms.scan import step_jacobians
from bptt.algorithms.truncated import surrogate

__all__ = [
    "CostOfSteps",
    "Result",
    "binomial",
    "every",
    "square_root",
    "step_jacobians",
    "surrogate",
]
