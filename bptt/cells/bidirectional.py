r"""Two layers side by side, one of which reads the sequence from its end.

.. math:: a^{(t)} = \bigl( \overrightarrow a^{(t)} , \overleftarrow a^{(t)} \bigr)

The layer above sees both activations, one after the other. Each direction is an ordinary layer with
parameters and a state of its own; going back through the second is going forward in time.

Source: Schuster & Paliwal (1997).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from bptt._core.tree import array_record
from bptt.cells.protocol import OneDirection, check_one_direction

__all__ = ["Bidirectional", "BothDirections"]


@array_record
class BothDirections(NamedTuple):
    """Something of each direction: parameters, states, traces or gradients.

    Attributes
    ----------
    forward
        Of the layer that reads from the first step to the last.
    backward
        Of the layer that reads from the last step to the first.
    """

    forward: Any
    backward: Any


@dataclass(frozen=True)
class Bidirectional:
    """A layer that reads the sequence in both directions; its parameters are `BothDirections`.

    Parameters
    ----------
    forward, backward
        The cell of each direction.

    Raises
    ------
    TypeError
        If one of them is not a cell.

    Examples
    --------
    >>> import numpy as np, bptt
    >>> stack = bptt.Stack(cells=(bptt.Bidirectional(bptt.Elman(), bptt.Elman()),))
    >>> params = bptt.initialize(stack, sizes=(1, 4, 2), rng=np.random.default_rng(0))
    >>> params.readout.w.shape
    (8, 2)
    """

    forward: OneDirection
    backward: OneDirection

    def __post_init__(self) -> None:
        """Refuse what is not a cell."""
        for name in ("forward", "backward"):
            check_one_direction(name, getattr(self, name))
