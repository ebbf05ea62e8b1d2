"""Scaling of the loss, so that gradients in float16 do not vanish."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fpipe.core.value import descriptor, evolve
from fpipe.train.numerics import Numerics


@descriptor
class LossScale:
    """What the loss is multiplied by before gradients are computed.

    It is halved after an update whose gradients are not finite, which is left out, and doubled
    after so many good ones in a row.

    Args:
        scale: the factor.
        good: good updates in a row.
        growth: good updates after which it is doubled.

    Source:
        Micikevicius et al. 2018, *Mixed precision training*, section 3.2; ``torch.amp.GradScaler``.
    """

    scale: float = 2.0**16
    good: int = 0
    growth: int = 2000

    def after(self, finite: bool) -> LossScale:
        """Return the scale after an update whose gradients were finite or not."""
        if not finite:
            return evolve(self, scale=self.scale / 2.0, good=0)
        if self.good + 1 == self.growth:
            return evolve(self, scale=self.scale * 2.0, good=0)
        return evolve(self, good=self.good + 1)


def initial_scale(numerics: Numerics) -> LossScale | None:
    """Return the scale of a run; None where it is not needed."""
    return LossScale() if numerics.precision == "float16" else None


def all_finite(grads: Mapping[str, Tensor | None]) -> bool:
    """Tell whether every gradient is finite."""
    return all(bool(g.isfinite().all()) for g in grads.values() if g is not None)
