"""Memory that one call leaves to the next: a training loop then allocates nothing inside its loops over time."""

from collections.abc import Callable, Hashable
from typing import Any

from bptt._core import validation

__all__ = ["Workspace"]


class Workspace:
    """Work arrays that calls with the same shapes use again, instead of making new ones.

    Give one to `bptt.forward` and the same one to the `bptt.backward` that follows (or to
    `bptt.layer_forward` and `bptt.layer_backward`). What they return then lives in the workspace: it
    holds until the next call with it, which writes over it. Copy what must last longer.

    A call without a workspace shares nothing that anyone can see with any other. A workspace is for one
    thread at a time, and is of use to layers of `bptt.Elman`, `bptt.LSTM` and `bptt.GRU` cells; others make their arrays anew.

    Examples
    --------
    >>> import bptt
    >>> tiny, workspace = bptt.teaching.tiny(), bptt.Workspace()
    >>> first = bptt.forward(tiny.stack, tiny.params, tiny.x, workspace=workspace)
    >>> again = bptt.forward(tiny.stack, tiny.params, -tiny.x, workspace=workspace)
    >>> first.layers[0].a is not again.layers[0].a  # two views
    True
    >>> bool((first.layers[0].a == again.layers[0].a).all())  # of one memory
    True
    """

    def __init__(self) -> None:
        """Begin with no memory at all: the first call brings it."""
        self._held: dict[Hashable, tuple[Hashable, Any]] = {}

    def hold(self, name: Hashable, shape: Hashable, make: Callable[[], Any]) -> Any:
        """Return what was made under a name for a shape; make it anew where the shape has changed."""
        found = self._held.get(name)
        if found is None or found[0] != shape:
            found = self._held[name] = (shape, make())
        return found[1]

    def part(self, name: Hashable) -> "Workspace":
        """Return a workspace within this one, such as that of one layer."""
        inner: Workspace = self.hold(name, None, Workspace)
        return inner


class Fleeting(Workspace):
    """No memory at all: what a call makes goes with what it returned, however little there should be."""

    def hold(self, name: Hashable, shape: Hashable, make: Callable[[], Any]) -> Any:  # noqa: ARG002
        """Make it anew."""
        return make()

    def part(self, name: Hashable) -> Workspace:  # noqa: ARG002
        """Return no memory either."""
        return self


def check_workspace(workspace: Any) -> Workspace | None:
    """Refuse what is not a workspace."""
    return None if workspace is None else validation.instance("workspace", workspace, Workspace)
