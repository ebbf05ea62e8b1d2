"""Parts of images at places that are given."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import as_tuple, boolean, integer, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import RESIZING, SIZE, pair
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.resizing import resized
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation


@descriptor
class Cropping(ImageOp):
    """Cut a rectangle out of every image; what such operators share.

    Args:
        top: the first row of pixels, from 0.
        left: the first column.
        height: how many rows.
        width: how many columns.

    Raises:
        ShapeError: the rectangle leaves the image.
    """

    top: int = parameter(check=integer(0))
    left: int = parameter(check=integer(0))
    height: int = parameter(check=integer(1))
    width: int = parameter(check=integer(1))

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """The size of the rectangle."""
        self._within("height", "top", self.top, self.height, height)
        self._within("width", "left", self.left, self.width, width)
        return channels, self.height, self.width

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Cut all rows."""
        return kernel("crop")(x, self.top, self.left, self.height, self.width)

    def _within(self, axis: str, start: str, at: int, length: int, size: Size) -> None:
        if size is not None and at + length > size:
            raise ShapeError(
                f"{self.name} leaves images with a {axis} of {size}.",
                expected=f"{start} + {axis} of at most {size}",
                got=f"{start}={at} and {axis}={length}, which end at {at + length}",
                fix=f"take a smaller {axis} or {start}, or put ops.trafo_pad(...) first",
            )


@descriptor
class Crop(Cropping):
    """Cut the same rectangle out of every image.

    Args:
        top: the first row of pixels, from 0.
        left: the first column.
        height: how many rows.
        width: how many columns.

    Raises:
        ShapeError: the rectangle leaves the image.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> pixels = fp.lazy([[[[1, 2, 3], [4, 5, 6]]]] * 2)
        >>> task = fp.regression({"image": pixels, "y": [1, 2]}, "y")
        >>> cut = fp.transform(ops.trafo_crop(0, 1, 2, 2), task, key=fp.key(0))
        >>> fp.materialize(cut.tensor("image"))[0].tolist()
        [[[2, 3], [5, 6]]]

    Source:
        torchvision's crop, which fills with 0 what lies outside of the image.
    """

    name = "trafo_crop"


@descriptor
class CropTraining(Cropping, Augmentation):
    """Cut the same rectangle out of every image that is learned from; as `trafo_crop` does.

    Raises:
        ShapeError: the rectangle leaves the image.
    """

    name = "augment_crop"


@descriptor
class CenterCropping(ImageOp):
    """Cut the middle out of every image; what such operators share.

    Args:
        size: height and width; one number is both.
    """

    size: int | tuple[int, int] = parameter(check=SIZE, convert=as_tuple)

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """The size that was asked for."""
        return channels, *pair(self.size)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Cut all rows."""
        return kernel("center_crop")(x, list(pair(self.size)))


@descriptor
class CenterCrop(CenterCropping):
    """Cut the middle out of every image; a smaller one gets a border of zeros first.

    Args:
        size: height and width; one number is both.

    Raises:
        ShapeError: a row is no image.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy([[[[1, 2, 3]]]] * 2), "y": [1, 2]}, "y")
        >>> cut = fp.transform(ops.trafo_center_crop(1), task, key=fp.key(0))
        >>> fp.materialize(cut.tensor("image"))[0].tolist()
        [[[2]]]

    Source:
        torchvision's CenterCrop.
    """

    name = "trafo_center_crop"


@descriptor
class CenterCropTraining(CenterCropping, Augmentation):
    """Cut the middle out of images that are learned from; as `trafo_center_crop` does.

    Raises:
        ShapeError: a row is no image.
    """

    name = "augment_center_crop"


@descriptor
class ResizedCrop(Cropping, Augmentation):
    """Cut the same rectangle out of every image, and resize it.

    Args:
        top: the first row of pixels, from 0.
        left: the first column.
        height: how many rows.
        width: how many columns.
        size: height and width afterwards; one number is the shorter side.
        interpolation: as in `trafo_resize`.
        antialias: likewise.

    Raises:
        ShapeError: the rectangle leaves the image.

    Source:
        torchvision's resized_crop.
    """

    name = "augment_resized_crop"

    size: int | tuple[int, int] = parameter(check=SIZE, convert=as_tuple)
    interpolation: str = parameter(default="bilinear", check=RESIZING)
    antialias: bool = parameter(default=True, check=boolean())

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """The size afterwards."""
        Cropping.sized(self, channels, height, width)
        return channels, *resized(self.size, self.height, self.width)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Cut and resize all rows."""
        size = self.size if isinstance(self.size, int) else list(self.size)
        return kernel("resized_crop")(
            x,
            self.top,
            self.left,
            self.height,
            self.width,
            size,
            interpolation=self.interpolation,
            antialias=self.antialias,
        )


trafo_crop = operator(Crop)
augment_crop = operator(CropTraining)
trafo_center_crop = operator(CenterCrop)
augment_center_crop = operator(CenterCropTraining)
augment_resized_crop = operator(ResizedCrop)
