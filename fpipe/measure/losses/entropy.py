"""Losses of classes: entropies from logits, with class weights by class name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pyrsistent import PMap, pmap
from torch import Tensor
from torch.nn import functional

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import Check, parameter
from fpipe.core.tree import sorted_keys
from fpipe.core.value import descriptor
from fpipe.measure.losses.contract import Kind, Loss, check_column, mismatch, wrong_dtype


def _is_number(x: Any, high: float = math.inf) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and 0.0 <= x < high


_WEIGHTS = Check(
    "a mapping of class names to weights of at least 0, such as {'spam': 2.0}, or None",
    lambda x: (
        x is None
        or (isinstance(x, PMap) and all(isinstance(k, str) and _is_number(x[k]) for k in x))
    ),
)
_SMOOTHING = Check("a number of at least 0 and below 1", lambda x: _is_number(x, 1.0))


def _weights_by_name(given: Any) -> Any:
    """Return class weights as a map of floats; none at all is None."""
    if not isinstance(given, Mapping):
        return given
    _check_names(given)
    floats = {k: float(v) if isinstance(v, int) and _is_number(v) else v for k, v in given.items()}
    return pmap(floats) if floats else None


def _check_names(given: Mapping[Any, Any]) -> None:
    """Raise ParameterError where a class is not named by text: classes of numbers are, too."""
    wrong = [key for key in given if not isinstance(key, str)]
    if wrong:
        meant = ", ".join(f"{str(key)!r}: {given[key]!r}" for key in list(given)[:6])
        raise ParameterError(
            f"class_weight names a class by {wrong[0]!r}, which is no text.",
            expected="class names as text, which they are for targets of numbers, too "
            "(task.classes)",
            got=", ".join(map(repr, list(given)[:12])),
            fix=f"class_weight={{{meant}}}",
        )


@descriptor
class Entropy(Loss):
    """A loss of classes; see `CrossEntropy`."""

    kind: ClassVar[Kind] = "classification"

    class_weight: PMap[str, float] | None = parameter(
        default=None, check=_WEIGHTS, convert=_weights_by_name
    )
    label_smoothing: float = parameter(default=0.0, check=_SMOOTHING)

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise ParameterError where a weight is for no class, or where all are 0."""
        given = self.class_weight or pmap()
        for name in sorted_keys(given):
            if name not in classes:
                raise ParameterError(
                    f"{self.title}: class_weight names '{name}', which is no class of the target.",
                    expected=_listed(classes),
                    got=_listed(sorted_keys(given)),
                    fix=did_you_mean(name, classes),
                )
        if given and not any(given.get(name, 1.0) for name in classes):
            raise ParameterError(
                f"{self.title}: class_weight is 0 for every class, so nothing could be learned.",
                expected="a weight above 0 for at least one class",
                got=", ".join(f"{name}: {given[name]}" for name in sorted_keys(given)),
                fix="leave class_weight out, or raise one of them",
            )

    def bound(self, classes: tuple[str, ...] = (), task: Any = None) -> Loss:
        """Return the loss with class weights by code; every class not named weighs 1."""
        del task
        self.check_classes(classes)
        if self.class_weight is None:
            return self
        by_code = tuple(self.class_weight.get(name, 1.0) for name in classes)
        return WeightedCrossEntropy(self.reduction, self.label_smoothing, by_code)

    def _check_bound(self) -> None:
        if self.class_weight is not None:
            raise ParameterError(
                f"{self.title}: class weights are by name, and the classes are not known yet.",
                expected="a loss that is bound to the classes of a task",
                got=_listed(sorted_keys(self.class_weight)),
                fix="loss.bound(('no', 'yes')), with the class names in the order of their codes",
            )


@descriptor
class CrossEntropy(Entropy):
    """Negative log-likelihood of a class, from logits.

    With K columns, ``l[i] = -log softmax(outputs[i])[target[i]]``; a floating ``[row, K]`` target
    holds the probabilities of the classes. One column z says what the two columns ``[0, z]`` say:
    ``l[i] = -log sigmoid(z)`` where ``target[i, 0]`` is 1, and ``-log sigmoid(-z)`` where it is 0;
    targets in between mix the two.

    With class weights w, ``l[i]`` is multiplied by the weight of its class, and a mean is divided
    by the sum of these weights: ``sum_i w[y[i]] l[i] / sum_i w[y[i]]``. For two classes that is
    what ``torch.nn.CrossEntropyLoss`` gives for the logits ``[0, z]``. It is not the
    ``pos_weight`` of ``torch.nn.BCEWithLogitsLoss``, where a mean is divided by the number of
    rows. Row weights multiply with class weights. A row whose target is a mixture counts with the
    mixture of the weights (``torch.nn.CrossEntropyLoss`` divides by the number of rows there).

    Label smoothing e replaces the target by ``(1 - e)`` times itself plus ``e / K`` of each class,
    after which class weights apply to every class's part; the divisor keeps the weight of the
    true class. This is the formula of ``torch.nn.CrossEntropyLoss``.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.
        class_weight: class name → weight of at least 0; a class that is not named weighs 1.
        label_smoothing: share of the target that is spread over all classes, from 0 to below 1.

    Example:
        >>> round(CrossEntropy().value(torch.zeros(3, 4), torch.tensor([0, 1, 3])).item(), 4)
        1.3863
        >>> weighted = CrossEntropy(class_weight={"spam": 3.0}).bound(("ham", "spam"))
        >>> logit, target = torch.tensor([[0.0], [9.0]]), torch.tensor([[1.0], [1.0]])
        >>> round(weighted.value(logit, target).item(), 4)  # both rows are spam: their mean
        0.3466

    Source:
        ``torch.nn.BCEWithLogitsLoss`` and ``torch.nn.CrossEntropyLoss``; label smoothing by
        Szegedy et al. 2016.
    """

    name: ClassVar[str] = "cross_entropy"

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        self._check_bound()
        check_logits(self.title, outputs, target)

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        if outputs.shape[1] == 1:
            return _of_one_logit(outputs, target, self.label_smoothing, reduction)
        return functional.cross_entropy(
            outputs, target, reduction=reduction, label_smoothing=self.label_smoothing
        )


