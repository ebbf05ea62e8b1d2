"""Batch normalisation."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import DataError, ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Applied, Layer, Tensors
from fpipe.net.shape import Shape, check_ndim, shown


@descriptor
class BatchNorm(Layer):
    """Normalise each feature by the batch while training, by running statistics otherwise.

    Args:
        features: size of dimension 1.
        eps: added to the variance, in its unit.
        momentum: weight of the newest batch in the running statistics, in [0, 1].
        affine: whether a weight and a bias per feature are learned.
        track_running_stats: whether running statistics are kept.

    Source:
        Ioffe and Szegedy 2015; numbers as torch.nn.BatchNorm1d to BatchNorm3d.
    """

    dims: ClassVar[tuple[int, ...]]

    features: int
    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True
    track_running_stats: bool = True

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Keep the shape."""
        (shape,) = inputs
        check_ndim(shape, self.dims, what=self.name)
        if shape[1] not in (None, self.features):
            raise ShapeError(
                f"{self.name} was made for {self.features} features.",
                expected=f"a size of {self.features} in dimension 1",
                got=shown(shape),
            )
        return ((shape[0], self.features, *shape[2:]),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Ones and zeros."""
        del key
        ones, zeros = torch.ones(self.features), torch.zeros(self.features)
        params = {"weight": ones.clone(), "bias": zeros.clone()} if self.affine else {}
        buffers = {"running_mean": zeros, "running_var": ones} if self.track_running_stats else {}
        return params, buffers

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Normalise; the running statistics that leave are new tensors."""
        del draws
        new = {name: tensor.clone() for name, tensor in buffers.items()} if training else buffers
        out = F.batch_norm(
            inputs[0],
            new.get("running_mean"),
            new.get("running_var"),
            params.get("weight"),
            params.get("bias"),
            training or not self.track_running_stats,
            self.momentum,
            self.eps,
        )
        return (out,), new

    def check(self, inputs: tuple[Tensor, ...], training: bool) -> None:
        """Raise DataError for a training batch with one value per feature."""
        (x,) = inputs
        if training and x.numel() == x.shape[1]:
            raise DataError(
                f"{self.name} cannot normalise a training batch of one row.",
                expected="at least 2 values per feature",
                got=shown(tuple(x.shape)),
                fix="use another batch_size, or nn.model(..., drop_last=True)",
            )


@descriptor
class BatchNorm1d(BatchNorm):
    """Normalise ``[batch, features]`` or ``[batch, features, length]``."""

    name = "batch_norm1d"
    dims = (2, 3)


@descriptor
class BatchNorm2d(BatchNorm):
    """Normalise ``[batch, channels, height, width]``."""

    name = "batch_norm2d"
    dims = (4,)


@descriptor
class BatchNorm3d(BatchNorm):
    """Normalise ``[batch, channels, depth, height, width]``."""

    name = "batch_norm3d"
    dims = (5,)
