"""Reading and setting the parameters of a graph by path."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from pyrsistent import pmap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import items
from fpipe.core.value import evolve
from fpipe.graph.context import joined
from fpipe.graph.op import Macro, Op
from fpipe.graph.ports import Node
from fpipe.graph.wiring import Wiring, node_ids

_W = TypeVar("_W", bound=Wiring)


@runtime_checkable
class Copied(Protocol):
    """An op that repeats the graph under its empty prefix, as ``[0]``, ``[1]`` and so on."""

    def copy(self, i: int) -> Any:
        """Return the graph of one copy, before overrides; IndexError where there is none."""

    def has_copy(self, i: int) -> bool:
        """Tell whether there is such a copy, or may be."""


def params(wiring: Wiring) -> dict[str, Any]:
    """Return every parameter by path, in node order; those of macros come before their graphs'."""
    found: dict[str, Any] = {}
    for name, node in zip(node_ids(wiring), wiring.nodes, strict=True):
        found |= {joined((name, path)): value for path, value in op_params(node.op).items()}
    return found


def op_params(op: Op) -> dict[str, Any]:
    """Return the parameters of an op, below it, by path."""
    found = op.parameters()
    for prefix, graph in op.graphs().items():
        for path, value in params(graph).items():
            found[f"{prefix}.{path}" if prefix else path] = value
    return found | overrides_of(op) if isinstance(op, Macro) else found


def overrides_of(op: Macro) -> dict[str, Any]:
    """Return what is set below a macro, by path.

    What was set for a copy that is not there now is kept, and counts again when it is.
    """
    found = dict(items(op.overrides))
    if not isinstance(op, Copied):
        return found
    return {path: x for path, x in found.items() if _is_there(op, split_head(path)[0])}


def _is_there(op: Copied, head: str) -> bool:
    number = head[1:-1]
    return not (head.startswith("[") and number.isdigit()) or op.has_copy(int(number))


def missing(wiring: Wiring) -> tuple[str, ...]:
    """Return the paths of all parameters that are still `REQUIRED`."""
    return tuple(path for path, value in params(wiring).items() if value is REQUIRED)


def at(wiring: Wiring, path: str) -> Any:
    """Return the parameter, op or graph at a path.

    Raises:
        ParameterError: nothing stands there.
    """
    known = params(wiring)
    if path in known:
        return known[path]
    head, rest = split_head(path)
    op = wiring.nodes[_find(wiring, head)].op
    return op if not rest else _at_op(op, rest, path)


def set_params(wiring: _W, changes: Mapping[str, Any]) -> _W:
    """Return the wiring with parameters replaced, all at once.

    A path may hold ``*``, which addresses every parameter it matches. Structural parameters
    (a branch's selection, a block's number of copies) take effect before those below them.

    Raises:
        ParameterError: a path leads to no parameter, or a value is not accepted.

    """
    exact = _expanded(wiring, changes)
    by_node: dict[str, dict[str, Any]] = {}
    for path, value in exact.items():
        head, rest = split_head(path)
        position = _find(wiring, head)
        if not rest:
            raise _no_value(path, op_params(wiring.nodes[position].op), f"the node '{head}'")
        by_node.setdefault(head, {})[rest] = value
    ids = node_ids(wiring)
    nodes = tuple(
        Node(set_op(node.op, by_node[name], name), node.sources) if name in by_node else node
        for name, node in zip(ids, wiring.nodes, strict=True)
    )
    return evolve(wiring, nodes=nodes)


def set_op(op: Op, changes: Mapping[str, Any], place: str) -> Op:
    """Return an op with parameters at paths below it replaced."""
    own = op.parameters()
    changed = _evolved(op, {name: value for name, value in changes.items() if name in own}, place)
    below = {path: value for path, value in changes.items() if path not in own}
    if not below:
        return changed
    if not isinstance(changed, Macro) and not changed.graphs():
        name = next(iter(below))
        raise ParameterError(
            f"'{place}' has no parameter '{name}'.",
            expected=", ".join(own) or "no parameters",
            got=name,
            fix=did_you_mean(name, own),
        )
    return _set_below(changed, below, place)


def split_head(path: str) -> tuple[str, str]:
    """Return the first step of a path and the rest: ``block[0].linear.bias`` → ``block``, ``…``.

    Example:
        >>> split_head("block[0].linear.bias")
        ('block', '[0].linear.bias')
    """
    match = re.match(r"(\[[^\]]*\]|[^.\[]+)\.?(.*)", path)
    return (path, "") if match is None else (match.group(1), match.group(2))


def _set_below(op: Op, below: Mapping[str, Any], place: str) -> Op:
    graphs = dict(op.graphs())
    per_graph: dict[str, dict[str, Any]] = {}
    overrides: dict[str, Any] = {}
    for path, value in below.items():
        prefix = _prefix_of(path, graphs)
        if prefix is None:
            overrides[path] = value
        else:
            per_graph.setdefault(prefix, {})[path[len(prefix) + 1 :] if prefix else path] = value
    _check_overrides(op, overrides, place)
    for prefix, changes in per_graph.items():
        if "" in changes:
            raise _no_value(prefix, params(graphs[prefix]), "a graph").located(place)
        try:
            graphs[prefix] = set_params(graphs[prefix], changes)
        except ParameterError as error:
            raise error.located(joined((place, prefix)) if prefix else place) from error
    changed = op.with_graphs(graphs) if per_graph else op
    if not isinstance(changed, Macro):
        return changed
    return evolve(changed, overrides=pmap(dict(changed.overrides) | overrides))


