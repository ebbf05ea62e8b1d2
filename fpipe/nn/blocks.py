"""Blocks: a graph repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpipe.core.errors import GraphError
from fpipe.core.parameter import REQUIRED, integer, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.graph.graph import Graph, Joinable, as_graph, identity, node, wrap
from fpipe.graph.op import Macro
from fpipe.graph.ports import Port


@descriptor
class Block(Macro):
    """A graph repeated ``n_blocks`` times, each copy with parameters of its own.

    Args:
        graph: what is repeated; what leaves it must be able to enter it.
        n_blocks: how many copies; 0 lets everything pass.
    """

    name = "block"
    graph_fields = ("graph",)

    graph: Graph
    n_blocks: int = parameter(default=REQUIRED, check=integer(0))

    def __attrs_post_init__(self) -> None:
        if len(self.graph.outputs) != len(self.graph.ports):
            raise GraphError(
                "a block must give as many outputs as it takes inputs.",
                expected="equal numbers",
                got=f"{len(self.graph.ports)} inputs, {len(self.graph.outputs)} outputs",
                fix="merge the outputs, e.g. with nn.merge_sum()",
            )

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs of the repeated graph."""
        return self.graph.ports

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs of the repeated graph."""
        return self.graph.output_ports

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the copies behind each other, wrapped as ``[0]``, ``[1]`` and so on."""
        copies = identity(len(self.graph.ports))
        for i in range(self.n_blocks):
            copies = copies >> wrap(self.graph, id=f"[{i}]")
        return copies

    def graphs(self) -> Mapping[str, Graph]:
        """Return the repeated graph; its paths follow the block's id directly."""
        return {"": self.graph}

    def with_graphs(self, graphs: Mapping[str, Graph]) -> Block:
        """Return the block of another graph."""
        return evolve(self, graph=graphs[""])


def block(graph: Joinable, n_blocks: int | None = None, *, id: str | None = None) -> Graph:
    """Repeat a graph.

    ``block.<path>`` sets a parameter in all copies, ``block[i].<path>`` in copy ``i``.

    Args:
        graph: what is repeated.
        n_blocks: how many copies; may be set later by ``"block.n_blocks"``.
        id: the node's id.

    Raises:
        GraphError: the graph gives another number of outputs than it takes inputs.
    """
    body = as_graph(graph)
    return node(Block(body, id=id) if n_blocks is None else Block(body, n_blocks, id=id))
