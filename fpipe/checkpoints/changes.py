"""What may change between a run and its going on, and what must be done anew then."""

from __future__ import annotations

import re
from typing import Any

from pyrsistent import pmap

from fpipe.core.diff import diff
from fpipe.core.errors import StateError
from fpipe.core.tree import fields_of, within
from fpipe.core.value import evolve
from fpipe.evaluate.record import RunRecord
from fpipe.graph.compose import changed
from fpipe.graph.graph import Graph
from fpipe.graph.op import Macro, Op
from fpipe.graph.ports import Source
from fpipe.graph.wiring import node_ids
from fpipe.nn.callback_op import AddCallbacks
from fpipe.nn.training import Train
from fpipe.train.callback import Callback

_FREE = {"epochs": 0, "predict_batch": None}
"""Parameters of training that may change, and what they are compared as."""


def check_changes(before: RunRecord, now: RunRecord) -> None:
    """Raise StateError where something has changed that must not.

    There may be more epochs, unless a callback depends on the length of the whole run; callbacks
    may be added; the rows per batch at prediction may be others.
    """
    # Rows that are put aside for validation are no training rows: this comes first.
    _check_validation(before, now)
    if before.task != now.task:
        found = diff(before.content, now.content)
        raise _other(
            "the task",
            "the task that the run began with",
            str(found) if found else "other values",
            "give the task that the run began with",
            difference=found,
        )
    if before.numerics != now.numerics:
        found = diff(before.numerics, now.numerics)
        raise _other("how numbers are computed", "as before", str(found), "go on where it began")
    _check_epochs(before.graph, now.graph)
    known = {name for name, _ in _callbacks(before.graph)}
    compared = _compared(before.graph, known)
    found = diff(compared, _compared(now.graph, known))
    if found:
        raise StateError(
            "the run cannot go on with another graph.",
            expected="the graph that it began with, apart from more epochs and new callbacks",
            got=_by_ids(str(found), compared),
            fix="undo the change, or begin anew in another folder",
            difference=found,
        )


def unchanged(before: Graph, now: Graph) -> frozenset[str]:
    """Return the ids of nodes that get the same values and do the same with them as before."""
    old = _described(before)
    return frozenset(name for name, told in _described(now).items() if old.get(name) == told)


def _described(graph: Graph) -> dict[str, Any]:
    """Return for every node all that its state depends on."""
    ids, found = node_ids(graph), dict[str, Any]()

    def described(source: Source) -> Any:
        return source if source.is_input else (found[ids[source.node]], source.port)

    for name, node in zip(ids, graph.nodes, strict=True):
        found[name] = (name, node.op, tuple(map(described, node.sources)))
    return found


def _compared(graph: Graph, known: set[str]) -> Graph:
    """Return a graph without what may change: the callbacks are those of a set of ids."""

    def comparable(op: Op) -> Op | None:
        if isinstance(op, AddCallbacks):
            kept = tuple(pair for pair in op.callbacks if pair[0] in known)
            return evolve(op, callbacks=kept) if kept else None
        if not isinstance(op, Train | Macro):
            return op
        names = {field.name for field in fields_of(type(op))}
        free = evolve(op, **{name: x for name, x in _FREE.items() if name in names})
        if isinstance(free, Macro):
            below = {p: x for p, x in free.overrides.items() if p.rpartition(".")[2] not in _FREE}
            return evolve(free, overrides=pmap(below))
        return free

    return changed(graph, comparable)


def _by_ids(text: str, graph: Graph) -> str:
    """Return a difference with ids in place of positions: ``linear.out_features: 8 → 9``."""
    ids = node_ids(graph)

    def named(match: re.Match[str]) -> str:
        place = int(match[1])
        return ids[place] if place < len(ids) else match[0]

    return re.sub(r"^nodes\[(\d+)\]\.op", named, text, flags=re.MULTILINE)


def _callbacks(graph: Graph) -> list[tuple[str, Callback]]:
    """Return all callbacks that a graph holds, with their ids."""
    adding = (part for part in within(graph) if isinstance(part, AddCallbacks))
    return [pair for op in adding for pair in op.callbacks]


def _check_epochs(before: Graph, now: Graph) -> None:
    """Raise StateError where there are fewer epochs, or more and a callback minds."""
    bound = [name for name, callback in _callbacks(before) if callback.needs_total]
    after = now.params()
    for path, epochs in before.params().items():
        if path.rpartition(".")[2] != "epochs" or after.get(path, epochs) == epochs:
            continue
        if after[path] < epochs:
            raise _other(path, str(epochs), str(after[path]), f"give at least {epochs}")
        if bound:
            raise _other(
                f"{path} while the callback '{bound[0]}' depends on the length of the whole run",
                str(epochs),
                str(after[path]),
                f"leave it at {epochs}, or begin anew in another folder",
            )


def _check_validation(before: RunRecord, now: RunRecord) -> None:
    """Raise StateError where other rows are validated on; the same share of another task is not."""
    same_share = before.validate is not None and before.validate == now.validate
    if before.task != now.task and same_share:
        return
    first, second = _validated(before), _validated(now)
    if first == second and before.task == now.task and before.validation != now.validation:
        second += ", other ones"
    if first != second:
        raise _other(
            "the validation rows", first, second, "pass validate= as it was when the run began"
        )


def _validated(record: RunRecord) -> str:
    return "none" if record.valid is None else f"{len(record.valid)} rows"


def _other(what: str, before: str, now: str, fix: str, **details: Any) -> StateError:
    return StateError(
        f"the run cannot go on with another value of {what}."
        if "." in what
        else f"the run cannot go on: {what} changed.",
        expected=before,
        got=now,
        fix=fix,
        **details,
    )
