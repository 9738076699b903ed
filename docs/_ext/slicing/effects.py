"""What a statement reads, binds and changes: the words in which dataflow.py tells slicer.py."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class Change:
    """A change of what a name holds: of one attribute, or of anything ("")."""

    name: str
    attribute: str = ""
    method: str = ""  # by a call of this method; "" if by an assignment


@dataclass(frozen=True)
class Call:
    """A call of a name, with the names that its arguments begin with."""

    name: str
    arguments: tuple[tuple[str, str], ...]  # (keyword, name): each "" if there is none

    def among(self, local: set[str]) -> Call:
        """Return the call without the names that are local to a function."""
        arguments = tuple((k, "" if name in local else name) for k, name in self.arguments)
        return Call("" if self.name in local else self.name, arguments)


@dataclass
class Effects:
    """The effects of a block of statements, of a part of one, or of a function when it is called."""

    uses: set[str] = field(default_factory=set)  # read while it runs, before it binds them
    deferred: set[str] = field(default_factory=set)  # read when what it defines is called
    binds: set[str] = field(default_factory=set)  # bound for certain
    may_bind: set[str] = field(default_factory=set)
    rebinds: set[str] = field(default_factory=set)  # bound when they were bound
    changes: set[Change] = field(default_factory=set)
    aliases: set[tuple[str, str]] = field(default_factory=set)  # (new name, the name it is part of)
    calls: set[Call] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)  # all attributes that it mentions
    functions: dict[str, Effects] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)  # that it defines, and that change their object
    imports: set[str] = field(default_factory=set)
    stateful: set[str] = field(default_factory=set)  # bound to an iterator or a random generator
    parameters: tuple[str, ...] = ()  # of a function, in order

    @property
    def free(self) -> set[str]:
        """Return the names that a call of the function looks up outside."""
        return self.uses | self.deferred

    def run(self, other: Effects) -> None:
        """Add what runs after this, except what it binds."""
        self.uses |= other.uses - self.binds
        for name in (each.name for each in fields(self)):
            if name not in ("uses", "binds", "may_bind", "rebinds", "parameters"):
                getattr(self, name).update(getattr(other, name))
