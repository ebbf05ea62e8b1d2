"""The cases of each law: strategies of tuples that the law's check takes."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pyrsistent import pmap

from fpipe import nn
from fpipe.core.law import Law
from fpipe.core.lens import put
from fpipe.core.tree import leaves as leaves_of
from fpipe.data.task import Task
from fpipe.evaluate.fitting import fit, run
from fpipe.evaluate.resampling import cv, holdout
from fpipe.graph.graph import Graph, identity, wrap
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.testing.graphs import graphs, learners, task_graphs
from fpipe.testing.networks import layer_graphs, networks
from fpipe.testing.tables import tasks
from fpipe.testing.toys import Numbers
from fpipe.testing.training import plans, runs
from fpipe.testing.values import (
    Held,
    Point,
    hashable_values,
    keys,
    leaves,
    tensors,
    values,
)
from fpipe.train.fold import fold
from fpipe.train.plan import events

Cases: TypeAlias = SearchStrategy[tuple[Any, ...]]


def cases(law: Law) -> Cases:
    """Return the strategy of a law's cases.

    Raises:
        KeyError: the law is none of `LAWS`; give a strategy of your own.
    """
    return CASES[law.name]


def flows(count: int, *, valid: bool | None = None) -> SearchStrategy[tuple[Numbers, ...]]:
    """Values that enter a graph of toys, all with or all without validation numbers."""
    return _flows(count, valid)


@st.composite
def _flows(draw: DrawFn, count: int, valid: bool | None) -> tuple[Numbers, ...]:
    held = draw(st.booleans()) if valid is None else valid
    rows, seed = draw(st.integers(1, 4)), draw(st.integers(0, 999))
    rng = np.random.default_rng(seed)

    def one() -> Numbers:
        return Numbers(torch.from_numpy(rng.normal(0.0, 2.0, rows)))

    return tuple(one().with_valid(one() if held else None) for _ in range(count))


_ARITY = st.integers(1, 3)
_SHARES = st.floats(0.05, 0.95)


@st.composite
def _chains(draw: DrawFn, length: int) -> tuple[Graph, ...]:
    """Graphs that fit behind each other, also by fan-out of a single output."""
    found: list[Graph] = []
    leaving = draw(_ARITY)
    for prefix in "fgh"[:length]:
        enter = draw(_ARITY) if leaving == 1 else leaving
        leaving = draw(_ARITY)
        found.append(draw(graphs(enter, leaving, prefix=prefix, variadic=False)))
    return tuple(found)


@st.composite
def _squares(draw: DrawFn) -> tuple[Graph, ...]:
    m, n = draw(_ARITY), draw(_ARITY)
    shapes = (("f", None, m), ("g", None, n), ("h", m, None), ("k", n, None))
    return tuple(draw(graphs(i, o, prefix=p, variadic=False)) for p, i, o in shapes)


@st.composite
def _meeting(draw: DrawFn) -> tuple[Any, ...]:
    m = draw(_ARITY)
    f = draw(graphs(None, m, prefix="f", ids=True))
    g = draw(graphs(m, None, prefix="g", ids=True))
    x, y = draw(flows(len(f.ports))), draw(flows(len(f.ports), valid=False))
    return f, g, x, y, draw(keys())


@st.composite
def _besides(draw: DrawFn) -> tuple[Any, ...]:
    f, g = draw(graphs(prefix="f", ids=True)), draw(graphs(prefix="g", ids=True))
    count = len(f.ports) + len(g.ports)
    return f, g, draw(flows(count)), draw(flows(count, valid=False)), draw(keys())


@st.composite
def _fitting(draw: DrawFn, /, flowing: int, *, valid: bool | None = None, **form: Any) -> Any:
    f = draw(graphs(**form))
    given = [draw(flows(len(f.ports), valid=valid)) for _ in range(flowing)]
    return f, *given, draw(keys())


@st.composite
def _validated(draw: DrawFn) -> Any:
    f = draw(graphs())
    x, rows = (draw(flows(len(f.ports), valid=False)) for _ in range(2))
    return f, x, rows, draw(keys())


@st.composite
def _macros(draw: DrawFn) -> Any:
    f, x, k = draw(_fitting(1))
    return f, draw(st.integers(0, 3)), x, k


@st.composite
def _transforming(
    draw: DrawFn,
    /,
    *more: SearchStrategy[Any],
    law: str | None = None,
    learner: bool | None = None,
    **form: Any,
) -> tuple[Any, ...]:
    shape: dict[str, Any] = {"rows": (6, 20), "repeats": True}
    task = draw(tasks(**shape | form))
    ends = draw(st.integers(0, 3)) == 0 if learner is None else learner
    graph = draw(learners(task) if ends else task_graphs(task, law=law))
    return graph, task, *(draw(one) for one in more), draw(keys())


def _learning(*more: SearchStrategy[Any], rows: tuple[int, int] = (6, 10), **form: Any) -> Cases:
    return _transforming(*more, learner=True, rows=rows, repeats=False, **form)


def _splitting() -> Cases:
    """Learners over tasks of which any half can be learned from."""
    return _learning(rows=(6, 9), kind="regression", missing=False, roles=False)


def _training(**form: Any) -> Cases:
    return runs(**form).map(tuple)


@st.composite
def _descriptors(draw: DrawFn, count: int) -> tuple[tuple[ModelDescriptor, ...], Task]:
    """Descriptors of paths that leave one shared prefix, over one task."""
    task = draw(tasks("regression", numeric=True, missing=False, rows=(6, 8)))
    paths = [
        nn.linear(2, id=f"own{i}") >> draw(layer_graphs(2, max_layers=2)) for i in range(count)
    ]
    graph = nn.ingress_numeric() >> nn.linear(3, id="shared") >> _beside(paths)
    held = 0.3 if draw(st.booleans()) and task.role("group") is None else None
    found = run(graph, task, key=draw(keys()), validate=held)[1]
    return (found if isinstance(found, tuple) else (found,)), task


def _joined(count: int) -> Cases:
    return _descriptors(count).map(lambda found: found[0])


@st.composite
def _conflicts(draw: DrawFn) -> tuple[Any, ...]:
    (a, b), task = draw(_descriptors(2))
    return a.with_valid(None), b.with_valid(None), task


@st.composite
def _building(draw: DrawFn) -> tuple[Any, ...]:
    task = draw(tasks(numeric=True, missing=False, rows=(6, 8)))
    body = draw(layer_graphs(None, max_layers=3))
    return nn.ingress_numeric() >> body >> nn.head(), task, draw(keys())


def _beside(paths: list[Graph]) -> Graph:
    whole = identity(0)
    for path in paths:
        whole = whole & path
    return whole


@st.composite
def _places(draw: DrawFn, count: int, news: int) -> tuple[Any, ...]:
    """A value, places of leaves in it (all different), and new leaves."""
    inner = draw(st.lists(values(), min_size=count, max_size=count + 1))
    value = Held(tuple(inner), (draw(leaves()), draw(leaves())))
    paths = [path for path, _ in leaves_of(value)]
    chosen = draw(st.permutations(range(len(paths))).map(lambda order: order[:count]))
    return value, *(paths[i] for i in chosen), *(draw(leaves()) for _ in range(news))


@st.composite
def _one_place(draw: DrawFn, news: int) -> tuple[Any, ...]:
    value, path, *new = draw(_places(1, news))
    return value, path[: draw(st.integers(1, len(path)))], *new


SETTINGS: dict[str, SearchStrategy[Any]] = {
    "out_features": st.integers(1, 9),
    "bias": st.booleans(),
    "p": st.sampled_from([0.0, 0.25, 1.0]),
    "power": st.sampled_from([1.0, 2.0]),
    "width": st.sampled_from([0.0, 2.0]),
    "negative_slope": st.sampled_from([0.0, 0.1]),
    "momentum": st.sampled_from([0.1, 0.9]),
    "eps": st.sampled_from([1e-5, 1e-3]),
    "affine": st.booleans(),
    "track_running_stats": st.booleans(),
    "dim": st.sampled_from([1, -1]),
    "n_blocks": st.integers(3, 4),
    "each": st.none(),
    "selection": st.sampled_from(["a", "b"]),
}
"""Values that parameters of the layer graphs below accept; no copy of a block is lost by them."""


@st.composite
def _settable(draw: DrawFn) -> tuple[Graph, list[str]]:
    """A graph with blocks, branches and wraps, and the paths that can be set in it."""
    body = nn.linear(2) >> draw(layer_graphs(2, max_layers=1))
    either = nn.branch(a=nn.linear(2) >> nn.dropout(), b=nn.batch_norm1d())
    n_blocks = draw(st.integers(1, 3))
    block = nn.block(either >> nn.linear(3), n_blocks, id="block")
    graph = body >> block >> wrap(nn.linear(4) >> nn.block(nn.linear(2), 2), id="w")
    graph = graph >> nn.block(nn.block(nn.linear(5), 2), 2, id="outer")
    known = [
        p
        for p in graph.params()
        if p.rpartition(".")[2] in SETTINGS
        and (not p.endswith(".selection") or p.startswith("block."))
    ]
    index = draw(st.integers(0, n_blocks - 1))
    low = min(index, 1)
    copies = (
        [
            f"block[{index}].{p[6:]}"
            for p in known
            if p.startswith("block.") and p[6:] not in {"n_blocks", "each"}
        ]
        + [f"w.block[{low}].linear.out_features"]
        + [f"outer[{low}].block[1].linear.bias", f"outer.block[{low}].linear.bias"]
    )
    return graph, [p for p in (*known, *copies) if not p.startswith("branch")]


def _setting(path: str) -> SearchStrategy[Any]:
    return SETTINGS[path.rpartition(".")[2]]


@st.composite
def _sets(draw: DrawFn, count: int) -> tuple[Any, ...]:
    graph, paths = draw(_settable())
    chosen = draw(st.lists(st.sampled_from(paths), min_size=count, max_size=count, unique=True))
    return graph, *chosen, *(draw(_setting(path)) for path in chosen)


@st.composite
def _twice(draw: DrawFn) -> tuple[Any, ...]:
    graph, path, first = draw(_sets(1))
    return graph, path, first, draw(_setting(path))


@st.composite
def _patterns(draw: DrawFn) -> tuple[Any, ...]:
    suffix = draw(st.sampled_from(["bias", "out_features", "p", "n_blocks", "eps"]))
    return draw(_settable())[0], suffix, draw(SETTINGS[suffix])


_ALIKE: tuple[tuple[Any, ...], ...] = (
    (0, 0.0, -0.0, False, 0j, np.int64(0), np.float64(0.0), torch.tensor(0), torch.tensor(-0.0)),
    ((), [], {}, pmap(), "", b"", None),
    (float("nan"), -float("nan"), np.float64("nan"), torch.tensor(float("nan")), "nan"),
    ((1, 2), [1, 2], {0: 1, 1: 2}, np.array([1, 2]), torch.tensor([1, 2]), Point(1, 2)),
    ({1: "a"}, {1.0: "a"}, {True: "a"}, {"1": "a"}, Held(1), Point(1)),
)
"""Families of values that plain ``==``, ``str`` or ``hash`` would confuse."""


@st.composite
def _pairs(draw: DrawFn) -> tuple[Any, Any]:
    """Two values, unrelated or different in one leaf."""
    if draw(st.booleans()):
        return draw(leaves()), draw(leaves())
    value, path, new = draw(_places(1, 1))
    return value, put(value, path, new)


@st.composite
def public_values(draw: DrawFn) -> Any:
    """Values of the public types, made as users make them."""
    kind = draw(st.sampled_from(sorted(_PUBLIC)))
    return draw(_PUBLIC[kind])


@st.composite
def _fitted(draw: DrawFn) -> Any:
    graph, task, k = draw(_learning())
    return fit(graph, task, key=k)


@st.composite
def _predicted(draw: DrawFn) -> Any:
    graph, task, k = draw(_learning())
    return run(graph, task, key=k)[1]


@st.composite
def _states(draw: DrawFn) -> Any:
    training = draw(runs())
    return fold(training.run, training.state, events(training.run.plan))


_PUBLIC: dict[str, SearchStrategy[Any]] = {
    "key": keys(),
    "point": st.builds(Point, hashable_values(), hashable_values(), note=st.text(max_size=2)),
    "graph": layer_graphs(3),
    "node": layer_graphs(3, out=2).map(lambda graph: graph.nodes[-1]),
    "op": layer_graphs(3, out=2).map(lambda graph: graph.nodes[-1].op),
    "network": networks(),
    "task": tasks(repeats=True),
    "outline": tasks().map(Task.outline),
    "kind": tasks().map(lambda task: task.outline()),
    "plan": plans(),
    "run": runs().map(lambda training: training.run),
    "state": _states(),
    "cursor": _states().map(lambda state: state.cursor),
    "fitted": _fitted(),
    "prediction": _predicted(),
    "descriptor": _joined(1).map(lambda found: found[0]),
    "resampling": st.sampled_from([cv(3), holdout(0.5)]),
}

_BODIES = graphs(prefix="f")
_PLANS = plans(rows=(2, 30), epochs=(1, 4))
_TEN = st.lists(st.floats(0.0, 0.999), max_size=10)

CASES: dict[str, Cases] = {
    "then is associative": _chains(3),
    "identity is unit": st.tuples(graphs()),
    "beside is associative": st.tuples(*(graphs(prefix=p, variadic=False) for p in "fgh")),
    "identities add": st.tuples(st.integers(0, 30), st.integers(0, 30)),
    "interchange": _squares(),
    "swapping": st.tuples(graphs(prefix="f", variadic=False), graphs(prefix="g", variadic=False)),
    "then is defined": st.tuples(
        graphs(outputs=None, prefix="f"), graphs(prefix="g", variadic=True)
    ),
    "types must meet": st.tuples(_BODIES, graphs(1, prefix="g", variadic=False)),
    "given ids are unique": st.tuples(_BODIES, graphs(1, prefix="g", variadic=False)),
    "form is canonical": st.tuples(graphs(), _TEN),
    "ordinals count": st.tuples(graphs()),
    "labels are nothing": st.tuples(graphs()),
    "fitting then": _meeting(),
    "fitting beside": _besides(),
    "identity passes": _ARITY.flatmap(lambda n: st.tuples(flows(n), keys())),
    "fit gives apply": _fitting(1),
    "wrapping": _fitting(2, valid=False),
    "macros are expansions": _macros(),
    "variadic macros take all": _ARITY.flatmap(lambda n: st.tuples(flows(n), keys())),
    "overrides reach copies": st.tuples(
        st.integers(-3, 3).map(float), st.integers(0, 2), flows(1), keys()
    ),
    "validation teaches nothing": _validated(),
    "validation is applied": _validated(),
    "unwanted is not computed": _fitting(1),
    "draws follow ids": st.tuples(flows(1), keys()),
    "fit is apply": _transforming(law="fit is apply"),
    "rows are apart": _transforming(st.floats(0.0, 1.0), law="rows are apart"),
    "rows may move": _transforming(keys(), law="rows may move"),
    "columns may move": _transforming(keys(), law="columns may move"),
    "target is unread": _transforming(law="target is unread"),
    "zero rows": _transforming(law="zero rows"),
    "fit with validation": _transforming(_SHARES, learner=False, law="fit with validation"),
    "types are inferred": _transforming(learner=False, law="types are inferred"),
    "row order at fit": _transforming(keys(), learner=False, law="row order at fit"),
    "batch size is unread": _learning(st.integers(1, 7), rows=(6, 20)),
    "folds may be cut": _training(),
    "fast is reference": _training(),
    "scan is fold": _training(),
    "states stay usable": _training(),
    "stopped states stay": _training(),
    "End keeps going possible": _training(),
    "steps are counted": _training(),
    "events have a grammar": st.tuples(_PLANS),
    "epochs cover rows": st.tuples(_PLANS, keys()),
    "a step descends": _training(),
    "draws follow steps": runs().flatmap(lambda t: st.tuples(st.just(t.run), keys())),
    "validation is unlearned": _training(),
    "stopping counts": _training(plan=plans(validates=True, epochs=(2, 4)), patience=None),
    "join is associative": _joined(3),
    "join commutes": _joined(2),
    "join is idempotent": _joined(2),
    "join is union": _joined(2),
    "conflicts are refused": _conflicts(),
    "applying builds the same": _building(),
    "put get": _one_place(1),
    "get put": _one_place(0),
    "put put": _one_place(2),
    "puts commute": _places(2, 2),
    "set get": _sets(1),
    "get set": _settable().map(lambda found: found[:1]),
    "set set": _twice(),
    "sets commute": _sets(2),
    "patterns address many": _patterns(),
    "wrong paths are refused": _sets(1).map(lambda found: found[:2]),
    "bytes are equality": _pairs(),
    "look-alikes": st.tuples(st.sampled_from(_ALIKE), values()),
    "rebuilding is nothing": st.tuples(values()),
    "changes are seen": _one_place(1),
    "hashes agree": st.tuples(hashable_values()),
    "fields count": st.tuples(public_values()),
    "values are frozen": st.tuples(public_values()),
    "bits are seen": st.tuples(tensors()),
    "fitting is pure": _learning(),
    "applying is pure": _learning(),
    "splitting is pure": _splitting(),
    "training is pure": _training(),
    "keys decide": _learning(),
    "threads are a loop": _splitting(),
    "partition parts": st.tuples(tasks(repeats=True), _SHARES, keys()),
    "folds part": st.tuples(tasks(repeats=True), st.integers(2, 5), keys()),
    "holdout parts": st.tuples(tasks(repeats=True), _SHARES, keys()),
    "origins are kept": _transforming(learner=False, law="origins are kept"),
    "resamplings part nothing": st.tuples(tasks(rows=(4, 14), repeats=True), keys()),
    "repeats keep origins": tasks(repeats=True).flatmap(
        lambda task: st.tuples(
            st.just(task), st.lists(st.integers(0, task.n_rows - 1), min_size=1, max_size=9)
        )
    ),
}
"""Name of a law → its cases."""
