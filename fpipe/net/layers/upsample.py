"""Images of another size, by interpolation."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.value import descriptor
from fpipe.net.layer import Elementwise
from fpipe.net.layers.windows import check_extents
from fpipe.net.shape import Shape, shown

MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
    "area": (1, 2, 3),
}
"""Mode → numbers of dimensions behind the channels that it takes."""

ALIGNED = ("linear", "bilinear", "bicubic", "trilinear")
"""Modes that know of ``align_corners``."""


@descriptor
class Upsample(Elementwise):
    """Images brought to another size.

    Args:
        size: what leaves, one size per dimension or one for all; None where a factor is given.
        scale_factor: what sizes are multiplied with, likewise.
        mode: how numbers between pixels are found.
        align_corners: whether the corner pixels of both images lie on each other.

    Source:
        torch.nn.Upsample.
    """

    name = "upsample"

    size: tuple[int, ...] | None = None
    scale_factor: tuple[float, ...] | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Replace or multiply the sizes behind the channels."""
        (shape,) = inputs
        dims = len(shape) - 2
        if dims not in MODES[self.mode]:
            raise ShapeError(
                f"upsample with mode='{self.mode}' takes other dimensions.",
                expected=" or ".join(f"{n + 2} dimensions" for n in MODES[self.mode]),
                got=shown(shape),
                fix="use mode='nearest', which takes 3 to 5 dimensions",
            )
        wanted = self.size or self.scale_factor or ()
        if len(wanted) not in (1, dims):
            raise ShapeError(
                f"upsample was given {len(wanted)} sizes for {dims} dimensions.",
                expected=f"one size, or {dims}",
                got=f"{wanted} for {shown(shape)}",
                fix="give one number for all dimensions",
            )
        each = wanted * dims if len(wanted) == 1 else wanted
        pairs = zip(shape[2:], each, strict=True)
        sizes = (self._size(n, one) for n, one in pairs)
        return (check_extents(self.name, shape, (*shape[:2], *sizes)),)

    def _size(self, n: int | None, wanted: float) -> int | None:
        if self.size is not None:
            return int(wanted)
        return None if n is None else math.floor(n * wanted)

    def of(self, x: Tensor) -> Tensor:
        """Interpolate."""
        each = x.ndim - 2
        sizes, factors = self.size, self.scale_factor
        return F.interpolate(
            x,
            size=sizes * each if sizes is not None and len(sizes) == 1 else sizes,
            scale_factor=factors * each if factors is not None and len(factors) == 1 else factors,
            mode=self.mode,
            align_corners=self.align_corners if self.mode in ALIGNED else None,
        )
