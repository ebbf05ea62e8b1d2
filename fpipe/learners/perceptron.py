"""The multilayer perceptron as a ready graph."""

from __future__ import annotations

from typing import Any

from fpipe.core.parameter import (
    REQUIRED,
    integer,
    number,
    one_of,
    optional,
    parameter,
    text,
    tuple_of,
)
from fpipe.core.value import descriptor
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.data.task import Task
from fpipe.graph.graph import Graph, operator
from fpipe.graph.op import Macro
from fpipe.graph.ports import Port
from fpipe.nn import (
    dropout,
    head,
    ingress_numeric,
    linear,
    loss,
    model,
    optimizer,
    relu,
    sigmoid,
    tanh,
)

_ACTIVATIONS = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh}


@descriptor
class MLP(Macro):
    """A multilayer perceptron over numeric features, with loss, optimizer and training.

    Per hidden layer: linear, activation, dropout; then the head.

    Args:
        neurons: width of each hidden layer; none gives a linear model.
        epochs: how often training goes through the rows.
        activation: ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
        dropout: probability of a zero after every activation.
        optimizer: name of the optimizer.
        lr: its learning rate.
        batch_size: rows per step.
        patience: as in ``nn.model``.
        loss: name of the loss; by default ``"mse"`` or ``"cross_entropy"`` by the task.

    Source:
        The architecture of mlr3torch's ``mlp`` learner.
    """

    name = "mlp"
    inputs = (Port("task", Task),)
    outputs = (Port("prediction", Prediction),)

    neurons: tuple[int, ...] = parameter(default=(), check=tuple_of(integer(1)), convert=tuple)
    epochs: int = parameter(default=REQUIRED, check=integer(0))
    activation: str = parameter(default="relu", check=one_of(*_ACTIVATIONS))
    dropout: float = parameter(default=0.1, check=number(0.0, 1.0))
    optimizer: str = parameter(default="adamw", check=text())
    lr: float = parameter(default=1e-3, check=number(0.0))
    batch_size: int = parameter(default=32, check=integer(1))
    patience: int = parameter(default=0, check=integer(0))
    loss: str | None = parameter(default=None, check=optional(text()))

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the chain of layers for a task."""
        chain = ingress_numeric()
        for width in self.neurons:
            chain = chain >> linear(width) >> _ACTIVATIONS[self.activation]()
            chain = chain >> dropout(self.dropout)
        by_kind = "cross_entropy" if isinstance(types[0].kind, Classification) else "mse"
        return (
            chain
            >> head()
            >> loss(self.loss or by_kind)
            >> optimizer(self.optimizer, lr=self.lr)
            >> model(epochs=self.epochs, batch_size=self.batch_size, patience=self.patience)
        )


mlp = operator(MLP)
