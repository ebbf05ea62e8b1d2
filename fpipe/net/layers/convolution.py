"""Convolutions over one, two or three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Given, Layer, Tensors, weight_and_bias
from fpipe.net.layers.windows import Sizes, check_extents, covered, image
from fpipe.net.shape import Shape, shown

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


@descriptor
class Convolution(Layer):
    """Each output channel a sum of windows of the input channels, weighted.

    Args:
        in_channels: channels that enter.
        out_channels: channels that leave.
        kernel_size: size of the window, one per dimension.
        stride: steps between windows.
        padding: pixels added before and behind, one pair per dimension.
        dilation: steps between the points of a window.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        padding_mode: what is added: ``"zeros"``, or as in torch.nn.Conv2d.

    Source:
        torch.nn.Conv1d to Conv3d, with their initialisation: uniform in ±1/sqrt(fan in).
    """

    dims: ClassVar[int]
    function: ClassVar[Callable[..., Any]]

    in_channels: int
    out_channels: int
    kernel_size: Sizes
    stride: Sizes
    padding: tuple[tuple[int, int], ...]
    dilation: Sizes
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Count the windows along every axis."""
        (shape,) = inputs
        extents = image(shape, self.dims, self.in_channels, what=self.name)
        self._check_padding(shape)
        sizes = zip(
            extents, self.kernel_size, self.stride, self.padding, self.dilation, strict=True
        )
        counts = (
            covered(n, kernel=k, stride=s, padding=sum(p), dilation=d) for n, k, s, p, d in sizes
        )
        leaving = (shape[0], self.out_channels, *counts)
        return (check_extents(self.name, shape, leaving),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw weight and bias."""
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        return weight_and_bias(key, shape, self.out_channels, bias=self.bias)

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Pad where torch's kernel cannot, and convolve."""
        alike = self.padding_mode == "zeros" and all(low == high for low, high in self.padding)
        if not alike:
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = F.pad(x, [n for pair in reversed(self.padding) for n in pair], mode=mode)
        out: Tensor = type(self).function(
            x,
            given.params["weight"],
            given.params.get("bias"),
            self.stride,
            tuple(low for low, _ in self.padding) if alike else 0,
            self.dilation,
            self.groups,
        )
        return out

    def _check_padding(self, shape: Shape) -> None:
        """Raise ShapeError where more is to be mirrored or repeated than there is."""
        spare = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if spare is None:
            return
        for n, pair in zip(shape[2:], self.padding, strict=True):
            if n is not None and max(pair) > n - spare:
                raise ShapeError(
                    f"{self.name}: padding_mode='{self.padding_mode}' needs more than there is.",
                    expected=f"a padding of at most {n - spare} for a size of {n}",
                    got=f"{pair} for {shown(shape)}",
                    fix="use padding_mode='zeros', or a smaller padding",
                )


@descriptor
class Conv1d(Convolution):
    """Convolution of ``[batch, channels, length]``."""

    name = "conv1d"
    dims = 1
    function = staticmethod(F.conv1d)


@descriptor
class Conv2d(Convolution):
    """Convolution of ``[batch, channels, height, width]``."""

    name = "conv2d"
    dims = 2
    function = staticmethod(F.conv2d)


@descriptor
class Conv3d(Convolution):
    """Convolution of ``[batch, channels, depth, height, width]``."""

    name = "conv3d"
    dims = 3
    function = staticmethod(F.conv3d)
