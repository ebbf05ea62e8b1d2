"""Networks from a user's own class as ready learners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import GraphError, ParameterError, SchemaError
from fpipe.core.parameter import REQUIRED, integer, number, optional, parameter, real
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.data.prediction import Prediction
from fpipe.data.schema import TaskType, is_categorical, is_numeric
from fpipe.data.task import Task
from fpipe.graph.graph import Graph, as_graph, identity, node, wrap
from fpipe.graph.op import Macro
from fpipe.graph.ports import Port
from fpipe.learners.signature import (
    Signature,
    check_inputs,
    forward_of,
    hyper_parameters,
    unknown_name,
)
from fpipe.learners.training import (
    A_LOSS,
    AN_OPTIMIZER,
    TRAINING,
    as_loss,
    as_optimizer,
    trained,
    training,
)
from fpipe.net.layers.module import Foreign
from fpipe.nn import ingress_categorical, ingress_numeric, ingress_tensor
from fpipe.nn.layers.foreign import Module, hold
from fpipe.ops import select
from fpipe.ops.selector import ByName, Selector

Feed = Graph | Selector


@descriptor
class ModuleLearner(Macro):
    """A network built by a user's class, with ingress, loss, optimizer and training.

    Args:
        code: the class, or a function that returns a module.
        feeds: pairs of an argument of ``forward`` and what feeds it.
        arguments: the hyper-parameters of the class, by name.
        takes_task: whether the class is given the type of the task.
        epochs: as in ``nn.model``.
        loss: the loss; None for the one that suits the task.
        optimizer: the optimizer.
        lr: its learning rate; None for its own, or 0.001.
        batch_size: rows per step.
        patience: as in ``nn.model``.
    """

    name = "module"
    inputs = (Port("task", Task),)
    outputs = (Port("prediction", Prediction),)

    code: Ref | Opaque
    feeds: tuple[tuple[str, Feed], ...]
    arguments: PMap[str, Any] = pmap()
    takes_task: bool = False
    epochs: int = parameter(default=REQUIRED, check=integer(0))
    loss: Any = parameter(default=None, check=A_LOSS, convert=as_loss)
    optimizer: Any = parameter(default="adam", check=AN_OPTIMIZER, convert=as_optimizer)
    lr: float | None = parameter(default=None, check=optional(number(0.0)), convert=real)
    batch_size: int = parameter(default=32, check=integer(1))
    patience: int = parameter(default=0, check=integer(0))

    def parameters(self) -> dict[str, Any]:
        """Those of the class, of training, and of the graphs that feed the network."""
        inner = {
            f"inputs.{name}.{path}": value
            for name, feed in self.feeds
            if isinstance(feed, Graph)
            for path, value in feed.params().items()
        }
        return {
            **dict(items(self.arguments)),
            **{name: getattr(self, name) for name in TRAINING},
            **inner,
        }

    def with_parameters(self, changes: Mapping[str, Any]) -> ModuleLearner:
        """Return the learner with some of these replaced."""
        own = {n: x for n, x in changes.items() if n in TRAINING}
        given = {n: hold(x) for n, x in changes.items() if n in self.arguments}
        feeds = tuple((name, _changed(name, feed, changes)) for name, feed in self.feeds)
        return evolve(self, feeds=feeds, arguments=self.arguments.update(given), **own)

    def written(self) -> tuple[str, ...]:
        """The class, its inputs, and its arguments."""
        given = (f"{name}={value!r}" for name, value in items(self.arguments))
        return (self.code.name, f"inputs={', '.join(n for n, _ in self.feeds)}", *given)

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return ingress, network, loss, optimizer and model for a task."""
        task: TaskType = types[0]
        given = dict(self.arguments)
        if self.takes_task:
            given["task"] = REQUIRED if task.open else task
        feeds = dict(self.feeds)
        entering = identity() >> tuple(
            wrap(_fed(name, feeds[name], task), id=name) for name in self._order(given)
        )
        network = node(Module(self.code, (), pmap(given), id="network"))
        return trained(wrap(entering, id="inputs") >> network, self, task.kind)

    def foreseen(self) -> Graph:
        """Return the optimizer and the model, which are the same for every task."""
        return training(self)

    def _order(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the inputs in the order of ``forward``, which a function shows once it has run."""
        names = tuple(name for name, _ in self.feeds)
        known = forward_of(self.code)
        if known is None and not any(value is REQUIRED for value in given.values()):
            built = Foreign(self.code, (), pmap(given)).bare()
            known = Signature.of(type(built).forward, bound=True)
        return names if known is None else check_inputs(self.code.name, names, known)


def module(
    cls: Any,
    *,
    inputs: Mapping[str, Any],
    epochs: int = REQUIRED,
    loss: Any = None,
    optimizer: Any = "adam",
    lr: float | None = None,
    batch_size: int = 32,
    patience: int = 0,
    id: str | None = None,
    **params: Any,
) -> Graph:
    """Make a learner from a class of networks.

    The class is built anew whenever the learner is fitted, its weights drawn under the key. An
    instance is copied now and begins with the weights that it has, whatever the key; it has no
    hyper-parameters. A constructor that takes ``task`` is given the type of the task: its
    ``features``, the ``dtype(name)`` of each, and its ``kind`` with ``classes`` and
    ``output_size`` (the number of outputs the network must give: one for numbers and two classes,
    else one per class). All other arguments of the constructor are hyper-parameters:
    ``module.<name>``.

    Args:
        cls: the class of modules, ``"package.module:Class"``, a function that returns a module,
            or an instance.
        inputs: argument of ``forward`` → what feeds it: a graph that ends in an ingress, or a
            selector such as ``ops.numeric()`` or names of features, for the ingress that suits
            them.
        epochs: how often training goes through the rows.
        loss: name of the loss, what ``nn.loss(...)`` gives, or a function; by default ``"mse"`` or
            ``"cross_entropy"`` by the task.
        optimizer: name of the optimizer, or what ``nn.optimizer(...)`` gives.
        lr: its learning rate; by default that of ``nn.optimizer(...)``, and 0.001 for a name.
        batch_size: rows per step.
        patience: as in ``nn.model``.
        id: the node's id.
        **params: hyper-parameters of the class; those without a default must be set at last by
            ``graph.set``.

    Raises:
        ParameterError: the class has no such argument, or ``inputs`` are no arguments of
            ``forward``.
        GraphError: what feeds an input is no graph from a task.

    Example:
        >>> import fpipe as fp, torch
        >>> from fpipe import learners, ops
        >>> class Line(torch.nn.Module):
        ...     def __init__(self, task, bias=True):
        ...         super().__init__()
        ...         self.map = torch.nn.Linear(len(task.features), task.kind.output_size, bias)
        ...     def forward(self, x):
        ...         return self.map(x)
        >>> line = learners.module(Line, inputs={"x": ops.numeric()}, epochs=2)
        >>> line.at("module.bias")
        True
        >>> task = fp.regression({"a": [0.0, 1.0, 2.0], "y": [1.0, 2.0, 3.0]}, "y")
        >>> fp.check(line, task).params
        2
    """
    code = _checked_code(cls)
    names, takes_task = hyper_parameters(code)
    clash = [name for name in (*names.defaults, *params) if name in TRAINING]
    if clash:
        raise ParameterError(
            f"{code.name} has an argument '{clash[0]}', which the learner uses itself.",
            expected="arguments apart from " + ", ".join(TRAINING),
            got=clash[0],
            fix=f"rename '{clash[0]}' in {code.name}",
        )
    for name, value in params.items():
        if name not in names.defaults and not names.open:
            raise unknown_name(code.name, name, value, names.defaults)
    arguments = {n: hold(x) for n, x in {**names.defaults, **params}.items()}
    made = ModuleLearner(
        code,
        _feeds(code, inputs),
        pmap(arguments),
        takes_task,
        epochs,
        loss,
        optimizer,
        lr,
        batch_size,
        patience,
        id=id,
    )
    return node(made)


def _checked_code(cls: Any) -> Ref | Opaque:
    code: Ref | Opaque = hold(cls) if isinstance(cls, torch.nn.Module) else as_code(cls)
    if not callable(code.resolve()):
        raise ParameterError(
            "learners.module needs a class of modules.",
            expected="a subclass of torch.nn.Module, or a function that returns a module",
            got=repr(cls)[:60],
            fix="learners.module(Network, inputs={'x': ops.numeric()}, epochs=10)",
        )
    return code


def _feeds(code: Ref | Opaque, inputs: Any) -> tuple[tuple[str, Feed], ...]:
    if not isinstance(inputs, Mapping) or not inputs:
        raise ParameterError(
            "inputs must say what feeds each argument of forward.",
            expected="a mapping from arguments of forward to graphs or selectors",
            got=repr(inputs)[:60],
            fix="inputs={'x': nn.ingress_numeric()}",
        )
    known = forward_of(code)
    names = tuple(inputs)
    order = names if known is None else check_inputs(code.name, names, known)
    return tuple((name, _feed(name, inputs[name])) for name in order)


def _feed(name: str, given: Any) -> Feed:
    if isinstance(given, Selector):
        return given
    if isinstance(given, str) or (isinstance(given, list) and given):
        return ByName((given,) if isinstance(given, str) else tuple(given))
    graph = as_graph(given)
    if len(graph.ports) != 1 or len(graph.outputs) != 1:
        raise GraphError(
            f"the graph for the input '{name}' must lead from a task to one tensor.",
            expected="one input and one output",
            got=f"{len(graph.ports)} inputs, {len(graph.outputs)} outputs",
            fix=f"inputs={{'{name}': ops.select(ops.numeric()) >> nn.ingress_numeric()}}",
        )
    return graph


def _changed(name: str, feed: Feed, changes: Mapping[str, Any]) -> Feed:
    prefix = f"inputs.{name}."
    inner = {p[len(prefix) :]: x for p, x in changes.items() if p.startswith(prefix)}
    return feed.set(inner) if inner and isinstance(feed, Graph) else feed


def _fed(name: str, feed: Feed, task: TaskType) -> Graph:
    """Return the graph that feeds an input; for a selector, the ingress that suits its features."""
    if isinstance(feed, Graph):
        return feed
    chosen = feed.of(task)
    dtypes = [task.dtype(feature) for feature in chosen]
    if dtypes and all(map(is_categorical, dtypes)):
        return select(feed) >> ingress_categorical()
    if len(dtypes) == 1 and dtypes[0].is_nested():
        return select(feed) >> ingress_tensor()
    mixed = [n for n, t in zip(chosen, dtypes, strict=True) if not _is_number(t)]
    if mixed:
        raise SchemaError(
            f"the features of the input '{name}' are of several kinds.",
            expected="numbers, or categorical features, or one column of tensors",
            got=", ".join(f"{n}: {type(task.dtype(n)).__name__}" for n in chosen[:6]),
            fix=f"inputs={{'{name}': ops.numeric(), …: ops.categorical()}}",
        )
    return select(feed) >> ingress_numeric()


def _is_number(dtype: Any) -> bool:
    return is_numeric(dtype) or isinstance(dtype, pl.Boolean)
