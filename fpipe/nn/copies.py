"""What is known of a block whose number of copies is not set."""

from __future__ import annotations

from typing import Any

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.graph.context import Context
from fpipe.graph.ports import Port
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import append, join
from fpipe.nn.layer_op import MANY, OUTPUT, LayerOp


@descriptor
class Copies(LayerOp):
    """The end of a block of an unknown number of copies; only `fp.check` makes it.

    It takes what entered the block and what left each copy, one behind the other.

    Args:
        width: how many values enter the block, and leave it.
        alike: whether further copies are like the last one. If so, a size on which all agree is
            that of any number of copies; if not, no size is known.
    """

    name = "n_blocks"
    inputs = (MANY,)

    width: int
    alike: bool

    @property
    def outputs(self) -> tuple[Port, ...]:
        """As many as leave the block."""
        return (OUTPUT,) * self.width

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Append a pending layer."""
        last = join(*types[-self.width :])
        shapes = tuple(
            self._agreed([md.pointers[0].shape for md in types[port :: self.width]])
            for port in range(self.width)
        )
        return append(last, context.place, self._pending(), shapes, key)

    def _agreed(self, shapes: list[Shape]) -> Shape:
        """Return the sizes that all shapes have."""
        last = shapes[-1]
        if not self.alike or any(len(shape) != len(last) for shape in shapes):
            return tuple(None for _ in last)
        return tuple(n if len({s[i] for s in shapes}) == 1 else None for i, n in enumerate(last))
