"""Layer operators: descriptions that become layers once the shapes are known."""

from __future__ import annotations

from typing import Any

from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import descriptor
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.ports import Port
from fpipe.net.layer import Layer
from fpipe.net.shape import Shape, UnknownSizeError
from fpipe.nn.descriptor import ModelDescriptor, View, append, join

DESCRIPTOR = Port("input", ModelDescriptor)
MANY = Port("inputs", ModelDescriptor, variadic=True)
OUTPUT = Port("output", ModelDescriptor)


@descriptor
class Pending(Layer):
    """A layer whose sizes are not known yet; only `fp.check` makes it."""

    name = "pending"

    of: str


@descriptor
class LayerOp(Op):
    """An operator that appends one layer to the network.

    Its state is the layer with every size resolved, so applying appends the same layer.
    """

    inputs = (DESCRIPTOR,)
    outputs = (OUTPUT,)

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer for inputs of these shapes.

        Args:
            shapes: one per input.
            subject: the task that the network is for, or None.
        """
        raise NotImplementedError

    def guess(self, shapes: tuple[Shape, ...]) -> Shape:
        """Return what is known of the output's shape where the layer cannot be resolved."""
        return tuple(None for _ in shapes[0])

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Layer:
        """Resolve the layer."""
        del key, context
        joined = join(*inputs)
        return self.layer(_shapes(joined), joined.subject)

    def apply(
        self, state: Layer, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Append the layer."""
        joined = join(*inputs)
        return append(joined, context.place, state, state.shapes(_shapes(joined)), key)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Append the layer, or a pending one where sizes or parameters are missing."""
        joined = join(*types)
        shapes = _shapes(joined)
        unset = any(value is REQUIRED for value in self.parameters().values())
        try:
            layer = Pending(self.name) if unset else self.layer(shapes, joined.subject)
            out = (self.guess(shapes),) if unset else layer.shapes(shapes)
        except UnknownSizeError:
            layer, out = Pending(self.name), (self.guess(shapes),)
        return append(joined, context.place, layer, out, key)


def _shapes(joined: ModelDescriptor) -> tuple[Shape, ...]:
    return tuple(pointer.shape for pointer in joined.pointers)
