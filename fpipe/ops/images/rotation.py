"""Images that are turned."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from fpipe.core.parameter import boolean, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import PER_CHANNEL, WARPING, as_span, check_channels, reals
from fpipe.ops.images.affine import CENTER, DEGREES
from fpipe.ops.images.drawing import between
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation


@descriptor
class Turning(ImageOp, Augmentation):
    """Turn images; what the rotations share.

    Args:
        interpolation: ``"nearest"`` or ``"bilinear"``.
        expand: whether the image grows so that no pixel is lost.
        center: what stays in its place, as x and y in pixels; the middle by default.
        fill: the colour of what comes from outside of the image: a number, or one per channel.
    """

    interpolation: str = parameter(default="nearest", check=WARPING, kw_only=True)
    expand: bool = parameter(default=False, check=boolean(), kw_only=True)
    center: tuple[float, float] | None = parameter(
        default=None, check=CENTER, convert=reals, kw_only=True
    )
    fill: float | tuple[float, ...] = parameter(
        default=0.0, check=PER_CHANNEL, convert=reals, kw_only=True
    )

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay, unless the image grows."""
        channels = check_channels(self.name, self.fill, channels, "fill")
        return (channels, None, None) if self.expand else (channels, height, width)

    def turned(self, x: Tensor, angle: float) -> Tensor:
        """Return images turned to the left by an angle in degrees."""
        return kernel("rotate")(
            x,
            angle,
            interpolation=self.interpolation,
            expand=self.expand,
            center=None if self.center is None else list(self.center),
            fill=self.fill,
        )


@descriptor
class Rotate(Turning):
    """Turn every image by the same angle.

    Args:
        angle: in degrees, to the left.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        expand: whether the image grows so that no pixel is lost.
        center: what stays in its place, as x and y in pixels; the middle by default.
        fill: the colour of what comes from outside of the image: a number, or one per channel.

    Raises:
        ShapeError: there are more or fewer colours than channels.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy([[[[1, 2], [3, 4]]]] * 2), "y": [1, 2]}, "y")
        >>> turned = fp.transform(ops.augment_rotate(90), task, key=fp.key(0))
        >>> fp.materialize(turned.tensor("image"))[0].tolist()
        [[[2, 4], [1, 3]]]

    Source:
        torchvision's rotate.
    """

    name = "augment_rotate"

    angle: float = parameter(check=number(), convert=real)

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay, or grow as the kernel says, which is asked without pixels."""
        channels, rows, columns = Turning.sized(self, channels, height, width)
        if not self.expand or height is None or width is None:
            return channels, rows, columns
        return channels, *_grown(self.angle, height, width, self.center)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Turn all rows: the kernel works on each image by itself."""
        return self.turned(x, self.angle)


@descriptor
class RandomRotation(Turning):
    """Turn every image, by an angle that is drawn.

    Args:
        degrees: smallest and largest angle, to the left; one number d is from -d to d.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        expand: whether the image grows so that no pixel is lost.
        center: what stays in its place, as x and y in pixels; the middle by default.
        fill: the colour of what comes from outside of the image: a number, or one per channel.

    Raises:
        ShapeError: there are more or fewer colours than channels.

    Source:
        torchvision's RandomRotation.
    """

    name = "augment_random_rotation"

    degrees: float | tuple[float, float] = parameter(check=DEGREES, convert=reals)

    @property
    def draws(self) -> int:
        """The angle."""
        return 1

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Turn."""
        low, high = as_span(self.degrees)
        return self.turned(x, between(draws[0], low, high))


@functools.lru_cache(maxsize=1024)
def _grown(
    angle: float, height: int, width: int, center: tuple[float, float] | None
) -> tuple[int, int]:
    """Return the height and the width of an image that grows so that no pixel is lost."""
    gray = torch.empty((1, height, width), device="meta")
    shape = Rotate(angle, expand=True, center=center).turned(gray, angle).shape
    return shape[-2], shape[-1]


augment_rotate = operator(Rotate)
augment_random_rotation = operator(RandomRotation)
