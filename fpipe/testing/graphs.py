"""Strategies for graphs: of toy operators, and of the real operators on a task."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe import nn, ops
from fpipe.core.key import Key
from fpipe.data.kind import Regression
from fpipe.data.task import Task
from fpipe.graph.branch import branch
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, as_graph, identity, node, wrap
from fpipe.graph.interpret import infer_graph
from fpipe.graph.op import Op
from fpipe.testing import toys
from fpipe.testing.networks import layer_graphs
from fpipe.testing.training import softened
from fpipe.testing.vocabulary import BY_PLACE, NAMING, task_ops
from fpipe.train.clip import clip_gradients


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


def task_graphs(task: Task, *, law: str | None = None) -> SearchStrategy[Graph]:
    """Graphs of one to four real operators from a task to a task, also wrapped and branched.

    Args:
        task: the task that enters; each operator can take what comes to it.
        law: the law that is tried; operators that are exempt from it are left out.
    """
    return _task_graphs(task, law)


def learners(task: Task, *, epochs: int = 1) -> SearchStrategy[Graph]:
    """Graphs that end in a prediction: preprocessing, a small random network, training.

    Args:
        task: the task that enters; one of its features is no tensor.
        epochs: how often training goes through the rows.
    """
    return _learners(task, epochs)


@st.composite
def _task_graphs(draw: DrawFn, task: Task, law: str | None) -> Graph:
    graph, entering = identity(), task.outline()
    without = set(BY_PLACE.get(law or "", ()))
    for i in range(draw(st.integers(1, 4))):
        one = draw(task_ops(entering, law=law, without=without))
        used = {op.op.name for op in one.nodes}
        without |= {name for names in NAMING if names & used for name in names}
        form = draw(_FORM)
        if form == "wrap":
            one = wrap(one, id=f"wrap{i}")
        if form == "branch":
            one = branch(id=f"branch{i}", this=one, other=identity())
        (entering,), _ = infer_graph(one, (entering,), key=Key(0), context=Context())
        graph = graph >> one
    return graph


_FORM = st.sampled_from(["plain", "plain", "wrap", "branch"])


@st.composite
def _learners(draw: DrawFn, task: Task, epochs: int) -> Graph:
    regression = isinstance(task.kind, Regression)
    graph = _NUMBERS >> draw(_TARGET if regression else st.just(identity()))
    graph = graph >> nn.ingress_numeric() >> draw(layer_graphs(None, max_layers=3))
    rule = draw(st.sampled_from(["sgd", "adam", "adamw"]))
    return (
        graph
        >> nn.head()
        >> (draw(_OF_NUMBERS) if regression else _of_classes(draw, task))
        >> nn.optimizer(rule, lr=1e-4 if rule == "sgd" else 1e-2)
        >> draw(_CALLBACKS)
        >> nn.model(epochs=epochs, batch_size=draw(st.integers(2, 3)), drop_last=True)
    )


def _of_classes(draw: DrawFn, task: Task) -> Graph:
    weight = {task.classes[0]: 2.5} if draw(st.booleans()) else None
    return nn.loss("cross_entropy", class_weight=weight)


_NUMBERS = (
    ops.select(~ops.tensor())
    >> ops.date_features(parts=("month", "day_of_week"))
    >> ops.impute_median()
    >> ops.impute_mode()
    >> ops.one_hot()
    >> ops.scale()
)
"""From any task to numbers without missing values."""

_TARGET = st.sampled_from(
    [identity(), as_graph(ops.scale_target()), ops.log_target(1000.0) >> ops.scale_target()]
)
_OF_NUMBERS = st.sampled_from([nn.loss("mse"), nn.loss(softened, width=0.5)])
_CALLBACKS = st.sampled_from([identity(), nn.callbacks(clip_gradients(0.1))])
