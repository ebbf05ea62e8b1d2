"""The cases of each law: strategies of tuples that the law's check takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pyrsistent import pmap

from fpipe import nn
from fpipe.core.law import Law
from fpipe.core.lens import put
from fpipe.graph.graph import Graph
from fpipe.testing.examples import fitted, graph, network, task
from fpipe.testing.graphs import graphs
from fpipe.testing.laws.equality import rebuilt
from fpipe.testing.lazy import functions, lazy_tensors, pictured
from fpipe.testing.learned import Cases, descriptors, joined, learning, splitting, transforming
from fpipe.testing.networks import layer_graphs
from fpipe.testing.places import changes, one_place, patterns, places, sets, settable, twice
from fpipe.testing.public import public_values, saved
from fpipe.testing.tables import tasks
from fpipe.testing.toys import Numbers
from fpipe.testing.training import plans, runs
from fpipe.testing.values import Held, Point, hashable_values, keys, leaves, tensors, values


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


def _training(**form: Any) -> Cases:
    return runs(**form).map(tuple)


@st.composite
def _conflicts(draw: DrawFn) -> tuple[Any, ...]:
    (a, b), task = draw(descriptors(2))
    return a.with_valid(None), b.with_valid(None), task


@st.composite
def _building(draw: DrawFn) -> tuple[Any, ...]:
    task = draw(tasks(numeric=True, missing=False, rows=(6, 8)))
    body = draw(layer_graphs(None, max_layers=3))
    return nn.ingress_numeric() >> body >> nn.head(), task, draw(keys())


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
    value, path, new = draw(places(1, 1))
    return value, put(value, path, new)


_BODIES = graphs(prefix="f")
_PLANS = plans(rows=(2, 30), epochs=(1, 4))
_SEEDS = st.integers(0, 2**32)
_MADE = st.sampled_from([task, graph, fitted, network]).map(lambda make: make())
_TEN = st.lists(st.floats(0.0, 0.999), max_size=10)


@st.composite
def _taken(draw: DrawFn, maps: SearchStrategy[Any] | None = None) -> tuple[Any, ...]:
    """A lazy tensor, perhaps a map, positions that may repeat, and a key."""
    lazy = draw(lazy_tensors())
    rows = draw(st.lists(st.integers(0, len(lazy) - 1), max_size=6))
    between = () if maps is None else (draw(maps),)
    return (lazy, *between, rows, draw(keys()))


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
    "fit is apply": transforming(law="fit is apply"),
    "rows are apart": transforming(st.floats(0.0, 1.0), law="rows are apart"),
    "rows may move": transforming(keys(), law="rows may move"),
    "columns may move": transforming(keys(), law="columns may move"),
    "target is unread": transforming(law="target is unread"),
    "zero rows": transforming(law="zero rows"),
    "fit with validation": transforming(_SHARES, learner=False, law="fit with validation"),
    "types are inferred": transforming(learner=False, law="types are inferred"),
    "row order at fit": transforming(keys(), learner=False, law="row order at fit"),
    "batch size is unread": learning(st.integers(1, 7), rows=(6, 20)),
    "folds may be cut": _training(),
    "cuts may go through files": _training(),
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
    "frozen stays": _training(),
    "averages are means": _training(),
    "rates follow": _training(),
    "stopping counts": _training(plan=plans(validates=True, epochs=(2, 4)), patience=None),
    "join is associative": joined(3),
    "join commutes": joined(2),
    "join is idempotent": joined(2),
    "join is union": joined(2),
    "conflicts are refused": _conflicts(),
    "applying builds the same": _building(),
    "put get": one_place(1),
    "get put": one_place(0),
    "put put": one_place(2),
    "puts commute": places(2, 2),
    "set get": sets(1),
    "get set": settable().map(lambda found: found[:1]),
    "set set": twice(),
    "sets commute": sets(2),
    "patterns address many": patterns(),
    "wrong paths are refused": sets(1).map(lambda found: found[:2]),
    "bytes are equality": _pairs(),
    "look-alikes": st.tuples(st.sampled_from(_ALIKE), values()),
    "rebuilding is nothing": st.tuples(values()),
    "changes are seen": one_place(1),
    "hashes agree": st.tuples(hashable_values()),
    "fields count": st.tuples(public_values()),
    "values are frozen": st.tuples(public_values()),
    "bits are seen": st.tuples(tensors()),
    "fitting is pure": learning(),
    "applying is pure": learning(),
    "splitting is pure": splitting(),
    "training is pure": _training(),
    "keys decide": learning(),
    "threads are a loop": splitting(),
    "partition parts": st.tuples(tasks(repeats=True), _SHARES, keys()),
    "folds part": st.tuples(tasks(repeats=True), st.integers(2, 5), keys()),
    "holdout parts": st.tuples(tasks(repeats=True), _SHARES, keys()),
    "origins are kept": transforming(learner=False, law="origins are kept"),
    "loading undoes saving": st.tuples(saved()),
    "files are canonical": st.tuples(saved()),
    "other values, other files": changes(),
    "differences are all": st.one_of(
        st.tuples(values(), values()),
        values().map(lambda value: (value, rebuilt(value))),
        changes().map(lambda change: (change[0], put(*change))),
        st.tuples(tensors(), tensors()),
        st.sampled_from([(0.0, -0.0), (1, 1.0), (1, True), ("1", 1), (-0.0, 0.0)]),
    ),
    "damage is seen": st.tuples(values(), _SEEDS),
    "forgery is refused or sound": st.tuples(st.one_of(values(), tasks(), _MADE), _SEEDS),
    "resamplings part nothing": st.tuples(tasks(rows=(4, 14), repeats=True), keys()),
    "repeats keep origins": tasks(repeats=True).flatmap(
        lambda task: st.tuples(
            st.just(task), st.lists(st.integers(0, task.n_rows - 1), min_size=1, max_size=9)
        )
    ),
    "maps compose": st.tuples(lazy_tensors(), st.tuples(functions(), functions()), keys()),
    "taking commutes": _taken(),
    "mapping commutes": _taken(functions()),
    "grouping is unread": st.tuples(
        lazy_tensors(), st.integers(1, 4), st.sampled_from([0, 1, 3]), keys()
    ),
    "concatenating commutes": st.tuples(lazy_tensors(), st.integers(0, 7), keys()),
    "types are foreseen": st.tuples(lazy_tensors(), keys()),
    "sharing is unseen": st.tuples(lazy_tensors(), st.tuples(functions(), functions()), keys()),
    "reading is pure": st.tuples(lazy_tensors(), keys()),
    "later rows are as they are": st.tuples(pictured(), st.floats(0.2, 0.6), keys()),
    "balanced groups stay together": st.tuples(pictured(), st.integers(2, 4), keys()),
}
"""Name of a law → its cases."""
