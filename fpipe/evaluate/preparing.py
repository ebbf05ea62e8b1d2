"""Stopping just before training, so that the fold can be done by hand."""

from __future__ import annotations

from typing import NamedTuple

from fpipe.core.errors import GraphError
from fpipe.core.key import Key, require_key
from fpipe.data.task import Task
from fpipe.evaluate.fitting import check_complete_graph
from fpipe.evaluate.surroundings import context_of
from fpipe.evaluate.validation import Validate, entered
from fpipe.graph.flow import detach
from fpipe.graph.graph import Graph, Joinable, as_graph
from fpipe.graph.interpret import fit_graph
from fpipe.graph.settings import missing
from fpipe.graph.wiring import normal_form
from fpipe.nn.training import Train
from fpipe.train.numerics import resolve_numerics
from fpipe.train.run import Run
from fpipe.train.state import TrainState
from fpipe.train.step import initial_state


class Prepared(NamedTuple):
    """A training that has not begun: what it reads, and its first state."""

    run: Run
    state: TrainState


def prepare(
    graph: Joinable,
    task: Task,
    *,
    key: Key,
    validate: Validate = None,
    device: str | None = None,
    interpreter: str = "auto",
    precision: str = "float32",
    workers: int | None = None,
    materialize: str = "auto",
) -> Prepared:
    """Fit everything before the model and return the training that would follow.

    Folding it gives what `fit` gives, to the bit.

    Args:
        graph: a graph whose last operator is ``nn.model(...)``.
        task: the task.
        key: as in `fit`.
        validate: as in `fit`.
        device: as in `fit`.
        interpreter: as in `fit`.
        precision: as in `fit`.
        workers: as in `fit`.
        materialize: as in `fit`.

    Returns:
        ``(run, state)``, for ``fp.fold(run, state, fp.events(run.plan))`` or ``fp.scan``.

    Raises:
        GraphError: the graph does not end in ``nn.model(...)``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"x": [1.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0]}, "y")
        >>> graph = nn.ingress_numeric() >> nn.head() >> nn.loss("mse")
        >>> graph = graph >> nn.optimizer("sgd", lr=0.01) >> nn.model(epochs=2)
        >>> run, state = fp.prepare(graph, task, key=fp.key(0))
        >>> fp.fold(run, state, fp.events(run.plan)).cursor.step
        2
    """
    whole, own_key = as_graph(graph), require_key(key, "fit")
    check_complete_graph(whole.ports, missing(whole), task)
    model = _last_model(whole)
    before = Graph(*normal_form(len(whole.ports), whole.nodes, whole.nodes[-1].sources))
    entering = entered(task, validate, own_key)
    context = context_of(
        device, interpreter, precision=precision, workers=workers, materialize=materialize
    )
    _, reached = fit_graph(before, entering, key=own_key, context=context, wanted=True)
    train, valid = detach(reached)
    numerics = resolve_numerics(interpreter, device, precision)
    run = model.run(train[0], valid[0] if valid else None, numerics, context.resources)
    return Prepared(run, initial_state(run, own_key.fold_in(whole.ids[-1]), numerics))


def _last_model(graph: Graph) -> Train:
    last = graph.nodes[-1].op if graph.nodes and len(graph.outputs) == 1 else None
    if not isinstance(last, Train):
        raise GraphError(
            "the graph does not end in a model.",
            expected="nn.model(...) as the last operator",
            got=last.name if last is not None else "no single last operator",
            fix="end it with nn.model(...), outside of any wrap",
        )
    return last
