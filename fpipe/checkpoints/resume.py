"""Going on with a fit that a checkpoint sink has kept in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from pyrsistent import pmap

from fpipe.checkpoints.changes import check_changes, unchanged
from fpipe.checkpoints.folder import (
    finished_states,
    name_of_run,
    newest_states,
    node_file,
    remove_unfinished,
    run_file,
)
from fpipe.checkpoints.sink import CheckpointSink
from fpipe.core.code import Ref, package_of
from fpipe.core.errors import StateError
from fpipe.core.key import require_key
from fpipe.core.tree import within
from fpipe.core.value import evolve
from fpipe.evaluate.fitting import run_within
from fpipe.evaluate.record import RunRecord, recorded
from fpipe.evaluate.surroundings import check_sinks, context_of
from fpipe.evaluate.validation import Data, Validate, entered
from fpipe.files import load
from fpipe.graph.context import Sink
from fpipe.graph.fitted import Fitted
from fpipe.graph.graph import Graph, Joinable, as_graph
from fpipe.graph.settings import split_head
from fpipe.io.lock import FolderLock
from fpipe.train.numerics import check_numerics
from fpipe.trusted import TRUSTED


def resume(
    graph: Joinable,
    task: Data,
    folder: str | Path,
    *,
    validate: Validate = None,
    sinks: Sequence[Sink] = (),
    workers: int | None = None,
    materialize: str = "auto",
) -> Fitted:
    """Go on with a fit that a `CheckpointSink` has kept, from where it was cut off.

    What is fitted is the same, to the bit, as if the fit had never been cut off. A fit that has
    ended is returned as it was. Checkpoints go on into the same folder.

    These may differ from the fit: `sinks` and how often states are kept; the number of epochs, if
    it is greater and no callback depends on the length of the whole run; further callbacks, which
    start now, as the event ``"resume"`` tells the sinks; `predict_batch`. Anything else is an error
    that shows what has changed.

    Args:
        graph: the graph of the fit. Code that it uses may be loaded from the folder.
        task: the task of the fit.
        folder: the folder of the checkpoint sink.
        validate: the task to validate on, if one was given to the fit; a share is remembered.
        sinks: where progress is reported. A `CheckpointSink` of the same folder among them says
            anew how often states are kept.
        workers: threads that read lazy tensors ahead, as in `fit`.
        materialize: how much of lazy tensors is read once, as in `fit`.

    Returns:
        the fitted graph.

    Raises:
        StateError: the folder holds no run, another run writes into it now, or something has
            changed that must not.
        CodecError: a file is of a newer version, or ``run.fpipe`` is damaged. States that are
            damaged are passed over: the newest whole one counts.

    Example:
        >>> import tempfile
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"x": [1.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0]}, "y")
        >>> graph = (
        ...     nn.ingress_numeric() >> nn.head() >> nn.loss("mse")
        ...     >> nn.optimizer("adam") >> nn.model(epochs=2)
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = fp.fit(graph, task, key=fp.key(1), sinks=[fp.CheckpointSink(folder)])
        ...     longer = fp.resume(graph.set({"model.epochs": 5}), task, folder)
        >>> longer.state("model").state.cursor.epoch
        5
    """
    whole, place = as_graph(graph), Path(folder).expanduser()
    check_sinks(sinks)
    lock = FolderLock(_existing(place))
    try:
        remove_unfinished(place)
        allow = _code_of(whole)
        kept = _kept(place, allow)
        before: RunRecord = kept["record"]
        share = before.validate if validate is None else validate
        entering = entered(task, share, require_key(before.key, "fit"))
        now = recorded(whole, before.key, entering, share, before.requests)
        check_numerics(before.numerics)
        check_changes(before, now)
        same_nodes = unchanged(before.graph, whole)
        run, states = name_of_run(now), finished_states(place, name_of_run(now), allow)
        finished = {p: state for p, state in states.items() if split_head(p)[0] in same_nodes}
        for path in set(states) - set(finished):
            node_file(place, path).unlink(missing_ok=True)  # it learns anew
        keeper = _keeper(place, kept["settings"], sinks).going_on(lock)
        asked = dict(before.requests)
        context = context_of(
            asked.get("device"),
            asked["interpreter"],
            _others(sinks),
            asked["precision"],
            workers,
            materialize,
        )
        context = evolve(
            context,
            sinks=(*context.sinks, keeper),
            finished=pmap(finished),
            reached=pmap(newest_states(place, run, allow)),
        )
        return run_within(whole, task, before.key, share, context, wanted=False)[0]
    finally:
        lock.release()


def _existing(folder: Path) -> Path:
    if not run_file(folder).is_file():
        raise StateError(
            "the folder holds no run.",
            expected=f"{run_file(folder).name} in it, as a CheckpointSink writes it",
            got="no such folder" if not folder.is_dir() else "no such file",
            at=str(folder),
            fix="begin it: fp.fit(graph, task, key=..., "
            f"sinks=[fp.CheckpointSink({str(folder)!r})])",
        )
    return folder


def _kept(folder: Path, allow: Sequence[str]) -> Mapping[str, Any]:
    kept: Mapping[str, Any] = load(run_file(folder), allow)
    return kept


def _code_of(graph: Graph) -> tuple[str, ...]:
    """Return the code in a graph, and the packages of its own: the caller trusts them.

    States may hold classes of other modules than the operators that make them.
    """
    found = set()
    for part in within(graph):
        if isinstance(part, Ref):
            found |= {part.path, package_of(part.path)}
        elif attrs.has(type(part)):
            found.add(package_of(type(part).__module__))
    return tuple(sorted(name for name in found if name not in _KNOWN))


_KNOWN = {"fpipe", *(package_of(rule.package) for rule in TRUSTED)}
"""Packages of which the catalogue says itself what may be used."""


def _keeper(folder: Path, settings: Mapping[str, Any], sinks: Sequence[Sink]) -> CheckpointSink:
    """Return the checkpoint sink of the folder: the one given, else one as before."""
    given = [sink for sink in sinks if isinstance(sink, CheckpointSink)]
    for sink in given:
        if sink.folder.resolve() != folder.resolve():
            raise StateError(
                "the run goes on in its folder, but a checkpoint sink has another.",
                expected=str(folder),
                got=str(sink.folder),
                fix=f"fp.CheckpointSink({str(folder)!r}, ...), or leave it out",
            )
    return given[-1] if given else CheckpointSink(folder, **settings)


def _others(sinks: Sequence[Sink]) -> tuple[Sink, ...]:
    return tuple(sink for sink in sinks if not isinstance(sink, CheckpointSink))
