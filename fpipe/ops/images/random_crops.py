"""Parts of images at places that are drawn."""

from __future__ import annotations

import math

from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import as_tuple, boolean, one_of, optional, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import (
    PADDING_MODES,
    PER_CHANNEL,
    RESIZING,
    SIZE,
    check_channels,
    check_fill,
    pair,
    reals,
    span,
)
from fpipe.ops.images.drawing import below, between
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.padding import PADDING, borders, check_mirror, padded
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation

TRIES = 10
"""How often a rectangle is drawn before one is taken that always fits."""


@descriptor
class RandomCrop(ImageOp, Augmentation):
    """Cut a rectangle of one size out of every image, at a place that is drawn.

    Args:
        size: height and width; one number is both.
        padding: a border put around the image first; as in `trafo_pad`.
        pad_if_needed: whether an image that is too small gets as much on both sides as it lacks.
        fill: the colour of the border.
        padding_mode: what the border is made of; as in `trafo_pad`.

    Raises:
        ParameterError: a colour for each channel is given where the border has none.
        ShapeError: an image is too small.

    Source:
        torchvision's RandomCrop.
    """

    name = "augment_random_crop"
    by_channel = True

    size: int | tuple[int, int] = parameter(check=SIZE, convert=as_tuple)
    padding: int | tuple[int, ...] | None = parameter(
        default=None, check=optional(PADDING), convert=as_tuple
    )
    pad_if_needed: bool = parameter(default=False, check=boolean())
    fill: float | tuple[float, ...] = parameter(default=0.0, check=PER_CHANNEL, convert=reals)
    padding_mode: str = parameter(default="constant", check=one_of(*PADDING_MODES))

    def __attrs_post_init__(self) -> None:
        check_fill(self.name, self.fill, self.padding_mode)

    @property
    def draws(self) -> int:
        """Top and left."""
        return 2

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """The size that was asked for."""
        rows, columns = pair(self.size)
        left, top, right, bottom = borders(self.padding or 0)
        self._border("height", height, rows, (top, bottom))
        self._border("width", width, columns, (left, right))
        if self.padding is not None or self.pad_if_needed:
            channels = check_channels(self.name, self.fill, channels, "fill")
        return channels, rows, columns

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Pad where that is wanted, then cut."""
        rows, columns = pair(self.size)
        left, top, right, bottom = borders(self.padding or 0)
        top, bottom = self._border("height", x.shape[-2], rows, (top, bottom))
        left, right = self._border("width", x.shape[-1], columns, (left, right))
        if any((left, top, right, bottom)):
            x = padded(x, (left, top, right, bottom), self.fill, self.padding_mode)
        down = below(draws[0], x.shape[-2] - rows + 1)
        across = below(draws[1], x.shape[-1] - columns + 1)
        return kernel("crop")(x, down, across, rows, columns)

    def _border(
        self, axis: str, size: Size, wanted: int, border: tuple[int, int]
    ) -> tuple[int, int]:
        """Return the border at both ends of an axis; an image that stays too small is refused."""
        if size is None:
            return border
        short = max(wanted - size - sum(border), 0)
        if short and not self.pad_if_needed:
            raise ShapeError(
                f"{self.name} cuts {wanted} pixels out of images with a {axis} of {size}.",
                expected=f"a {axis} of at least {wanted - sum(border)}",
                got=f"a {axis} of {size}",
                fix=f"ops.{self.name}({self.size}, pad_if_needed=True), or a smaller size",
            )
        border = (border[0] + short, border[1] + short)
        check_mirror(self.name, self.padding_mode, axis, size, max(border))
        return border


@descriptor
class RandomResizedCrop(ImageOp, Augmentation):
    """Cut a rectangle of random size and proportion out of every image, and resize it.

    Args:
        size: height and width afterwards; one number is both.
        scale: smallest and largest part of the image's area that is cut out.
        ratio: smallest and largest width of the rectangle, divided by its height.
        interpolation: as in `trafo_resize`.
        antialias: likewise.

    Raises:
        ShapeError: a row is no image.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.image_files(["a.jpg", "b.jpg"]), "y": [1, 2]}, "y")
        >>> graph = ops.augment_random_resized_crop(64) >> ops.trafo_resize((64, 64))
        >>> fp.transform(graph, task, key=fp.key(0)).tensor("image")
        LazyTensor (2 rows, uint8 [3, 64, 64])

    Source:
        torchvision's RandomResizedCrop: ten rectangles are drawn, and where none of them lies
        within the image, the largest one in its middle is taken; Szegedy et al. (2015), "Going
        deeper with convolutions".
    """

    name = "augment_random_resized_crop"
    by_channel = True

    size: int | tuple[int, int] = parameter(check=SIZE, convert=as_tuple)
    scale: tuple[float, float] = parameter(
        default=(0.08, 1.0), check=span(0.0, above=True), convert=reals
    )
    ratio: tuple[float, float] = parameter(
        default=(3.0 / 4.0, 4.0 / 3.0), check=span(0.0, above=True), convert=reals
    )
    interpolation: str = parameter(default="bilinear", check=RESIZING)
    antialias: bool = parameter(default=True, check=boolean())

    @property
    def draws(self) -> int:
        """Area and proportion for each try, then top and left."""
        return 2 * TRIES + 2

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """The size that was asked for."""
        return channels, *pair(self.size)

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Cut and resize."""
        return kernel("resized_crop")(
            x,
            *self.box(x.shape[-2], x.shape[-1], draws),
            list(pair(self.size)),
            interpolation=self.interpolation,
            antialias=self.antialias,
        )

    def box(self, height: int, width: int, draws: Draws) -> tuple[int, int, int, int]:
        """Return top, left, height and width of the rectangle."""
        low, high = map(math.log, self.ratio)
        for of_area, of_ratio in draws[: 2 * TRIES].reshape(TRIES, 2):
            area = height * width * between(of_area, *self.scale)
            ratio = math.exp(between(of_ratio, low, high))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                return below(draws[-2], height - h + 1), below(draws[-1], width - w + 1), h, w
        return self._middle(height, width)

    def _middle(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the largest rectangle in the middle whose proportion is accepted."""
        low, high = self.ratio
        h, w = height, width
        if width / height < low:
            h = max(round(width / low), 1)
        elif width / height > high:
            w = max(round(height * high), 1)
        return (height - h) // 2, (width - w) // 2, h, w


augment_random_crop = operator(RandomCrop)
augment_random_resized_crop = operator(RandomResizedCrop)
