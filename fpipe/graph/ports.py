"""Ports, sources and nodes: the atoms of a wiring."""

from __future__ import annotations

from typing import Any

from fpipe.core.value import descriptor


@descriptor
class Port:
    """A typed place where a value enters or leaves an operator.

    Args:
        name: what flows here, unique among the inputs (or outputs) of one operator.
        type: class of what flows; ``object`` takes anything.
        variadic: whether the port takes any number of values.
    """

    name: str
    type: type = object
    variadic: bool = False

    def accepts(self, other: Port) -> bool:
        """Tell whether what leaves ``other`` may enter here."""
        return issubclass(other.type, self.type) or other.type is object

    def __repr__(self) -> str:
        name = "any" if self.type is object else self.type.__name__
        return f"{self.name}: {name}{'...' if self.variadic else ''}"


@descriptor
class Source:
    """Where a value comes from: output ``port`` of a node, or an input of the graph.

    Args:
        node: position of the node in its wiring, or -1 for an input of the graph.
        port: position of the node's output, or of the graph's input.
    """

    node: int
    port: int

    @property
    def is_input(self) -> bool:
        """Whether the value enters from outside."""
        return self.node < 0

    def __repr__(self) -> str:
        return f"in[{self.port}]" if self.is_input else f"{self.node}[{self.port}]"


@descriptor
class Node:
    """One operator in a wiring, and where its inputs come from.

    Args:
        op: the operator (a frozen descriptor).
        sources: one source per value it takes, in port order.
    """

    op: Any
    sources: tuple[Source, ...]


def from_input(port: int) -> Source:
    """Return the source that stands for an input of the graph."""
    return Source(-1, port)
