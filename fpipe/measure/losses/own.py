"""Losses of the user's own: a function of outputs and target, or the class of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeAlias

import torch
from pyrsistent import PMap, pmap
from torch import Tensor
from torch.nn import functional

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.equality import same
from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.core.parameter import REQUIRED, parameter
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.measure.losses.contract import Kind, Loss, no_parameter
from fpipe.measure.losses.signature import held_value, plain_value, signature_of

Outputs: TypeAlias = Tensor | tuple[Tensor, ...]

_REDUCTION = "reduction"
_OF_ALL_CLASSES: tuple[Any, ...] = (
    torch.nn.CrossEntropyLoss,
    torch.nn.NLLLoss,
    functional.cross_entropy,
    functional.nll_loss,
)


@descriptor
class OwnLoss(Loss):
    """A function or a module class as a loss; made by `own_loss`.

    What it returns is read by its shape: ``[row]`` or ``[row, 1]`` is one loss per row, which
    ``reduction`` reduces and row weights weigh; a scalar is taken as it is.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the rows. Where the code itself has a parameter of
            that name, that one is meant.
        code: the function, or the class of a ``torch.nn.Module``.
        arguments: its hyper-parameters by name, all of them.
        takes_task: whether it asks for the type of the task.
        task: that type, once it is known.
    """

    name: ClassVar[str] = "loss"
    kind: ClassVar[Kind] = "regression"
    foreign: ClassVar[bool] = True

    code: Ref | Opaque = parameter(kw_only=True)
    arguments: PMap[str, Any] = parameter(default=pmap(), kw_only=True)
    takes_task: bool = parameter(default=False, kw_only=True)
    task: Any = parameter(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """The name of the function or class."""
        return self.code.name

    def __repr__(self) -> str:
        return f"{self.title}({', '.join(f'{name}={x!r}' for name, x in self.changed().items())})"

    def changed(self) -> dict[str, Any]:
        """Return the hyper-parameters that are not the default of the code, or not set."""
        usual = {_REDUCTION: "mean"} | signature_of(self.code).defaults
        given = self.parameters().items()
        return {n: x for n, x in given if x is REQUIRED or n not in usual or not same(x, usual[n])}

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters of the code by name, and the reduction."""
        own = dict(items(self.arguments))
        return own if _REDUCTION in own else {_REDUCTION: self.reduction} | own

    def with_parameters(self, changes: Mapping[str, Any]) -> Self:
        """Return the loss with some hyper-parameters replaced.

        Raises:
            ParameterError: the code has no such parameter, or the value is a tensor.
        """
        known, others_too = self.parameters(), signature_of(self.code).open
        for name in changes:
            if name not in known and not others_too:
                raise no_parameter(self.title, name, changes[name], tuple(known))
        given = {name: held_value(self.title, name, value) for name, value in changes.items()}
        if _REDUCTION in given and _REDUCTION not in self.arguments:
            return evolve(self, **{_REDUCTION: given.pop(_REDUCTION)}).with_parameters(given)
        arguments = self.arguments.update(given)
        if _REDUCTION in arguments:
            reduced = "sum" if arguments[_REDUCTION] == "sum" else "mean"
            return evolve(self, arguments=arguments, reduction=reduced)
        return evolve(self, arguments=arguments)

    def accepts(self, kind: str) -> bool:
        """Tell that it is for either kind of task; only its author knows."""
        return True

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise ParameterError where the code needs a logit per class and there is one for two."""
        if len(classes) == 2 and self.code.resolve() in _OF_ALL_CLASSES:
            raise ParameterError(
                f"{self.title} needs one logit per class, and two classes have one in all.",
                expected="a loss of one logit",
                got=f"{self.title} for {', '.join(classes)}",
                fix='nn.loss("cross_entropy")',
            )

    def bound(self, classes: tuple[str, ...] = (), task: Any = None) -> Loss:
        """Return the loss that knows the type of the task.

        Raises:
            ParameterError: the module cannot be built, or has parameters that would be learned.
        """
        self.check_classes(classes)
        known = evolve(self, task=task) if self.takes_task else self
        code = self.code.resolve()
        if isinstance(code, type):
            _check_nothing_to_learn(self.title, known.built(code))
        return known

    def per_row(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Return one loss per row.

        Raises:
            ShapeError: the code gives one number for the whole batch.
        """
        found = self._found(outputs, target)
        if found.ndim == 0:
            raise self._one_number("losses of single rows")
        return found.reshape(_first(outputs).shape[0])

    def value(self, outputs: Outputs, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        Args:
            outputs: ``[row, column]`` floating, as the network gives them; a tuple of all of them
                where it has several.
            target: ``[row, 1]`` floating (1 for the positive class where there are two), or
                ``[row]`` int64 class codes.
            weights: ``[row]``, each at least 0; None for all equal.

        Raises:
            ShapeError: the result is neither one number per row nor a scalar, or it is a scalar
                and there are row weights.
            DataError: the result is no floating tensor, or gives no gradient.
        """
        found = self._found(outputs, target)
        if found.ndim == 0:
            if weights is not None:
                raise self._one_number("row weights")
            return found
        rows = found.reshape(_first(outputs).shape[0])
        if weights is None:
            return rows.mean() if self.reduction == "mean" else rows.sum()
        return self._weighted(rows, target, weights)

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        """Check nothing: what shapes go together is for the code to say."""

    def _reduced(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        del reduction
        return self.per_row(outputs, target)

    def _found(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Return what the code gives, when it can be used as a loss."""
        code: Callable[..., Any] = self.code.resolve()
        if isinstance(code, type):
            found = self.built(code).to(_first(outputs).device)(outputs, target)
        else:
            found = code(outputs, target, **self._given())
        if not isinstance(found, Tensor) or not found.is_floating_point():
            got = str(found.dtype) if isinstance(found, Tensor) else type(found).__name__
            raise DataError(
                f"the loss {self.title} gives no floating tensor.",
                expected="a floating tensor, [row], [row, 1] or a scalar",
                got=got,
                fix=f"return a tensor from {self.title}",
            )
        rows = _first(outputs).shape[0]
        if tuple(found.shape) not in ((), (rows,), (rows, 1)):
            raise ShapeError(
                f"the loss {self.title} gives {list(found.shape)} for {rows} rows.",
                expected=f"[{rows}], [{rows}, 1] or a scalar",
                got=str(list(found.shape)),
                fix="sum or average over all dimensions but the first",
            )
        learned = any(x.requires_grad for x in _all(outputs))
        if learned and not found.requires_grad:
            raise DataError(
                f"the loss {self.title} gives no gradient.",
                expected="a differentiable function of the outputs",
                got="a result that does not depend on them, or is detached",
                fix="compute it with differentiable torch functions of the outputs",
            )
        return found

    def built(self, code: Any) -> torch.nn.Module:
        """Build the module anew: whatever a call may leave in it is thrown away with it.

        Args:
            code: the class.

        Raises:
            ParameterError: a parameter is not set, or the class does not take it.
        """
        try:
            made: torch.nn.Module = code(**self._given())
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"the loss {self.title} cannot be built.",
                expected="parameters that the class takes",
                got=str(error)[:300],
                fix=f"nn.loss({self.title}, ...) with other parameters",
            ) from error
        return made

    def _given(self) -> dict[str, Any]:
        unset = [name for name, value in items(self.arguments) if value is REQUIRED]
        if unset or (self.takes_task and self.task is None):
            raise ParameterError(
                f"the loss {self.title} cannot be computed yet.",
                expected="every parameter set" if unset else "a task that is known",
                got=f"not set: {', '.join(unset or ['task'])}",
                fix=f"nn.loss({self.title}, {unset[0]}=...)" if unset else "loss.bound(task=...)",
            )
        given = {name: plain_value(value) for name, value in items(self.arguments)}
        return given | {"task": self.task} if self.takes_task else given

    def _one_number(self, what: str) -> ShapeError:
        return ShapeError(
            f"the loss {self.title} gives one number for the whole batch, so there is no place "
            f"for {what}.",
            expected="one loss per row, [row] or [row, 1]",
            got="a scalar",
            fix="reduction='none'"
            if _REDUCTION in self.arguments
            else f"return one loss per row from {self.title}, or leave out the weight role",
        )


