"""Target transformations as values that can be undone."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fpipe.core.value import descriptor

Numbers = NDArray[np.float64]


class TargetInverse(Protocol):
    """Undoes one transformation of the target."""

    def undo(self, values: Numbers) -> Numbers:
        """Return transformed targets in the unit they had before."""


@descriptor
class Affine:
    """The transformation ``(y - shift) / scale``.

    Args:
        shift: in the unit of the target.
        scale: in the unit of the target, not 0.

    Example:
        >>> Affine(2.0, 4.0).undo(Affine(2.0, 4.0).do(np.array([10.0]))).tolist()
        [10.0]
    """

    shift: float
    scale: float

    def do(self, values: Numbers) -> Numbers:
        """Transform targets."""
        return (values - self.shift) / self.scale

    def undo(self, values: Numbers) -> Numbers:
        """Return transformed targets in their own unit."""
        return values * self.scale + self.shift


def undo_all(inverses: tuple[Any, ...], values: Numbers) -> Numbers:
    """Undo transformations, the last one first."""
    for inverse in reversed(inverses):
        values = inverse.undo(values)
    return values
