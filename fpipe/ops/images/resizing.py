"""Images of another size."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.parameter import as_tuple, boolean, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import RESIZING, SIZE
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size


@descriptor
class Resize(ImageOp):
    """Resize every image.

    Args:
        size: height and width; one number is the shorter side, and the longer one keeps the
            proportion, rounded down.
        interpolation: ``"nearest"``, ``"nearest-exact"``, ``"bilinear"`` or ``"bicubic"``.
        antialias: whether pixels are averaged where the image becomes smaller, as Pillow does.

    Raises:
        ShapeError: a row is no image.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.image_files(["a.jpg", "b.jpg"]), "y": [1, 2]}, "y")
        >>> fp.transform(ops.trafo_resize((64, 48)), task, key=fp.key(0)).tensor("image")
        LazyTensor (2 rows, uint8 [3, 64, 48])

    Source:
        torchvision's Resize.
    """

    name = "trafo_resize"
    by_channel = True

    size: int | tuple[int, int] = parameter(check=SIZE, convert=as_tuple)
    interpolation: str = parameter(default="bilinear", check=RESIZING)
    antialias: bool = parameter(default=True, check=boolean())

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """The size that was asked for; one number leaves both open while one of them is."""
        return channels, *resized(self.size, height, width)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Resize all rows: the kernel works on each channel of each image by itself."""
        size = self.size if isinstance(self.size, int) else list(self.size)
        return kernel("resize")(x, size, interpolation=self.interpolation, antialias=self.antialias)


def resized(size: int | tuple[int, int], height: Size, width: Size) -> tuple[Size, Size]:
    """Return the height and the width of a resized image.

    Args:
        size: both, or the shorter side.
        height: of the image before, as far as it is known.
        width: likewise.

    Example:
        >>> resized(4, 9, 6), resized(4, None, 6), resized((4, 5), None, None)
        ((6, 4), (None, None), (4, 5))
    """
    if isinstance(size, tuple):
        return size
    if height is None or width is None:
        return None, None
    longer = int(size * max(height, width) / min(height, width))
    return (longer, size) if width <= height else (size, longer)


trafo_resize = operator(Resize)
