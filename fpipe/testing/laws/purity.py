"""Laws 11 and 12: nothing is mutated, nothing global moves, and threads change nothing."""

from __future__ import annotations

import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from fpipe.codec.canonical import canonical_bytes
from fpipe.core.code import Opaque
from fpipe.core.equality import same
from fpipe.core.errors import CodecError
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.tree import parts
from fpipe.data.task import Task
from fpipe.evaluate.checking import check
from fpipe.evaluate.fitting import apply, fit, predict, run, transform
from fpipe.evaluate.partition import partition
from fpipe.evaluate.resample import resample
from fpipe.evaluate.resampling import cv
from fpipe.graph.graph import Graph
from fpipe.testing.laws.asserting import agree
from fpipe.train.fold import fold, scan
from fpipe.train.plan import events
from fpipe.train.run import Run
from fpipe.train.state import TrainState


def fitting_is_pure(graph: Graph, task: Task, key: Key) -> None:
    """``fit``, ``run``, ``transform`` and ``check`` change nothing and repeat themselves."""
    pure(lambda: fit(graph, task, key=key), graph, task, key)
    pure(lambda: run(graph, task, key=key, validate=task), graph, task, key)
    pure(lambda: transform(graph, task, key=key), graph, task, key)
    pure(lambda: check(graph, task), graph, task)


def applying_is_pure(graph: Graph, task: Task, key: Key) -> None:
    """``apply`` and ``predict`` change nothing and repeat themselves."""
    fitted = fit(graph, task, key=key)
    pure(lambda: apply(fitted, task), fitted, task)
    pure(lambda: predict(fitted, task), fitted, task)
    pure(lambda: predict(fitted, _columns(task)), fitted, task)


def _columns(task: Task) -> dict[str, Any]:
    """Return the columns of a task as new data may be given."""
    plain = {name: task.column(name) for name in task.table.columns if name not in task.tensors}
    return plain | {name: task.tensor(name) for name in task.tensors}


def splitting_is_pure(graph: Graph, task: Task, key: Key) -> None:
    """``partition`` and ``resample`` change nothing and repeat themselves."""
    pure(lambda: partition(task, 0.5, key=key), task, key)
    pure(lambda: cv(2).splits(task, key), task, key)
    pure(lambda: resample(graph, task, cv(2), key=key, validate="test"), graph, task, key)


def training_is_pure(training_run: Run, state: TrainState) -> None:
    """``fold`` and ``scan`` change nothing and repeat themselves."""
    every = tuple(events(training_run.plan))
    pure(lambda: fold(training_run, state, every), training_run, state)
    pure(lambda: list(scan(training_run, state, every))[-1], training_run, state)


def keys_decide(graph: Graph, task: Task, key: Key) -> None:
    """The same key gives the same bits; another one draws other weights."""
    one = fit(graph, task, key=key)
    agree(fit(graph, task, key=key), one, "what the same key gives")
    agree(predict(one, task), predict(one, task), "what predicting twice gives")
    other = fit(graph, task, key=key.fold_in("another"))
    first, second = (each.state("model").weights.params for each in (one, other))
    assert not same(first["head.weight"], second["head.weight"]), "another key drew the same"


def threads_are_a_loop(graph: Graph, task: Task, key: Key) -> None:
    """Four fits at once give what a loop gives; so does resampling over threads."""
    keys = key.split(4)

    def one(own: Key) -> Any:
        return predict(fit(graph, task, key=own), task)

    looped = list(map(one, keys))
    with ThreadPoolExecutor(4) as pool:
        agree(list(pool.map(one, keys)), looped, "the predictions")
        over = resample(graph, task, cv(2), key=key, validate="test", executor=pool)
    agree(over, resample(graph, task, cv(2), key=key, validate="test"), "the resampling")


