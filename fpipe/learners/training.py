"""What ready learners share: how a network is trained, and the loss that suits a task."""

from __future__ import annotations

from typing import Any

from fpipe.core.parameter import Check
from fpipe.data.kind import Classification, Kind
from fpipe.graph.graph import Graph
from fpipe.measure.loss import Loss, own_loss
from fpipe.nn import loss, model, optimizer
from fpipe.optim.optimizer import Optimizer

TRAINING = ("epochs", "loss", "optimizer", "lr", "batch_size", "patience")
"""The parameters that every ready network has."""

A_LOSS = Check(
    "the name of a loss, a loss value, a function or the class of a module, or None",
    lambda x: x is None or isinstance(x, Loss) or (isinstance(x, str) and bool(x)),
)
"""Accepts what stands for a loss."""

AN_OPTIMIZER = Check(
    "the name of an optimizer, or an optimizer value",
    lambda x: isinstance(x, Optimizer) or (isinstance(x, str) and bool(x)),
)
"""Accepts what stands for an optimizer."""


def as_loss(given: Any) -> Any:
    """Return code of one's own as a loss; names and losses as they are."""
    return own_loss(given, {}) if callable(given) and not isinstance(given, Loss) else given


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
    return (
        network
        >> loss(learner.loss if learner.loss is not None else default_loss(kind))
        >> optimizer(learner.optimizer, lr=learner.lr)
        >> model(epochs=learner.epochs, batch_size=learner.batch_size, patience=learner.patience)
    )
