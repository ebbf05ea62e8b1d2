"""A ready chain of preprocessing for tables as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import polars as pl

from fpipe.core.parameter import boolean, integer, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.graph import Graph, identity
from fpipe.graph.op import Macro
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.ops import feature_selector
from fpipe.ops.collapse import collapse_levels
from fpipe.ops.constant import remove_constants
from fpipe.ops.date_parts import date_features
from fpipe.ops.encoding import one_hot
from fpipe.ops.formula import as_recipe
from fpipe.ops.impute import impute_mode, impute_oor
from fpipe.ops.impute_draw import impute_hist
from fpipe.ops.indicators import missing_indicators
from fpipe.ops.rewriting import colapply
from fpipe.ops.scaling import scale


@descriptor
class Robustify(Macro):
    """Turn the features of any task into numbers without missing values.

    It stands for those of these steps that the types of the features call for, in this order:

    1. ``remove_constants``
    2. ``missing_indicators`` for all but levels
    3. ``date_features``, and ``clocks``: times and durations become numbers
    4. ``impute_hist`` for numbers, ``impute_mode`` for truth values, ``impute_oor`` for levels
    5. ``collapse_levels``: rare levels beyond ``max_levels``, and levels that come later, are one
    6. ``one_hot``, and ``truths``: truth values become 0 and 1
    7. ``scale``, where wanted
    8. ``remove_constants`` once more, as ``remove_constants_2``

    Their parameters are addressed below the node's id, as in
    ``"robustify.collapse_levels.share"``. Tensors are left alone.

    Args:
        max_levels: how many levels of a feature may stay, the most frequent ones.
        indicators: whether further features tell where a number, truth value or date was missing.
        scale: whether the numbers are scaled to mean 0 and standard deviation 1.

    Raises:
        DataError: a number is infinite.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression(
        ...     {"n": [1.0, None, 3.0], "c": ["u", "v", None], "k": [5, 5, 5], "y": [1, 2, 3]}, "y"
        ... )
        >>> fp.transform(ops.robustify(), task, key=fp.key(0)).features
        ('n', 'n.missing', 'c.u', 'c.v', 'c..MISSING')

    Source:
        ``ppl("robustify")`` of mlr3pipelines.
    """

    name = "robustify"
    inputs = (Port("task", Task),)
    outputs = (Port("task", Task),)
    steps: ClassVar[Mapping[str, str]] = {
        "missing_indicators": "indicators=True and a number, a truth value or a date",
        "date_features": "a feature of dates",
        "clocks": "a feature of times or durations",
        "impute_hist": "a number or a date",
        "impute_mode": "a truth value, a date or indicators=True",
        "impute_oor": "a feature with levels",
        "collapse_levels": "a feature with levels",
        "one_hot": "a feature with levels",
        "truths": "a truth value, a date or indicators=True",
        "scale": "scale=True",
    }

    max_levels: int = parameter(default=1000, check=integer(1))
    indicators: bool = parameter(default=True, check=boolean())
    scale: bool = parameter(default=False, check=boolean())

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the steps that the types of the features call for."""
        task: TaskType = types[0]
        has = {kind: task.open or bool(chosen.of(task)) for kind, chosen in _KINDS.items()}
        if not any(has.values()):
            return identity()
        numbers = has["numbers"] or has["dates"] or has["clocks"]
        marked = self.indicators and (numbers or has["truths"])
        truths = has["truths"] or has["dates"] or marked
        steps = [
            (True, remove_constants()),
            (marked, missing_indicators(columns=_INDICATED)),
            (has["dates"], date_features()),
            (has["clocks"], colapply(as_recipe(_physical), columns=_KINDS["clocks"], id="clocks")),
            (numbers, impute_hist()),
            (truths, impute_mode(columns=_KINDS["truths"])),
            (has["levels"], impute_oor(columns=_KINDS["levels"])),
            (has["levels"], collapse_levels(share=0.0, max_levels=self.max_levels)),
            (has["levels"], one_hot()),
            (truths, colapply(as_recipe(_zero_one), columns=_KINDS["truths"], id="truths")),
            (self.scale, scale()),
            (True, remove_constants()),
        ]
        graph = identity()
        for wanted, step in steps:
            graph = graph >> step if wanted else graph
        return graph


robustify = operator(Robustify)

_INDICATED = feature_selector.numeric() | feature_selector.boolean() | feature_selector.temporal()
_KINDS = {
    "numbers": feature_selector.numeric(),
    "truths": feature_selector.boolean(),
    "levels": feature_selector.levels(),
    "dates": feature_selector.dates(),
    "clocks": feature_selector.temporal() & ~feature_selector.dates(),
}


def _physical(column: pl.Expr) -> pl.Expr:
    return column.to_physical().cast(pl.Float64)


def _zero_one(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.Float64)
