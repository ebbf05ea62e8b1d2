"""Composition: then (``>>``), beside (``&``), and picking outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fpipe.core.errors import GraphError, did_you_mean
from fpipe.graph.ports import Node, Port, Source, from_input
from fpipe.graph.wiring import Wiring, node_ids, normal_form

_W = TypeVar("_W", bound=Wiring)


def then(left: _W, right: _W) -> _W:
    """Return the wiring that feeds the outputs of ``left`` into the inputs of ``right``.

    Equal numbers meet by position. One output feeds all inputs, and a sole variadic input
    takes all outputs.

    Raises:
        GraphError: the numbers or the types do not match, or a given id occurs twice.
    """
    feeds = _feeds(left, right)
    _check_types(left, right, feeds)
    offset = len(left.nodes)

    def spliced(source: Source) -> tuple[Source, ...]:
        if source.is_input:
            return tuple(left.outputs[i] for i in feeds[source.port])
        return (Source(source.node + offset, source.port),)

    def all_spliced(sources: tuple[Source, ...]) -> tuple[Source, ...]:
        return tuple(new for old in sources for new in spliced(old))

    moved = tuple(Node(node.op, all_spliced(node.sources)) for node in right.nodes)
    return _wired(left, len(left.ports), left.nodes + moved, all_spliced(right.outputs))


def beside(left: _W, right: _W) -> _W:
    """Return both wirings side by side: inputs and outputs of ``left``, then of ``right``.

    Raises:
        GraphError: a given id occurs in both.
    """
    offset, shift = len(left.nodes), len(left.ports)

    def moved(source: Source) -> Source:
        if source.is_input:
            return from_input(source.port + shift)
        return Source(source.node + offset, source.port)

    nodes = tuple(Node(node.op, tuple(map(moved, node.sources))) for node in right.nodes)
    outputs = left.outputs + tuple(map(moved, right.outputs))
    return _wired(left, shift + len(right.ports), left.nodes + nodes, outputs)


def pick(wiring: _W, which: str | int | tuple[str | int, ...]) -> _W:
    """Return the wiring with only the outputs named (or numbered) by ``which``, in that order.

    Raises:
        GraphError: there is no such output.
    """
    chosen = which if isinstance(which, tuple) else (which,)
    outputs = tuple(wiring.outputs[_position(wiring, one)] for one in chosen)
    return _wired(wiring, len(wiring.ports), wiring.nodes, outputs)


def changed(wiring: _W, change: Callable[[Any], Any]) -> _W:
    """Return the wiring with every operator replaced, those inside other operators first.

    Args:
        wiring: the wiring.
        change: operator → what stands in its place; None passes a node by that has one input and
            one output.
    """
    nodes: list[Node] = []
    place: dict[Source, Source] = {}

    def moved(source: Source) -> Source:
        return place.get(source, source)

    for position, node in enumerate(wiring.nodes):
        inner = {prefix: changed(graph, change) for prefix, graph in node.op.graphs().items()}
        op = change(node.op.with_graphs(inner) if inner else node.op)
        sources = tuple(map(moved, node.sources))
        if op is None and len(sources) == len(node.op.outputs) == 1:
            place[Source(position, 0)] = sources[0]
            continue
        for port in range(len(node.op.outputs)):
            place[Source(position, port)] = Source(len(nodes), port)
        nodes.append(Node(node.op if op is None else op, sources))
    return _wired(wiring, len(wiring.ports), tuple(nodes), tuple(map(moved, wiring.outputs)))


def _wired(like: _W, inputs: int, nodes: tuple[Node, ...], outputs: tuple[Source, ...]) -> _W:
    return type(like)(*normal_form(inputs, nodes, outputs))


def _feeds(left: Wiring, right: Wiring) -> tuple[tuple[int, ...], ...]:
    """Return, for every input of ``right``, the positions of the outputs that it takes."""
    gives, takes = len(left.outputs), len(right.ports)
    if takes == 1 and right.ports[0].variadic:
        return (tuple(range(gives)),)
    if gives == takes:
        return tuple((i,) for i in range(takes))
    if gives == 1 and takes > 1:
        return tuple((0,) for _ in range(takes))
    raise GraphError(
        f"the left graph has {counted(gives, 'output')} but the right graph has "
        f"{counted(takes, 'input')}.",
        expected="as many outputs as inputs, one output, or one variadic input",
        got=f"left outputs  ({_listed(left.output_ports)})\nright inputs  ({_listed(right.ports)})",
        at=f"{_ends(left)} >> {_starts(right)}",
        fix="add the missing inputs with &, or merge the outputs first",
        outputs=gives,
        inputs=takes,
    )


def _check_types(left: Wiring, right: Wiring, feeds: tuple[tuple[int, ...], ...]) -> None:
    leaving = left.output_ports
    for port, positions in zip(right.ports, feeds, strict=True):
        for position in positions:
            if not port.accepts(leaving[position]):
                raise GraphError(
                    f"what '{_ends(left)}' gives cannot enter '{_starts(right)}'.",
                    expected=f"{port.type.__name__} at input '{port.name}'",
                    got=f"{leaving[position].type.__name__} from output '{leaving[position].name}'",
                    at=f"{_ends(left)} >> {_starts(right)}",
                    fix=_type_fix(leaving[position], port),
                )


def _type_fix(leaving: Port, entering: Port) -> str:
    pair = (leaving.type.__name__, entering.type.__name__)
    return {
        ("ModelDescriptor", "Task"): "move the table operator before the ingress",
        ("Task", "ModelDescriptor"): "put an ingress between them, e.g. nn.ingress_numeric()",
        ("ModelDescriptor", "Prediction"): "end the network with nn.model(...)",
    }.get(pair, f"convert {pair[0]} to {pair[1]} between them, or drop one of the two")


def _position(wiring: Wiring, which: str | int) -> int:
    names = [port.name for port in wiring.output_ports]
    if isinstance(which, int) and -len(names) <= which < len(names):
        return which
    if isinstance(which, str) and names.count(which) == 1:
        return names.index(which)
    raise GraphError(
        f"the graph has no single output {which!r}.",
        expected=f"one of {names} or a position below {len(names)}",
        got=repr(which),
        fix=did_you_mean(str(which), names),
    )


def _listed(ports: tuple[Port, ...]) -> str:
    return ", ".join(map(repr, ports))


def _ends(wiring: Wiring) -> str:
    ids = node_ids(wiring)
    found = [ids[s.node] if not s.is_input else "input" for s in wiring.outputs]
    return " & ".join(dict.fromkeys(found)) or "the empty graph"


def _starts(wiring: Wiring) -> str:
    ids = node_ids(wiring)
    readers = [
        ids[i] for i, node in enumerate(wiring.nodes) if any(s.is_input for s in node.sources)
    ]
    return " & ".join(dict.fromkeys(readers)) or "the empty graph"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: ``1 output``, ``2 outputs``."""
    return f"{n} {noun}" + ("" if n == 1 else "s")
