"""Model descriptors: a network under construction, over the data that it will see."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import torch
from pyrsistent import PMap, pmap

from fpipe.core.equality import same
from fpipe.core.errors import GraphError
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve, value
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.measure.loss import Loss
from fpipe.net.layer import Layer
from fpipe.net.network import Input, Network, Wire
from fpipe.net.shape import Shape, shown
from fpipe.optim.optimizer import Optimizer
from fpipe.train.callback import Callback
from fpipe.train.mixing import Mixing

_T = TypeVar("_T")

View: TypeAlias = Task | TaskType
Callbacks: TypeAlias = tuple[tuple[str, Callback], ...]


@value
class Ingress:
    """An input of the network and the view of the task that feeds it.

    Args:
        input: shape and dtype.
        encoding: how columns become a tensor; None for an input that no task feeds.
        columns: the columns, as captured at fit.
        view: the task as it arrived here (or only its type, or nothing).
    """

    input: Input
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    view: View | None = None


@descriptor
class Pointer:
    """An output that the next operator consumes, with its shape and dtype."""

    wire: Wire
    shape: Shape
    dtype: torch.dtype = torch.float32


@value
class ModelDescriptor:
    """What flows along network operators: the network so far, its data, and how to train it.

    Args:
        ingress: id → input.
        layers: path → layer.
        wires: path → where the layer's inputs come from.
        keys: path → the key that the layer is drawn from.
        pointers: the outputs that the next operator consumes.
        subject: the task without its features: target, row ids, groups, weights.
        loss: the loss, or None while not set.
        optimizer: the optimizer, or None while not set.
        valid: the descriptor over the validation rows, or None.
        callbacks: pairs of id and callback, in the order in which they are called.
        mixing: pairs of path and how rows of training batches are mixed, in order.
    """

    ingress: PMap[str, Ingress] = pmap()
    layers: PMap[str, Layer] = pmap()
    wires: PMap[str, tuple[Wire, ...]] = pmap()
    keys: PMap[str, Key] = pmap()
    pointers: tuple[Pointer, ...] = ()
    subject: View | None = None
    loss: Loss | None = None
    optimizer: Optimizer | None = None
    valid: ModelDescriptor | None = None
    callbacks: Callbacks = ()
    mixing: tuple[tuple[str, Mixing], ...] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the outputs that the next operator consumes."""
        return tuple(pointer.shape for pointer in self.pointers)

    @property
    def dtypes(self) -> tuple[torch.dtype, ...]:
        """Their dtypes."""
        return tuple(pointer.dtype for pointer in self.pointers)

    def outline(self) -> ModelDescriptor:
        """Return the descriptor with types in place of data."""
        bare = {name: evolve(i, view=_typed(i.view)) for name, i in self.ingress.items()}
        return evolve(self, ingress=pmap(bare), subject=_typed(self.subject), valid=None)

    def with_valid(self, valid: ModelDescriptor | None) -> ModelDescriptor:
        """Return the descriptor with another one over validation rows (or none)."""
        return evolve(self, valid=valid)

    def network(self) -> Network:
        """Return the network so far; its outputs are the pointers."""
        inputs = pmap({name: i.input for name, i in self.ingress.items()})
        wires = tuple(pointer.wire for pointer in self.pointers)
        return Network(inputs, self.layers, self.wires, wires)

    def __repr__(self) -> str:
        lines = [f"ModelDescriptor ({len(self.layers)} layers)"]
        for name, ingress in items(self.ingress):
            lines.append(f"  ingress    {name} {shown(ingress.input.shape)}")
        if self.subject is not None:
            lines.append(f"  task       {self.subject.name} ({self.subject.kind.name})")
        lines.append(f"  loss       {self.loss!r}" if self.loss else "  loss       not set")
        lines.append(
            f"  optimizer  {self.optimizer!r}" if self.optimizer else "  optimizer  not set"
        )
        for name, mixing in self.mixing:
            lines.append(f"  mixing     {name}: {mixing!r}")
        for name, callback in self.callbacks:
            lines.append(f"  callback   {name}: {callback!r}")
        for pointer in self.pointers:
            lines.append(f"  pointer    {pointer.wire.source} {shown(pointer.shape)}")
        return "\n".join(lines)


