"""Images seen from elsewhere."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.parameter import number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import PER_CHANNEL, WARPING, check_channels, reals
from fpipe.ops.images.drawing import below
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation

Corners = list[list[int]]


@descriptor
class RandomPerspective(ImageOp, Augmentation):
    """Show some images in a perspective that is drawn; those of one row or column stay.

    Args:
        distortion_scale: how far the corners move inwards at most, as a part of the way to the
            middle.
        p: the probability.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill: the colour of what comes from outside of the image: a number, or one per channel.

    Raises:
        ShapeError: there are more or fewer colours than channels.

    Source:
        torchvision's RandomPerspective.
    """

    name = "augment_random_perspective"

    distortion_scale: float = parameter(default=0.5, check=number(0.0, 1.0), convert=real)
    p: float = parameter(default=0.5, check=number(0.0, 1.0), convert=real)
    interpolation: str = parameter(default="bilinear", check=WARPING)
    fill: float | tuple[float, ...] = parameter(default=0.0, check=PER_CHANNEL, convert=reals)

    @property
    def draws(self) -> int:
        """Whether, and x and y of four corners."""
        return 9

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        return check_channels(self.name, self.fill, channels, "fill"), height, width

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Move the corners of the rows whose number is below p."""
        height, width = x.shape[-2:]
        if draws[0] >= self.p or min(height, width) < 2:
            return x
        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return kernel("perspective")(
            x,
            start,
            self._moved(start, height, width, draws[1:].reshape(4, 2)),
            interpolation=self.interpolation,
            fill=self.fill,
        )

    def _moved(self, start: Corners, height: int, width: int, draws: Draws) -> Corners:
        """Return where the corners move to."""
        reach = [int(self.distortion_scale * (size // 2)) + 1 for size in (width, height)]
        return [
            [_inwards(at, n, u) for at, n, u in zip(corner, reach, us, strict=True)]
            for corner, us in zip(start, draws, strict=True)
        ]


def _inwards(at: int, reach: int, draw: float) -> int:
    """Return a place at most ``reach - 1`` pixels away from an end of an axis."""
    first = at - reach + 1 if at else 0
    return first + below(draw, reach)


augment_random_perspective = operator(RandomPerspective)
