"""Layer operators: descriptions that become layers once the shapes are known."""

from __future__ import annotations

from typing import Any, ClassVar

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import descriptor
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.ports import Port
from fpipe.net.layer import Dtypes, Layer
from fpipe.net.shape import Shape, UnknownSizeError, shown
from fpipe.nn.descriptor import ModelDescriptor, append, join

DESCRIPTOR = Port("input", ModelDescriptor)
MANY = Port("inputs", ModelDescriptor, variadic=True)
OUTPUT = Port("output", ModelDescriptor)


@descriptor
class Pending(Layer):
    """A layer whose sizes are not known yet; only `fp.check` makes it."""

    name = "pending"

    of: str
    leaving: int = 1

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """One per output."""
        return super().dtypes(inputs, shapes) * self.leaving


@descriptor
class LayerOp(Op):
    """An operator that appends one layer to the network.

    Its state is the layer with every size resolved, so applying appends the same layer.

    Args:
        takes_codes: (of the class) whether integers may enter, too.
    """

    inputs: ClassVar[Any] = (DESCRIPTOR,)
    outputs: ClassVar[Any] = (OUTPUT,)

    takes_codes: ClassVar[bool] = False

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer behind what the descriptor points at.

        Args:
            md: with the ``shapes`` and ``dtypes`` that enter, and the ``subject`` (the task
                that the network is for) where there is one.
        """
        raise NotImplementedError

    def guess(self, md: ModelDescriptor) -> Shape:
        """Return what is known of the output's shape where the layer cannot be resolved."""
        return tuple(None for _ in md.shapes[0])

    def guesses(self, md: ModelDescriptor) -> tuple[Shape, ...]:
        """Return what is known of the shapes of all outputs, for operators with several."""
        return (self.guess(md),)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Layer:
        """Resolve the layer."""
        del key, context
        return self._resolved(self._entering(inputs))

    def apply(
        self, state: Layer, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Append the layer."""
        md = self._entering(inputs)
        return append(md, context.place, state, state.shapes(md.shapes), key)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Append the layer, or a pending one where sizes or parameters are missing."""
        md = self._entering(types)
        unset = any(value is REQUIRED for value in self.parameters().values())
        try:
            layer = self._pending() if unset else self._resolved(md)
            out = self.guesses(md) if unset else layer.shapes(md.shapes)
        except UnknownSizeError:
            layer, out = self._pending(), self.guesses(md)
        return append(md, context.place, layer, out, key)

    def _entering(self, inputs: tuple[Any, ...]) -> ModelDescriptor:
        """Return what enters as one; several tensors enter one port only if it takes any number."""
        md = join(*inputs)
        if len(md.pointers) != len(inputs) and not self.inputs[-1].variadic:
            raise ShapeError(
                f"{self.name} takes {_tensors(len(inputs))} and the network gives "
                f"{len(md.pointers)}.",
                expected=_tensors(len(inputs)),
                got=" and ".join(map(shown, md.shapes)),
                fix="merge them first, e.g. with nn.merge_cat()",
            )
        return md

    def _pending(self) -> Layer:
        return Pending(self.name, len(self.outputs))

    def _resolved(self, md: ModelDescriptor) -> Layer:
        codes = [p for p in md.pointers if not p.dtype.is_floating_point]
        if codes and not self.takes_codes:
            raise ShapeError(
                f"{self.name} computes with floating numbers.",
                expected="a floating dtype",
                got=f"{codes[0].dtype} from '{codes[0].wire.source}'",
                fix="embed the codes first, e.g. with nn.tokenizer_categorical(8)",
            )
        return self.layer(md)


def _tensors(count: int) -> str:
    return "one tensor" if count == 1 else f"{count} tensors"
