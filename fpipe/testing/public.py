"""Strategies of the public types, made as users make them, and of all that can be saved."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pyrsistent import pmap

from fpipe.data.lazy.arrays import ArraySource
from fpipe.data.lazy.tensor import LazyTensor, lazy_tensor
from fpipe.data.task import Task
from fpipe.evaluate.record import recorded
from fpipe.evaluate.resample import resample
from fpipe.evaluate.resampling import cv, holdout
from fpipe.ops.images.flips import HorizontalFlip
from fpipe.testing.examples import concrete_types, example
from fpipe.testing.learned import fitted_graphs, joined, predictions, splitting, states
from fpipe.testing.networks import layer_graphs, networks
from fpipe.testing.tables import tasks
from fpipe.testing.training import plans, runs
from fpipe.testing.values import Point, frames, hashable_values, keys, values
from fpipe.train.fold import fold
from fpipe.train.plan import events
from fpipe.train.resuming import Reached


@st.composite
def public_values(draw: DrawFn) -> Any:
    """Values of the public types, made as users make them."""
    kind = draw(st.sampled_from(sorted(PUBLIC)))
    return draw(PUBLIC[kind])


def saved() -> SearchStrategy[Any]:
    """Values that can be saved: of every public type, and of every class that files may hold."""
    classes = sorted(concrete_types().items())
    of_classes = st.sampled_from(classes).map(lambda item: example(item[1]))
    kinds = (values(), tasks(), frames(), public_values(), of_classes)
    return st.sampled_from(kinds).flatmap(lambda kind: kind)  # each as often as the others


@st.composite
def _records(draw: DrawFn) -> Any:
    task = draw(tasks(rows=(3, 8)))
    share = draw(st.sampled_from([None, 0.25]))
    held = task.with_valid(task.take([0])) if share else task
    requests = pmap({"device": draw(st.sampled_from(["cpu", None]))})
    return recorded(draw(layer_graphs(2)), draw(keys()), (held,), share, requests)


def _lazy(rows: int) -> LazyTensor:
    pixels = torch.arange(rows * 6, dtype=torch.uint8).reshape(rows, 1, 2, 3)
    return lazy_tensor(ArraySource(pixels)).map(HorizontalFlip())


@st.composite
def _resampled(draw: DrawFn) -> Any:
    graph, task, key = draw(splitting())
    return resample(graph, task, holdout(0.5), key=key, keep_fitted=draw(st.booleans()))


@st.composite
def _reached(draw: DrawFn) -> Any:
    """Where some training stands after some of its events."""
    run, start = draw(runs())[:2]
    passed = list(events(run.plan))[: draw(st.integers(0, 6))]
    return Reached(fold(run, start, passed), run.plan, run.callbacks)


PUBLIC: dict[str, SearchStrategy[Any]] = {
    "key": keys(),
    "point": st.builds(Point, hashable_values(), hashable_values(), note=st.text(max_size=2)),
    "graph": layer_graphs(3),
    "node": layer_graphs(3, out=2).map(lambda graph: graph.nodes[-1]),
    "op": layer_graphs(3, out=2).map(lambda graph: graph.nodes[-1].op),
    "network": networks(),
    "task": tasks(repeats=True),
    "lazy": st.integers(1, 4).map(_lazy),
    "outline": tasks().map(Task.outline),
    "kind": tasks().map(lambda task: task.outline()),
    "plan": plans(),
    "reached": _reached(),
    "record": _records(),
    "run": runs().map(lambda training: training.run),
    "state": states(),
    "cursor": states().map(lambda state: state.cursor),
    "fitted": fitted_graphs(),
    "prediction": predictions(),
    "descriptor": joined(1).map(lambda found: found[0]),
    "resampling": st.sampled_from([cv(3), holdout(0.5)]),
    "resampled": _resampled(),
}
"""A name → values of a public type."""