def _prefix_of(path: str, graphs: Mapping[str, Any]) -> str | None:
    head, _ = split_head(path)
    if head in graphs:
        return head
    return "" if "" in graphs and not path.startswith("[") else None


def _check_overrides(op: Op, overrides: Mapping[str, Any], place: str) -> None:
    """Refuse what the expansion could never hold, where the macro can tell."""
    graphs = op.graphs()
    for path, value in overrides.items():
        head, rest = split_head(path)
        # A parameter of a node in the expansion has at least two steps: node and parameter.
        copied = isinstance(op, Macro) and head.startswith("[")
        if copied and isinstance(op, Copied):
            _copy_of(op, head, place)
        if (graphs and not copied) or not rest:
            raise ParameterError(
                f"'{place}' has nothing at '{path}'.",
                expected=", ".join([*op.parameters(), *filter(None, graphs)]),
                got=path,
                fix=did_you_mean(head, [*op.parameters(), *filter(None, graphs)]),
            )
        if "" in graphs:
            _check_copy(graphs[""], rest, path, value, place)
    if isinstance(op, Macro):
        _check_foreseen(op, overrides, place)


def _check_foreseen(op: Macro, overrides: Mapping[str, Any], place: str) -> None:
    """Refuse what a node that every expansion has does not take."""
    graph = op.foreseen()
    if graph is None or not overrides:
        return
    whole = dict(items(op.overrides)) | dict(overrides)
    known = {path: x for path, x in whole.items() if split_head(path)[0] in node_ids(graph)}
    try:
        set_params(graph, known)
    except ParameterError as error:
        raise error.located(place) from error


def _check_copy(graph: Wiring, rest: str, path: str, value: Any, place: str) -> None:
    """Refuse for one copy what could not be set in all of them."""
    try:
        set_params(graph, {rest: value})
    except ParameterError as error:
        if rest not in params(graph):
            raise ParameterError(
                f"'{place}' has no parameter '{rest}' in its copies.",
                expected=", ".join(params(graph)),
                got=path,
                fix=did_you_mean(rest, params(graph)),
            ) from error
        raise error.located(f"{place}{path}") from error


def _evolved(op: Op, changes: Mapping[str, Any], place: str) -> Op:
    try:
        return op.with_parameters(changes) if changes else op
    except ParameterError as error:
        raise error.located(place) from error


def _expanded(wiring: Wiring, changes: Mapping[str, Any]) -> dict[str, Any]:
    known = list(params(wiring))
    found: dict[str, Any] = {}
    for path, value in changes.items():
        if "*" not in path:
            found[path] = value
            continue
        hits = [name for name in known if fnmatch.fnmatchcase(name, path.replace("[", "[[]"))]
        if not hits:
            raise _no_parameter(path, wiring)
        found |= dict.fromkeys(hits, value)
    return found


def _find(wiring: Wiring, name: str) -> int:
    ids = node_ids(wiring)
    if name not in ids:
        raise ParameterError(
            f"the graph has no node '{name}'.",
            expected=", ".join(ids) or "no nodes",
            got=name,
            fix=did_you_mean(name, ids),
        )
    return ids.index(name)


def _at_op(op: Op, rest: str, path: str) -> Any:
    graphs = op.graphs()
    head, below = split_head(rest)
    if head in graphs:
        return graphs[head] if not below else at(graphs[head], below)
    if "" in graphs and not rest.startswith("["):
        return at(graphs[""], rest)
    if rest.startswith("[") and isinstance(op, Copied):
        return _at_copy(op, head, below, path)
    # What is below a macro without graphs is made once a task is known; it can be set before.
    waits = isinstance(op, Macro) and not graphs and below
    raise ParameterError(
        f"nothing stands at '{path}'" + (" before a task is known." if waits else "."),
        expected=", ".join(op_params(op)),
        got=path,
        fix=f"it can be set all the same: graph.set({{'{path}': ...}})"
        if waits
        else did_you_mean(rest, op_params(op)),
    )


def _at_copy(op: Any, head: str, below: str, path: str) -> Any:
    """Return what stands in one copy, as the network will have it."""
    start = f"{head}."
    changes = {
        name[len(start) :]: value for name, value in items(op.overrides) if name.startswith(start)
    }
    graph = set_params(_copy_of(op, head, path), changes)
    return at(graph, below) if below else graph


def _copy_of(op: Any, head: str, place: str) -> Any:
    number = head[1:-1]
    try:
        return op.copy(int(number) if number.isdigit() else -1)
    except IndexError as error:
        raise ParameterError(
            f"'{place}' has no copy {head}.",
            expected=str(error),
            got=head,
            at=place,
            fix="raise n_blocks, or address all copies by a path without [...]",
        ) from error


def _no_value(path: str, below: Mapping[str, Any], what: str) -> ParameterError:
    """Return the error for a value that is set where a graph stands."""
    first = next(iter(below), None)
    return ParameterError(
        f"'{path}' leads to {what}, and only parameters can be set.",
        expected=", ".join(f"{path}.{name}" for name in list(below)[:4]) or "nothing can be set",
        got=path,
        fix="build the graph anew with another operator there"
        + (f", or set what stands below it, e.g. '{path}.{first}'" if first else ""),
    )


def _no_parameter(path: str, wiring: Wiring) -> ParameterError:
    known = params(wiring)
    return ParameterError(
        f"'{path}' leads to no parameter.",
        expected="a path such as " + ", ".join(list(known)[:4]),
        got=path,
        fix=did_you_mean(path, known),
    )
