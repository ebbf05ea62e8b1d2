"""Losses: what training minimizes, as values over torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from fpipe.core.errors import DataError, ParameterError, ShapeError, did_you_mean
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor

Kind = Literal["classification", "regression"]


@descriptor
class Loss(ABC):
    """A loss that is one number per row, reduced over the rows.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.

    Laws:
        ``value(outputs, target)`` has the bits of the loss of ``torch.nn``; it is close to the
        reduced ``per_row``, and weights that are all 1 are close to none.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]

    reduction: Literal["mean", "sum"] = parameter(default="mean", check=one_of("mean", "sum"))

    def accepts(self, kind: str) -> bool:
        """Tell whether the loss is for tasks of this kind."""
        return kind == self.kind

    def share(self, rows: int, weights: Tensor | None) -> float:
        """Return how much a batch counts where losses of batches are brought together."""
        if self.reduction == "sum":
            return 1.0
        return float(rows) if weights is None else float(weights.sum().item())

    def over_batches(self, total: float, share: float) -> float:
        """Return the loss over several batches.

        Args:
            total: sum of their losses, each times its share.
            share: sum of their shares.
        """
        if self.reduction == "sum":
            return total
        return total / share if share else math.nan

    @abstractmethod
    def _check(self, outputs: Tensor, target: Tensor) -> None: ...

    @abstractmethod
    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor: ...

    def per_row(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return one loss per row.

        Args:
            outputs: ``[row, column]`` floating, as the network gives them (no softmax).
            target: ``[row, 1]`` floating, or ``[row]`` int64 class codes.

        Returns:
            ``[row]``, dtype and device of ``outputs``.

        Raises:
            ShapeError: the shapes do not go together.
            DataError: the target has a dtype that the loss cannot take.
        """
        self._check(outputs, target)
        return self._reduced(outputs, target, "none").reshape(outputs.shape[0])

    def value(self, outputs: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        ``sum_i w[i] l[i] / sum_i w[i]``, or without the division where the reduction is a sum.

        Args:
            outputs: ``[row, column]`` floating.
            target: ``[row, 1]`` floating, or ``[row]`` int64 class codes.
            weights: ``[row]``, each at least 0; None for all equal. Rows whose weights are all 0
                have a mean of 0.

        Returns:
            A scalar with the dtype and device of ``outputs``.

        Raises:
            ShapeError: the shapes do not go together.
            DataError: the target has a dtype that the loss cannot take.
        """
        if weights is None:
            self._check(outputs, target)
            return self._reduced(outputs, target, self.reduction)
        rows = self.per_row(outputs, target)
        if weights.shape != rows.shape:
            raise _mismatch(self.name, "weights", weights, "outputs", outputs, "[row]")
        total = (weights * rows).sum()
        if self.reduction == "sum":
            return total
        return total / weights.sum().clamp_min(torch.finfo(rows.dtype).tiny)


@descriptor
class MeanSquaredError(Loss):
    """Squared error of a number.

    ``l[i] = (outputs[i, 0] - target[i, 0])**2``

    Example:
        >>> mse = MeanSquaredError()
        >>> mse.per_row(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [5.0]])).tolist()
        [0.0, 9.0]

    Source:
        ``torch.nn.MSELoss``.
    """

    name: ClassVar[str] = "mse"
    kind: ClassVar[Kind] = "regression"

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        _check_column(self.name, outputs, target)

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        return functional.mse_loss(outputs, target, reduction=reduction)


@descriptor
class CrossEntropy(Loss):
    """Negative log-likelihood of a class, from logits.

    With one column, ``l[i] = -log sigmoid(outputs[i, 0])`` where ``target[i, 0]`` is 1, and
    ``-log sigmoid(-outputs[i, 0])`` where it is 0; targets in between mix the two. With K columns,
    ``l[i] = -log softmax(outputs[i])[target[i]]``; a floating ``[row, K]`` target holds the
    probabilities of the classes.

    Example:
        >>> round(CrossEntropy().value(torch.zeros(3, 4), torch.tensor([0, 1, 3])).item(), 4)
        1.3863

    Source:
        ``torch.nn.BCEWithLogitsLoss`` and ``torch.nn.CrossEntropyLoss``.
    """

    name: ClassVar[str] = "cross_entropy"
    kind: ClassVar[Kind] = "classification"

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        if outputs.ndim == 2 and outputs.shape[1] > 1:
            _check_classes(self.name, outputs, target)
        else:
            _check_column(self.name, outputs, target)

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        if outputs.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(outputs, target, reduction=reduction)
        return functional.cross_entropy(outputs, target, reduction=reduction)


LOSSES: tuple[Loss, ...] = (MeanSquaredError(), CrossEntropy())
"""Every loss with a standard name, with its defaults."""


def loss(name: str) -> Loss:
    """Return the loss of a standard name.

    Raises:
        ParameterError: there is no loss of that name.

    Example:
        >>> loss("mse")
        MeanSquaredError(reduction='mean')
    """
    known = {each.name: each for each in LOSSES}
    if name not in known:
        raise ParameterError(
            f"there is no loss {name!r}.",
            expected=", ".join(known),
            got=repr(name),
            fix=did_you_mean(str(name), known),
        )
    return known[name]


def _check_column(name: str, outputs: Tensor, target: Tensor) -> None:
    if outputs.ndim != 2 or outputs.shape[1] != 1 or target.shape != outputs.shape:
        raise _mismatch(name, "target", target, "outputs", outputs, "both [row, 1]")
    if not target.is_floating_point():
        raise _wrong_dtype(name, target, "a floating dtype", f"target.to({outputs.dtype})")


def _check_classes(name: str, outputs: Tensor, target: Tensor) -> None:
    soft = target.is_floating_point()
    if target.shape != (outputs.shape if soft else outputs.shape[:1]):
        words = "target [row] of codes, or [row, class] of probabilities"
        raise _mismatch(name, "target", target, "outputs", outputs, words)
    if not soft and target.dtype != torch.int64:
        raise _wrong_dtype(name, target, "torch.int64", "target.to(torch.int64)")


def _mismatch(
    name: str, left: str, first: Tensor, right: str, second: Tensor, expected: str
) -> ShapeError:
    here, there = list(first.shape), list(second.shape)
    return ShapeError(
        f"{name}: {left} {here} does not go with {right} {there}.",
        expected=expected,
        got=f"{left} {here}, {right} {there}",
        fix="give the target one column, as the outputs have"
        if left == "target"
        else "one per row",
    )


def _wrong_dtype(name: str, target: Tensor, expected: str, fix: str) -> DataError:
    return DataError(
        f"{name}: the target has dtype {target.dtype}, and the loss takes {expected}.",
        expected=expected,
        got=str(target.dtype),
        fix=fix,
    )
