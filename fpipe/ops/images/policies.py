"""Policies of augmentation: steps drawn from a table."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.parameter import integer, one_of, optional, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import PER_CHANNEL, WARPING, check_channels, reals
from fpipe.ops.images.colour import ColourOp
from fpipe.ops.images.drawing import below
from fpipe.ops.images.policy_steps import STEPS, Magnitudes
from fpipe.ops.images.policy_tables import AUTO, POLICIES, TRIVIAL
from fpipe.ops.images.tensor_op import Draws, Size
from fpipe.ops.lazy_op import Augmentation

_PLACES = 10
"""How many magnitudes the steps of AutoAugment have."""


@descriptor
class PolicyOp(ColourOp, Augmentation):
    """Change every image by steps from a table; what the policies share.

    Args:
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill: the colour of what comes from outside of the image: a number, or one per channel;
            None leaves it black.
    """

    interpolation: str = parameter(default="nearest", check=WARPING, kw_only=True)
    fill: float | tuple[float, ...] | None = parameter(
        default=None, check=optional(PER_CHANNEL), convert=reals, kw_only=True
    )

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        channels, height, width = ColourOp.sized(self, channels, height, width)
        return check_channels(self.name, self.fill, channels, "fill"), height, width

    def taken(self, x: Tensor, step: str, magnitude: float) -> Tensor:
        """Return an image after a step."""
        return STEPS[step](x, magnitude, self.interpolation, self.fill)


@descriptor
class AutoAugment(PolicyOp):
    """Change every image by one of 25 policies, each of two steps with their own probabilities.

    Args:
        policy: the data set for which they were found: ``"imagenet"``, ``"cifar10"`` or
            ``"svhn"``.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill: the colour of what comes from outside of the image: a number, or one per channel;
            None leaves it black.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Source:
        torchvision's AutoAugment; Cubuk et al. (2019), "AutoAugment: learning augmentation
        policies from data".
    """

    name = "augment_auto_augment"

    policy: str = parameter(default="imagenet", check=one_of(*POLICIES))

    @property
    def draws(self) -> int:
        """Which policy; for each step, whether and which sign."""
        return 5

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Take the steps of the policy that was drawn."""
        policies = POLICIES[self.policy]
        chosen = policies[below(draws[0], len(policies))]
        for (step, p, place), (whether, sign) in zip(chosen, draws[1:].reshape(2, 2), strict=True):
            if whether < p:
                x = self.taken(x, step, _magnitude(AUTO[step], place or 0, _PLACES, sign, x))
        return x


@descriptor
class TrivialAugment(PolicyOp):
    """Change every image by one step of one strength, all equally likely.

    Args:
        num_magnitude_bins: how many strengths there are.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill: the colour of what comes from outside of the image: a number, or one per channel;
            None leaves it black.

    Raises:
        SchemaError: the pixels are neither uint8 nor floats.
        ShapeError: an image has neither 1 channel nor 3.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.image_files(["a.jpg", "b.jpg"]), "y": [1, 2]}, "y")
        >>> graph = ops.trafo_resize((64, 64)) >> ops.augment_trivial_augment()
        >>> fp.transform(graph, task, key=fp.key(0)).tensor("image")
        LazyTensor (2 rows, uint8 [3, 64, 64])

    Source:
        torchvision's TrivialAugmentWide; Müller and Hutter (2021), "TrivialAugment: tuning-free
        yet state-of-the-art data augmentation".
    """

    name = "augment_trivial_augment"

    num_magnitude_bins: int = parameter(default=31, check=integer(2))

    @property
    def draws(self) -> int:
        """Which step, how strong, and which sign."""
        return 3

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Take the step that was drawn."""
        steps = tuple(TRIVIAL)
        step = steps[below(draws[0], len(steps))]
        count = self.num_magnitude_bins
        place = below(draws[1], count)
        return self.taken(x, step, _magnitude(TRIVIAL[step], place, count, draws[2], x))


def _magnitude(
    magnitudes: Magnitudes | None, place: int, count: int, draw: float, x: Tensor
) -> float:
    """Return how strong a step is; below a half the draw turns it into its opposite."""
    if magnitudes is None:
        return 0.0
    found = magnitudes.at(place, count, x)
    return -found if magnitudes.signed and draw < 0.5 else found


augment_auto_augment = operator(AutoAugment)
augment_trivial_augment = operator(TrivialAugment)
