"""Images with a part missing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fpipe.core.key import key
from fpipe.core.parameter import Check, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import PER_CHANNEL, check_channels, is_numbers, reals, span
from fpipe.ops.images.drawing import below, between
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size, check_colour, wrong_dtype
from fpipe.ops.lazy_op import Augmentation

TRIES = 10
"""How often a rectangle is drawn before the image is left as it is."""


@descriptor
class RandomErasing(ImageOp, Augmentation):
    """Replace a rectangle of random size, proportion and place in some images.

    Args:
        p: the probability.
        scale: smallest and largest part of the image's area.
        ratio: smallest and largest height of the rectangle, divided by its width.
        value: what is put there: a number, one per channel, or ``"random"`` for normal numbers
            in every pixel.

    Raises:
        SchemaError: normal numbers are to be put between whole ones.
        ShapeError: there are more or fewer values than channels.

    Example:
        >>> import fpipe as fp
        >>> import torch
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy(torch.ones(2, 1, 8, 8)), "y": [1, 2]}, "y")
        >>> graph = ops.augment_random_erasing(1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0))
        >>> erased = fp.transform(graph, task, key=fp.key(0)).tensor("image")
        >>> fp.materialize(erased).sum((1, 2, 3)).tolist()
        [48.0, 48.0]

    Source:
        torchvision's RandomErasing; Zhong et al. (2020), "Random erasing data augmentation".
    """

    name = "augment_random_erasing"

    p: float = parameter(default=0.5, check=number(0.0, 1.0), convert=real)
    scale: tuple[float, float] = parameter(
        default=(0.02, 0.33), check=span(0.0, 1.0), convert=reals
    )
    ratio: tuple[float, float] = parameter(
        default=(0.3, 3.3), check=span(0.0, above=True), convert=reals
    )
    value: float | tuple[float, ...] | str = parameter(
        default=0.0,
        check=Check(f"{PER_CHANNEL.words}, or 'random'", lambda x: is_numbers(x) or x == "random"),
        convert=reals,
    )

    @property
    def draws(self) -> int:
        """Whether; area and proportion for each try; top and left; and the normal numbers."""
        return 2 * TRIES + 4

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        if not isinstance(self.value, str):
            channels = check_channels(self.name, self.value, channels, "value")
        return channels, height, width

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """It stays."""
        if self.value == "random" and not dtype.is_floating_point:
            raise wrong_dtype(
                f"{self.name} with normal numbers",
                dtype,
                expected="floats, or a value",
                fix="put ops.trafo_to_float() first",
            )
        check_colour(self.name, self.value, dtype)
        return dtype

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Erase, in a copy, where the first number is below p."""
        box = self.box(x.shape[-2], x.shape[-1], draws) if draws[0] < self.p else None
        if box is None:
            return x
        return kernel("erase")(x, *box, self._patch(x, box[2], box[3], draws[-1]))

    def box(self, height: int, width: int, draws: Draws) -> tuple[int, int, int, int] | None:
        """Return top, left, height and width of the rectangle; None where none lies within."""
        low, high = map(math.log, self.ratio)
        for of_area, of_ratio in draws[1 : 2 * TRIES + 1].reshape(TRIES, 2):
            area = height * width * between(of_area, *self.scale)
            ratio = math.exp(between(of_ratio, low, high))
            h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if h < height and w < width:
                return below(draws[-3], height - h + 1), below(draws[-2], width - w + 1), h, w
        return None

    def _patch(self, x: Tensor, height: int, width: int, draw: float) -> Tensor:
        if isinstance(self.value, str):
            # A number has 53 bits: enough to tell the normal numbers of one row from another's.
            numbers = key(int(draw * 2**53)).numpy()
            noise = numbers.standard_normal((x.shape[0], height, width))
            return torch.from_numpy(noise).to(x.dtype)
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        dtype = x.dtype if x.is_floating_point() else torch.float32
        return torch.tensor(values, dtype=dtype)[:, None, None]


augment_random_erasing = operator(RandomErasing)
