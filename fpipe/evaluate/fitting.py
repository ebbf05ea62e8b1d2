"""Fitting a graph to a task, and applying what was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrsistent import pmap

from fpipe.core.errors import GraphError, ParameterError
from fpipe.core.key import Key, require_key
from fpipe.data.conform import conform
from fpipe.data.prediction import Prediction
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.evaluate.record import recorded
from fpipe.evaluate.surroundings import context_of, resources
from fpipe.evaluate.validation import Data, Validate, entered
from fpipe.graph.context import Context, Sink
from fpipe.graph.fitted import Fitted
from fpipe.graph.flow import outline
from fpipe.graph.graph import Joinable, as_graph
from fpipe.graph.interpret import apply_graph, fit_graph
from fpipe.graph.settings import missing


def fit(
    graph: Joinable,
    task: Data,
    *,
    key: Key,
    validate: Validate = None,
    device: str | None = None,
    interpreter: str = "auto",
    precision: str = "float32",
    sinks: Sequence[Sink] = (),
    workers: int | None = None,
    materialize: str = "auto",
) -> Fitted:
    """Fit a graph to a task.

    Args:
        graph: what to fit.
        task: a task, or a tuple with one value per input of the graph.
        key: where all randomness comes from; the same key gives the same bits.
        validate: the rows to validate on: a share of the rows (split off at random, groups and
            proportions kept as by `partition`), or a task of its own. Nothing is learned from them.
        device: where networks are trained, such as ``"cuda"``; the CPU by default. ``"auto"`` is
            ``"cuda"`` where there is one, else the CPU.
        interpreter: ``"fast"``, ``"reference"`` (the same bits, readable), or ``"auto"``.
        precision: in what networks compute, while they are trained and when they predict.
            ``"float32"`` or ``"float64"`` throughout; with ``"bfloat16"`` or ``"float16"`` the
            layers that torch's autocast holds to be safe compute in it, and parameters, loss and
            scores stay in float32. With float16 the loss is scaled, so that small gradients do
            not vanish, and an update whose gradients are not finite is left out.
        sinks: where progress is reported: objects with a method ``emit(event)``, which is called
            with a mapping such as ``{"kind": "epoch", ...}`` as training goes on. What it does
            (print, draw a bar, write a log) changes nothing of the result.
        workers: threads that read batches of lazy tensors ahead; by default two where there is
            anything to read or to map, else none. Results do not depend on it.
        materialize: how much of lazy tensors is read once and kept: ``"memory"`` for all that
            needs no draws, ``"device"`` for the same on the device of the training, ``"lazy"``
            for nothing, ``"auto"`` for ``"memory"`` where that takes at most 2 GiB for an input
            (rows × numbers × bytes, before the first draw) and there is more than one epoch.
            Results do not depend on it.

    Returns:
        the fitted graph, for `predict` and `apply`.

    Raises:
        ParameterError: there is no such device, interpreter or precision.
        FpipeError: the graph does not fit the task, or the data cannot be learned from.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, 3.0], "y": [1.0, 2.0]}, "y")
        >>> fp.fit(ops.scale(), task, key=fp.key(0)).state("scale").values  # mean, deviation
        ((2.0, 1.0),)
    """
    context = context_of(device, interpreter, sinks, precision, workers, materialize)
    fitted, _ = run_within(graph, task, key, validate, context, wanted=False)
    return fitted


def run(
    graph: Joinable,
    task: Data,
    *,
    key: Key,
    validate: Validate = None,
    device: str | None = None,
    interpreter: str = "auto",
    precision: str = "float32",
    sinks: Sequence[Sink] = (),
    workers: int | None = None,
    materialize: str = "auto",
) -> tuple[Fitted, Any]:
    """Fit a graph to a task and return what leaves it as well; arguments as in `fit`."""
    context = context_of(device, interpreter, sinks, precision, workers, materialize)
    fitted, out = run_within(graph, task, key, validate, context, wanted=True)
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


def apply(
    fitted: Fitted, data: Data, *, device: str | None = None, workers: int | None = None
) -> Any:
    """Return what a fitted graph gives for new data.

    Args:
        fitted: the fitted graph.
        data: a task or a table with the columns that were there at fit (a tuple with one per
            input of the graph); further columns are ignored, the target may be absent.
        device: where networks are applied; by default where they were trained, and on the CPU
            where that device is not there. The precision is that of the fit.
        workers: threads that read lazy tensors ahead; as in `fit`.

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
    requests = pmap({"device": device} if device else {})
    context = Context(requests=requests, resources=resources(workers))
    graph, states = fitted.graph, fitted.states
    return _single(apply_graph(graph, states, entering, key=fitted.key, context=context))


def predict(
    fitted: Fitted, data: Data, *, device: str | None = None, workers: int | None = None
) -> Prediction:
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
    prediction: Prediction = apply(fitted, data, device=device, workers=workers)
    return prediction


def run_within(
    graph: Joinable,
    data: Data,
    key: Key,
    validate: Validate,
    context: Context,
    *,
    wanted: bool,
) -> tuple[Fitted, tuple[Any, ...]]:
    """Fit a graph within given surroundings; return what was fitted, and the outputs if wanted.

    Sinks that keep values are told what is asked before the first operator is fitted, and when
    all is over, however it ends.
    """
    whole, own_key = as_graph(graph), require_key(key, "fit")
    check_complete_graph(whole.ports, missing(whole), data)
    entering = entered(data, validate, own_key)
    try:
        if context.keepers:
            record = recorded(whole, key, entering, validate, context.requests)
            context.keep({"kind": "run", "record": record})
        states, out = fit_graph(whole, entering, key=own_key, context=context, wanted=wanted)
    finally:
        context.keep({"kind": "over"})
    return Fitted(whole, states, own_key, tuple(map(outline, entering))), out


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


def _input_fix(ports: int, given: tuple[Any, ...]) -> str:
    if len(given) == 1 and ports > 1:
        return "let one task enter all paths: fp.identity() >> (a & b)"
    if len(given) == ports == 1 and isinstance(given[0], Task):
        return "start the network with an ingress, e.g. nn.ingress_numeric()"
    return "make a task first: fp.classification(data, target) or fp.regression(data, target)"


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
