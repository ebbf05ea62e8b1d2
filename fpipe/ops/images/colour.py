"""Brightness, contrast and colour of images."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from fpipe.core.errors import DataError, ShapeError
from fpipe.core.parameter import number, parameter, real
from fpipe.core.value import descriptor
from fpipe.data.lazy.source import Values
from fpipe.graph.operator import operator
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size, wrong_dtype


@descriptor
class ColourOp(ImageOp):
    """An operator on the colours of images: uint8 from 0 to 255, or floats from 0 to 1.

    Raises:
        SchemaError: the pixels are other whole numbers, whose largest value nobody knows.
        DataError: floats are no pixels from 0 to 1.
        ShapeError: an image has neither 1 channel nor 3.
    """

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        check_colours(self.name, channels)
        return channels, height, width

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """It stays."""
        if dtype != torch.uint8 and not dtype.is_floating_point:
            raise wrong_dtype(
                self.name,
                dtype,
                expected="pixels as uint8 from 0 to 255, or as floats from 0 to 1",
                fix="make the column of np.uint8",
            )
        return super().typed_as(dtype)

    def batch(self, x: Tensor, draws: Draws) -> Values:
        """Check the range of the pixels, and map rows of one shape."""
        check_range(self.name, x)
        return super().batch(x, draws)

    def row(self, x: Tensor, draws: Draws) -> Tensor:
        """Check the range of the pixels, and map one row."""
        check_range(self.name, x)
        return super().row(x, draws)


def check_range(what: str, x: Tensor) -> None:
    """Raise DataError where floats are surely no pixels from 0 to 1; kernels would cut them off."""
    if x.is_floating_point() and x.numel() and float(x.max()) > _MOST:
        raise DataError(
            f"{what} takes floats for pixels from 0 to 1.",
            expected="numbers from 0 to 1, or uint8 from 0 to 255",
            got=f"{float(x.max()):g}",
            fix="put ops.trafo_map(lambda x: x / 255) before it, or ops.trafo_normalize(...) after",
        )


_MOST = 1.5
"""Interpolation may go a little beyond 1; other ranges go further."""


def check_colours(what: str, channels: Size) -> None:
    """Raise ShapeError where images are neither gray nor red, green and blue."""
    if channels not in (None, 1, 3):
        raise ShapeError(
            f"{what} works on gray images and on red, green and blue, not on {channels} channels.",
            expected="1 or 3 channels",
            got=f"{channels} channels",
            fix="take the channels apart first, e.g. with ops.trafo_map(lambda x: x[:3])",
        )


@descriptor
class Adjust(ColourOp):
    """An operator that calls one kernel with its parameters; what the adjustments share."""

    called: ClassVar[str]

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Adjust one image: means, powers and products are not the same in every grouping."""
        return kernel(self.called)(x, **self._given())

    def _given(self) -> dict[str, Any]:
        own = self.parameters()
        return {name: own[name] for name in own if name not in ("stages", "columns", "stream")}


@descriptor
class AdjustGamma(Adjust):
    """``gain * x ** gamma`` for every pixel, with the largest value as 1.

    Args:
        gamma: above 1 darkens shadows, below 1 lightens them.
        gain: the factor; what exceeds the largest value is cut off.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy([[[[0.5, 1.0]]]] * 2), "y": [1, 2]}, "y")
        >>> darker = fp.transform(ops.trafo_adjust_gamma(2.0), task, key=fp.key(0))
        >>> fp.materialize(darker.tensor("image"))[0].tolist()
        [[[0.25, 1.0]]]

    Source:
        torchvision's adjust_gamma.
    """

    name = "trafo_adjust_gamma"
    called = "adjust_gamma"

    gamma: float = parameter(check=number(0.0), convert=real)
    gain: float = parameter(default=1.0, check=number(0.0), convert=real)


@descriptor
class AdjustBrightness(Adjust):
    """Multiply every pixel; what exceeds the largest value is cut off.

    Args:
        brightness_factor: 0 gives black, 1 the image.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's adjust_brightness.
    """

    name = "trafo_adjust_brightness"
    called = "adjust_brightness"

    brightness_factor: float = parameter(check=number(0.0), convert=real)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Multiply all rows: one product is the same in every grouping."""
        return kernel(self.called)(x, **self._given())

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Multiply one image."""
        return self.together(x, draws)


@descriptor
class AdjustContrast(Adjust):
    """Blend every image with the mean of its gray values.

    Args:
        contrast_factor: 0 gives that mean, 1 the image; above 1 contrast grows.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's adjust_contrast.
    """

    name = "trafo_adjust_contrast"
    called = "adjust_contrast"

    contrast_factor: float = parameter(check=number(0.0), convert=real)


@descriptor
class AdjustSaturation(Adjust):
    """Blend every image with its gray values; gray images stay.

    Args:
        saturation_factor: 0 gives the gray image, 1 the image; above 1 colours grow stronger.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's adjust_saturation.
    """

    name = "trafo_adjust_saturation"
    called = "adjust_saturation"

    saturation_factor: float = parameter(check=number(0.0), convert=real)


@descriptor
class AdjustHue(Adjust):
    """Turn the hue of every pixel; gray images stay.

    Args:
        hue_factor: by which part of the circle of colours, from -0.5 to 0.5.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> red = fp.lazy([[[[1.0]], [[0.0]], [[0.0]]]] * 2)
        >>> task = fp.regression({"image": red, "y": [1, 2]}, "y")
        >>> cyan = fp.transform(ops.trafo_adjust_hue(0.5), task, key=fp.key(0))
        >>> fp.materialize(cyan.tensor("image"))[0].flatten().tolist()
        [0.0, 1.0, 1.0]

    Source:
        torchvision's adjust_hue.
    """

    name = "trafo_adjust_hue"
    called = "adjust_hue"

    hue_factor: float = parameter(check=number(-0.5, 0.5), convert=real)


@descriptor
class AdjustSharpness(Adjust):
    """Blend every image with itself smoothed; images of 2 pixels or fewer in a side stay.

    Args:
        sharpness_factor: 0 gives the smoothed image, 1 the image; above 1 it gets sharper.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's adjust_sharpness.
    """

    name = "trafo_adjust_sharpness"
    called = "adjust_sharpness"

    sharpness_factor: float = parameter(check=number(0.0), convert=real)


trafo_adjust_gamma = operator(AdjustGamma)
trafo_adjust_brightness = operator(AdjustBrightness)
trafo_adjust_contrast = operator(AdjustContrast)
trafo_adjust_saturation = operator(AdjustSaturation)
trafo_adjust_hue = operator(AdjustHue)
trafo_adjust_sharpness = operator(AdjustSharpness)
