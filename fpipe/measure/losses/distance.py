"""Losses of numbers: distances between the outputs and the target, on the scale of training."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from fpipe.core.parameter import Check, number, parameter
from fpipe.core.value import descriptor
from fpipe.measure.losses.contract import Kind, Loss, check_column

_LEVEL = Check(
    "a number above 0 and below 1", lambda x: isinstance(x, float | int) and 0.0 < x < 1.0
)


@descriptor
class Distance(Loss):
    """A loss of ``[row, 1]`` numbers.

    Where the target was transformed (``ops.scale_target()``), numbers are on the transformed scale.
    """

    kind: ClassVar[Kind] = "regression"

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        check_column(self.title, outputs, target)


@descriptor
class MeanSquaredError(Distance):
    """Squared error of a number.

    ``l[i] = (outputs[i, 0] - target[i, 0])**2``

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.

    Example:
        >>> mse = MeanSquaredError()
        >>> mse.per_row(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [5.0]])).tolist()
        [0.0, 9.0]

    Source:
        ``torch.nn.MSELoss``.
    """

    name: ClassVar[str] = "mse"

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        return functional.mse_loss(outputs, target, reduction=reduction)


@descriptor
class AbsoluteError(Distance):
    """Absolute error of a number; its best constant is the median.

    ``l[i] = |outputs[i, 0] - target[i, 0]|``

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.

    Example:
        >>> l1 = AbsoluteError()
        >>> l1.per_row(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [5.0]])).tolist()
        [0.0, 3.0]

    Source:
        ``torch.nn.L1Loss``.
    """

    name: ClassVar[str] = "l1"

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        return functional.l1_loss(outputs, target, reduction=reduction)


@descriptor
class Huber(Distance):
    """Squared error near the target, absolute error far from it.

    With ``e = |outputs[i, 0] - target[i, 0]|``, ``l[i] = e**2 / 2`` up to ``delta``, and
    ``delta * (e - delta / 2)`` beyond.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.
        delta: where the two meet, above 0, in the unit of the (transformed) target.

    Example:
        >>> huber = Huber(delta=1.0)
        >>> huber.per_row(torch.tensor([[0.5], [4.0]]), torch.zeros(2, 1)).tolist()
        [0.125, 3.5]

    Source:
        Huber 1964; ``torch.nn.HuberLoss``.
    """

    name: ClassVar[str] = "huber"

    delta: float = parameter(default=1.0, check=number(0.0, above=True))

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        return functional.huber_loss(outputs, target, reduction=reduction, delta=self.delta)


@descriptor
class Quantile(Distance):
    """Pinball loss of a number; its best constant is the quantile ``q``.

    With ``e = target[i, 0] - outputs[i, 0]``, ``l[i] = max(q * e, (q - 1) * e)``.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.
        q: the quantile that is to be predicted, above 0 and below 1.

    Example:
        >>> pinball = Quantile(q=0.75)
        >>> pinball.per_row(torch.zeros(2, 1), torch.tensor([[4.0], [-4.0]])).tolist()
        [3.0, 1.0]

    Source:
        Koenker and Bassett 1978; ``sklearn.metrics.mean_pinball_loss``.
    """

    name: ClassVar[str] = "quantile"

    q: float = parameter(default=0.5, check=_LEVEL)

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        error = target - outputs
        rows = torch.maximum(self.q * error, (self.q - 1.0) * error)
        if reduction == "none":
            return rows
        return rows.mean() if reduction == "mean" else rows.sum()
