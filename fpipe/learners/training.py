"""What ready learners share: how a network is trained, and the loss that suits a task."""

from __future__ import annotations

from typing import Any

from fpipe.core.parameter import Check
from fpipe.data.kind import Classification, Kind
from fpipe.graph.graph import Graph
from fpipe.measure.loss import Loss, own_loss
from fpipe.nn import loss, model, optimizer
from fpipe.nn.configure import SetLoss, SetOptimizer
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.vocabulary import optimizer_class

TRAINING = ("epochs", "loss", "optimizer", "lr", "batch_size", "patience")
"""The parameters that every ready network has."""

A_LOSS = Check(
    "the name of a loss, what nn.loss(...) gives, a function or the class of a module, or None",
    lambda x: x is None or isinstance(x, Loss) or (isinstance(x, str) and bool(x)),
)
"""Accepts what stands for a loss."""

AN_OPTIMIZER = Check(
    "the name of an optimizer, or what nn.optimizer(...) gives",
    lambda x: isinstance(x, Optimizer) or (isinstance(x, str) and bool(x)),
)
"""Accepts what stands for an optimizer."""


def as_loss(given: Any) -> Any:
    """Return code of one's own, or what ``nn.loss`` gives, as a loss; all else as it is.

    Raises:
        ParameterError: there is no loss of that name.

    Example:
        >>> as_loss(loss("huber", delta=2.0))
        Huber(reduction='mean', delta=2.0)
    """
    op = _only_op(given)
    if isinstance(op, SetLoss):
        return op.loss
    if isinstance(given, str):
        loss(given)  # a name that is unknown is refused at once
        return given
    return own_loss(given, {}) if callable(given) and not isinstance(given, Loss) else given


def as_optimizer(given: Any) -> Any:
    """Return what ``nn.optimizer`` gives as an optimizer value; all else as it is.

    Raises:
        ParameterError: there is no optimizer of that name.
    """
    op = _only_op(given)
    if isinstance(given, str):
        optimizer_class(given)  # a name that is unknown is refused at once
    return op.optimizer if isinstance(op, SetOptimizer) else given


def _only_op(given: Any) -> Any:
    alone = isinstance(given, Graph) and len(given.nodes) == 1
    return given.nodes[0].op if alone else None


def default_loss(kind: Kind) -> str:
    """Return the name of the loss that suits a kind of task.

    Example:
        >>> from fpipe.data.kind import Regression
        >>> default_loss(Regression())
        'mse'
    """
    return "cross_entropy" if isinstance(kind, Classification) else "mse"


def trained(network: Graph, learner: Any, kind: Kind) -> Graph:
    """Return a network with loss, optimizer and model as a learner's parameters say.

    Args:
        network: from a task to the descriptor of a network.
        learner: with the parameters in `TRAINING`.
        kind: what is predicted.
    """
    chosen = loss(learner.loss if learner.loss is not None else default_loss(kind))
    return network >> chosen >> training(learner)


def training(learner: Any) -> Graph:
    """Return the optimizer and the model as a learner's parameters say, whatever the task.

    Args:
        learner: with the parameters in `TRAINING`.
    """
    return _optimizer(learner.optimizer, learner.lr) >> model(
        epochs=learner.epochs, batch_size=learner.batch_size, patience=learner.patience
    )


_RATE = 1e-3
"""The learning rate of an optimizer that is given by its name alone."""


def _optimizer(given: str | Optimizer, lr: float | None) -> Graph:
    """Return the operator of an optimizer; a value keeps its own rate unless another is given."""
    if lr is None and isinstance(given, Optimizer):
        return optimizer(given)
    return optimizer(given, lr=_RATE if lr is None else lr)
