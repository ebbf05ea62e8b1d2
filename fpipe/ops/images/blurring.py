"""Images out of focus."""

from __future__ import annotations

from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import Check, as_tuple, number, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.images.accepted import SIZE, either, pair, reals, span
from fpipe.ops.images.drawing import between
from fpipe.ops.images.kernels import kernel
from fpipe.ops.images.tensor_op import Draws, ImageOp, Size
from fpipe.ops.lazy_op import Augmentation

_ODD = Check(
    "an odd number of at least 1, or two of them",
    lambda x: SIZE.accepts(x) and all(n % 2 == 1 for n in pair(x)),
)


@descriptor
class GaussianBlur(ImageOp, Augmentation):
    """Blur every image, as strongly as is drawn; it is mirrored at its edges.

    Args:
        kernel_size: how many pixels a pixel is mixed of: across and down, odd; one number is
            both.
        sigma: smallest and largest standard deviation, in pixels, above 0; one number is both.

    Raises:
        ShapeError: an image has fewer pixels than half of the kernel.

    Source:
        torchvision's GaussianBlur.
    """

    name = "augment_gaussian_blur"

    kernel_size: int | tuple[int, int] = parameter(check=_ODD, convert=as_tuple)
    sigma: float | tuple[float, float] = parameter(
        default=(0.1, 2.0),
        check=either(number(0.0, above=True), span(0.0, above=True)),
        convert=reals,
    )

    @property
    def draws(self) -> int:
        """How strongly."""
        return 1

    def sized(self, channels: Size, height: Size, width: Size) -> tuple[Size, Size, Size]:
        """They stay."""
        across, down = pair(self.kernel_size)
        for axis, size, length in (("height", height, down), ("width", width, across)):
            if size is not None and length // 2 >= size:
                raise ShapeError(
                    f"{self.name} cannot mix {length} pixels of images with a {axis} of {size}.",
                    expected=f"a {axis} of at least {length // 2 + 1}",
                    got=f"a {axis} of {size}",
                    fix=f"take a kernel_size of at most {2 * size - 1}",
                )
        return channels, height, width

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Blur."""
        low, high = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        sigma = between(draws[0], low, high)
        return kernel("gaussian_blur")(x, list(pair(self.kernel_size)), [sigma, sigma])


augment_gaussian_blur = operator(GaussianBlur)
