"""Images with a border."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import Check, as_tuple, each_of, integer, one_of, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import (
    PADDING_MODES,
    PER_CHANNEL,
    check_channels,
    check_fill,
    either,
    reals,
)
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size

_BORDER = integer(0)
PADDING: Check = either(each_of(2, _BORDER), each_of(4, _BORDER))
"""A border: one number, two (left and right, top and bottom), or left, top, right and bottom."""


@descriptor
class Pad(ImageOp):
    """Put a border around every image.

    Args:
        padding: its width in pixels: one number, two for left and right and for top and bottom,
            or four for left, top, right and bottom.
        fill: its colour: a number, or one per channel.
        padding_mode: ``"constant"`` for the colour, ``"edge"`` for the nearest pixel,
            ``"reflect"`` for the image mirrored at its last pixels, or ``"symmetric"`` for the
            image mirrored at its edges.

    Raises:
        ParameterError: a colour for each channel is given where the border has none.
        ShapeError: an image is too small to be mirrored so far, or has other channels.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy([[[[1.0, 2.0]]]] * 2), "y": [1, 2]}, "y")
        >>> padded = fp.transform(ops.trafo_pad((1, 0, 2, 0), fill=9), task, key=fp.key(0))
        >>> fp.materialize(padded.tensor("image"))[0].tolist()
        [[[9.0, 1.0, 2.0, 9.0, 9.0]]]

    Source:
        torchvision's Pad.
    """

    name = "trafo_pad"

    padding: int | tuple[int, ...] = parameter(check=PADDING, convert=as_tuple)
    fill: float | tuple[float, ...] = parameter(default=0.0, check=PER_CHANNEL, convert=reals)
    padding_mode: str = parameter(default="constant", check=one_of(*PADDING_MODES))

    def __attrs_post_init__(self) -> None:
        check_fill(self.name, self.fill, self.padding_mode)

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """Height and width grow."""
        channels = check_channels(self.name, self.fill, channels, "fill")
        left, top, right, bottom = borders(self.padding)
        check_mirror(self.name, self.padding_mode, "height", height, max(top, bottom))
        check_mirror(self.name, self.padding_mode, "width", width, max(left, right))
        return channels, grown(height, top + bottom), grown(width, left + right)

    def together(self, x: Tensor, draws: Draws) -> Tensor:
        """Pad all rows."""
        return padded(x, borders(self.padding), self.fill, self.padding_mode)


def borders(padding: int | tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the borders left, top, right and bottom.

    Example:
        >>> borders(1), borders((1, 2)), borders((1, 2, 3, 4))
        ((1, 1, 1, 1), (1, 2, 1, 2), (1, 2, 3, 4))
    """
    given = padding if isinstance(padding, tuple) else (padding, padding)
    left, top, right, bottom = given if len(given) == 4 else (*given, *given)
    return left, top, right, bottom


def grown(size: Size, by: int) -> Size:
    """Return a size with something added, if it is known."""
    return None if size is None else size + by


def padded(
    x: Tensor, border: tuple[int, ...], fill: float | tuple[float, ...], padding_mode: str
) -> Tensor:
    """Return images with a border; arguments as in `Pad`."""
    colour = list(fill) if isinstance(fill, tuple) else fill
    return kernel("pad")(x, list(border), fill=colour, padding_mode=padding_mode)


def check_mirror(what: str, padding_mode: str, axis: str, size: Size, border: int) -> None:
    """Raise ShapeError where an image is too small to be mirrored as far as a border is wide."""
    apart = {"reflect": 1, "symmetric": 0}.get(padding_mode)
    if apart is None or size is None or border + apart <= size:
        return
    raise ShapeError(
        f"{what} cannot mirror {border} pixels of images with a {axis} of {size}.",
        expected=f"a {axis} of at least {border + apart} with padding_mode={padding_mode!r}",
        got=f"a {axis} of {size}",
        fix="take a smaller padding, or padding_mode='edge'",
    )


trafo_pad = operator(Pad)
