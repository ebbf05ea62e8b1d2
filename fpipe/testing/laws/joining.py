"""Law 7: network parts join like sets, and what applying builds is what fitting built."""

from __future__ import annotations

import numpy as np

from fpipe import nn
from fpipe.core.errors import GraphError
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.value import evolve
from fpipe.data.task import Task
from fpipe.evaluate.fitting import apply, run
from fpipe.graph.graph import Graph
from fpipe.measure.loss import MeanSquaredError
from fpipe.nn.descriptor import ModelDescriptor, join
from fpipe.testing.laws.asserting import agree, refused


def join_is_associative(a: ModelDescriptor, b: ModelDescriptor, c: ModelDescriptor) -> None:
    """``join(join(a, b), c) == join(a, join(b, c)) == join(a, b, c)``."""
    whole = join(a, b, c)
    agree(join(join(a, b), c), whole, "the join from the left")
    agree(join(a, join(b, c)), whole, "the join from the right")


def join_commutes(a: ModelDescriptor, b: ModelDescriptor) -> None:
    """``join(a, b)`` is ``join(b, a)`` but for the order of pointers, which is that given."""
    one, two = join(a, b), join(b, a)
    agree(_unpointed(one), _unpointed(two), "the join")
    agree(one.pointers, a.pointers + b.pointers, "the pointers")
    agree(two.pointers, b.pointers + a.pointers, "the pointers")


def join_is_idempotent(a: ModelDescriptor, b: ModelDescriptor) -> None:
    """Joining what is there already adds nothing but pointers."""
    agree(_unpointed(join(a, a)), _unpointed(a), "the join with itself")
    agree(_unpointed(join(join(a, b), a)), _unpointed(join(a, b)), "the join with a part")


def join_is_union(a: ModelDescriptor, b: ModelDescriptor) -> None:
    """The join has the layers, wires and inputs of both and no others."""
    whole = join(a, b)
    agree(dict(whole.layers), dict(a.layers) | dict(b.layers), "the layers")
    agree(dict(whole.wires), dict(a.wires) | dict(b.wires), "the wires")
    agree(dict(whole.keys), dict(a.keys) | dict(b.keys), "the keys")
    agree(dict(whole.ingress), dict(a.ingress) | dict(b.ingress), "the inputs")


def conflicts_are_refused(a: ModelDescriptor, b: ModelDescriptor, task: Task) -> None:
    """An id with two meanings, other rows or another loss raise."""
    path = min(set(a.layers) & set(b.layers))
    other = evolve(a, layers=a.layers.set(path, nn.network(nn.tanh(), x=(None, 1)).layers["tanh"]))
    assert f"'{path}'" in str(refused(GraphError, lambda: join(b, other)))
    turned = evolve(a, wires=a.wires.set(path, a.wires[path] * 2))
    refused(GraphError, lambda: join(b, turned))
    fewer = evolve(a, subject=task.take(np.arange(task.n_rows - 1)))
    refused(GraphError, lambda: join(b, fewer))
    one, two = evolve(a, loss=MeanSquaredError()), evolve(b, loss=MeanSquaredError("sum"))
    refused(GraphError, lambda: join(one, two))


def applying_builds_the_same(graph: Graph, task: Task, key: Key) -> None:
    """Layers, wires, keys and inputs over new rows are those of the fit."""
    fitted, out = run(graph, task, key=key)
    applied = apply(fitted, task.take(np.arange(task.n_rows // 2)))
    assert isinstance(applied, ModelDescriptor)
    for part in ("layers", "wires", "keys", "pointers"):
        agree(getattr(applied, part), getattr(out, part), f"what is applied: {part}")
    one, two = ({name: i.input for name, i in md.ingress.items()} for md in (applied, out))
    agree(one, two, "the inputs")
    agree(applied.network(), out.network(), "the network")


def _unpointed(md: ModelDescriptor) -> ModelDescriptor:
    valid = None if md.valid is None else _unpointed(md.valid)
    return evolve(md, pointers=(), valid=valid)


JOINING = (
    Law("join is associative", "join(join(a, b), c) == join(a, join(b, c))", join_is_associative),
    Law("join commutes", "join(a, b) == join(b, a) up to pointer order", join_commutes),
    Law("join is idempotent", "joining what is there adds pointers only", join_is_idempotent),
    Law("join is union", "the join has the layers of both and no others", join_is_union),
    Law("conflicts are refused", "an id with two meanings raises", conflicts_are_refused),
    Law("applying builds the same", "applied layers are fitted layers", applying_builds_the_same),
)
