"""The laws of one operator, tried on one task: for the operators that users write."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from fpipe import nn
from fpipe.core.errors import FpipeError, ParameterError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.value import descriptor, evolve
from fpipe.data.kind import Regression
from fpipe.data.prediction import Prediction
from fpipe.data.task import Task
from fpipe.evaluate.fitting import apply, fit, run
from fpipe.graph.context import Context
from fpipe.graph.flow import outline
from fpipe.graph.graph import Graph, Joinable, as_graph, identity, node, wrap
from fpipe.graph.interpret import apply_graph, expansion, fit_graph
from fpipe.graph.op import Macro, Op
from fpipe.graph.ports import Source
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.testing.laws import (
    composition,
    contents,
    fit_apply,
    joining,
    lenses,
    purity,
    resampling,
    running,
)
from fpipe.testing.laws.asserting import agree


class _Tried(NamedTuple):
    """A law and the cases that it is tried on."""

    name: str
    check: Callable[..., None]
    cases: list[tuple[Any, ...]]


@descriptor
class OperatorReport:
    """What `check_op` tried.

    Args:
        held: the laws that held, by name.
        exempt: pairs of a law that was not tried and the operator's reason.
    """

    held: tuple[str, ...]
    exempt: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        lines = [f"{len(self.held)} laws held: {', '.join(self.held)}"]
        return "\n".join(lines + [f"exempt from '{law}': {reason}" for law, reason in self.exempt])


class _Subject(NamedTuple):
    """An operator in its surroundings.

    Args:
        bare: the operator alone.
        whole: the operator behind what it needs, from a task.
        marked: the same, with the operator under the id `_MARK`.
        ends: the operator before what trains it; ends in a prediction, a task or a descriptor.
    """

    bare: Graph
    whole: Graph
    marked: Graph
    ends: Graph
    task: Task


def check_op(
    op: Op | Joinable,
    task: Task,
    *,
    before: Joinable | None = None,
    after: Joinable | None = None,
    key: Key | None = None,
    examples: int = 5,
) -> OperatorReport:
    """Try the laws that every operator of fpipe keeps on an operator of your own.

    Which laws these are depends on what it takes and gives: a task, a network under
    construction, a prediction. An operator says in ``exempt`` which laws it does not keep, and
    why; a law that is broken without that raises. The operator may be of a script or a notebook.

    Args:
        op: the operator, or a graph.
        task: rows to try it on; a few dozen are enough.
        before: what brings the task to an operator of networks; ``nn.ingress_numeric()`` by
            default, and before ``nn.model`` also a head, a loss and an optimizer.
        after: what makes a prediction of a network; by default a head and one epoch of training,
            with a loss and an optimizer unless the operator sets them.
        key: where all randomness comes from; ``fp.key(0)`` by default.
        examples: how often each law that draws is tried.

    Returns:
        which laws held.

    Raises:
        AssertionError: a law is broken; the message names it.
        FpipeError: the operator cannot take the task.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 2.0, 4.0, 8.0] * 4, "y": [1, 2, 3, 4] * 4}, "y")
        >>> "rows may move" in check_op(ops.scale(), task).held
        True
    """
    own_key = Key(0) if key is None else key
    whole = as_graph(op)
    world = contextlib.nullcontext() if _EXEMPT in _exemptions(whole) else purity.unmoved()
    with world:
        return _checked(whole, task, before, after, own_key, examples)


_EXEMPT = "fitting is pure"


def _checked(
    op: Graph,
    task: Task,
    before: Joinable | None,
    after: Joinable | None,
    own_key: Key,
    examples: int,
) -> OperatorReport:
    subject = _subject(op, task, before, after, own_key)
    exempt = _exemptions(subject.bare)
    _check_exemptions(exempt)
    tried = [law for law in _laws(subject, own_key, examples) if law.cases]
    for law in tried:
        if law.name not in exempt:
            _try(law)
    held = tuple(law.name for law in tried if law.name not in exempt)
    return OperatorReport(held, tuple(sorted(exempt.items())))


def _exemptions(graph: Graph) -> dict[str, str]:
    """Return the laws that operators of a graph do not keep, and why."""
    return {law: why for one in graph.nodes for law, why in one.op.exempt.items()}


def _try(law: _Tried) -> None:
    for case in law.cases:
        try:
            law.check(*case)
        except AssertionError as error:
            raise AssertionError(f"the law '{law.name}' is broken: {error}") from error
        except FpipeError as error:
            error.add_note(f"while the law '{law.name}' was tried")
            raise
        except Exception as error:
            raise AssertionError(
                f"the law '{law.name}' is broken: {type(error).__name__}: {error}"
            ) from error


def _check_exemptions(exempt: Mapping[str, str]) -> None:
    known = {law.name for law in _EVERY}
    for name in exempt:
        if name not in known:
            raise ParameterError(
                f"there is no law '{name}' to be exempt from.",
                expected=", ".join(sorted(known)),
                got=repr(name),
                fix=did_you_mean(name, known),
            )


_MARK = "checked_operator"
"""The id under which the operator's own layers are found."""


