"""Gates: one half of a dimension decides how much of the other passes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.value import descriptor
from fpipe.net.layer import Elementwise
from fpipe.net.shape import Shape, inner_dim, shown

GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "glu": torch.sigmoid,
    "reglu": torch.relu,
    "geglu": F.gelu,
}
"""Name → what is done to the gating half."""


@descriptor
class Gate(Elementwise):
    """``a * f(b)`` where ``a`` and ``b`` are the halves of one dimension.

    Args:
        function: a name in `GATES`.
        dim: the dimension that is halved; not the batch.

    Source:
        Dauphin et al. 2017, *Language modeling with gated convolutional networks* (glu);
        Shazeer 2020, *GLU variants improve transformer* (reglu, geglu).
    """

    name = "gate"

    function: str
    dim: int = -1

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Halve the dimension."""
        (shape,) = inputs
        at = inner_dim(shape, self.dim, what=self.function)
        size = shape[at]
        if size is not None and size % 2:
            raise ShapeError(
                f"{self.function} halves dimension {self.dim}, whose size is odd.",
                expected="an even size",
                got=shown(shape),
                fix=f"give it an even size, e.g. with nn.linear({size + 1})",
            )
        return ((*shape[:at], None if size is None else size // 2, *shape[at + 1 :]),)

    def of(self, x: Tensor) -> Tensor:
        """Return the gated half."""
        if self.function == "glu":
            return F.glu(x, self.dim)
        passing, gating = x.chunk(2, self.dim)
        return passing * GATES[self.function](gating)

    def __repr__(self) -> str:
        return f"{self.function}(dim={self.dim})"
