"""What the derivation needs to prove itself by running: small nets, unrolled nets, checked equations, exercises."""

from bptt.teaching import exercises, feedforward, gated, proof
from bptt.teaching.equations import (
    EquationCheck,
    EquationError,
    check_bound,
    check_equation,
    check_fails,
)
from bptt.teaching.examples import Example, random_net, tiny
from bptt.teaching.unrolled import Unrolled, copies, fold, unroll

__all__ = [
    "EquationCheck",
    "EquationError",
    "Example",
    "Unrolled",
    "check_bound",
    "check_equation",
    "check_fails",
    "copies",
    "exercises",
    "feedforward",
    "fold",
    "gated",
    "proof",
    "random_net",
    "tiny",
    "unroll",
]
