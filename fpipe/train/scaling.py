"""Scaling of the loss, so that gradients in float16 do not vanish."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fpipe.core.errors import StateError
from fpipe.core.value import descriptor, evolve
from fpipe.train.numerics import Numerics

_SMALLEST, _LARGEST = 2.0**-24, 2.0**127
"""The least number of float16, and the largest power of 2 in float32."""


@descriptor
class LossScale:
    """What the loss is multiplied by before gradients are computed.

    It is halved after an update whose gradients are not finite, which is left out, and doubled
    after so many good ones in a row, as long as float32 holds it.

    Args:
        scale: the factor, a power of 2.
        good: good updates in a row.
        growth: good updates after which it is doubled.

    Source:
        Micikevicius et al. 2018, *Mixed precision training*, section 3.2; ``torch.amp.GradScaler``.
    """

    scale: float = 2.0**16
    good: int = 0
    growth: int = 2000

    def after(self, finite: bool) -> LossScale:
        """Return the scale after an update whose gradients were finite or not.

        Raises:
            StateError: so many updates were left out in a row that no scale is of help.

        Example:
            >>> LossScale(8.0).after(finite=False).scale
            4.0
        """
        if not finite:
            if self.scale <= _SMALLEST:
                raise StateError(
                    "the gradients are not finite, whatever the loss is scaled by.",
                    expected="finite gradients",
                    got=f"infinite or NaN ones even with the loss scaled by {self.scale}",
                    fix='use precision="bfloat16", or lower the learning rate',
                )
            return evolve(self, scale=self.scale / 2.0, good=0)
        if self.good + 1 == self.growth:
            larger = self.scale * 2.0
            return evolve(self, scale=larger if larger <= _LARGEST else self.scale, good=0)
        return evolve(self, good=self.good + 1)


def initial_scale(numerics: Numerics) -> LossScale | None:
    """Return the scale of a run; None where it is not needed."""
    return LossScale() if numerics.precision == "float16" else None


def all_finite(grads: Mapping[str, Tensor | None]) -> bool:
    """Tell whether every gradient is finite."""
    return all(bool(g.isfinite().all()) for g in grads.values() if g is not None)
