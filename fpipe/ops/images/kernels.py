"""torchvision's functional kernels, imported when the first image needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.data.lazy.source import TensorShape
from fpipe.data.lazy.tensor import sizes_text
from fpipe.io.torchvision import torchvision

_COLOURS = (1, 3, 4)
_MOST = 4
"""Channels of usual images: gray, colours, colours and alpha."""


def kernels() -> Any:
    """Return ``torchvision.transforms.v2.functional``."""
    return torchvision("transforms.v2.functional")


def kernel(name: str) -> Callable[..., Tensor]:
    """Return one of torchvision's functional kernels, which takes ``[…, channels, height, width]``.

    Args:
        name: such as ``"resize"``.
    """
    found: Callable[..., Tensor] = getattr(kernels(), name)
    return found


def image_shape(shape: TensorShape, *, what: str) -> tuple[int | None, int | None, int | None]:
    """Return channels, height and width of a row; all unknown where nothing is known.

    Raises:
        ShapeError: a row is no image, or seems to have its channels last.
    """
    if shape is None:
        return (None, None, None)
    if len(shape) != 3:
        raise ShapeError(
            f"{what} works on images.",
            expected="rows of [channels, height, width]",
            got=sizes_text(shape),
            fix="bring the rows to that shape first, e.g. with ops.trafo_reshape((1, 28, 28))",
        )
    channels, _, last = shape
    if channels is not None and channels > _MOST < (shape[1] or 0) and last in _COLOURS:
        raise ShapeError(
            f"{what} takes the first size for channels, and here the last one seems to be that.",
            expected="rows of [channels, height, width]",
            got=f"{sizes_text(shape)}, perhaps [height, width, channels]",
            fix="ops.trafo_map(lambda x: x.movedim(-1, 0)), or array.transpose(0, 3, 1, 2)",
        )
    return shape
