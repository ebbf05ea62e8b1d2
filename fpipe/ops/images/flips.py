"""Mirroring images."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.parameter import number, parameter, real
from fpipe.core.value import descriptor
from fpipe.data.lazy.source import TensorShape
from fpipe.graph.operator import operator
from fpipe.ops.images.kernels import image_shape
from fpipe.ops.lazy_op import Augmentation


@descriptor
class Flip(Augmentation):
    """Mirror every image; what the flips share.

    Raises:
        ShapeError: a row is no image.
    """

    dim: ClassVar[int]

    def shaped(self, shape: TensorShape) -> TensorShape:
        """The shape stays."""
        image_shape(shape, what=self.name)
        return shape

    def batch(self, x: Tensor, draws: NDArray[np.float64]) -> Tensor:
        """Mirror all rows."""
        return x.flip(self.dim)


@descriptor
class HorizontalFlip(Flip):
    """Mirror every image left to right."""

    name = "augment_hflip"
    dim = -1


@descriptor
class VerticalFlip(Flip):
    """Mirror every image top to bottom."""

    name = "augment_vflip"
    dim = -2


@descriptor
class RandomFlip(Flip):
    """Mirror some images; what the random flips share."""

    p: float = parameter(default=0.5, check=number(0.0, 1.0), convert=real)

    @property
    def draws(self) -> int:
        """Whether."""
        return 1

    def batch(self, x: Tensor, draws: NDArray[np.float64]) -> Tensor:
        """Mirror the rows whose number is below p."""
        return self.within(x.clone(), draws, None)

    def within(self, x: Tensor, draws: NDArray[np.float64], memory: Tensor | None) -> Tensor:
        """Mirror those rows where they are."""
        for row in np.flatnonzero(draws[:, 0] < self.p):
            x[row] = x[row].flip(self.dim)
        return x


@descriptor
class RandomHorizontalFlip(RandomFlip):
    """Mirror images left to right, each with probability ``p``.

    Args:
        p: the probability.

    Raises:
        ShapeError: a row is no image.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> pixels = [[[[1, 2, 3]]], [[[4, 5, 6]]]]
        >>> task = fp.regression({"image": fp.lazy(pixels), "y": [1, 2]}, "y")
        >>> flipped = fp.transform(ops.augment_random_horizontal_flip(1.0), task, key=fp.key(0))
        >>> fp.materialize(flipped.tensor("image")).tolist()
        [[[[3, 2, 1]]], [[[6, 5, 4]]]]
    """

    name = "augment_random_horizontal_flip"
    dim = -1


@descriptor
class RandomVerticalFlip(RandomFlip):
    """Mirror images top to bottom, each with probability ``p``.

    Args:
        p: the probability.

    Raises:
        ShapeError: a row is no image.
    """

    name = "augment_random_vertical_flip"
    dim = -2


augment_hflip = operator(HorizontalFlip)
augment_vflip = operator(VerticalFlip)
augment_random_horizontal_flip = operator(RandomHorizontalFlip)
augment_random_vertical_flip = operator(RandomVerticalFlip)
