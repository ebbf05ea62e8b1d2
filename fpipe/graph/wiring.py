"""Wirings in normal form: nodes and wires, nothing else."""

from __future__ import annotations

from collections import Counter

from fpipe.core.errors import GraphError
from fpipe.core.value import descriptor
from fpipe.graph.ports import Node, Port, Source, from_input


@descriptor
class Wiring:
    """Nodes in their one canonical order, with the values that enter and leave.

    The order comes from walking back from the outputs, inputs first by port. So two wirings
    that connect the same operators alike are equal, however they were put together, and the
    identity is a wiring without nodes.

    Args:
        ports: the inputs.
        nodes: the nodes, each after those it reads.
        outputs: where each output comes from.
    """

    ports: tuple[Port, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Source, ...]

    @property
    def output_ports(self) -> tuple[Port, ...]:
        """The type of each output; an input passed on has the type of that input."""
        return tuple(port_of(self, source) for source in self.outputs)


def port_of(wiring: Wiring, source: Source) -> Port:
    """Return the port that a source of this wiring leaves from."""
    if source.is_input:
        return wiring.ports[source.port]
    port: Port = wiring.nodes[source.node].op.outputs[source.port]
    return port


def normal_form(
    inputs: int, nodes: tuple[Node, ...], outputs: tuple[Source, ...]
) -> tuple[tuple[Port, ...], tuple[Node, ...], tuple[Source, ...]]:
    """Return ports, nodes and outputs in canonical order; nodes nobody reads are dropped.

    Args:
        inputs: number of inputs.
        nodes: nodes in any order (a cycle cannot be written with sources given by position
            of earlier nodes; the order among them is free).
        outputs: what leaves.

    Raises:
        GraphError: two nodes have the same given id.
    """
    order = walk_back(nodes, outputs)
    place = {old: new for new, old in enumerate(order)}

    def moved(source: Source) -> Source:
        return source if source.is_input else Source(place[source.node], source.port)

    kept = tuple(Node(nodes[old].op, tuple(map(moved, nodes[old].sources))) for old in order)
    _check_ids(kept)
    return _input_ports(inputs, kept), kept, tuple(map(moved, outputs))


def walk_back(nodes: tuple[Node, ...], outputs: tuple[Source, ...]) -> list[int]:
    """Return the positions of all nodes that the outputs need, each after those it reads."""
    order: list[int] = []
    state: dict[int, int] = {}
    stack = [source.node for source in reversed(outputs) if not source.is_input]
    while stack:
        node = stack[-1]
        if state.get(node) is None:
            state[node] = 0
            needed = [s.node for s in reversed(nodes[node].sources) if not s.is_input]
            stack.extend(n for n in needed if n not in state)
        else:
            stack.pop()
            if state[node] == 0:
                state[node] = 1
                order.append(node)
    return order


def node_ids(wiring: Wiring) -> tuple[str, ...]:
    """Return the id of every node: the one given, else its op's name with an ordinal.

    The first automatic ``relu`` is ``relu``, the second ``relu_2``; given ids are skipped.
    """
    taken = {node.op.id for node in wiring.nodes if node.op.id is not None}
    counts: Counter[str] = Counter()
    ids: list[str] = []
    for node in wiring.nodes:
        ids.append(node.op.id or _automatic(node.op.name, taken, counts))
    return tuple(ids)


def _automatic(name: str, taken: set[str], counts: Counter[str]) -> str:
    while True:
        counts[name] += 1
        candidate = name if counts[name] == 1 else f"{name}_{counts[name]}"
        if candidate not in taken:
            taken.add(candidate)
            return candidate


def _check_ids(nodes: tuple[Node, ...]) -> None:
    given = Counter(node.op.id for node in nodes if node.op.id is not None)
    twice = sorted(name for name, count in given.items() if count > 1)
    if twice:
        raise GraphError(
            f"the id '{twice[0]}' is given to {given[twice[0]]} nodes.",
            expected="given ids that are unique within one graph",
            got=f"ids given more than once: {', '.join(twice)}",
            fix=f"rename one, e.g. id='{twice[0]}_b', or leave the id out",
        )


def _input_ports(count: int, nodes: tuple[Node, ...]) -> tuple[Port, ...]:
    """Name and type each input after the first node that reads it (narrowest type)."""
    ports: list[Port | None] = [None] * count
    for node in nodes:
        entering = node.op.inputs
        for position, source in enumerate(node.sources):
            if source.is_input:
                port = entering[min(position, len(entering) - 1)]
                open_ended = port.variadic and node.sources == (from_input(source.port),)
                found = Port(port.name, port.type, open_ended)
                ports[source.port] = _narrower(ports[source.port], found)
    return tuple(port or Port("input") for port in ports)


def _narrower(old: Port | None, new: Port) -> Port:
    if old is None:
        return new
    if not (issubclass(new.type, old.type) or issubclass(old.type, new.type)):
        raise GraphError(
            "one input is read by nodes that need different types.",
            expected=repr(old),
            got=repr(new),
            fix="give the graph two inputs",
        )
    narrower = new.type if issubclass(new.type, old.type) else old.type
    return Port(old.name, narrower, False)
