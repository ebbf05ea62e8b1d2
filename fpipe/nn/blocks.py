"""Blocks: a graph repeated, and a graph beside a wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import GraphError, ParameterError, ShapeError
from fpipe.core.parameter import REQUIRED, Check, integer, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.graph.graph import Graph, Joinable, Wrap, as_graph, identity, node, wrap
from fpipe.graph.op import Macro
from fpipe.graph.operator import by_name
from fpipe.graph.ports import Node, Port, Source, from_input
from fpipe.graph.settings import split_head
from fpipe.graph.wiring import normal_form
from fpipe.net.layer import Layer
from fpipe.net.shape import Shape, shown
from fpipe.nn.copies import Copies
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import DESCRIPTOR, OUTPUT
from fpipe.nn.layers.merging import MergeSum

_CODE = Check(
    "a function from a copy's number to its changes, or None",
    lambda x: x is None or isinstance(x, Ref | Opaque),
)


def _held(function: Any) -> Any:
    return as_code(function) if callable(function) else function


@descriptor
class Block(Macro):
    """A graph repeated ``n_blocks`` times, each copy with parameters of its own.

    Args:
        graph: what is repeated; what leaves it must be able to enter it.
        n_blocks: how many copies; 0 lets everything pass.
        each: from the number of a copy, counted from 0, to the parameters that it changes.
    """

    name = "block"
    graph_fields = ("graph",)

    graph: Graph
    n_blocks: int = parameter(default=REQUIRED, check=integer(0))
    each: Ref | Opaque | None = parameter(default=None, check=_CODE, convert=_held)

    def __attrs_post_init__(self) -> None:
        if len(self.graph.outputs) != len(self.graph.ports):
            raise GraphError(
                "a block must give as many outputs as it takes inputs.",
                expected="equal numbers",
                got=f"{len(self.graph.ports)} inputs, {len(self.graph.outputs)} outputs",
                fix="merge the outputs, e.g. with nn.merge_sum()",
            )
        _check_free(self.graph, ("n_blocks", "each"), "block")

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs of the repeated graph."""
        return self.graph.ports

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs of the repeated graph."""
        return self.graph.output_ports

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the copies behind each other, wrapped as ``[0]``, ``[1]`` and so on.

        Where their number is not set: as many as tell the types.
        """
        if self.n_blocks is REQUIRED:
            return self._some_copies(types)
        copies = identity(len(self.graph.ports))
        for i in range(self.n_blocks):
            copies = copies >> wrap(self.copy(i), id=f"[{i}]")
        return copies

    def _some_copies(self, types: tuple[Any, ...]) -> Graph:
        width, alike = len(self.graph.ports), self.each is None
        set_in = [int(split_head(path)[0][1:-1]) for path in self.overrides]
        # One more than those that differ, so that all further ones are like the last.
        count = max(set_in, default=0) + (2 if set_in and alike else 1)
        leaving = [from_input(port) for port in range(width)]
        nodes: list[Node] = []
        for i in range(count):
            nodes.append(Node(Wrap(self.copy(i), id=f"[{i}]"), tuple(leaving[-width:])))
            leaving += [Source(i, port) for port in range(width)]
        if all(isinstance(one, ModelDescriptor) for one in types):
            nodes.append(Node(Copies(width, alike), tuple(leaving)))
            leaving = [Source(len(nodes) - 1, port) for port in range(width)]
        return Graph(*normal_form(width, tuple(nodes), tuple(leaving[-width:])))

    def has_copy(self, i: int) -> bool:
        """Tell whether there is a copy ``i``; where their number is not set there may be."""
        return self.n_blocks is REQUIRED or i < self.n_blocks

    def copy(self, i: int) -> Graph:
        """Return copy ``i`` with the changes that ``each`` gives for it.

        Raises:
            IndexError: there is no such copy.
            ParameterError: ``each`` gives no changes, or such that the graph does not take.
        """
        if i < 0 or (self.n_blocks is not REQUIRED and i >= self.n_blocks):
            last = "[i]" if self.n_blocks is REQUIRED else f"[{self.n_blocks - 1}]"
            raise IndexError(f"[0] to {last}" if self.n_blocks != 0 else "no copies: n_blocks is 0")
        if self.each is None:
            return self.graph
        try:
            changes = self.each.resolve()(i)
        except Exception as error:
            error.add_note(f"in each={self.each.name} of a block, for copy {i}")
            raise
        if not isinstance(changes, Mapping):
            raise ParameterError(
                f"{self.each.name} does not give the changes of copy {i}.",
                expected="a dict from paths to values, as in graph.set",
                got=repr(changes)[:80],
                fix='each=lambda i: {"linear.out_features": 8 * (i + 1)}',
            )
        try:
            return self.graph.set(changes)
        except ParameterError as error:
            raise ParameterError(
                f"each of a block, for copy {i}: {error.rule}",
                expected=error.expected,
                got=error.got,
                at=error.at,
                fix=error.fix,
            ) from error

    def graphs(self) -> Mapping[str, Graph]:
        """Return the repeated graph; its paths follow the block's id directly."""
        return {"": self.graph}

    def with_graphs(self, graphs: Mapping[str, Graph]) -> Block:
        """Return the block of another graph."""
        return evolve(self, graph=graphs[""])


