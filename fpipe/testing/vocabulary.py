"""Strategies for operators from task to task, with settings that any task can take."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import polars as pl
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fpipe import ops
from fpipe.core.code import Ref
from fpipe.data.kind import Regression
from fpipe.data.schema import TaskType, is_numeric
from fpipe.graph.graph import Graph, as_graph
from fpipe.ops.formula import as_recipe

Maker = Callable[[TaskType], SearchStrategy[Graph]]

_TRUTH = st.booleans()


def _one_of(*graphs: Any) -> Maker:
    """Return what draws from graphs that any task can take."""
    chosen = st.sampled_from([as_graph(one) for one in graphs])
    return lambda task: chosen


def _doubled(column: pl.Expr) -> pl.Expr:
    return column * 2.0


_DOUBLED = as_recipe(_doubled)


def _coarse(column: pl.Expr) -> pl.Expr:
    return column.clip(-3, 3).round(0)


_COARSE = as_recipe(_coarse)
"""Few values far apart: the exponent that makes two close ones normal overflows for others."""


def _mutate(task: TaskType) -> SearchStrategy[Graph]:
    """A new feature, computed from a number where one is known."""
    numbers = [name for name in task.features if is_numeric(task.dtype(name))]
    read = [pl.col(name).fill_null(0) * 2.0 - 1.0 for name in numbers] + [pl.lit(1.0)]
    return st.builds(lambda one, drop: ops.mutate({"made": one}, drop=drop), _from(read), _TRUTH)


def _rename(task: TaskType) -> SearchStrategy[Graph]:
    """Another name for a feature that is known, in its own place."""
    return _from([*({name: f"{name} renamed"} for name in task.features), {}]).map(ops.rename)


def _union(task: TaskType) -> SearchStrategy[Graph]:
    """Two paths over different features, brought together."""
    numbers, others = ops.select(ops.numeric()), ops.select(~ops.numeric())
    inside = [ops.scale(), ops.impute_sample(), ops.colapply(_DOUBLED)]
    return _from(inside).map(lambda one: ops.copy(2) >> ((numbers >> one) & others) >> ops.union())


def _from(chosen: list[Any]) -> SearchStrategy[Any]:
    return st.sampled_from(chosen)


_SELECTORS = (
    ops.everything(),
    ops.numeric(),
    ~ops.numeric(),
    ops.categorical(),
    ops.levels() | ops.floating(),
    ops.integer() | ops.boolean(),
    ~ops.tensor(),
    ~(ops.temporal() & ops.dates()),
    ops.matching(".*x.*"),
    ops.cardinality(at_least=3),
    ~ops.missing(0.5),
)

_MAKERS: dict[str, Maker] = {
    "balance": _one_of(*(ops.balance(1.0, "major", "upsample", x) for x in (True, False))),
    "colapply": _one_of(
        ops.colapply(_DOUBLED),
        ops.colapply(_DOUBLED, columns=ops.numeric(), becomes="twice {}"),
    ),
    "collapse_levels": _one_of(
        ops.collapse_levels(0.3), ops.collapse_levels(0.0, max_levels=1, into="c d")
    ),
    "date_features": _one_of(
        ops.date_features(parts=("year", "is_month_end")),
        ops.date_features(parts=("month", "day_of_week"), cyclic=True),
    ),
    "drop_unseen_levels": _one_of(ops.drop_unseen_levels()),
    "impute_constant": _one_of(
        ops.impute_constant(0), ops.impute_constant(0.5), ops.impute_constant("none")
    ),
    "impute_hist": _one_of(ops.impute_hist()),
    "impute_mean": _one_of(ops.impute_mean()),
    "impute_median": _one_of(ops.impute_median()),
    "impute_mode": _one_of(
        ops.impute_mode(), ops.impute_mode(columns=ops.numeric() | ops.categorical())
    ),
    "impute_oor": _one_of(ops.impute_oor(), ops.impute_oor(below=False, multiplier=0.0)),
    "impute_sample": _one_of(ops.impute_sample()),
    "log_target": _one_of(ops.log_target(1000.0)),
    "missing_indicators": _one_of(ops.missing_indicators(), ops.missing_indicators("all")),
    "mutate": _mutate,
    "one_hot": _one_of(*(ops.one_hot(unseen=x) for x in ("error", "zeros", "missing"))),
    "ordinal": _one_of(
        ops.ordinal(),
        ops.ordinal(unseen="code", columns=ops.levels() | ops.boolean()),
    ),
    "power_transform": _one_of(ops.colapply(_COARSE) >> ops.power_transform()),
    "quantile_transform": _one_of(
        ops.quantile_transform(5),
        ops.quantile_transform(output="uniform"),
        ops.quantile_transform(3, noise=0.1),
    ),
    "remove_constants": _one_of(ops.remove_constants(), ops.remove_constants(ratio=0.2)),
    "rename": _rename,
    "robustify": _one_of(ops.robustify(), ops.robustify(max_levels=2, scale=True)),
    "scale": _one_of(*(ops.scale(center=c, scale=s) for c in (True, False) for s in (True, False))),
    "scale_max_abs": _one_of(ops.scale_max_abs()),
    "scale_range": _one_of(ops.scale_range(), ops.scale_range(-1.0, 2.0)),
    "scale_robust": _one_of(ops.scale_robust(), ops.scale_robust(0.1, 0.6)),
    "scale_target": _one_of(ops.scale_target()),
    "select": _one_of(*map(ops.select, _SELECTORS)),
    "transform_target": _one_of(ops.transform_target(Ref("numpy:arcsinh"), Ref("numpy:sinh"))),
    "union": _union,
}
_OF_NUMBERS = ("log_target", "scale_target", "transform_target")
_OF_CLASSES = ("balance",)

TASK_OPS: tuple[str, ...] = tuple(sorted(_MAKERS))
"""Operators of ``fpipe.ops`` that are drawn; others need a task of their own, or a graph."""

NAMING: tuple[frozenset[str], ...] = (
    frozenset({"colapply", "power_transform"}),
    frozenset({"missing_indicators", "robustify"}),
)
"""Operators that make features of the same names, so that one of each set may occur in a graph."""

BY_PLACE = {"row order at fit": frozenset({"balance"})}
"""Law → operators that keep it alone, but not before draws: repeats get their ids by place."""


def task_ops(
    task: TaskType,
    *,
    law: str | None = None,
    without: Collection[str] = (),
    name: str | None = None,
) -> SearchStrategy[Graph]:
    """One real operator that a task of this type can take.

    Args:
        task: the type of the task.
        law: the law that is tried; operators that are exempt from it are left out.
        without: names of operators that are left out.
        name: the operator; any of them by default.
    """
    foreign = _OF_CLASSES if isinstance(task.kind, Regression) else _OF_NUMBERS
    left = [one for one in TASK_OPS if one not in {*foreign, *without}]
    drawn = st.sampled_from(left if name is None else [name])
    made = drawn.flatmap(lambda chosen: _MAKERS[chosen](task))
    return made.filter(lambda graph: law is None or law not in exemptions(graph))


def exemptions(graph: Graph) -> frozenset[str]:
    """Return the names of the laws that an operator in a graph is exempt from."""
    return frozenset(law for one in graph.nodes for law in one.op.exempt)