def _subject(
    graph: Graph, task: Task, before: Joinable | None, after: Joinable | None, key: Key
) -> _Subject:
    takes_networks = any(port.type is ModelDescriptor for port in graph.ports)
    first = before if before is not None or not takes_networks else _leading_to(graph, task)
    whole = graph if first is None else as_graph(first) >> graph
    alone = wrap(graph, id=_MARK)
    marked = alone if first is None else as_graph(first) >> alone
    out = run(whole, task, key=key)[1]
    ends = whole if after is None else whole >> as_graph(after)
    one = out[0] if isinstance(out, tuple) else out
    if after is None and isinstance(one, ModelDescriptor):
        ends = (whole[0] if isinstance(out, tuple) else whole) >> _trained(one, task)
    return _Subject(graph, whole, marked, ends, task)


def _trained(md: ModelDescriptor, task: Task) -> Graph:
    """Return what makes a prediction of a network that ends as the descriptor says."""
    wide = len(md.shapes[0]) > 2
    end = nn.flatten() >> nn.head() if wide else nn.head()
    # What the operator itself sets is not set again.
    if md.loss is None:
        end = end >> nn.loss(_loss_for(task))
    if md.optimizer is None:
        end = end >> nn.optimizer("adam", lr=1e-3)
    return end >> nn.model(epochs=1, batch_size=8, drop_last=True)


def _leading_to(graph: Graph, task: Task) -> Graph:
    """Return what brings the task to an operator of networks; one that trains needs more."""
    names = {one.op.name for one in graph.nodes}
    start = nn.ingress_numeric()
    if "model" not in names:
        return start
    if names <= {"loss", "optimizer", "callbacks", "model"}:
        start = start >> nn.head()
    if "loss" not in names:
        start = start >> nn.loss(_loss_for(task))
    return start if "optimizer" in names else start >> nn.optimizer("adam", lr=1e-3)


def _loss_for(task: Task) -> str:
    return "mse" if isinstance(task.kind, Regression) else "cross_entropy"


def _laws(subject: _Subject, key: Key, examples: int) -> Iterator[_Tried]:
    keys = key.fold_in("check").split(examples)
    yield from _structure(subject.bare)
    yield from _running(subject, keys)
    out = run(subject.ends, subject.task, key=key)[1]
    if isinstance(out, Task):
        yield from _of_tasks(subject.whole, subject.task, keys)
    if isinstance(out, Task | Prediction):
        yield from _of_rows(subject.ends, subject.task, keys)
    if any(port.type is ModelDescriptor for port in subject.bare.output_ports):
        one = subject.whole[0] if len(subject.whole.outputs) > 1 else subject.whole
        yield from _of_networks(one, subject.task, keys)
        marked = [(subject.marked, subject.task, k, f"{_MARK}.") for k in keys[:1]]
        yield _Tried("parameters learn", contents.parameters_learn, marked)
    ends, task = subject.ends, subject.task
    yield _Tried("states are frozen", contents.states_are_frozen, [(ends, task, keys[0])])
    yield _Tried("fitting is pure", purity.fitting_is_pure, [(ends, task, keys[0])])
    yield _Tried("applying is pure", applying_is_pure, [(ends, task, keys[0])])


