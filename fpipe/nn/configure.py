"""Loss and optimizer as operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve
from fpipe.data.kind import Kind
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, node
from fpipe.graph.op import Op, written
from fpipe.measure.loss import LOSSES, Loss, OwnLoss, own_loss
from fpipe.measure.loss import loss as named_loss
from fpipe.nn.descriptor import ModelDescriptor, join
from fpipe.nn.layer_op import MANY, OUTPUT
from fpipe.nn.predicting import coded_classes
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.vocabulary import OPTIMIZERS, left_out, optimizer_class


@descriptor
class Configure(Op):
    """Sets one part of the descriptor; the part's own fields are its parameters."""

    inputs = (MANY,)
    outputs = (OUTPUT,)

    def part(self) -> Any:
        """Return the value that is set."""
        raise NotImplementedError

    def with_part(self, part: Any) -> Configure:
        """Return the operator that sets another value."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Any]:
        """The fields of the part."""
        return {a.name: getattr(self.part(), a.name) for a in fields_of(type(self.part()))}

    def written(self) -> tuple[str, ...]:
        """The name of the part, and its fields that are not the default."""
        return (repr(self.part().name), *written(self.part()))

    def with_parameters(self, changes: Mapping[str, Any]) -> Configure:
        """Return the operator with some fields of the part replaced."""
        return self.with_part(evolve(self.part(), **changes))

    def configured(self, into: ModelDescriptor) -> ModelDescriptor:
        """Return the descriptor with the part set."""
        raise NotImplementedError

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Set the part."""
        del state, key, context
        return (self.configured(join(*inputs)),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Set the part."""
        return self.apply(None, types, key=key, context=context)


@descriptor
class SetLoss(Configure):
    """Sets the loss."""

    name = "loss"

    loss: Loss

    def part(self) -> Loss:
        """Return the loss."""
        return self.loss

    def with_part(self, part: Loss) -> SetLoss:
        """Return the operator that sets another loss."""
        return evolve(self, loss=part)

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters of the loss."""
        return self.loss.parameters()

    def with_parameters(self, changes: Mapping[str, Any]) -> SetLoss:
        """Return the operator with some hyper-parameters of the loss replaced."""
        return self.with_part(self.loss.with_parameters(changes))

    def written(self) -> tuple[str, ...]:
        """The name of the loss, and its parameters that are not the default."""
        if not isinstance(self.loss, OwnLoss):
            return (repr(self.loss.name), *written(self.loss))
        given = self.loss.changed().items()
        return (self.loss.title, *(f"{name}={value!r}" for name, value in given))

    def configured(self, into: ModelDescriptor) -> ModelDescriptor:
        """Set the loss; it must fit the task, and none may be set already."""
        _check_free(into.loss, "loss")
        if into.subject is not None:
            check_loss(self.loss, into.subject.kind)
        return evolve(into, loss=self.loss)


@descriptor
class SetOptimizer(Configure):
    """Sets the optimizer."""

    name = "optimizer"

    optimizer: Optimizer

    def part(self) -> Optimizer:
        """Return the optimizer."""
        return self.optimizer

    def with_part(self, part: Optimizer) -> SetOptimizer:
        """Return the operator that sets another optimizer."""
        return evolve(self, optimizer=part)

    def parameters(self) -> dict[str, Any]:
        """The settings of the optimizer, and last its groups."""
        found = super().parameters()
        return {name: found[name] for name in sorted(found, key="groups".__eq__)}

    def configured(self, into: ModelDescriptor) -> ModelDescriptor:
        """Set the optimizer; none may be set already."""
        _check_free(into.optimizer, "optimizer")
        return evolve(into, optimizer=self.optimizer)


def loss(loss: Any, *, id: str | None = None, **parameters: Any) -> Graph:
    """Set what training minimizes.

    A loss of one's own is a function ``f(outputs, target, **parameters)``, or a subclass of
    ``torch.nn.Module`` whose ``forward(outputs, target)`` is called and whose constructor takes the
    parameters. A tensor ``[row]`` or ``[row, 1]`` is one loss per row; a scalar is taken as it
    is, and then rows cannot be weighted. A parameter called ``task`` is given the type of the
    task (its ``kind`` knows the ``classes``). Of a network with several outputs, such as
    ``(nn.head() & nn.linear(2)) >> nn.loss(f)``, it is given a tuple of all; the first is what
    predicts. The network's outputs are ``[row, 1]`` for numbers
    and two classes, else ``[row, class]``; the target is ``[row, 1]`` floating, or ``[row]``
    int64 codes for more than two classes.

    Args:
        loss: a name (``"mse"``, ``"l1"``, ``"huber"``, ``"quantile"``, ``"cross_entropy"``,
            ``"bce"``), a loss value, a function, the class of a module, or either as
            ``"package.module:name"``.
        id: the node's id.
        **parameters: parameters of the loss, such as ``class_weight={"spam": 2.0}``.

    Raises:
        ParameterError: the loss or a parameter is unknown, or a value is not accepted.

    Example:
        >>> loss("huber", delta=2.0).params()
        {'loss.reduction': 'mean', 'loss.delta': 2.0}
        >>> def winsorized(outputs, target, max_loss):
        ...     return ((outputs - target) ** 2).clamp(max=max_loss)
        >>> loss(winsorized).set({"loss.max_loss": 10.0}).at("loss.max_loss")
        10.0
    """
    if isinstance(loss, Loss):
        made = loss.with_parameters(parameters)
    elif isinstance(loss, str) and ":" not in loss:
        made = named_loss(loss).with_parameters(parameters)
    else:
        made = own_loss(loss, parameters)
    return node(SetLoss(made, id=id))


def optimizer(optimizer: str | Optimizer, *, id: str | None = None, **parameters: Any) -> Graph:
    """Set how training minimizes.

    Args:
        optimizer: a name (``"sgd"``, ``"adam"``, ``"adamw"``, ``"adamax"``, ``"nadam"``,
            ``"radam"``, ``"adadelta"``, ``"adagrad"``, ``"rmsprop"``, ``"rprop"``, ``"asgd"``,
            ``"adafactor"``, ``"muon"``), or an optimizer value. They compute what torch's
            optimizers of these names do. LBFGS is left out, since it evaluates the loss several
            times in a step, and SparseAdam, since gradients are dense.
        id: the node's id.
        **parameters: parameters of the optimizer, such as ``lr=1e-3``; and
            ``groups={pattern: {parameter: value}}`` for those of the network's parameters whose
            names match the pattern (``*`` any text, ``?`` one character, ``a|b`` either; the
            first that matches counts), such as `no_decay` gives.

    Raises:
        ParameterError: the optimizer or a parameter is unknown, or a value is not accepted.

    Example:
        >>> optimizer("adamw", lr=0.1).at("optimizer.lr")
        0.1
        >>> optimizer("sgd", lr=0.1, groups={"head.*": {"lr": 1.0}}).at("optimizer.groups")
        (('head.*', pmap({'lr': 1.0})),)
    """
    if isinstance(optimizer, Optimizer):
        made = evolve(optimizer, **_checked(type(optimizer), parameters))
    elif isinstance(optimizer, str):
        cls = optimizer_class(optimizer)
        made = cls(**_checked(cls, parameters))
    else:
        raise _no_optimizer(optimizer)
    return node(SetOptimizer(made, id=id))


def _no_optimizer(given: Any) -> ParameterError:
    """Return the error for what is neither a name nor a value; a class of torch has a name here."""
    by_class = {known.torch_class: known.name for known in OPTIMIZERS}
    kind = given if isinstance(given, type) else type(given)
    name, reason = by_class.get(kind), left_out(kind.__name__)
    return ParameterError(
        f"{kind.__name__} is no optimizer of fpipe" + (f": {reason}." if reason else "."),
        expected="one of " + ", ".join(sorted(by_class.values())) + ", or an optimizer value",
        got=repr(given)[:80],
        fix=f'nn.optimizer("{name or "adam"}", lr=1e-3)',
    )


def _checked(cls: Any, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [a.name for a in attrs.fields(cls)]
    for name in parameters:
        if name not in names:
            raise ParameterError(
                f"{cls.name} has no parameter '{name}'.",
                expected=", ".join(names),
                got=f"{name}={parameters[name]!r}",
                fix=did_you_mean(_CALLED.get(name, name), names),
            )
    return parameters


_CALLED = {"learning_rate": "lr", "eta": "lr", "decay": "weight_decay", "l2": "weight_decay"}
"""What parameters are called elsewhere → their names in torch."""


def check_loss(loss: Loss, kind: Kind) -> None:
    """Raise ParameterError where a loss is not for tasks of this kind, or not for these classes."""
    if not loss.accepts(kind.name):
        fitting = [known.name for known in LOSSES if known.accepts(kind.name)]
        raise ParameterError(
            f"the loss '{loss.title}' is not for {kind.name}.",
            expected=", ".join(fitting),
            got=loss.title,
            fix=f'nn.loss("{fitting[0]}")',
        )
    loss.check_classes(coded_classes(kind))


def _check_free(present: Any, what: str) -> None:
    if present is not None:
        raise ParameterError(
            f"the {what} is set twice.",
            expected=f"one nn.{what}(...) in the graph",
            got=f"'{present.name}' is already set",
            fix="drop one of the two",
        )
