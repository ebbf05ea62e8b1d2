"""The policies that were found to augment three data sets best, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fpipe.ops.images.policy_steps import Magnitudes


class Chance(NamedTuple):
    """A step of a policy.

    Args:
        step: its name.
        p: how likely it is taken.
        place: which of its ten magnitudes it has; None where it has none.
    """

    step: str
    p: float
    place: int | None


Policy = tuple[Chance, Chance]


def _read(text: str) -> tuple[Policy, ...]:
    """Return policies, one per line: name, probability and magnitude, of two steps."""
    found = []
    for line in text.strip().splitlines():
        one, p, i, other, q, j = line.split()
        found.append((Chance(one, float(p), _place(i)), Chance(other, float(q), _place(j))))
    return tuple(found)


def _place(text: str) -> int | None:
    return None if text == "-" else int(text)


_IMAGENET = _read("""
Posterize 0.4 8 Rotate 0.6 9
Solarize 0.6 5 AutoContrast 0.6 -
Equalize 0.8 - Equalize 0.6 -
Posterize 0.6 7 Posterize 0.6 6
Equalize 0.4 - Solarize 0.2 4
Equalize 0.4 - Rotate 0.8 8
Solarize 0.6 3 Equalize 0.6 -
Posterize 0.8 5 Equalize 1.0 -
Rotate 0.2 3 Solarize 0.6 8
Equalize 0.6 - Posterize 0.4 6
Rotate 0.8 8 Color 0.4 0
Rotate 0.4 9 Equalize 0.6 -
Equalize 0.0 - Equalize 0.8 -
Invert 0.6 - Equalize 1.0 -
Color 0.6 4 Contrast 1.0 8
Rotate 0.8 8 Color 1.0 2
Color 0.8 8 Solarize 0.8 7
Sharpness 0.4 7 Invert 0.6 -
ShearX 0.6 5 Equalize 1.0 -
Color 0.4 0 Equalize 0.6 -
Equalize 0.4 - Solarize 0.2 4
Solarize 0.6 5 AutoContrast 0.6 -
Invert 0.6 - Equalize 1.0 -
Color 0.6 4 Contrast 1.0 8
Equalize 0.8 - Equalize 0.6 -
""")

_CIFAR10 = _read("""
Invert 0.1 - Contrast 0.2 6
Rotate 0.7 2 TranslateX 0.3 9
Sharpness 0.8 1 Sharpness 0.9 3
ShearY 0.5 8 TranslateY 0.7 9
AutoContrast 0.5 - Equalize 0.9 -
ShearY 0.2 7 Posterize 0.3 7
Color 0.4 3 Brightness 0.6 7
Sharpness 0.3 9 Brightness 0.7 9
Equalize 0.6 - Equalize 0.5 -
Contrast 0.6 7 Sharpness 0.6 5
Color 0.7 7 TranslateX 0.5 8
Equalize 0.3 - AutoContrast 0.4 -
TranslateY 0.4 3 Sharpness 0.2 6
Brightness 0.9 6 Color 0.2 8
Solarize 0.5 2 Invert 0.0 -
Equalize 0.2 - AutoContrast 0.6 -
Equalize 0.2 - Equalize 0.6 -
Color 0.9 9 Equalize 0.6 -
AutoContrast 0.8 - Solarize 0.2 8
Brightness 0.1 3 Color 0.7 0
Solarize 0.4 5 AutoContrast 0.9 -
TranslateY 0.9 9 TranslateY 0.7 9
AutoContrast 0.9 - Solarize 0.8 3
Equalize 0.8 - Invert 0.1 -
TranslateY 0.7 9 AutoContrast 0.9 -
""")

_SVHN = _read("""
ShearX 0.9 4 Invert 0.2 -
ShearY 0.9 8 Invert 0.7 -
Equalize 0.6 - Solarize 0.6 6
Invert 0.9 - Equalize 0.6 -
Equalize 0.6 - Rotate 0.9 3
ShearX 0.9 4 AutoContrast 0.8 -
ShearY 0.9 8 Invert 0.4 -
ShearY 0.9 5 Solarize 0.2 6
Invert 0.9 - AutoContrast 0.8 -
Equalize 0.6 - Rotate 0.9 3
ShearX 0.9 4 Solarize 0.3 3
ShearY 0.8 8 Invert 0.7 -
Equalize 0.9 - TranslateY 0.6 6
Invert 0.9 - Equalize 0.6 -
Contrast 0.3 3 Rotate 0.8 4
Invert 0.8 - TranslateY 0.0 2
ShearY 0.7 6 Solarize 0.4 8
Invert 0.6 - Rotate 0.8 4
ShearY 0.3 7 TranslateX 0.9 3
ShearX 0.1 6 Invert 0.6 -
Solarize 0.7 2 TranslateY 0.6 7
ShearY 0.8 4 Invert 0.8 -
ShearX 0.7 9 TranslateY 0.8 3
ShearY 0.8 5 AutoContrast 0.7 -
ShearX 0.7 2 Invert 0.1 -
""")

POLICIES: Mapping[str, tuple[Policy, ...]] = {
    "imagenet": _IMAGENET,
    "cifar10": _CIFAR10,
    "svhn": _SVHN,
}
"""By data set: 25 policies, of which each image gets one.

Source: Cubuk et al. (2019), "AutoAugment: learning augmentation policies from data", appendix; as
torchvision has them.
"""

_PART = 150.0 / 331.0

AUTO: Mapping[str, Magnitudes | None] = {
    "ShearX": Magnitudes(0.0, 0.3, signed=True),
    "ShearY": Magnitudes(0.0, 0.3, signed=True),
    "TranslateX": Magnitudes(0.0, _PART, of="width", signed=True),
    "TranslateY": Magnitudes(0.0, _PART, of="height", signed=True),
    "Rotate": Magnitudes(0.0, 30.0, signed=True),
    "Brightness": Magnitudes(0.0, 0.9, signed=True),
    "Color": Magnitudes(0.0, 0.9, signed=True),
    "Contrast": Magnitudes(0.0, 0.9, signed=True),
    "Sharpness": Magnitudes(0.0, 0.9, signed=True),
    "Posterize": Magnitudes(8, 4, whole=True),
    "Solarize": Magnitudes(1.0, 0.0),
    "AutoContrast": None,
    "Equalize": None,
    "Invert": None,
}
"""The steps of `POLICIES` and how strong they may be."""

TRIVIAL: Mapping[str, Magnitudes | None] = {
    "Identity": None,
    "ShearX": Magnitudes(0.0, 0.99, signed=True),
    "ShearY": Magnitudes(0.0, 0.99, signed=True),
    "TranslateX": Magnitudes(0.0, 32.0, signed=True),
    "TranslateY": Magnitudes(0.0, 32.0, signed=True),
    "Rotate": Magnitudes(0.0, 135.0, signed=True),
    "Brightness": Magnitudes(0.0, 0.99, signed=True),
    "Color": Magnitudes(0.0, 0.99, signed=True),
    "Contrast": Magnitudes(0.0, 0.99, signed=True),
    "Sharpness": Magnitudes(0.0, 0.99, signed=True),
    "Posterize": Magnitudes(8, 2, whole=True),
    "Solarize": Magnitudes(1.0, 0.0),
    "AutoContrast": None,
    "Equalize": None,
}
"""The steps of TrivialAugment, in the wide space, and how strong they may be.

Source: Müller and Hutter (2021), "TrivialAugment: tuning-free yet state-of-the-art data
augmentation", table 1.
"""
