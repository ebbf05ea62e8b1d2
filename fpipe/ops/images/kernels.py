"""torchvision's functional kernels, imported when the first image needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.data.lazy.source import TensorShape
from fpipe.data.lazy.tensor import sizes_text
from fpipe.io.torchvision import torchvision


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
        ShapeError: a row is no image.
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
    return shape
