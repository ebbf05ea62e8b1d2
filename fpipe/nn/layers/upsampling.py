"""Images of another size."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import (
    Check,
    as_tuple,
    boolean,
    integer,
    number,
    one_of,
    optional,
    parameter,
    real,
)
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import upsample as layers
from fpipe.net.layers.windows import Sizes
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


def _one_or_more(check: Check) -> Check:
    def accepts(x: Any) -> bool:
        several = isinstance(x, tuple) and 0 < len(x) < 4 and all(map(check.accepts, x))
        return several or check.accepts(x)

    return Check(f"{check.words}, or one per dimension", accepts)


def _reals(x: Any) -> Any:
    return tuple(map(real, x)) if isinstance(x, list | tuple) else real(x)


@descriptor
class Upsample(LayerOp):
    """Images brought to another size, by interpolation.

    Args:
        size: what leaves behind batch and channels; one number for all dimensions, or one each.
        scale_factor: what sizes are multiplied with, likewise; a product is rounded down.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (three dimensions, batch and channels
            included), ``"bilinear"``, ``"bicubic"`` (four), ``"trilinear"`` (five) or ``"area"``.
        align_corners: whether the corner pixels of both images lie on each other; only where the
            mode interpolates.

    Raises:
        ParameterError: both or none of ``size`` and ``scale_factor`` are given, or
            ``align_corners`` with a mode that has none.
        ShapeError: the mode takes other dimensions, or nothing would be left.

    Example:
        >>> from fpipe import nn
        >>> up = nn.upsample(scale_factor=2, mode="bilinear")
        >>> nn.network(up, x=(None, 3, 8, 8)).shapes({"x": (None, 3, None, 8)})
        ((None, 3, None, 16),)

    Source:
        torch.nn.Upsample.
    """

    name = "upsample"

    size: int | Sizes | None = parameter(
        default=None, check=optional(_one_or_more(integer(1))), convert=as_tuple
    )
    scale_factor: float | tuple[float, ...] | None = parameter(
        default=None, check=optional(_one_or_more(number(0.0, above=True))), convert=_reals
    )
    mode: str = parameter(default="nearest", check=one_of(*layers.MODES))
    align_corners: bool = parameter(default=False, check=boolean())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        if (self.size is None) == (self.scale_factor is None):
            raise ParameterError(
                "upsample takes a size or a factor.",
                expected="one of size and scale_factor",
                got=f"size={self.size}, scale_factor={self.scale_factor}",
                fix="upsample(scale_factor=2)",
            )
        if self.align_corners and self.mode not in layers.ALIGNED:
            raise ParameterError(
                f"upsample: mode='{self.mode}' has no corners to align.",
                expected=f"one of {', '.join(layers.ALIGNED)}",
                got=f"mode={self.mode!r}, align_corners=True",
                fix="leave align_corners out",
            )
        return layers.Upsample(
            _sizes(self.size), _sizes(self.scale_factor), self.mode, self.align_corners
        )

    def guess(self, md: ModelDescriptor) -> Shape:
        """Batch and channels are kept."""
        shape = md.shapes[0]
        return (*shape[:2], *(None for _ in shape[2:]))


def _sizes(given: Any) -> Any:
    return given if given is None or isinstance(given, tuple) else (given,)


upsample = operator(Upsample)