def pure(function: Callable[[], Any], *arguments: Any) -> None:
    """Raise AssertionError where calling changes an argument or anything global, or differs.

    The second call runs under other global seeds, which must not be felt.

    Args:
        function: calls what is to be pure.
        *arguments: everything that it reads.
    """
    before, versions = list(map(_trace, arguments)), list(map(_versions, arguments))
    world = _world()
    first = function()
    _same_world(world, _world())
    seeds = (torch.get_rng_state(), np.random.get_state(), random.getstate())
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    # What sets something to what it has been set to before moves nothing in the first call.
    seeded = _world()
    second = function()
    moved = _world()
    torch.set_rng_state(seeds[0])
    np.random.set_state(seeds[1])
    random.setstate(seeds[2])
    _same_world(seeded, moved)
    agree(first, second, "the second call")
    assert list(map(_trace, arguments)) == before, "an argument was changed"
    assert list(map(_versions, arguments)) == versions, "a tensor was written to"


def _trace(value: Any) -> bytes | list[Any]:
    """Return what a value is now: its bytes, or, where code in it has none, those of its leaves.

    Code that cannot be imported (a class of a script, a lambda) is traced by its identity.
    """
    try:
        return canonical_bytes(value)
    except CodecError:
        found: list[Any] = []
    waiting = [value]
    while waiting:
        current = waiting.pop()
        content = _inside(current)
        below = parts(current) if content is current else None
        if below is None:
            found.append(_leaf_trace(content))
        else:
            found.append((type(current), below.keys))
            waiting.extend(below.children)
    return found


def _leaf_trace(leaf: Any) -> Any:
    if isinstance(leaf, torch.nn.Module):
        return [(name, canonical_bytes(part)) for name, part in sorted(leaf.state_dict().items())]
    try:
        return canonical_bytes(leaf)
    except CodecError:
        return id(leaf)


def _inside(value: Any) -> Any:
    """Return the code that an Opaque holds, and any other value itself."""
    return value.content if isinstance(value, Opaque) else value


def _versions(value: Any) -> list[int]:
    """Return the version of every tensor in a value."""
    found: list[int] = []
    waiting = [value]
    while waiting:
        current = _inside(waiting.pop())
        if isinstance(current, torch.nn.Module):
            waiting.extend(current.state_dict(keep_vars=True).values())
        if isinstance(current, torch.Tensor):
            found.append(current._version)  # noqa: SLF001
        below = parts(current)
        waiting.extend(() if below is None else below.children)
    return found


@contextmanager
def unmoved() -> Iterator[None]:
    """Raise AssertionError where something global has moved in between.

    Packages that are imported meanwhile may add warning filters and variables.
    """
    before = _world()
    yield
    after = _world()
    added = set(after["environment"]) - set(before["environment"])
    after["environment"] = {n: x for n, x in after["environment"].items() if n not in added}
    _same_world({name: x for name, x in before.items() if name != "warning filters"}, after)


def _world() -> dict[str, Any]:
    """Return everything global that a computation could move."""
    root = logging.getLogger()
    pyplot = sys.modules.get("matplotlib")
    numpy_state: Any = np.random.get_state()
    return {
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "numpy's generator": (numpy_state[1].tobytes(), numpy_state[2:]),
        "python's generator": random.getstate(),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "default dtype": torch.get_default_dtype(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul precision": torch.get_float32_matmul_precision(),
        "warning filters": tuple(warnings.filters),
        "numpy's errors": np.geterr(),
        "working directory": os.getcwd(),
        "environment": dict(os.environ),
        "loggers": (root.level, tuple(root.handlers), logging.root.manager.disable),
        "plotting backend": None
        if pyplot is None
        else dict.__getitem__(pyplot.rcParams, "backend"),
    }


def _same_world(before: dict[str, Any], after: dict[str, Any]) -> None:
    moved = [name for name in before if before[name] != after[name]]
    assert not moved, f"moved: {', '.join(moved)}"


PURITY = (
    Law("fitting is pure", "fit, run, transform, check change nothing", fitting_is_pure),
    Law("applying is pure", "apply and predict change nothing", applying_is_pure),
    Law("splitting is pure", "partition and resample change nothing", splitting_is_pure),
    Law("training is pure", "fold and scan change nothing", training_is_pure),
    Law("keys decide", "the same key, the same bits; another, others", keys_decide),
    Law("threads are a loop", "four threads give what a loop gives", threads_are_a_loop),
)
