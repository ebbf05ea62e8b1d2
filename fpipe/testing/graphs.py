"""Strategies for graphs: of toy operators, and of the real operators on a task."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe import nn, ops
from fpipe.data.kind import Regression
from fpipe.data.task import Task
from fpipe.graph.branch import branch
from fpipe.graph.graph import Graph, as_graph, identity, node, wrap
from fpipe.graph.op import Op
from fpipe.testing import toys
from fpipe.testing.networks import layer_graphs


def graphs(
    inputs: int | None = None,
    outputs: int | None = None,
    *,
    prefix: str = "",
    ids: bool | None = None,
    variadic: bool = True,
) -> SearchStrategy[Graph]:
    """Graphs of toy operators: fan-out, exchanged, repeated and unused outputs, nested wraps.

    Args:
        inputs: how many values enter; 1 to 3 by default.
        outputs: how many leave; 1 to 3 by default.
        prefix: what all given ids begin with, so that graphs can be made to go together.
        ids: whether every node has a given id; None for some of them.
        variadic: whether an operator with any number of inputs may occur.
    """
    return _graphs(inputs, outputs, prefix, ids, variadic)


@st.composite
def _graphs(
    draw: DrawFn,
    inputs: int | None,
    outputs: int | None,
    prefix: str,
    ids: bool | None,
    variadic: bool,
) -> Graph:
    enter = draw(st.integers(1, 3)) if inputs is None else inputs
    leave = draw(st.integers(1, 3)) if outputs is None else outputs
    graph = identity(enter)
    for depth in range(draw(st.integers(0, 4)) if enter else 0):
        names = _Names(draw, f"{prefix}{depth}_", ids)
        graph = graph >> _stage(draw, names, len(graph.outputs), variadic)
    width = len(graph.outputs)
    places = st.lists(st.integers(0, width - 1), min_size=leave, max_size=leave)
    chosen = draw(places) if width else []
    return graph[tuple(chosen)] if chosen != list(range(width)) else graph


class _Names:
    """Gives ids that are unique within one graph, or none."""

    def __init__(self, draw: DrawFn, prefix: str, ids: bool | None) -> None:
        self._draw, self._prefix, self._ids, self._count = draw, prefix, ids, 0

    def __call__(self) -> str | None:
        given = self._draw(st.booleans()) if self._ids is None else self._ids
        self._count += 1
        return f"{self._prefix}{self._count}" if given else None


def _stage(draw: DrawFn, names: _Names, width: int, variadic: bool) -> Graph:
    if variadic and draw(st.integers(0, 4)) == 0:
        return node(toys.Sum(id=names()))
    stage, left = identity(0), width
    while left:
        kinds = _WIDE if left > 1 else _NARROW
        piece = _piece(draw, names, draw(st.sampled_from(kinds)))
        stage, left = stage & piece, left - len(piece.ports)
    return stage


def _piece(draw: DrawFn, names: _Names, kind: str) -> Graph:
    if kind == "wire":
        return identity()
    if kind == "swap":
        return identity(2)[1, 0]
    if kind == "fan":
        return identity()[0, 0]
    if kind == "wrap":
        inner = _piece(draw, names, "affine") >> _piece(draw, names, "draw")
        return wrap(inner, id=names())
    if kind == "branch":
        options = {"one": _piece(draw, names, "center"), "two": identity()}
        return branch(id=names(), selection=draw(st.sampled_from(["one", "two"])), **options)
    amount = float(draw(st.integers(-2, 3)))
    return node(_TOYS[kind](amount, names()))


_TOYS: dict[str, Callable[[float, str | None], Op]] = {
    "affine": lambda amount, name: toys.Affine(amount, 1.0, id=name),
    "center": lambda amount, name: toys.Center(amount, id=name),
    "draw": lambda amount, name: toys.Draw(abs(amount), id=name),
    "split": lambda amount, name: toys.Split(id=name),
    "mix": lambda amount, name: toys.Mix(amount, id=name),
}
_NARROW = ("affine", "center", "draw", "split", "wire", "fan", "wrap", "branch")
_WIDE = (*_NARROW, "mix", "swap")


TASK_OPS: tuple[str, ...] = (
    "impute_median",
    "impute_mode",
    "one_hot",
    "scale",
    "scale_target",
    "select",
)
"""Operators of ``fpipe.ops`` that `task_graphs` draws from."""


def task_ops(task: Task) -> SearchStrategy[Graph]:
    """One real operator, with settings that a task can take."""
    names = sorted(TASK_OPS)
    if not isinstance(task.kind, Regression):
        names.remove("scale_target")
    return st.sampled_from(names).flatmap(lambda name: _task_op(task, name))


def task_graphs(task: Task) -> SearchStrategy[Graph]:
    """Graphs of one to four real operators from a task to a task, also wrapped and branched."""
    return _task_graphs(task)


def learners(task: Task, *, epochs: int = 1) -> SearchStrategy[Graph]:
    """Graphs that end in a prediction: preprocessing, a small random network, training."""
    return _learners(task, epochs)


@st.composite
def _task_graphs(draw: DrawFn, task: Task) -> Graph:
    graph = identity()
    for i in range(draw(st.integers(1, 4))):
        one = draw(task_ops(task))
        form = draw(st.sampled_from(["plain", "plain", "wrap", "branch"]))
        if form == "wrap":
            one = wrap(one, id=f"wrap{i}")
        if form == "branch":
            one = branch(id=f"branch{i}", this=one, other=identity())
        graph = graph >> one
    return graph


def _task_op(task: Task, name: str) -> SearchStrategy[Graph]:
    if name == "scale":
        return st.builds(lambda c, s: ops.scale(center=c, scale=s), st.booleans(), st.booleans())
    if name == "one_hot":
        return st.sampled_from(["error", "zeros", "missing"]).map(lambda u: ops.one_hot(unseen=u))
    if name == "select":
        numeric, categorical = ops.numeric(), ops.categorical()
        chosen = [ops.everything(), numeric, ~numeric, categorical, ops.matching(".*x.*")]
        return st.sampled_from(chosen).map(ops.select)
    return st.just(as_graph(getattr(ops, name)()))


@st.composite
def _learners(draw: DrawFn, task: Task, epochs: int) -> Graph:
    prepare = ops.impute_median() >> ops.impute_mode() >> ops.one_hot() >> ops.scale()
    regression = isinstance(task.kind, Regression)
    if regression and draw(st.booleans()):
        prepare = prepare >> ops.scale_target()
    body = draw(layer_graphs(None, max_layers=3))
    rule = draw(st.sampled_from(["sgd", "adam", "adamw"]))
    return (
        prepare
        >> nn.ingress_numeric()
        >> body
        >> nn.head()
        >> nn.loss("mse" if regression else "cross_entropy")
        >> nn.optimizer(rule, lr=1e-4 if rule == "sgd" else 1e-2)
        >> nn.model(epochs=epochs, batch_size=draw(st.integers(2, 3)), drop_last=True)
    )


def enters_network(task: Task) -> bool:
    """Tell whether every feature is a number or a truth value without missing values."""
    return all(
        task.column(name).null_count() == 0 and not isinstance(task.dtype(name), pl.Enum)
        for name in task.features
    )
