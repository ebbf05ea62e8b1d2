"""The graph: a wiring of operators that is itself an operator, joined with ``>>`` and ``&``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

from fpipe.core.errors import GraphError, ParameterError
from fpipe.core.parameter import label as label_field
from fpipe.core.value import descriptor, evolve
from fpipe.graph import compose, settings, text
from fpipe.graph.op import Macro, Op
from fpipe.graph.ports import Node, Port, Source, from_input
from fpipe.graph.wiring import Wiring, node_ids, normal_form


@descriptor
class Graph(Wiring):
    """Operators and their wires; ``f >> g`` is f then g, ``f & g`` is f beside g.

    Args:
        label: a name to show; no part of what the graph is.
    """

    label: str | None = label_field(default=None)

    def __rshift__(self, other: Joinable) -> Graph:
        return compose.then(self, as_graph(other))

    def __rrshift__(self, other: Joinable) -> Graph:
        return compose.then(as_graph(other), self)

    def __and__(self, other: Joinable) -> Graph:
        return compose.beside(self, as_graph(other))

    def __rand__(self, other: Joinable) -> Graph:
        return compose.beside(as_graph(other), self)

    def __getitem__(self, which: str | int | tuple[str | int, ...]) -> Graph:
        return compose.pick(self, which)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of every node, in node order."""
        return node_ids(self)

    def params(self) -> dict[str, Any]:
        """Return every parameter by path."""
        return settings.params(self)

    def at(self, path: str) -> Any:
        """Return the parameter, op or inner graph at a path."""
        return settings.at(self, path)

    def set(self, changes: Mapping[str, Any]) -> Graph:
        """Return the graph with parameters replaced, all at once; ``*`` addresses many.

        Raises:
            ParameterError: a path leads nowhere, or a value is not accepted.
        """
        if not isinstance(changes, Mapping):
            raise ParameterError(
                f"set takes a mapping of paths to values, not {type(changes).__name__}.",
                expected="a dict such as {'linear.out_features': 32}",
                got=repr(changes),
                fix="graph.set({path: value})",
            )
        return settings.set_params(self, changes)

    def named(self, label: str) -> Graph:
        """Return the same graph under a name to show."""
        return evolve(self, label=label)

    def mermaid(self) -> str:
        """Return the graph as mermaid flowchart text."""
        return text.mermaid(self)

    def __repr__(self) -> str:
        return text.describe(self, self.label)


Joinable: TypeAlias = "Graph | tuple[Joinable, ...]"


@descriptor
class Wrap(Macro):
    """A graph as one node.

    Args:
        graph: the graph inside.
    """

    name = "wrap"
    graph_fields = ("graph",)

    graph: Graph

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs of the graph inside."""
        return self.graph.ports

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs of the graph inside."""
        return self.graph.output_ports

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the graph inside."""
        return self.graph

    def graphs(self) -> Mapping[str, Graph]:
        """Return the graph inside; its paths follow the node's id directly."""
        return {"": self.graph}

    def with_graphs(self, graphs: Mapping[str, Graph]) -> Wrap:
        """Return the node around another graph."""
        return evolve(self, graph=graphs[""])


def node(op: Op) -> Graph:
    """Return the graph of one operator."""
    ports = tuple(op.inputs)
    wired = Node(op, tuple(from_input(i) for i in range(len(ports))))
    outputs = tuple(Source(0, i) for i in range(len(op.outputs)))
    return Graph(*normal_form(len(ports), (wired,), outputs))


def identity(n: int = 1) -> Graph:
    """Return ``n`` wires without a node: the unit of ``>>``.

    Example:
        >>> identity(2) == identity() & identity()
        True
    """
    return Graph(tuple(Port("input") for _ in range(n)), (), tuple(map(from_input, range(n))))


empty = identity(0)
"""The graph without wires: the unit of ``&``."""


def wrap(graph: Joinable, *, id: str | None = None) -> Graph:
    """Return a graph as one node, so that it can be named and addressed as a whole.

    The node's key differs from the keys of the nodes inside, so wrapping changes what is drawn.

    Args:
        graph: the graph.
        id: the node's id.
    """
    return node(Wrap(as_graph(graph), id=id))


def as_graph(thing: Joinable | Op) -> Graph:
    """Return what can be joined as a graph: a graph, an op, or a tuple set side by side.

    Raises:
        GraphError: it is none of these.
    """
    if isinstance(thing, Graph):
        return thing
    if isinstance(thing, Op):
        return node(thing)
    if isinstance(thing, tuple):
        joined = empty
        for one in thing:
            joined = compose.beside(joined, as_graph(one))
        return joined
    raise GraphError(
        f"{_kind_of(thing)} cannot be joined to a graph.",
        expected="a graph, an operator, or a tuple of them",
        got=_shown(thing),
        fix=_join_fix(thing),
    )


def _kind_of(thing: Any) -> str:
    names = {str: "a string", type(None): "None", list: "a list", dict: "a dict"}
    if callable(thing) and hasattr(thing, "__name__"):
        return f"the {'class' if isinstance(thing, type) else 'function'} '{thing.__name__}'"
    return names.get(type(thing), type(thing).__name__)


def _shown(thing: Any) -> str:
    text = " ".join(repr(thing).split())
    return text if len(text) <= 60 else f"{text[:58]} …"


def _join_fix(thing: Any) -> str:
    if isinstance(thing, list):
        return "join its members with >> or &"
    if isinstance(thing, str):
        name = thing if thing.isidentifier() else "relu"
        return f"write {name}(...) without quotes: operators are functions, e.g. nn.relu()"
    name = getattr(thing, "__name__", type(thing).__name__)
    module = getattr(thing, "__module__", None) or type(thing).__module__
    if module.startswith("torch") and hasattr(thing, "forward"):
        return f"nn.module(torch.nn.{name})"
    if module.startswith("torch") and callable(thing) and not isinstance(thing, type):
        return f"nn.fn({_torch_home(thing, name)}{name})"
    if callable(thing):
        return _call_fix(thing, name)
    if hasattr(thing, "outline"):
        return f"the graph comes before the {name.lower()}: fp.fit(graph, {name.lower()}, key=...)"
    return "give an operator, such as nn.relu() or ops.scale()"


def _torch_home(function: Any, name: str) -> str:
    """Return the module of torch that has a function; one written in C does not tell it."""
    homes = ("torch", "torch.nn.functional")
    found = (h for h in homes if getattr(sys.modules.get(h), name, None) is function)
    return next((f"{home}." for home in found), "")


def _call_fix(thing: Any, name: str) -> str:
    """Return the fix for a function or a class that was not called."""
    if isinstance(thing, type):
        return f"make one of it: {name}(...)"
    if hasattr(thing, "__signature__"):
        return f"call it: {name}(...)"
    if not name.isidentifier():
        return "as a layer: nn.fn(function)"
    return f"call it if it makes an operator: {name}(...); as a layer: nn.fn({name})"
