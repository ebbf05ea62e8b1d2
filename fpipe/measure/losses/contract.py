"""What a loss is: a number per row that is reduced, or one number for a batch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from fpipe.core.errors import DataError, ParameterError, ShapeError, did_you_mean
from fpipe.core.parameter import one_of, parameter
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve

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
    foreign: ClassVar[bool] = False

    reduction: Literal["mean", "sum"] = parameter(default="mean", check=one_of("mean", "sum"))

    @property
    def title(self) -> str:
        """What the loss is called in messages and prints."""
        return self.name

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters by name."""
        return {a.name: getattr(self, a.name) for a in fields_of(type(self))}

    def with_parameters(self, changes: Mapping[str, Any]) -> Self:
        """Return the loss with some hyper-parameters replaced.

        Raises:
            ParameterError: there is no such parameter, or a value is not accepted.
        """
        known = self.parameters()
        for name in changes:
            if name not in known:
                raise no_parameter(self.title, name, changes[name], tuple(known))
        return evolve(self, **changes)

    def accepts(self, kind: str) -> bool:
        """Tell whether the loss is for tasks of this kind."""
        return kind == self.kind

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise ParameterError where the loss does not go with these classes (none for numbers)."""
        return

    def bound(self, classes: tuple[str, ...] = (), task: Any = None) -> Loss:
        """Return the loss for one task: names of classes have become their codes.

        Args:
            classes: class names in the order of their codes (a positive class has code 1); none
                for numbers.
            task: the type of the task, for losses of the user's that ask for it.

        Raises:
            ParameterError: the loss does not go with the task.
        """
        del task
        self.check_classes(classes)
        return self

    def counted(self, target: Tensor, weights: Tensor | None) -> Tensor | None:
        """Return what each row counts in a mean, ``[row]``; None where all count alike."""
        del target
        return weights

    def share(self, target: Tensor, weights: Tensor | None) -> float:
        """Return how much a batch counts where losses of batches are brought together."""
        if self.reduction == "sum":
            return 1.0
        counted = self.counted(target, weights)
        return float(target.shape[0]) if counted is None else float(counted.sum().item())

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
            ``[row]``, dtype and device of ``outputs``; class weights are in it already.

        Raises:
            ShapeError: the shapes do not go together.
            DataError: the target has a dtype that the loss cannot take.
        """
        self._check(outputs, target)
        return self._rows(outputs, target)

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
        self._check(outputs, target)
        if weights is None and self.counted(target, None) is None:
            return self._reduced(outputs, target, self.reduction)
        return self._weighted(self._rows(outputs, target), target, weights)

    def _rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        return self._reduced(outputs, target, "none").reshape(outputs.shape[0])

    def _weighted(self, rows: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        """Return the reduction of one loss per row, ``[row]``, with weights."""
        if weights is not None and weights.shape != rows.shape:
            raise mismatch(self.title, "weights", weights, "outputs", rows[:, None], "[row]")
        total = (rows if weights is None else weights * rows).sum()
        counted = self.counted(target, weights)
        if self.reduction == "sum" or counted is None:
            return total
        return total / counted.sum().to(total.dtype).clamp_min(torch.finfo(total.dtype).tiny)


def no_parameter(title: str, name: str, given: Any, known: tuple[str, ...]) -> ParameterError:
    """Return the error about a parameter that a loss does not have."""
    return ParameterError(
        f"{title} has no parameter '{name}'.",
        expected=", ".join(known),
        got=f"{name}={type(given).__name__ if isinstance(given, Tensor) else repr(given)[:80]}",
        fix=did_you_mean(name, known),
    )


def mismatch(
    title: str, left: str, first: Tensor, right: str, second: Tensor, expected: str
) -> ShapeError:
    """Return the error about two tensors whose shapes do not go together."""
    here, there = list(first.shape), list(second.shape)
    return ShapeError(
        f"{title}: {left} {here} does not go with {right} {there}.",
        expected=expected,
        got=f"{left} {here}, {right} {there}",
        fix="give the target one column, as the outputs have"
        if left == "target"
        else "one per row",
    )


def wrong_dtype(title: str, target: Tensor, expected: str, fix: str) -> DataError:
    """Return the error about a target of a dtype that a loss cannot take."""
    return DataError(
        f"{title}: the target has dtype {target.dtype}, and the loss takes {expected}.",
        expected=expected,
        got=str(target.dtype),
        fix=fix,
    )


def check_column(title: str, outputs: Tensor, target: Tensor) -> None:
    """Raise unless outputs and target are both ``[row, 1]`` and the target is floating."""
    if outputs.ndim != 2 or outputs.shape[1] != 1 or target.shape != outputs.shape:
        raise mismatch(title, "target", target, "outputs", outputs, "both [row, 1]")
    if not target.is_floating_point():
        raise wrong_dtype(title, target, "a floating dtype", f"target.to({outputs.dtype})")
