"""Images whose colours are changed at random."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.parameter import number, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import either, reals, span
from fpipe.ops.images.colour import ColourOp
from fpipe.ops.images.drawing import between, shuffled
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws
from fpipe.ops.lazy_op import Augmentation

Range = float | tuple[float, float]

_FACTOR = either(number(0.0), span(0.0))
_KERNELS = ("brightness", "contrast", "saturation", "hue")


@descriptor
class ColorJitter(ColourOp, Augmentation):
    """Change brightness, contrast, saturation and hue of every image, in an order that is drawn.

    Args:
        brightness: one number b for factors from ``max(0, 1 - b)`` to ``1 + b``, or the smallest
            and the largest factor; 0 leaves the image.
        contrast: likewise.
        saturation: likewise.
        hue: one number h, up to 0.5, for turns from ``-h`` to ``h``, or the smallest and the
            largest turn.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy([[[[0.25]]]] * 2), "y": [1, 2]}, "y")
        >>> graph = ops.augment_color_jitter(brightness=(2.0, 2.0))
        >>> fp.materialize(fp.transform(graph, task, key=fp.key(0)).tensor("image"))[0].item()
        0.5

    Source:
        torchvision's ColorJitter.
    """

    name = "augment_color_jitter"

    brightness: Range = parameter(default=0.0, check=_FACTOR, convert=reals)
    contrast: Range = parameter(default=0.0, check=_FACTOR, convert=reals)
    saturation: Range = parameter(default=0.0, check=_FACTOR, convert=reals)
    hue: Range = parameter(
        default=0.0, check=either(number(0.0, 0.5), span(-0.5, 0.5)), convert=reals
    )

    @property
    def draws(self) -> int:
        """The order, and four factors."""
        return 8

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Change what is to be changed, one after the other."""
        for which in shuffled(draws[:4]):
            low, high = self._range(which)
            if low == high == (0.0 if which == 3 else 1.0):
                continue
            x = kernel(f"adjust_{_KERNELS[which]}")(x, between(draws[4 + which], low, high))
        return x

    def _range(self, which: int) -> tuple[float, float]:
        given: Range = getattr(self, _KERNELS[which])
        if isinstance(given, tuple):
            return given
        return (-given, given) if which == 3 else (max(0.0, 1.0 - given), 1.0 + given)


augment_color_jitter = operator(ColorJitter)