@descriptor
class Meet(MergeSum):
    """The sum at the end of a residual path, whose two shapes must be equal."""

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the sum."""
        straight, body = md.shapes
        if not _meet(straight, body):
            last = body[-1] if body and body[-1] is not None else "n"
            raise ShapeError(
                "residual: what leaves the body cannot be added to what stands beside it.",
                expected=f"{shown(straight)}, as it stands beside the body",
                got=f"{shown(body)} from the body",
                fix=f"bring both to one shape, e.g. with shortcut=nn.linear({last})",
            )
        return super().layer(md)


@descriptor
class Residual(Macro):
    """``shortcut(x) + body(x)``; the input itself where there is no shortcut.

    Args:
        body: a graph of one input and one output.
        shortcut: what stands beside it, likewise, or None.

    Source:
        He et al. 2016, *Deep residual learning for image recognition*.
    """

    name = "residual"
    inputs = (DESCRIPTOR,)
    outputs = (OUTPUT,)
    graph_fields = ("body", "shortcut")

    body: Graph
    shortcut: Graph | None = None

    def __attrs_post_init__(self) -> None:
        for graph in filter(None, (self.body, self.shortcut)):
            if (len(graph.ports), len(graph.outputs)) != (1, 1):
                raise GraphError(
                    "a residual path has one input and one output.",
                    expected="1 input, 1 output",
                    got=f"{len(graph.ports)} inputs, {len(graph.outputs)} outputs",
                    fix="merge the outputs, e.g. with nn.merge_sum()",
                )
            _check_layers(graph)
        _check_free(self.body, ("shortcut",), "residual")

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return both paths and their sum; the shortcut is wrapped under its name."""
        beside = identity() if self.shortcut is None else wrap(self.shortcut, id="shortcut")
        both = identity() >> (beside & self.body)
        return both >> node(Meet())

    def graphs(self) -> Mapping[str, Graph]:
        """Return the body, whose paths follow the id directly, and the shortcut."""
        return {"": self.body} | ({} if self.shortcut is None else {"shortcut": self.shortcut})

    def with_graphs(self, graphs: Mapping[str, Graph]) -> Residual:
        """Return the residual of other graphs."""
        return evolve(self, body=graphs[""], shortcut=graphs.get("shortcut"))


def block(
    graph: Joinable, n_blocks: int | None = None, each: Any = None, *, id: str | None = None
) -> Graph:
    """Repeat a graph.

    ``block.<path>`` sets a parameter in all copies, ``block[i].<path>`` in copy ``i``.

    Args:
        graph: what is repeated.
        n_blocks: how many copies; may be set later by ``"block.n_blocks"``.
        each: a function from the number of a copy, counted from 0, to the parameters that it
            changes (path → value). What is set for one copy by its path comes after it.
        id: the node's id.

    Raises:
        GraphError: the graph gives another number of outputs than it takes inputs.

    Example:
        >>> from fpipe import nn
        >>> growing = nn.block(nn.linear(4), 2, lambda i: {"linear.out_features": 4 * (i + 1)})
        >>> nn.network(growing, x=(None, 3)).count() == (3 * 4 + 4) + (4 * 8 + 8)
        True
    """
    copies = REQUIRED if n_blocks is None else n_blocks
    return node(Block(as_graph(graph), copies, each, id=id))


@by_name("give the shortcut by name: nn.residual(body, shortcut=...)")
def residual(body: Joinable, *, shortcut: Joinable | None = None, id: str | None = None) -> Graph:
    """Add what enters to what a graph makes of it: ``x + body(x)``.

    ``residual.<path>`` addresses the body, ``residual.shortcut.<path>`` the shortcut.

    Args:
        body: a graph of one input and one output.
        shortcut: what stands beside it in place of the input itself, e.g. ``nn.linear(n)``
            where the body changes the shape.
        id: the node's id.

    Raises:
        GraphError: one of the graphs has another number of inputs or outputs.
        ShapeError: what leaves the body has another shape than what stands beside it.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.residual(nn.linear(3) >> nn.relu()), x=(None, 3)).count()
        12
    """
    beside = None if shortcut is None else as_graph(shortcut)
    return node(Residual(as_graph(body), beside, id=id))


def _check_layers(graph: Graph) -> None:
    """Refuse a residual path that does not lead from layers to layers."""
    enters, leaves = graph.ports[0], graph.output_ports[0]
    if not enters.accepts(DESCRIPTOR) or not DESCRIPTOR.accepts(leaves):
        raise GraphError(
            "a residual path is made of layers.",
            expected="a graph from a ModelDescriptor to a ModelDescriptor",
            got=f"{enters.type.__name__} to {leaves.type.__name__}: {', '.join(graph.ids)}",
            fix="put tables before the ingress, and what trains behind the residual",
        )


def _meet(a: Shape, b: Shape) -> bool:
    pairs = zip(a, b, strict=False)
    return len(a) == len(b) and all(None in (m, n) or m == n for m, n in pairs)


def _check_free(graph: Graph, reserved: tuple[str, ...], what: str) -> None:
    """Refuse nodes whose ids would hide a parameter."""
    taken = [name for name in graph.ids if name in reserved]
    if taken:
        raise GraphError(
            f"a node inside a {what} cannot be called '{taken[0]}'.",
            expected=f"ids other than {', '.join(reserved)}",
            got=taken[0],
            fix=f"give it another id, e.g. id='{taken[0]}_layer'",
        )
