"""Images that are turned, moved, scaled and sheared, as is drawn."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.parameter import (
    Check,
    each_of,
    number,
    optional,
    parameter,
)
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import (
    PER_CHANNEL,
    WARPING,
    as_span,
    check_channels,
    either,
    reals,
    span,
)
from fpipe.ops.images.drawing import between
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation

DEGREES = either(number(0.0), span())
"""An interval of angles: two numbers, or the distance of both from 0."""

CENTER = optional(
    Check("two numbers", lambda x: isinstance(x, tuple) and each_of(2, number()).accepts(x))
)
_SHEAR = Check(
    "a number of at least 0, or two or four numbers, the smaller one of each two first",
    lambda x: (
        DEGREES.accepts(x)
        or (isinstance(x, tuple) and len(x) == 4 and all(map(span().accepts, (x[:2], x[2:]))))
    ),
)
_SHIFT = Check(
    "two numbers from 0 to 1",
    lambda x: isinstance(x, tuple) and each_of(2, number(0.0, 1.0)).accepts(x),
)


@descriptor
class RandomAffine(ImageOp, Augmentation):
    """Turn, move, scale and shear every image around its centre, as is drawn.

    Args:
        degrees: smallest and largest angle, counted clockwise; one number d is from -d to d.
        translate: how far at most it is moved to the sides, and up and down, as parts of its
            width and height.
        scale: smallest and largest factor.
        shear: smallest and largest angle by which it leans to the side; with four numbers, also
            that by which it leans down; one number s is from -s to s.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill: the colour of what comes from outside of the image: a number, or one per channel.
        center: what stays in its place, as x and y in pixels; the middle by default.

    Raises:
        ShapeError: there are more or fewer colours than channels.

    Source:
        torchvision's RandomAffine.
    """

    name = "augment_random_affine"

    degrees: float | tuple[float, float] = parameter(check=DEGREES, convert=reals)
    translate: tuple[float, float] | None = parameter(
        default=None, check=optional(_SHIFT), convert=reals
    )
    scale: tuple[float, float] | None = parameter(
        default=None, check=optional(span(0.0, above=True)), convert=reals
    )
    shear: float | tuple[float, ...] | None = parameter(
        default=None, check=optional(_SHEAR), convert=reals
    )
    interpolation: str = parameter(default="nearest", check=WARPING)
    fill: float | tuple[float, ...] = parameter(default=0.0, check=PER_CHANNEL, convert=reals)
    center: tuple[float, float] | None = parameter(default=None, check=CENTER, convert=reals)

    @property
    def draws(self) -> int:
        """Angle, two shifts, factor and two shears."""
        return 6

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        return check_channels(self.name, self.fill, channels, "fill"), height, width

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Turn, move, scale and shear."""
        low, high = as_span(self.degrees)
        return kernel("affine")(
            x,
            angle=between(draws[0], low, high),
            translate=self._shift(x.shape[-2], x.shape[-1], draws[1:3]),
            scale=1.0 if self.scale is None else between(draws[3], *self.scale),
            shear=self._lean(draws[4:]),
            interpolation=self.interpolation,
            fill=self.fill,
            center=None if self.center is None else list(self.center),
        )

    def _shift(self, height: int, width: int, draws: Draws) -> list[int]:
        """Return how many pixels it is moved to the right and down."""
        if self.translate is None:
            return [0, 0]
        across, down = self.translate[0] * width, self.translate[1] * height
        return [
            round(between(draws[0], -across, across)),
            round(between(draws[1], -down, down)),
        ]

    def _lean(self, draws: Draws) -> list[float]:
        """Return the angles by which it leans to the side and down."""
        angles = as_span(0.0 if self.shear is None else self.shear)
        down = between(draws[1], *angles[2:]) if len(angles) == 4 else 0.0
        return [between(draws[0], *angles[:2]), down]


augment_random_affine = operator(RandomAffine)
