"""Branch: one of several paths, chosen by a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpipe.core.errors import GraphError, ParameterError, did_you_mean
from fpipe.core.parameter import REQUIRED, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.graph.graph import Graph, Joinable, as_graph, node
from fpipe.graph.op import Macro
from fpipe.graph.operator import by_name
from fpipe.graph.ports import Port


@descriptor
class Branch(Macro):
    """One of several graphs; ``selection`` says which. The others are neither fitted nor applied.

    Args:
        options: pairs of name and graph, all with the same numbers of inputs and outputs.
        selection: the name of the chosen one; the first by default.
    """

    name = "branch"
    graph_fields = ("options",)

    options: tuple[tuple[str, Graph], ...]
    selection: str = parameter(default=REQUIRED)

    def __attrs_post_init__(self) -> None:
        names = [name for name, _ in self.options]
        if self.selection not in names:
            raise ParameterError(
                f"branch has no option '{self.selection}'.",
                expected=", ".join(names),
                got=repr(self.selection),
                fix=did_you_mean(str(self.selection), names),
            )

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs of the chosen graph, typed as the first option that types them."""
        return _joint([graph.ports for _, graph in self.options])

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs of the chosen graph."""
        return _joint([graph.output_ports for _, graph in self.options])

    def written(self) -> tuple[str, ...]:
        """The chosen option."""
        return (f"selection={self.selection!r}",)

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the chosen graph."""
        return dict(self.options)[self.selection]

    def graphs(self) -> Mapping[str, Graph]:
        """Return all options by name."""
        return dict(self.options)

    def with_graphs(self, graphs: Mapping[str, Graph]) -> Branch:
        """Return the branch with other graphs under the same names."""
        return evolve(self, options=tuple((name, graphs[name]) for name, _ in self.options))


@by_name("give every option a name: nn.branch(relu=nn.relu(), tanh=nn.tanh())")
def branch(*, id: str | None = None, selection: str | None = None, **options: Joinable) -> Graph:
    """Return a node that stands for one of several graphs.

    Args:
        id: the node's id; ``"branch"`` by default.
        selection: the name of the chosen option; the first by default.
        **options: graphs by name; ``fp.identity()`` for "nothing".

    Raises:
        GraphError: no option is given, or their numbers of inputs or outputs differ.
        ParameterError: the selection is no option.

    Example:
        >>> from fpipe.graph.graph import identity
        >>> branch(one=identity(), other=identity()).params()
        {'branch.selection': 'one'}
    """
    if not options:
        raise GraphError("branch needs at least one option.", fix="branch(relu=nn.relu())")
    graphs = tuple((name, as_graph(option)) for name, option in options.items())
    reserved = {"id", "selection", "options", "overrides"} & set(options)
    arities = {name: (len(graph.ports), len(graph.outputs)) for name, graph in graphs}
    if len(set(arities.values())) > 1 or reserved:
        raise GraphError(
            "the options of a branch must be interchangeable.",
            expected="equal numbers of inputs and outputs, and names that are not reserved",
            got=", ".join(f"{name}: {i} -> {o}" for name, (i, o) in arities.items()),
        )
    return node(Branch(graphs, selection or graphs[0][0], id=id))


def _joint(sides: list[tuple[Port, ...]]) -> tuple[Port, ...]:
    return tuple(
        next((port for port in ports if port.type is not object), ports[0])
        for ports in zip(*sides, strict=True)
    )
