"""The steps that policies of augmentation are made of, each with one magnitude."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from fpipe.ops.images.kernels import kernel

Fill = float | tuple[float, ...] | None
Step = Callable[[Tensor, float, str, Fill], Tensor]


class Magnitudes(NamedTuple):
    """How strong a step may be.

    Args:
        weakest: the first of the magnitudes.
        strongest: the last one; those between are equally far apart.
        of: ``"width"`` or ``"height"`` where they are parts of it.
        signed: whether the opposite is as likely.
        whole: whether they are rounded.
    """

    weakest: float
    strongest: float
    of: str | None = None
    signed: bool = False
    whole: bool = False

    def at(self, place: int, count: int, image: Tensor) -> float:
        """Return one of ``count`` magnitudes for an image."""
        if self.whole:
            step = (count - 1) / (self.weakest - self.strongest)
            return float(round(self.weakest - place / step))
        size = {"height": image.shape[-2], "width": image.shape[-1]}.get(self.of or "", 1)
        # In 32 bits, as the reference has them.
        ends = self.weakest * size, self.strongest * size
        return float(torch.linspace(*ends, count, dtype=torch.float32)[place])


def _warped(
    x: Tensor, shift: tuple[int, int], shear: tuple[float, float], how: str, fill: Fill
) -> Tensor:
    return kernel("affine")(
        x,
        angle=0.0,
        translate=list(shift),
        scale=1.0,
        shear=[math.degrees(math.atan(part)) for part in shear],
        interpolation=how,
        fill=fill,
        # Shears keep the corner in its place, shifts have no such point.
        center=[0.0, 0.0] if any(shear) else None,
    )


def _adjusted(name: str) -> Step:
    return lambda x, m, how, fill: kernel(f"adjust_{name}")(x, 1.0 + m)


def _plain(name: str) -> Step:
    return lambda x, m, how, fill: kernel(name)(x)


def _solarized(x: Tensor, magnitude: float, how: str, fill: Fill) -> Tensor:
    largest = 1.0 if x.is_floating_point() else 255.0
    return kernel("solarize")(x, largest * magnitude)


STEPS: Mapping[str, Step] = {
    "Identity": lambda x, m, how, fill: x,
    "ShearX": lambda x, m, how, fill: _warped(x, (0, 0), (m, 0.0), how, fill),
    "ShearY": lambda x, m, how, fill: _warped(x, (0, 0), (0.0, m), how, fill),
    "TranslateX": lambda x, m, how, fill: _warped(x, (int(m), 0), (0.0, 0.0), how, fill),
    "TranslateY": lambda x, m, how, fill: _warped(x, (0, int(m)), (0.0, 0.0), how, fill),
    "Rotate": lambda x, m, how, fill: kernel("rotate")(x, m, interpolation=how, fill=fill),
    "Brightness": _adjusted("brightness"),
    "Color": _adjusted("saturation"),
    "Contrast": _adjusted("contrast"),
    "Sharpness": _adjusted("sharpness"),
    "Posterize": lambda x, m, how, fill: kernel("posterize")(x, int(m)),
    "Solarize": _solarized,
    "AutoContrast": _plain("autocontrast"),
    "Equalize": _plain("equalize"),
    "Invert": _plain("invert"),
}
"""By name: what is done to an image with a magnitude, an interpolation and a colour."""
