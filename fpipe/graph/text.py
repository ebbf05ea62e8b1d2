"""Graphs as text: for reading, and for mermaid."""

from __future__ import annotations

from fpipe.graph.op import Macro, Op
from fpipe.graph.ports import Source
from fpipe.graph.settings import overrides_of
from fpipe.graph.wiring import Wiring, node_ids


def describe(wiring: Wiring, label: str | None = None) -> str:
    """Return one line per node: id, parameters, and where its inputs come from."""
    ids = node_ids(wiring)
    inputs = ", ".join(map(repr, wiring.ports)) or "nothing"
    outputs = ", ".join(map(repr, wiring.output_ports)) or "nothing"
    title = f"Graph '{label}'" if label else "Graph"
    lines = [f"{title} ({inputs}) -> ({outputs})"]
    for position, (name, node) in enumerate(zip(ids, wiring.nodes, strict=True)):
        lines.append(f"  {signature(node.op, name)}{_reads(node.sources, position, ids)}")
        lines.extend(f"    {line}" for line in _inside(node.op))
    return "\n".join(lines)


def signature(op: Op, name: str) -> str:
    """Return a node as it would be written: its op's name, parameters and id."""
    shown = op.written() + ((f"id={name!r}",) if name != op.name else ())
    return f"{op.name}({', '.join(shown)})"


def mermaid(wiring: Wiring) -> str:
    """Return the graph as mermaid flowchart text (paste it into any Markdown page).

    Macros are drawn as one node.
    """
    ids = node_ids(wiring)
    lines = ["flowchart LR"]
    lines += [f'  in{i}(["{port.name}"])' for i, port in enumerate(wiring.ports)]
    lines += [f'  n{i}["{name}"]' for i, name in enumerate(ids)]
    lines += [f'  out{i}(["{port.name}"])' for i, port in enumerate(wiring.output_ports)]
    for i, node in enumerate(wiring.nodes):
        lines += [f"  {_end(source)} --> n{i}" for source in node.sources]
    lines += [f"  {_end(source)} --> out{i}" for i, source in enumerate(wiring.outputs)]
    return "\n".join(lines)


def _inside(op: Op) -> list[str]:
    lines: list[str] = []
    for prefix, graph in op.graphs().items():
        body = describe(graph).splitlines()[1:]
        lines.extend([f"{prefix}:", *body] if prefix else [line[2:] for line in body])
    if isinstance(op, Macro):
        lines.extend(f"set {path} = {_short(value)}" for path, value in overrides_of(op).items())
    return lines


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _reads(sources: tuple[Source, ...], position: int, ids: tuple[str, ...]) -> str:
    if sources == (Source(position - 1, 0),) or (position == 0 and len(sources) == 1):
        return ""
    names = [f"in[{s.port}]" if s.is_input else _output(s, ids) for s in sources]
    return f"  <- {', '.join(names)}"


def _output(source: Source, ids: tuple[str, ...]) -> str:
    return ids[source.node] if source.port == 0 else f"{ids[source.node]}[{source.port}]"


def _end(source: Source) -> str:
    return f"in{source.port}" if source.is_input else f"n{source.node}"
