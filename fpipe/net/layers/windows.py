"""Windows that move over the sizes of an image: what convolutions and pools share."""

from __future__ import annotations

from fpipe.core.errors import ShapeError
from fpipe.net.shape import Shape, check_ndim, shown

Sizes = tuple[int, ...]


def covered(
    n: int | None,
    *,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int = 1,
    ceil: bool = False,
    end: int = 0,
) -> int | None:
    """Return how many windows fit along one axis.

    Args:
        n: size of the axis; None where it is unknown.
        kernel: size of the window.
        stride: steps between windows.
        padding: what is added in all, on both sides together.
        dilation: steps between the points of a window.
        ceil: whether a last window may go over the end.
        end: how much of the padding is behind the end; a last window must begin before it.

    Example:
        >>> covered(7, kernel=3, stride=2, padding=2), covered(None, kernel=3, stride=2, padding=2)
        (4, None)
    """
    if n is None:
        return None
    room = n + padding - dilation * (kernel - 1) - 1
    count = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (count - 1) * stride >= n + padding - end:
        count -= 1
    return count


def check_extents(name: str, entering: Shape, leaving: Shape) -> Shape:
    """Return the shape that leaves, if there is something of every axis behind the batch.

    Raises:
        ShapeError: a size would be below 1.
    """
    if any(n is not None and n < 1 for n in leaving[1:]):
        raise ShapeError(
            f"{name}: nothing is left of {shown(entering)}.",
            expected="a size of at least 1 in every dimension",
            got=shown(leaving),
            fix="check kernel_size, stride, padding and dilation, or use larger images",
        )
    return leaving


def image(shape: Shape, dims: int, channels: int | None, *, what: str) -> Shape:
    """Return the sizes behind batch and channels.

    Args:
        shape: ``[batch, channels, …]``.
        dims: how many sizes there must be.
        channels: how many channels there must be; None for any number.
        what: who asks.

    Raises:
        ShapeError: there are more or fewer dimensions, or other channels.
    """
    check_ndim(shape, (dims + 2,), what=what)
    if channels is not None and shape[1] not in (None, channels):
        raise ShapeError(
            f"{what} was made for {channels} channels.",
            expected=f"a size of {channels} in dimension 1",
            got=shown(shape),
            fix="channels come first: [batch, channels, height, width]",
        )
    return shape[2:]