@descriptor
class BinaryCrossEntropy(Entropy):
    """Negative log-likelihood of one of two classes, from the logit of the positive one.

    What `CrossEntropy` is for one column, and for nothing else.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.
        class_weight: as in `CrossEntropy`.
        label_smoothing: as in `CrossEntropy`.

    Example:
        >>> round(BinaryCrossEntropy().value(torch.zeros(2, 1), torch.ones(2, 1)).item(), 4)
        0.6931

    Source:
        ``torch.nn.BCEWithLogitsLoss``.
    """

    name: ClassVar[str] = "bce"

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise ParameterError where there are not two classes."""
        if len(classes) != 2:
            raise ParameterError(
                f"the loss 'bce' is for two classes, and the task has {len(classes)}.",
                expected="two classes",
                got=_listed(classes),
                fix='nn.loss("cross_entropy")',
            )
        super().check_classes(classes)

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        self._check_bound()
        check_column(self.title, outputs, target)

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        return _of_one_logit(outputs, target, self.label_smoothing, reduction)


@descriptor
class WeightedCrossEntropy(Loss):
    """Cross-entropy with class weights by code: what `CrossEntropy.bound` gives.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows.
        label_smoothing: as in `CrossEntropy`.
        weights: one weight per class, in the order of the codes.
    """

    name: ClassVar[str] = "cross_entropy"
    kind: ClassVar[Kind] = "classification"

    label_smoothing: float = parameter(default=0.0, check=_SMOOTHING)
    weights: tuple[float, ...] = ()

    def counted(self, target: Tensor, weights: Tensor | None) -> Tensor:
        """Return the weight of each row's class, times the row's own, ``[row]`` float64."""
        own = torch.tensor(self.weights, dtype=torch.float64, device=target.device)
        if not target.is_floating_point():
            found = own[target]
        elif target.shape[1] == 1:
            found = torch.lerp(own[0], own[1], target[:, 0].to(torch.float64))
        else:
            found = target.to(torch.float64) @ own
        return found if weights is None else found * weights

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        check_logits(self.title, outputs, target)

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        own = torch.tensor(self.weights, dtype=outputs.dtype, device=outputs.device)
        if outputs.shape[1] > 1:
            return functional.cross_entropy(
                outputs, target, own, reduction=reduction, label_smoothing=self.label_smoothing
            )
        smooth = _smoothed(target, self.label_smoothing)
        of_one = -own[1] * smooth * functional.logsigmoid(outputs)
        return of_one - own[0] * (1.0 - smooth) * functional.logsigmoid(-outputs)


def check_logits(title: str, outputs: Tensor, target: Tensor) -> None:
    """Raise unless outputs are ``[row, K]`` logits and the target holds codes or probabilities."""
    if outputs.ndim != 2 or outputs.shape[1] <= 1:
        check_column(title, outputs, target)
        return
    soft = target.is_floating_point()
    if target.shape != (outputs.shape if soft else outputs.shape[:1]):
        words = "target [row] of codes, or [row, class] of probabilities"
        raise mismatch(title, "target", target, "outputs", outputs, words)
    if not soft and target.dtype != torch.int64:
        raise wrong_dtype(title, target, "torch.int64", "target.to(torch.int64)")


def _of_one_logit(outputs: Tensor, target: Tensor, smoothing: float, reduction: str) -> Tensor:
    smooth = _smoothed(target, smoothing) if smoothing else target
    return functional.binary_cross_entropy_with_logits(outputs, smooth, reduction=reduction)


def _smoothed(target: Tensor, smoothing: float) -> Tensor:
    """Return the target of one column with its share spread over the two classes."""
    return target * (1.0 - smoothing) + smoothing / 2.0


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "") or "no classes"