def append(
    into: ModelDescriptor, path: str, layer: Layer, shapes: tuple[Shape, ...], key: Key
) -> tuple[ModelDescriptor, ...]:
    """Return the descriptor with a layer behind its pointers, one per output of the layer.

    Args:
        into: where the layer is appended.
        path: the layer's path.
        layer: the layer.
        shapes: the shapes that leave the layer.
        key: what the layer is drawn from.
    """
    wires = tuple(pointer.wire for pointer in into.pointers)
    grown = evolve(
        into,
        layers=into.layers.set(path, layer),
        wires=into.wires.set(path, wires),
        keys=into.keys.set(path, key),
    )
    leaving = zip(shapes, layer.dtypes(into.dtypes, into.shapes), strict=True)
    return tuple(
        evolve(grown, pointers=(Pointer(Wire(path, port), shape, dtype),))
        for port, (shape, dtype) in enumerate(leaving)
    )


def join(*descriptors: ModelDescriptor) -> ModelDescriptor:
    """Return several descriptors as one: what has the same id must be equal.

    Associative, commutative up to the order of pointers, and idempotent on the network part.
    Pointers are put behind each other in the order given.

    Raises:
        GraphError: an id means two different things, or the paths carry different rows.
    """
    joined = descriptors[0]
    for other in descriptors[1:]:
        joined = _join_two(joined, other)
    return joined


def _join_two(a: ModelDescriptor, b: ModelDescriptor) -> ModelDescriptor:
    valid = None
    if (a.valid is None) != (b.valid is None):
        raise GraphError(
            "only one of the paths carries validation rows.",
            expected="validation rows on both paths, or on none",
        )
    if a.valid is not None and b.valid is not None:
        valid = _join_two(a.valid, b.valid)
    return ModelDescriptor(
        ingress=_union(a.ingress, b.ingress, "ingress"),
        layers=_union(a.layers, b.layers, "layer"),
        wires=_union(a.wires, b.wires, "wires of"),
        keys=_union(a.keys, b.keys, "key of"),
        pointers=a.pointers + b.pointers,
        subject=_agreed(a.subject, b.subject, "the rows or the target"),
        loss=_agreed(a.loss, b.loss, "the loss"),
        optimizer=_agreed(a.optimizer, b.optimizer, "the optimizer"),
        valid=valid,
        callbacks=_in_order(a.callbacks, b.callbacks, "callback"),
        mixing=_in_order(a.mixing, b.mixing, "mixing"),
    )


def _union(a: PMap[str, Any], b: PMap[str, Any], what: str) -> PMap[str, Any]:
    for name in set(a) & set(b):
        if not same(a[name], b[name]):
            raise GraphError(
                f"two paths that meet have a different {what} '{name}'.",
                expected=str(a[name])[:200],
                got=str(b[name])[:200],
                fix=f"give one of them another id, e.g. id='{name.rpartition('.')[2]}_b'",
                name=name,
            )
    joined: PMap[str, Any] = a.update(b)
    return joined


def _in_order(
    a: tuple[tuple[str, _T], ...], b: tuple[tuple[str, _T], ...], what: str
) -> tuple[tuple[str, _T], ...]:
    """Return what both paths hold in order; what the second one adds comes behind the first's."""
    _union(pmap(a), pmap(b), what)
    known = {name for name, _ in a}
    return a + tuple(pair for pair in b if pair[0] not in known)


def _agreed(a: Any, b: Any, what: str) -> Any:
    if a is None or b is None:
        return b if a is None else a
    if not same(a, b):
        raise GraphError(
            f"two paths that meet disagree about {what}.",
            expected=str(a)[:200],
            got=str(b)[:200],
            fix="set it once, after the paths have met",
        )
    return a


def _typed(view: View | None) -> TaskType | None:
    return None if view is None else view.outline()
