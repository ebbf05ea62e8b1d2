"""What an operator must not lose: gradients, the values of a column, and frozen states."""

from __future__ import annotations

from typing import Any

import attrs
import polars as pl
import torch
from pyrsistent import PMap, PVector
from torch import Tensor

from fpipe.core.equality import same_series
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.tree import items, parts
from fpipe.core.value import evolve
from fpipe.data.task import Task
from fpipe.evaluate.fitting import apply, fit, run
from fpipe.graph.graph import Graph
from fpipe.net.network import Network, init_layers, make_draws, planned_draws
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.predicting import examples
from fpipe.train.feeding import read_inputs


def parameters_learn(graph: Graph, task: Task, key: Key, within: str = "") -> None:
    """Every parameter gets a gradient from some batch, while training or in evaluation.

    The outputs are weighted at random, for the rows of the task and for noise of their shapes.

    Args:
        graph: from a task to a network.
        task: the rows.
        key: where all randomness comes from.
        within: the node whose layers are meant; all where it is empty.
    """
    out = run(graph, task, key=key)[1]
    md: ModelDescriptor = out[0] if isinstance(out, tuple) else out
    for one in out[1:] if isinstance(out, tuple) else ():
        md = evolve(md, pointers=md.pointers + one.pointers)
    network = md.network()
    params, buffers = init_layers(network, md.keys)
    waiting = {name for name in params if name.startswith(within)}
    real = read_inputs(examples(md, torch.float32).inputs, 0)
    noise = {name: _noise(x, key.fold_in(name)) for name, x in items(real)}
    for inputs in (real, noise):
        for training in (True, False):
            if waiting:
                waiting -= _reached(network, params, buffers, inputs, md.keys, key, training)
    assert not waiting, f"{_listed(waiting, within)} gets no gradient from any batch"


def values_stay(graph: Graph, task: Task, key: Key) -> None:
    """A feature that leaves is not missing in all rows, unless it was so when it entered."""
    out: Task = run(graph, task, key=key)[1]
    if not out.n_rows:
        return
    for name in out.features:
        before = name in task.table.columns and _all_missing(task.table[name])
        gone = _all_missing(out.table[name]) and not before
        assert not gone, f"the column '{name}' leaves with nothing but missing values"


def truth_stays(graph: Graph, task: Task, key: Key) -> None:
    """What is to be predicted stays as it was: scores compare with the task's own target."""
    fitted, fit_out = run(graph, task, key=key)
    for out in (fit_out, apply(fitted, task)):
        truth, given = out.truth(), task.truth()
        if truth is None or given is None:
            continue
        place = {int(row): i for i, row in enumerate(task.row_id)}
        rows = [place[int(o)] for o in out.origin if int(o) in place]
        if len(rows) == out.n_rows:
            assert same_series(truth, given[rows]), "the target leaves with other values"


def states_are_frozen(graph: Graph, task: Task, key: Key) -> None:
    """No state holds a list, a dict, a set, or anything else that could be changed."""
    waiting: list[tuple[str, Any]] = list(items(fit(graph, task, key=key).states))
    while waiting:
        path, current = waiting.pop()
        below = parts(current)
        if below is None or getattr(type(current), "equals_only_itself", False):
            assert not isinstance(current, bytearray), _changeable(path, current)
            continue
        assert _is_frozen(current), _changeable(path, current)
        pairs = zip(below.keys, below.children, strict=True)
        waiting.extend((f"{path}.{key_}", child) for key_, child in pairs)


def _reached(
    network: Network,
    params: PMap[str, Tensor],
    buffers: PMap[str, Tensor],
    inputs: dict[str, Tensor],
    keys: PMap[str, Key],
    key: Key,
    training: bool,
) -> set[str]:
    """Return the parameters that one batch gives a gradient."""
    shapes = {name: tuple(x.shape) for name, x in inputs.items()}
    draws = make_draws(planned_draws(network, shapes), keys, 0) if training else None
    free = {name: tensor.clone().requires_grad_() for name, tensor in items(params)}
    outputs, _ = network.apply(free, buffers, inputs, draws, training)
    generator = key.fold_in("weights").generator()
    total = sum(
        (x * torch.randn(x.shape, generator=generator, dtype=x.dtype)).sum()
        for x in outputs
        if x.requires_grad
    )
    if not isinstance(total, Tensor):
        return set()
    found = torch.autograd.grad(total, list(free.values()), allow_unused=True)
    return {name for name, gradient in zip(free, found, strict=True) if gradient is not None}


def _noise(x: Tensor, key: Key) -> Tensor:
    """Return numbers like those of a tensor; codes stay what they are."""
    return torch.randn(x.shape, generator=key.generator()) if x.is_floating_point() else x


def _all_missing(column: pl.Series) -> bool:
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(False)
    return bool(missing.all())


def _is_frozen(value: Any) -> bool:
    """Tell whether a container is frozen itself; what it holds is looked at on its own."""
    return attrs.has(type(value)) or isinstance(value, tuple | frozenset | PMap | PVector)


def _changeable(path: str, value: Any) -> str:
    kind = type(value).__name__
    frozen = {"list": "a tuple", "dict": "a pmap", "set": "a frozenset"}.get(kind, "a frozen value")
    return f"the state {path} holds a {kind}, which can be changed; keep {frozen}"


def _listed(names: set[str], within: str) -> str:
    shown = ", ".join(f"'{name.removeprefix(within)}'" for name in sorted(names)[:4])
    return f"the parameter {shown}" if len(names) == 1 else f"each of the parameters {shown}"


CONTENTS = (
    Law("parameters learn", "every parameter gets a gradient from some batch", parameters_learn),
    Law("truth stays", "the target leaves as it came, or its truth does", truth_stays),
    Law("values stay", "no column becomes all missing", values_stay),
    Law("states are frozen", "no state holds a list, a dict or a set", states_are_frozen),
)
"""Laws of one operator that `check_op` tries."""
