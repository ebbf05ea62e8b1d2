"""What operators on the tensors of a lazy column share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.errors import ParameterError, SchemaError
from fpipe.core.value import descriptor
from fpipe.data.lazy.source import TensorShape, Values, stacked
from fpipe.ops.images.kernels import image_shape
from fpipe.ops.lazy_op import LazyOp

Draws = NDArray[np.float64]
"""Uniform numbers from ``[0, 1)``: ``[rows, draws]``, or ``[draws]`` of one row."""

Size = int | None
"""A number of channels, rows or columns of pixels; None where it is not known."""


@descriptor
class TensorOp(LazyOp):
    """An operator that checks the rows it is given as it checks what is known of them before.

    A class says what it does to rows of one shape (`together`) or to one row (`alone`). The
    first is for kernels that give each row the same bits in every grouping. Sums over pixels depend
    on how these lie in memory, so a row comes in one order, unless the class says that it works on
    each channel by itself.
    """

    by_channel: ClassVar[bool] = False

    def together(self, x: Tensor, draws: Draws) -> Values:
        """Return rows of one shape, ``[rows, …]``, mapped; by default one by one."""
        return stacked([self._alone(one, u) for one, u in zip(x, draws, strict=True)])

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Return one row mapped; by default as a batch of one."""
        return self.together(x[None], draws[None])[0]

    def batch(self, x: Tensor, draws: Draws) -> Values:
        """Check, and map rows of one shape; no rows stay no rows, of the shape to come."""
        shape, dtype = self.shaped(tuple(x.shape[1:])), self.typed_as(x.dtype)
        if not len(x):
            return x.new_empty((0, *(n or 0 for n in shape or ())), dtype=dtype)
        return self.together(x, draws)

    def row(self, x: Tensor, draws: Draws) -> Tensor:
        """Check, and map one row."""
        self.shaped(tuple(x.shape))
        self.typed_as(x.dtype)
        return self._alone(x, draws)

    def _alone(self, x: Tensor, draws: Draws) -> Tensor:
        return self.alone(x if self.by_channel else x.contiguous(), draws)


@descriptor
class ImageOp(TensorOp):
    """An operator on images, ``[channels, height, width]``."""

    def shaped(self, shape: TensorShape) -> TensorShape:
        """Return channels, height and width, as far as they are known."""
        return self.sized(*image_shape(shape, what=self.name))

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """It stays; a colour that is put in must be one of that dtype."""
        check_colour(self.name, getattr(self, "fill", None), dtype)
        return dtype

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """Return channels, height and width afterwards; by default they stay."""
        return channels, height, width


def check_colour(what: str, colour: Any, dtype: torch.dtype) -> None:
    """Raise ParameterError where a colour cannot be put among pixels of a dtype."""
    values = colour if isinstance(colour, tuple) else (colour,)
    numbers = [x for x in values if isinstance(x, int | float)]
    if dtype == torch.uint8 and any(x != int(x) or not 0 <= x <= 255 for x in numbers):
        raise ParameterError(
            f"{what} cannot put the colour {colour} among pixels of uint8.",
            expected="whole numbers from 0 to 255",
            got=repr(colour),
            fix="give the colour from 0 to 255, or put ops.trafo_to_float() first",
        )


def one_shape(shapes: set[TensorShape]) -> TensorShape:
    """Return what is known of a shape that is one of several.

    Example:
        >>> one_shape({(3, 8, 8), (3, 4, None)}), one_shape({(3, 8), (3,)})
        ((3, None, None), None)
    """
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({len(shape) for shape in known}) != 1:
        return None
    return tuple(n[0] if len(set(n)) == 1 else None for n in zip(*known, strict=True))


def wrong_dtype(what: str, dtype: torch.dtype, *, expected: str, fix: str) -> SchemaError:
    """Return the error for tensors of a dtype that cannot be worked on."""
    got = str(dtype).removeprefix("torch.")
    return SchemaError(f"{what} cannot work on {got}.", expected=expected, got=got, fix=fix)
