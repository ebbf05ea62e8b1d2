"""Fitting a graph to a task, and applying what was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrsistent import pmap

from fpipe.core.errors import DataError, GraphError, ParameterError, SchemaError
from fpipe.core.key import Key, require_key
from fpipe.data.apart import groups_of, strata_of
from fpipe.data.conform import conform
from fpipe.data.prediction import Prediction
from fpipe.data.schema import TaskType
from fpipe.data.split import holdout_rows
from fpipe.data.task import Task
from fpipe.evaluate.partition import check_ratio
from fpipe.graph.context import Context, Sink
from fpipe.graph.fitted import Fitted
from fpipe.graph.flow import outline
from fpipe.graph.graph import Joinable, as_graph
from fpipe.graph.interpret import apply_graph, fit_graph
from fpipe.graph.settings import missing

Data = Any
Validate = float | str | Task | None


def fit(
    graph: Joinable,
    task: Data,
    *,
    key: Key,
    validate: Validate = None,
    device: str | None = None,
    interpreter: str = "auto",
    sinks: Sequence[Sink] = (),
) -> Fitted:
    """Fit a graph to a task.

    Args:
        graph: what to fit.
        task: a task, or a tuple with one value per input of the graph.
        key: where all randomness comes from; the same key gives the same bits.
        validate: the rows to validate on: a share of the rows (split off at random, groups and
            proportions kept as by `partition`), or a task of its own. Nothing is learned from them.
        device: where networks are trained, such as ``"cuda"``; the CPU by default.
        interpreter: ``"fast"``, ``"reference"`` (the same bits, readable), or ``"auto"``.
        sinks: where progress is reported: objects with a method ``emit(event)``, which is called
            with a mapping such as ``{"kind": "epoch", ...}`` as training goes on. What it does
            (print, draw a bar, write a log) changes nothing of the result.

    Returns:
        the fitted graph, for `predict` and `apply`.

    Raises:
        FpipeError: the graph does not fit the task, or the data cannot be learned from.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, 3.0], "y": [1.0, 2.0]}, "y")
        >>> fp.fit(ops.scale(), task, key=fp.key(0)).state("scale").values  # mean, deviation
        ((2.0, 1.0),)
    """
    fitted, _ = _run(graph, task, key, validate, device, interpreter, sinks, wanted=False)
    return fitted


def run(
    graph: Joinable,
    task: Data,
    *,
    key: Key,
    validate: Validate = None,
    device: str | None = None,
    interpreter: str = "auto",
    sinks: Sequence[Sink] = (),
) -> tuple[Fitted, Any]:
    """Fit a graph to a task and return what leaves it as well; arguments as in `fit`."""
    fitted, out = _run(graph, task, key, validate, device, interpreter, sinks, wanted=True)
    return fitted, _single(out)


def transform(graph: Joinable, task: Data, *, key: Key, validate: Validate = None) -> Any:
    """Fit a graph to a task and return only what leaves it.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, 3.0], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.scale(), task, key=fp.key(0)).column("x").to_list()
        [-1.0, 1.0]
    """
    return run(graph, task, key=key, validate=validate)[1]


def apply(fitted: Fitted, data: Data, *, device: str | None = None) -> Any:
    """Return what a fitted graph gives for new data.

    Args:
        fitted: the fitted graph.
        data: a task or a table with the columns that were there at fit (a tuple with one per
            input of the graph); further columns are ignored, the target may be absent.
        device: where networks are applied.

    Raises:
        SchemaError: a column is missing or has another type.
    """
    _check_fitted(fitted)
    given = data if isinstance(data, tuple) else (data,)
    if len(given) != len(fitted.outlines):
        raise GraphError(
            f"the graph takes {len(fitted.outlines)} inputs but {len(given)} came.",
            expected=len(fitted.outlines),
            got=len(given),
        )
    pairs = zip(given, fitted.outlines, strict=True)
    entering = tuple(conform(d, o) if isinstance(o, TaskType) else d for d, o in pairs)
    context = Context(requests=pmap({"device": device} if device else {}))
    graph, states = fitted.graph, fitted.states
    return _single(apply_graph(graph, states, entering, key=fitted.key, context=context))


def predict(fitted: Fitted, data: Data, *, device: str | None = None) -> Prediction:
    """Return the prediction of a fitted graph for new data; arguments as in `apply`.

    Raises:
        GraphError: the graph does not end in a prediction.
        SchemaError: a column is missing or has another type.
    """
    _check_fitted(fitted)
    last = [port.type for port in fitted.graph.output_ports]
    if last != [Prediction]:
        raise GraphError(
            "the graph does not end in a prediction.",
            expected="one output, a Prediction",
            got=", ".join(t.__name__ for t in last) or "no output",
            fix="end it with nn.model(...) or a learner, or use fp.apply",
        )
    prediction: Prediction = apply(fitted, data, device=device)
    return prediction


def with_validation(task: Task, validate: Validate, key: Key) -> Task:
    """Return the task with validation rows riding along.

    Raises:
        ParameterError: ``validate`` is none of the accepted forms.
        DataError: the task carries validation rows already.
    """
    if validate is None:
        return task
    if task.valid is not None:
        raise DataError(
            "the task carries validation rows already.",
            expected="validate=None, or a task without them",
            got=f"{task.valid.n_rows} rows, and validate={validate!r}"[:200],
        )
    if isinstance(validate, Task):
        return task.with_valid(_checked_valid(task, validate))
    if not isinstance(validate, str | int | float):
        raise ParameterError(
            f"validate cannot be {_article(validate)}.",
            expected="a share such as 0.2, or a task",
            got=type(validate).__name__,
            fix=f"make a task of it: {_task_call(task)}",
        )
    if validate == "test":
        raise ParameterError(
            f"validate={validate!r} has a meaning only where there is a test set.",
            expected="a share such as 0.2, or a task",
            got=repr(validate),
            fix='validate="test" belongs to fp.resample; here give the task itself',
        )
    share = check_ratio(validate, "validate")
    first, rest = holdout_rows(
        task.n_rows,
        1.0 - share,
        key.fold_in("validate"),
        groups=groups_of(task),
        strata=strata_of(task),
    )
    return task.take(first).with_valid(task.take(rest))


def _run(
    graph: Joinable,
    data: Data,
    key: Key,
    validate: Validate,
    device: str | None,
    interpreter: str,
    sinks: Sequence[Sink],
    *,
    wanted: bool,
) -> tuple[Fitted, tuple[Any, ...]]:
    whole, own_key = as_graph(graph), require_key(key, "fit")
    check_complete_graph(whole.ports, missing(whole), data)
    entering = entered(data, validate, own_key)
    context = context_of(device, interpreter, sinks)
    states, out = fit_graph(whole, entering, key=own_key, context=context, wanted=wanted)
    return Fitted(whole, states, own_key, tuple(map(outline, entering))), out


def entered(data: Data, validate: Validate, key: Key) -> tuple[Any, ...]:
    """Return what enters a graph: tasks with rows, and validation rows riding along."""
    given = data if isinstance(data, tuple) else (data,)
    return tuple(
        with_validation(_checked_task(d), validate, key) if isinstance(d, Task) else d
        for d in given
    )


def context_of(device: str | None, interpreter: str, sinks: Sequence[Sink] = ()) -> Context:
    """Return the surroundings of a fit."""
    check_sinks(sinks)
    requests = {"interpreter": interpreter} | ({"device": device} if device else {})
    return Context(requests=pmap(requests), sinks=tuple(sinks))


def check_complete_graph(ports: tuple[Any, ...], unset: tuple[str, ...], data: Data) -> None:
    """Raise where a graph lacks parameters, or takes other inputs than were given."""
    if unset:
        raise ParameterError(
            "1 parameter of the graph has not been set."
            if len(unset) == 1
            else f"{len(unset)} parameters of the graph have not been set.",
            expected="a value for each",
            got=", ".join(unset),
            fix=f"graph.set({{'{unset[0]}': {_example(unset[0])}}})",
            missing=unset,
        )
    given = data if isinstance(data, tuple) else (data,)
    fits = len(given) == len(ports) and all(
        isinstance(value, port.type) for value, port in zip(given, ports, strict=True)
    )
    if not fits:
        raise GraphError(
            "the graph does not take what was given.",
            expected=", ".join(map(repr, ports)) or "nothing",
            got=", ".join(type(value).__name__ for value in given),
            fix=_input_fix(len(ports), given),
        )


_EXAMPLES = {
    "epochs": "10",
    "out_features": "32",
    "n_blocks": "2",
    "lr": "1e-3",
    "neurons": "(32,)",
}


def _example(path: str) -> str:
    """Return a value that the parameter at a path could have; ``...`` where none is known."""
    return _EXAMPLES.get(path.rpartition(".")[2], "...")


def check_sinks(sinks: Any) -> None:
    """Raise ParameterError unless every sink takes events."""
    several = isinstance(sinks, Sequence) and not isinstance(sinks, str)
    for sink in sinks if several else (sinks,):
        if not several or not callable(getattr(sink, "emit", None)):
            name = getattr(sink, "__name__", type(sink).__name__)
            takes = callable(getattr(sink, "emit", None)) and not isinstance(sink, type)
            raise ParameterError(
                f"sinks cannot be {name}." if not several else f"'{name}' is no sink.",
                expected="a list of objects with a method emit(event)",
                got=repr(sink),
                fix="give a list: sinks=[sink]"
                if takes
                else "give an object whose emit takes a mapping: sinks=[sink]",
            )


def _input_fix(ports: int, given: tuple[Any, ...]) -> str:
    if len(given) == 1 and ports > 1:
        return "let one task enter all paths: fp.identity() >> (a & b)"
    if len(given) == ports == 1 and isinstance(given[0], Task):
        return "start the network with an ingress, e.g. nn.ingress_numeric()"
    return "make a task first: fp.classification(data, target) or fp.regression(data, target)"


def _article(thing: Any) -> str:
    name = type(thing).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _task_call(task: Task) -> str:
    return f"fp.{task.kind.name}(data, {task.target!r})"


def _checked_task(task: Task) -> Task:
    if task.n_rows == 0:
        raise DataError("the task has no rows.", expected="at least one row", got=repr(task))
    return task


def _checked_valid(task: Task, valid: Task) -> Task:
    if valid.kind != task.kind or valid.target != task.target:
        raise SchemaError(
            "the validation task predicts something else.",
            expected=f"target '{task.target}' of a {task.kind.name}",
            got=f"target '{valid.target}' of a {valid.kind.name}",
        )
    if valid.n_rows == 0:
        raise DataError("the validation task has no rows.", expected="at least one row")
    return conform(valid.with_valid(None), task.outline())


def _check_fitted(fitted: Any) -> None:
    if not isinstance(fitted, Fitted):
        raise GraphError(
            f"{type(fitted).__name__} is not fitted.",
            expected="what fp.fit returns",
            got=type(fitted).__name__,
            fix="fp.fit(graph, task, key=fp.key(42))",
        )


def _single(out: tuple[Any, ...]) -> Any:
    return out[0] if len(out) == 1 else out
