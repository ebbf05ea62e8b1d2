"""Images without colours."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.parameter import number, one_of, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.colour import check_colours
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation


@descriptor
class Grayscale(ImageOp):
    """Replace colours by gray values, ``0.2989 red + 0.587 green + 0.114 blue``.

    Args:
        num_output_channels: 1, or 3 equal ones.

    Raises:
        ShapeError: an image has neither 1 channel nor 3.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> pixels = fp.lazy([[[[1.0]], [[0.0]], [[0.0]]]] * 2)
        >>> task = fp.regression({"image": pixels, "y": [1, 2]}, "y")
        >>> gray = fp.transform(ops.trafo_grayscale(), task, key=fp.key(0))
        >>> round(fp.materialize(gray.tensor("image"))[0].item(), 4)
        0.2989

    Source:
        torchvision's Grayscale.
    """

    name = "trafo_grayscale"

    num_output_channels: int = parameter(default=1, check=one_of(1, 3))

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """As many channels as were asked for."""
        check_colours(self.name, channels)
        return self.num_output_channels, height, width

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Mix the channels."""
        return gray(x, self.num_output_channels)


@descriptor
class RGBToGrayscale(ImageOp):
    """Replace colours by gray values in one channel, as `trafo_grayscale` does.

    Raises:
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's rgb_to_grayscale.
    """

    name = "trafo_rgb_to_grayscale"

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """One channel is left."""
        check_colours(self.name, channels)
        return 1, height, width

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Mix the channels."""
        return gray(x, 1)


@descriptor
class RandomGrayscale(ImageOp, Augmentation):
    """Replace the colours of some images by gray values; they keep their channels.

    Args:
        p: the probability.

    Raises:
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's RandomGrayscale.
    """

    name = "augment_random_grayscale"

    p: float = parameter(default=0.1, check=number(0.0, 1.0), convert=real)

    @property
    def draws(self) -> int:
        """Whether."""
        return 1

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        check_colours(self.name, channels)
        return channels, height, width

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Mix the channels of the rows whose number is below p."""
        return gray(x, x.shape[0]) if draws[0] < self.p else x


def gray(x: Tensor, channels: int) -> Tensor:
    """Return the gray values of one image in some channels, each in memory of its own."""
    return kernel("rgb_to_grayscale")(x, num_output_channels=channels).contiguous()


trafo_grayscale = operator(Grayscale)
trafo_rgb_to_grayscale = operator(RGBToGrayscale)
augment_random_grayscale = operator(RandomGrayscale)
