"""Tensors of any kind: another shape, another dtype, another scale."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.parameter import Check, as_tuple, boolean, integer, parameter
from fpipe.core.value import descriptor
from fpipe.data.lazy.source import TensorShape, Values
from fpipe.data.lazy.tensor import sizes_text
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import PER_CHANNEL, check_channels, reals
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size, TensorOp, wrong_dtype
from fpipe.ops.lazy_op import LazyOp


@descriptor
class Nop(LazyOp):
    """Leave every row as it is, to hold the place of another operator."""

    name = "trafo_nop"

    def batch(self, x: Tensor, draws: Draws) -> Tensor:
        """Leave the rows."""
        return x


def _is_shape(x: Any) -> bool:
    size = integer(1)
    whole = isinstance(x, tuple) and all(n == -1 or size.accepts(n) for n in x)
    return whole and x.count(-1) <= 1 and not any(isinstance(n, bool | float) for n in x)


@descriptor
class ReshapeRows(TensorOp):
    """Give every row another shape, with the same elements in the same order.

    Args:
        shape: the shape of a row; one size may be -1, which stands for what is left.

    Raises:
        ShapeError: a row has another number of elements.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": fp.lazy([[1, 2, 3, 4]] * 2), "y": [1, 2]}, "y")
        >>> fp.transform(ops.trafo_reshape((2, -1)), task, key=fp.key(0)).tensor("x")
        LazyTensor (2 rows, int64 [2, 2])
    """

    name = "trafo_reshape"

    shape: tuple[int, ...] = parameter(
        check=Check("sizes of at least 1, one of which may be -1", _is_shape), convert=as_tuple
    )

    def shaped(self, shape: TensorShape) -> TensorShape:
        """The shape that was asked for; what is left follows where the row's shape is known."""
        free, wanted = -1 in self.shape, math.prod(n for n in self.shape if n != -1)
        if shape is None:
            return self._filled(None)
        known = math.prod(n for n in shape if n is not None)
        whole = None not in shape or not known
        if whole:
            fits = known % wanted == 0 if free else known == wanted
        else:
            # What is known must divide the number of elements.
            fits = free or wanted % known == 0
        if not fits:
            raise self._other(shape)
        return self._filled(known // wanted if whole else None)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Reshape all rows."""
        return x.reshape(len(x), *(n or 0 for n in self.shaped(tuple(x.shape[1:])) or ()))

    def _filled(self, left: int | None) -> TensorShape:
        return tuple(left if n == -1 else n for n in self.shape)

    def _other(self, shape: TensorShape) -> ShapeError:
        return ShapeError(
            f"{self.name} cannot give {sizes_text(shape)} the shape {list(self.shape)}.",
            expected=f"as many elements as {list(self.shape)} has",
            got=f"rows of {sizes_text(shape)}",
            fix="give a shape with as many elements, or -1 for one of its sizes",
        )


@descriptor
class ToFloat(TensorOp):
    """Turn numbers into float32; whole ones are divided by the largest of their dtype.

    Args:
        scale: whether whole numbers are divided, so that pixels from 0 to 255 lie in [0, 1].

    Raises:
        SchemaError: whole numbers with a sign are to be divided: their largest number is hardly
            the largest pixel.

    Example:
        >>> import fpipe as fp
        >>> import numpy as np
        >>> from fpipe import ops
        >>> pixels = fp.lazy(np.array([[[[0, 51, 255]]]] * 2, np.uint8))
        >>> task = fp.regression({"image": pixels, "y": [1, 2]}, "y")
        >>> task = fp.transform(ops.trafo_to_float(), task, key=fp.key(0))
        >>> [round(x, 3) for x in fp.materialize(task.tensor("image"))[0].flatten().tolist()]
        [0.0, 0.2, 1.0]

    Source:
        torchvision's ToDtype.
    """

    name = "trafo_to_float"
    light = True

    scale: bool = parameter(default=True, check=boolean())

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """It becomes float32."""
        if self.scale and dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
            raise wrong_dtype(
                self.name,
                dtype,
                expected="pixels as uint8 from 0 to 255, or scale=False",
                fix="make the column of np.uint8, or write ops.trafo_to_float(scale=False)",
            )
        return torch.float32

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Convert all rows."""
        return kernel("to_dtype")(x, torch.float32, scale=self.scale)

    def within(self, x: Tensor, draws: Draws, memory: Tensor | None) -> Values:
        """Convert pixels where they will be."""
        if memory is None or x.dtype != torch.uint8 or not self.scale or memory.shape != x.shape:
            return self.batch(x, draws)
        return memory.copy_(x).mul_(1.0 / 255.0)


@descriptor
class Normalize(ImageOp):
    """``(x - mean) / std`` for each channel of images that hold floats.

    Args:
        mean: one number, or one per channel.
        std: one number, or one per channel; above 0.

    Raises:
        ParameterError: mean and std are of different length.
        SchemaError: the pixels are whole numbers.
        ShapeError: there are more or fewer channels.

    Source:
        torchvision's Normalize.
    """

    name = "trafo_normalize"
    light = True

    mean: float | tuple[float, ...] = parameter(check=PER_CHANNEL, convert=reals)
    std: float | tuple[float, ...] = parameter(
        check=Check(
            "a number above 0, or one per channel",
            lambda x: PER_CHANNEL.accepts(x) and min(x if isinstance(x, tuple) else (x,)) > 0,
        ),
        convert=reals,
    )

    def __attrs_post_init__(self) -> None:
        counts = {len(x) for x in (self.mean, self.std) if isinstance(x, tuple) and len(x) > 1}
        if len(counts) > 1:
            raise ParameterError(
                "trafo_normalize needs a mean and a std for each channel.",
                expected="as many means as stds",
                got=f"mean={self.mean}, std={self.std}",
                fix="ops.trafo_normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))",
            )

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay; there are as many channels as means."""
        channels = check_channels(self.name, _values(self.mean), channels, "mean")
        return check_channels(self.name, _values(self.std), channels, "std"), height, width

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """It stays."""
        if not dtype.is_floating_point:
            raise wrong_dtype(
                self.name, dtype, expected="floats", fix="put ops.trafo_to_float() first"
            )
        return dtype

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Shift and scale all rows."""
        return self._normalized(x)

    def within(self, x: Tensor, draws: Draws, memory: Tensor | None) -> Tensor:
        """Shift and scale where the rows are."""
        self.shaped(tuple(x.shape[1:]))
        self.typed_as(x.dtype)
        return self._normalized(x, inplace=True)

    def _normalized(self, x: Tensor, **more: bool) -> Tensor:
        mean, std = list(_values(self.mean)), list(_values(self.std))
        return kernel("normalize")(x, mean, std, **more)


trafo_nop = operator(Nop)
trafo_reshape = operator(ReshapeRows)
trafo_to_float = operator(ToFloat)
trafo_normalize = operator(Normalize)


def _values(x: float | tuple[float, ...]) -> tuple[float, ...]:
    return x if isinstance(x, tuple) else (x,)