def _structure(graph: Graph) -> Iterator[_Tried]:
    """Laws 1 and 8: what needs no data."""
    first = wrap(identity(len(graph.ports)), id="first")
    last = wrap(identity(len(graph.outputs)), id="last")
    params = graph.params().items()
    yield _Tried("then is associative", composition.then_is_associative, [(first, graph, last)])
    yield _Tried("identity is unit", composition.identity_is_unit, [(graph,)])
    beside = [(graph, identity(2), identity())]
    yield _Tried("beside is associative", composition.beside_is_associative, beside)
    yield _Tried("get set", lenses.get_set, [(graph,)])
    yield _Tried("set set", lenses.set_set, [(graph, path, v, v) for path, v in params])
    paths = [(graph, path) for path, _ in params]
    yield _Tried("wrong paths are refused", lenses.wrong_paths_are_refused, paths)


def _running(subject: _Subject, keys: tuple[Key, ...]) -> Iterator[_Tried]:
    """Law 2: a composite is its parts."""
    graph, task = subject.whole, subject.task
    first, last = wrap(identity(), id="first"), wrap(identity(len(graph.outputs)), id="last")
    x, y = (task,), (task.take(np.arange(task.n_rows // 2)),)
    pairs = [(first, graph), (graph, last)]
    meeting = [(f, g, x, y, k) for k in keys for f, g in pairs]
    yield _Tried("fitting then", running.fitting_then, meeting)
    # Networks hold the paths of their layers, which wrapping changes; what they predict it
    # does not change. So the law is tried on what leaves.
    ends = [(subject.ends, x, y, k) for k in keys]
    yield _Tried("wrapping", wrapping_gives_the_same, ends)
    unwanted = [(graph, x, k) for k in keys]
    yield _Tried("unwanted is not computed", running.unwanted_is_not_computed, unwanted)
    rows = [(graph, task, k) for k in keys]
    yield _Tried("fit is apply", fit_apply.fit_is_apply, rows)
    yield _Tried("macros are expansions", macros_are_their_expansions, rows)


def _of_tasks(graph: Graph, task: Task, keys: tuple[Key, ...]) -> Iterator[_Tried]:
    """Laws 3 and 9 of operators from task to task."""
    plain = [(graph, task, k) for k in keys]
    cut = [(graph, task, share, k) for k, share in zip(keys, _shares(keys), strict=True)]
    ordered = [(graph, task, k.fold_in("order"), k) for k in keys]
    yield _Tried("fit with validation", fit_apply.fit_is_apply_with_validation, cut)
    yield _Tried("types are inferred", fit_apply.types_are_inferred, plain)
    yield _Tried("values stay", contents.values_stay, plain)
    yield _Tried("truth stays", contents.truth_stays, plain)
    yield _Tried("row order at fit", fit_apply.row_order_at_fit_is_unread, ordered)
    yield _Tried("origins are kept", resampling.origins_are_kept, plain)


def _of_rows(graph: Graph, task: Task, keys: tuple[Key, ...]) -> Iterator[_Tried]:
    """Law 3: what happens to a row depends on the row and the fit alone."""
    plain = [(graph, task, k) for k in keys]
    cut = [(graph, task, share, k) for k, share in zip(keys, _shares(keys), strict=True)]
    ordered = [(graph, task, k.fold_in("order"), k) for k in keys]
    yield _Tried("rows are apart", fit_apply.rows_are_apart, cut)
    yield _Tried("rows are kept", rows_are_kept, plain)
    yield _Tried("rows may move", fit_apply.rows_may_move, ordered)
    yield _Tried("columns may move", fit_apply.columns_may_move, ordered)
    yield _Tried("target is unread", fit_apply.target_is_unread, plain)
    yield _Tried("zero rows", fit_apply.zero_rows_leave_zero_rows, plain)


def _of_networks(graph: Graph, task: Task, keys: tuple[Key, ...]) -> Iterator[_Tried]:
    """Law 7: what applying builds is what fitting built, and joining is idempotent."""
    plain = [(graph, task, k) for k in keys]
    yield _Tried("applying builds the same", joining.applying_builds_the_same, plain)
    made = [run(graph, task, key=k)[1] for k in keys]
    yield _Tried("join is idempotent", joining.join_is_idempotent, [(md, md) for md in made])


def rows_are_kept(graph: Graph, task: Task, key: Key) -> None:
    """As many rows leave ``apply`` as enter it, also those with values that were not at fit."""
    fitted = fit(graph, task, key=key)
    numbers = [name for name in task.features if task.dtype(name).is_float()]
    for factor in (1.0, -3.0, 3.0):
        try:
            other = task.computed(*(pl.col(name) * factor for name in numbers))
            out = apply(fitted, other)
        except FpipeError:
            # An operator may refuse values, as a logarithm does those below 0.
            continue
        left = fit_apply.rows(out).height
        assert left == task.n_rows, f"{task.n_rows} rows entered apply and {left} left"


def applying_is_pure(graph: Graph, task: Task, key: Key) -> None:
    """``apply`` changes nothing and repeats itself, whatever the graph gives."""
    fitted = run(graph, task, key=key)[0]
    purity.pure(lambda: apply(fitted, task), fitted, task)


def wrapping_gives_the_same(graph: Graph, x: Any, y: Any, key: Key) -> None:
    """A graph wrapped under a name gives what the graph gives under ``key.fold_in(name)``."""
    whole, inner = wrap(graph, id="body"), key.fold_in("body")
    states, out = _fit(whole, x, key)
    other, expected = _fit(graph, x, inner)
    agree(out, expected, "the output")
    applied = apply_graph(graph, other, y, key=inner, context=Context())
    again = apply_graph(whole, states, y, key=key, context=Context())
    agree(again, applied, "what applying gives")


def macros_are_their_expansions(graph: Graph, task: Task, key: Key) -> None:
    """Every macro in a graph fits and applies as its expansion, wrapped under its id."""
    entering: dict[tuple[int, int], Any] = {(-1, 0): task}
    for position, (name, one) in enumerate(zip(graph.ids, graph.nodes, strict=True)):
        values = tuple(entering[_place(source)] for source in one.sources)
        alone, own_key = node(evolve(one.op, id=name)), key.fold_in(name)
        states, out = _fit(alone, values, key)
        entering |= {(position, port): value for port, value in enumerate(out)}
        if isinstance(one.op, Macro):
            inside = wrap(expansion(one.op, tuple(map(outline, values))), id=name)
            other, expected = _fit(inside, values, key)
            agree(states[name].states, other[name].states, f"the states inside '{name}'")
            agree(out, expected, f"what '{name}' gives")
            again = apply_graph(inside, other, values, key=own_key, context=Context())
            applied = apply_graph(alone, states, values, key=own_key, context=Context())
            agree(applied, again, f"what applying '{name}' gives")


def _fit(graph: Graph, values: tuple[Any, ...], key: Key) -> tuple[Any, tuple[Any, ...]]:
    return fit_graph(graph, values, key=key, context=Context(), wanted=True)


def _place(source: Source) -> tuple[int, int]:
    return (-1, source.port) if source.is_input else (source.node, source.port)


def _shares(keys: tuple[Key, ...]) -> list[float]:
    return [(i + 1) / (len(keys) + 1) for i in range(len(keys))]


_EVERY = (
    *composition.COMPOSITION,
    *running.RUNNING,
    *fit_apply.FIT_APPLY,
    *fit_apply.TASK_OPERATORS,
    *contents.CONTENTS,
    *joining.JOINING,
    *lenses.LENSES,
    *purity.PURITY,
    *resampling.RESAMPLING,
    Law("rows are kept", "as many rows leave apply as enter", rows_are_kept),
)