def _all(outputs: Outputs) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _first(outputs: Outputs) -> Tensor:
    return _all(outputs)[0]


def own_loss(code: Any, parameters: Mapping[str, Any]) -> OwnLoss:
    """Return a function or the class of a module as a loss.

    Args:
        code: ``f(outputs, target, **parameters)``, a subclass of ``torch.nn.Module`` whose
            ``forward(outputs, target)`` is called, or either as ``"package.module:name"``. A
            parameter called ``task`` is given the type of the task.
        parameters: hyper-parameters; those left out have the default of the signature, or are
            still to be set.

    Raises:
        ParameterError: it is no such code, or has no such parameter.

    Example:
        >>> clipped = own_loss("torch.nn.functional:smooth_l1_loss", {"reduction": "none"})
        >>> clipped.value(torch.tensor([[2.0], [0.0]]), torch.zeros(2, 1)).item()
        0.75
    """
    held = as_code(code)
    found = signature_of(held)
    start = OwnLoss(code=held, arguments=pmap(found.defaults), takes_task=found.task)
    return start.with_parameters(parameters)


def _check_nothing_to_learn(title: str, module: torch.nn.Module) -> None:
    learned = [name for name, p in module.named_parameters() if p.requires_grad]
    if learned:
        raise ParameterError(
            f"the loss {title} has parameters to learn, and a loss is not trained.",
            expected="no parameters, or buffers",
            got=", ".join(learned),
            fix="put them into the network as nn.module(...), or register them as buffers",
        )
