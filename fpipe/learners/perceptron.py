"""The multilayer perceptron as a ready graph."""

from __future__ import annotations

from typing import Any

import polars as pl
from pyrsistent import PMap, pmap

from fpipe.core.errors import ParameterError, SchemaError
from fpipe.core.parameter import (
    REQUIRED,
    Check,
    integer,
    number,
    optional,
    parameter,
    real,
    tuple_of,
)
from fpipe.core.value import descriptor
from fpipe.data.lazy.columns import is_lazy
from fpipe.data.prediction import Prediction
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.graph import Graph
from fpipe.graph.op import Macro
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.learners.training import (
    A_LOSS,
    AN_OPTIMIZER,
    as_loss,
    as_optimizer,
    trained,
    training,
)
from fpipe.nn import dropout, head, ingress_numeric, ingress_tensor, linear
from fpipe.nn.layers.named import ACTIVATION_NAME, activation

_ARGUMENTS = Check(
    "a mapping from parameters of the activation to values", lambda x: isinstance(x, PMap)
)


@descriptor
class MLP(Macro):
    """A multilayer perceptron with loss, optimizer and training.

    Per hidden layer: linear, activation, dropout; then the head. Features are numbers, or one
    column with a vector in every row.

    ``graph.set`` also reaches the nodes that it stands for (``"mlp.optimizer.lr"``). What is set so
    comes last: it wins over the learner's own parameter (``"mlp.lr"``), whatever was set first.

    Args:
        neurons: width of each hidden layer; none gives a linear model.
        epochs: how often training goes through the rows.
        activation: name of any activation of ``fpipe.nn``.
        activation_args: its parameters by name.
        n_layers: how often the one width in ``neurons`` is repeated.
        dropout: probability of a zero after every activation.
        optimizer: name of the optimizer, or what ``nn.optimizer(...)`` gives.
        lr: its learning rate; by default that of ``nn.optimizer(...)``, and 0.001 for a name.
        batch_size: rows per step.
        patience: as in ``nn.model``.
        loss: name of the loss, what ``nn.loss(...)`` gives (such as
            ``nn.loss("cross_entropy", class_weight={"spam": 2.0})``), or a function; by default
            ``"mse"`` or ``"cross_entropy"`` by the task.

    Raises:
        ParameterError: ``n_layers`` is given with other than one width, the activation has no
            such parameter, or there is no loss or optimizer of that name.
        SchemaError: a feature is no number, or holds tensors that are no vectors.

    Source:
        The architecture of mlr3torch's ``mlp`` learner.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners
        >>> task = fp.regression({"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 1.0, 2.0, 3.0]}, "y")
        >>> fp.check(learners.mlp(neurons=(8,), n_layers=2, epochs=1), task).params
        97
    """

    name = "mlp"
    inputs = (Port("task", Task),)
    outputs = (Port("prediction", Prediction),)

    neurons: tuple[int, ...] = parameter(default=(), check=tuple_of(integer(1)), convert=tuple)
    epochs: int = parameter(default=REQUIRED, check=integer(0))
    activation: str = parameter(default="relu", check=ACTIVATION_NAME)
    dropout: float = parameter(default=0.1, check=number(0.0, 1.0), convert=real)
    optimizer: Any = parameter(default="adamw", check=AN_OPTIMIZER, convert=as_optimizer)
    lr: float | None = parameter(default=None, check=optional(number(0.0)), convert=real)
    batch_size: int = parameter(default=32, check=integer(1))
    patience: int = parameter(default=0, check=integer(0))
    loss: Any = parameter(default=None, check=A_LOSS, convert=as_loss)
    activation_args: PMap[str, Any] = parameter(
        default=pmap(), check=_ARGUMENTS, convert=lambda x: pmap(dict(x))
    )
    n_layers: int | None = parameter(default=None, check=optional(integer(1)))

    def __attrs_post_init__(self) -> None:
        if self.n_layers is not None and len(self.neurons) != 1:
            raise ParameterError(
                f"{self.name}: n_layers repeats one width, but neurons has {len(self.neurons)}.",
                expected="one width in neurons where n_layers is given",
                got=f"neurons={self.neurons}, n_layers={self.n_layers}",
                fix=f"neurons=({self.neurons[0] if self.neurons else 100},)",
            )
        if self.activation is not REQUIRED and self.activation_args is not REQUIRED:
            activation(self.activation, self.activation_args)  # what it does not take is refused

    def foreseen(self) -> Graph:
        """Return the optimizer and the model, which are the same for every task."""
        return training(self)

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the chain of layers for a task."""
        chain = _ingress(types[0])
        for width in self.neurons * (self.n_layers or 1):
            chain = chain >> linear(width) >> activation(self.activation, self.activation_args)
            chain = chain >> dropout(self.dropout)
        return trained(chain >> head(), self, types[0].kind)


def _ingress(task: TaskType) -> Graph:
    """Return the ingress of numbers, or of the one column of vectors."""
    only = task.dtype(task.features[0]) if len(task.features) == 1 else None
    if task.open or only is None or not (isinstance(only, pl.Array) or is_lazy(only)):
        return ingress_numeric()
    name = task.features[0]
    lazy = is_lazy(only)
    shape = task.tensors[name].shape if lazy else only.shape  # type: ignore[attr-defined]
    if shape is not None and len(shape) != 1:
        raise SchemaError(
            f"mlp takes vectors, but '{name}' holds tensors of shape {shape}.",
            expected="a vector in every row",
            got=str(tuple(shape)),
            fix="put ops.trafo_reshape((-1,)) before it"
            if lazy
            else "nn.ingress_tensor() >> nn.flatten() >> nn.linear(...) and so on",
        )
    return ingress_tensor()


mlp = operator(MLP)
