"""The interpreters: fit a graph, apply a fitted one, infer what is known without data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pyrsistent import PMap, pmap

from fpipe.core.errors import FpipeError, GraphError, ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED
from fpipe.graph.compose import counted, then
from fpipe.graph.context import Context
from fpipe.graph.flow import attach, detach, outline
from fpipe.graph.op import Macro, MacroState, Op
from fpipe.graph.ports import Port, Source, from_input
from fpipe.graph.settings import overrides_of, set_params, split_head
from fpipe.graph.wiring import Wiring, node_ids

Values = tuple[Any, ...]


class Inferred(NamedTuple):
    """What inference found at one node: its place, its op, and the types that leave."""

    path: tuple[str, ...]
    op: Op
    types: Values


def fit_graph(
    graph: Wiring, inputs: Values, *, key: Key, context: Context, wanted: bool
) -> tuple[PMap[str, Any], Values]:
    """Fit every node in order on what flows to it.

    Validation data rides along: a node is fitted on what flows without it and applied to it.
    A node's key is ``key.fold_in(id)``.

    Args:
        graph: the graph.
        inputs: one value per input.
        key: the key of this level.
        context: the surroundings of this level.
        wanted: whether the outputs are read; what nobody reads is not computed.

    Returns:
        the states by node id, and the outputs (empty where not wanted).
    """
    states: dict[str, Any] = {}
    read = _read_nodes(graph, wanted)

    def visit(position: int, name: str, op: Op, entering: Values) -> Values:
        states[name], leaving = _fit_node(
            op, entering, key.fold_in(name), context.below(name), position in read
        )
        return leaving

    outputs = _walk(graph, inputs, visit, context)
    return pmap(states), outputs if wanted else ()


def apply_graph(
    graph: Wiring, states: PMap[str, Any], inputs: Values, *, key: Key, context: Context
) -> Values:
    """Return the outputs of a fitted graph on new inputs."""

    def visit(position: int, name: str, op: Op, entering: Values) -> Values:
        del position
        return _apply_node(op, states[name], entering, key.fold_in(name), context.below(name))

    return _walk(graph, inputs, visit, context)


def infer_graph(
    graph: Wiring, types: Values, *, key: Key, context: Context
) -> tuple[Values, list[Inferred]]:
    """Return the types that leave a graph, and what was found at every node, macros opened."""
    found: list[Inferred] = []

    def visit(position: int, name: str, op: Op, entering: Values) -> Values:
        del position
        below, own_key = context.below(name), key.fold_in(name)
        if isinstance(op, Macro):
            leaving, inner = infer_graph(
                expansion(op, entering), entering, key=own_key, context=below
            )
            found.extend(inner)
            return leaving
        leaving = op.infer(entering, key=own_key, context=below)
        found.append(Inferred(below.path, op, leaving))
        return leaving

    return _walk(graph, types, visit, context), found


def expansion(macro: Macro, types: Values) -> Any:
    """Return the graph that a macro stands for, with its overrides applied."""
    graph = _widened(macro.expand(types), len(types))
    overrides = overrides_of(macro)
    if not overrides:
        return graph
    _check_steps(macro, graph)
    return set_params(graph, overrides)


def _check_steps(macro: Macro, graph: Wiring) -> None:
    """Raise ParameterError where something is set below a step that this expansion leaves out."""
    left_out = set(macro.steps) - set(node_ids(graph))
    for path, value in overrides_of(macro).items():
        step, _ = split_head(path)
        if step in left_out:
            raise ParameterError(
                f"{macro.name} has no step '{step}' here, but '{path}' is set.",
                expected=macro.steps[step],
                got=f"{path} = {value!r}"[:80],
                fix=f"give {macro.steps[step]}, or do not set '{path}'",
            )


def _widened(graph: Any, count: int) -> Any:
    """Return a graph with one variadic input as the graph that takes so many values."""
    if count == len(graph.ports):
        return graph
    wires = type(graph)(
        tuple(Port("input") for _ in range(count)), (), tuple(map(from_input, range(count)))
    )
    return then(wires, graph)


def _walk(
    graph: Wiring,
    inputs: Values,
    visit: Callable[[int, str, Op, Values], Values],
    context: Context,
) -> Values:
    leaving: list[Values] = []

    def value_of(source: Source) -> Any:
        return inputs[source.port] if source.is_input else leaving[source.node][source.port]

    for position, (name, node) in enumerate(zip(node_ids(graph), graph.nodes, strict=True)):
        entering = tuple(map(value_of, node.sources))
        with located(context.below(name).place):
            leaving.append(visit(position, name, node.op, entering))
    return tuple(
        value_of(source) for source in graph.outputs if source.is_input or leaving[source.node]
    )


def _fit_node(
    op: Op, entering: Values, key: Key, context: Context, wanted: bool
) -> tuple[Any, Values]:
    if isinstance(op, Macro):
        _check_set(op)
        graph = expansion(op, tuple(map(outline, entering)))
        states, leaving = fit_graph(graph, entering, key=key, context=context, wanted=wanted)
        return MacroState(graph, states), leaving
    _check_set(op)
    train, valid = detach(entering)
    extra = {"valid": valid} if op.reads_valid else {}
    if context.place in context.finished:
        state = context.finished[context.place]
    else:
        state = op.fit(train, key=key, context=context, **extra)
        context.keep({"kind": "fitted", "state": state})
    if not wanted:
        return state, ()
    leaving = _declared(op, op.fit_outputs(state, train, key=key, context=context))
    if valid is not None and not op.reads_valid:
        leaving = attach(leaving, _applied(op, state, valid, key, context))
    return state, leaving


def _applied(op: Op, state: Any, given: Values, key: Key, context: Context) -> Values:
    return _declared(op, op.apply(state, given, key=key, context=context))


def _declared(op: Op, leaving: Any) -> Values:
    """Return what leaves an op, once it is seen to be what its output ports declare."""
    ports = tuple(op.outputs)
    if not isinstance(leaving, tuple) or len(leaving) != len(ports):
        raise GraphError(
            f"'{op.name}' declares {counted(len(ports), 'output')} and gives something else.",
            expected=f"a tuple of {', '.join(map(repr, ports)) or 'nothing'}",
            got=_kinds(leaving),
            fix="return one value per output port, in a tuple, e.g. (task,)",
        )
    for port, value in zip(ports, leaving, strict=True):
        if not isinstance(value, port.type):
            raise GraphError(
                f"what leaves '{op.name}' is not of the type that its output declares.",
                expected=f"{port.type.__name__} at output '{port.name}'",
                got=type(value).__name__,
                fix=_output_fix(op, port, value),
            )
    return leaving


def _kinds(leaving: Any) -> str:
    if not isinstance(leaving, tuple):
        return type(leaving).__name__
    return f"a tuple of {', '.join(type(value).__name__ for value in leaving) or 'nothing'}"


def _output_fix(op: Op, port: Port, value: Any) -> str:
    if value is None:
        return f"let '{op.name}' return a {port.type.__name__}; None often means a missing return"
    if port.type.__name__ == "Task":
        return "return the task with other columns, e.g. task.computed(expression)"
    return f"return a {port.type.__name__}, or declare another type in {type(op).__name__}.outputs"


def _check_set(op: Op) -> None:
    unset = [name for name, value in op.parameters().items() if value is REQUIRED]
    if unset:
        raise ParameterError(
            f"{op.name}: the parameter '{unset[0]}' has not been set.",
            expected=", ".join(unset),
            got="REQUIRED",
            fix=f"give it, or graph.set({{'…{unset[0]}': value}})",
            missing=tuple(unset),
        )


def _apply_node(op: Op, state: Any, entering: Values, key: Key, context: Context) -> Values:
    if isinstance(op, Macro):
        return apply_graph(state.expansion, state.states, entering, key=key, context=context)
    given, valid = detach(entering)
    leaving = _applied(op, state, given, key, context)
    if valid is None or op.reads_valid:
        return leaving
    return attach(leaving, _applied(op, state, valid, key, context))


def _read_nodes(graph: Wiring, wanted: bool) -> frozenset[int]:
    """Return the positions of nodes whose outputs somebody reads."""
    sources = [source for node in graph.nodes for source in node.sources]
    sources += graph.outputs if wanted else ()
    return frozenset(source.node for source in sources)


@contextmanager
def located(place: str) -> Iterator[None]:
    """Add the place to an error that has none yet; a foreign error gets it as a note."""
    try:
        yield
    except FpipeError as error:
        if error.at is not None:
            raise
        raise error.located(place).with_traceback(error.__traceback__) from error.__cause__
    except Exception as error:
        # Others may have added what they know; the place is still missing then.
        if not any(note.startswith("at ") for note in getattr(error, "__notes__", ())):
            error.add_note(f"at {place}")
        raise
