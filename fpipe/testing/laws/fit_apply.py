"""Law 3: what a fitted operator does to a row depends on that row and the fit alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.errors import FpipeError
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.core.value import evolve
from fpipe.data.lazy.reading import materialize
from fpipe.data.lazy.tensor import LazyTensor
from fpipe.data.prediction import Prediction
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.evaluate.fitting import apply, fit, run
from fpipe.graph.context import Context
from fpipe.graph.fitted import Fitted
from fpipe.graph.graph import Graph
from fpipe.graph.interpret import infer_graph
from fpipe.testing.laws.asserting import agree, near

RTOL = 1e-4
"""For float32 networks whose sums are cut otherwise."""


def fit_is_apply(graph: Graph, task: Task, key: Key) -> None:
    """What leaves while fitting is the same as ``apply`` on the same task."""
    fitted, out = run(graph, task, key=key)
    agree(apply(fitted, task), out, "what apply gives")


def fit_is_apply_with_validation(graph: Graph, task: Task, cut: float, key: Key) -> None:
    """The same with validation rows riding along; they teach nothing and are transformed."""
    at = min(max(1, round(cut * task.n_rows)), task.n_rows - 1)
    first, rest = task.take(np.arange(at)), task.take(np.arange(at, task.n_rows))
    try:
        alone = fit(graph, first, key=key)
    except FpipeError:
        return
    fitted, out = run(graph, first, key=key, validate=rest)
    agree(fitted.states, alone.states, "the states")
    agree(out.valid, apply(fitted, rest), "the validation part")
    agree(apply(fitted, first.with_valid(rest)), out, "what apply gives")


def rows_are_apart(graph: Graph, task: Task, cut: float, key: Key) -> None:
    """``apply`` on some rows is close to the same rows of ``apply`` on all; single rows too.

    The rows are parted at the cut in the order of the task, and by the key at random, into
    parts of other sizes, so that no regularity of the rows hides what a part lacks.
    """
    fitted = fit(graph, task, key=key)
    whole, n = _every_row(apply(fitted, task), task), task.n_rows
    order, at = key.fold_in("apart").permutation(n), round(cut * n)
    third = 1 + round(cut * n / 3)
    drawn = [order[:third], order[third:], order[:1], order[-1:]]
    for places in [np.arange(at), np.arange(at, n), *drawn]:
        part = task.take(places)
        near(_every_row(apply(fitted, part), part), whole[places], "the part", RTOL, 1e-6)


def rows_may_move(graph: Graph, task: Task, order: Key, key: Key) -> None:
    """Permuting rows permutes what leaves."""
    fitted = fit(graph, task, key=key)
    places = order.permutation(task.n_rows)
    moved = task.take(places)
    whole = _every_row(apply(fitted, task), task)
    near(_every_row(apply(fitted, moved), moved), whole[places], "what leaves", RTOL, 1e-6)


def _every_row(out: Any, task: Task) -> pl.DataFrame:
    """Return what left as a frame with one row per row that entered."""
    table = rows(out)
    assert table.height == task.n_rows, f"{task.n_rows} rows entered apply and {table.height} left"
    return table


def columns_may_move(graph: Graph, task: Task, order: Key, key: Key) -> None:
    """Permuting columns and adding columns that nobody reads changes nothing."""
    fitted = fit(graph, task, key=key)
    names = task.table.columns
    table = task.table.select([names[i] for i in order.permutation(len(names))])
    extra = pl.Series("nobody reads this", np.arange(task.n_rows) * 1e6)
    features = tuple(reversed(task.features))
    other = evolve(
        task,
        table=table.with_columns(extra),
        roles=task.roles.set("feature", (*features, extra.name)),
    )
    near(rows(apply(fitted, other)), rows(apply(fitted, task)), "what leaves", RTOL, 1e-6)


def target_is_unread(graph: Graph, task: Task, key: Key) -> None:
    """Without a target in the new rows the same features and responses leave."""
    fitted = fit(graph, task, key=key)
    out = apply(fitted, task)
    table, roles = task.table.drop(task.roles["target"]), task.roles.remove("target")
    bare = apply(fitted, evolve(task, table=table, roles=roles))
    if isinstance(out, Prediction):
        agree((bare.response, bare.prob), (out.response, out.prob), "the prediction")
        return
    agree(rows(bare).select(bare.features), rows(out).select(out.features), "the features")


def zero_rows_leave_zero_rows(graph: Graph, task: Task, key: Key) -> None:
    """Zero rows give zero rows with the same schema."""
    fitted = fit(graph, task, key=key)
    none = rows(apply(fitted, task.take([])))
    assert none.height == 0
    agree(none, rows(apply(fitted, task)).head(0), "the empty table")


def types_are_inferred(graph: Graph, task: Task, key: Key) -> None:
    """What is inferred without data is the outline of what leaves; an open type, a part of it."""
    out = run(graph, task, key=key)[1].outline()
    (inferred,), _ = infer_graph(graph, (task.outline(),), key=key, context=Context())
    if not inferred.open:
        agree(_read_part(inferred), _read_part(out), "the type")
        return
    known = [name for name in out.features if name in inferred.features]
    agree(tuple(known), inferred.features, "the features that are foreseen")
    shown = out.with_features(tuple((name, out.dtype(name)) for name in known))
    agree(_read_part(inferred), _read_part(shown), "what is known of the type")


def row_order_at_fit_is_unread(graph: Graph, task: Task, order: Key, key: Key) -> None:
    """Fitting on permuted rows learns close to the same (operators that do not train)."""
    states = fit(graph, task, key=key).states
    moved = fit(graph, task.take(order.permutation(task.n_rows)), key=key).states
    near(moved, states, "what was learned", 1e-9, 1e-9)


def batch_size_is_unread(graph: Graph, task: Task, batch: int, key: Key) -> None:
    """Predicting with another number of rows at a time is close."""
    fitted = fit(graph, task, key=key)
    other = _with_batch(fitted, batch)
    near(rows(apply(other, task)), rows(apply(fitted, task)), "the prediction", RTOL, 1e-6)


def rows(out: Any) -> pl.DataFrame:
    """Return a task or prediction as a frame with its row ids and origins, lazy tensors read."""
    ids = [pl.Series("#row_id", out.row_id), pl.Series("#origin", out.origin)]
    if isinstance(out, Prediction):
        return out.table().with_columns(ids)
    read = [_contents(name, out.tensor(name)) for name in out.tensors]
    table: pl.DataFrame = out.table.drop(out.tensors).with_columns(*read, *ids)
    return table


def _contents(name: str, lazy: LazyTensor) -> pl.Series:
    """Return what every row of a lazy column holds: dtype, shape and bits."""
    held = [
        f"{row.dtype}{tuple(row.shape)} ".encode() + row.contiguous().numpy().tobytes()
        for row in materialize(lazy)
    ]
    return pl.Series(name, held, dtype=pl.Binary)


def _read_part(outline: TaskType) -> tuple[Any, ...]:
    """Return kind, roles and the dtypes of all columns that have a role."""
    names = {name for columns in outline.roles.values() for name in columns}
    return outline.kind, outline.roles, {name: outline.dtype(name) for name in names}


def _with_batch(fitted: Fitted, batch: int) -> Fitted:
    state = evolve(fitted.state("model"), batch=batch)
    return evolve(fitted, states=pmap(dict(fitted.states) | {"model": state}))


FIT_APPLY = (
    Law("fit is apply", "fit's output is the same as apply on the same task", fit_is_apply),
    Law("rows are apart", "apply on some rows is close to apply on all", rows_are_apart),
    Law("rows may move", "permuting rows permutes outputs", rows_may_move),
    Law("columns may move", "permuted and further columns change nothing", columns_may_move),
    Law("target is unread", "a missing target changes nothing at apply", target_is_unread),
    Law("zero rows", "zero rows give zero rows with the same schema", zero_rows_leave_zero_rows),
)
"""Laws of every graph from a task, also of those that end in a prediction."""

TASK_OPERATORS = (
    Law("fit with validation", "validation rows teach nothing", fit_is_apply_with_validation),
    Law("types are inferred", "inferred types are those that leave", types_are_inferred),
    Law("row order at fit", "fitting on permuted rows learns the same", row_order_at_fit_is_unread),
)
"""Laws of operators from task to task."""

PREDICTORS = (
    Law("batch size is unread", "predicting in other batches is close", batch_size_is_unread),
)
"""Laws of graphs that end in a prediction."""
