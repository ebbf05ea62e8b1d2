"""Scaling of features and target."""

from __future__ import annotations

import polars as pl

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import boolean, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.kind import Classification
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.target import Affine
from fpipe.data.task import Task
from fpipe.graph.graph import operator
from fpipe.ops.selector import numeric
from fpipe.ops.task_op import TaskOp


@descriptor
class Moments:
    """Shift and scale per feature, each in the unit of its feature."""

    columns: tuple[str, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]


@descriptor
class Scale(TaskOp):
    """Subtract the mean of every numeric feature and divide by its standard deviation.

    Missing values do not count and stay missing; a constant feature is divided by 1.

    Args:
        center: whether the mean is subtracted.
        scale: whether it is divided.

    Source:
        scikit-learn's StandardScaler (standard deviation with ``n``).
    """

    name = "scale"

    center: bool = parameter(default=True, check=boolean())
    scale: bool = parameter(default=True, check=boolean())

    def learn(self, task: Task, key: Key) -> Moments:
        """Measure mean and standard deviation in one pass."""
        del key
        columns = numeric().of(task)
        means = [pl.col(n).cast(pl.Float64).mean().alias(f"m{i}") for i, n in enumerate(columns)]
        deviations = [
            pl.col(n).cast(pl.Float64).std(ddof=0).alias(f"s{i}") for i, n in enumerate(columns)
        ]
        found = task.table.select(*means, *deviations).row(0) if columns else ()
        half = len(columns)
        shift = tuple(float(x or 0.0) if self.center else 0.0 for x in found[:half])
        scale = tuple(
            _usable(s, m) if self.scale else 1.0
            for m, s in zip(found[:half], found[half:], strict=True)
        )
        return Moments(columns, shift, scale)

    def transform(self, state: Moments, task: Task, key: Key) -> Task:
        """Scale the same features."""
        del key
        check_columns(state.columns, task.features)
        triples = zip(state.columns, state.shift, state.scale, strict=True)
        table = task.table.with_columns(
            [(pl.col(n).cast(pl.Float64) - shift) / scale for n, shift, scale in triples]
        )
        return evolve(task, table=table)

    def typed(self, task: TaskType) -> TaskType:
        """The scaled features become floats."""
        changed = set(numeric().of(task))
        return evolve(
            task, dtypes=tuple((n, pl.Float64() if n in changed else t) for n, t in task.dtypes)
        )


@descriptor
class ScaleTarget(TaskOp):
    """Standardise the target of a regression; predictions and scores stay in its own unit.

    Raises:
        ParameterError: the task is a classification.
        DataError: the target is constant.
    """

    name = "scale_target"

    def learn(self, task: Task, key: Key) -> Affine:
        """Measure mean and standard deviation."""
        del key
        _check_regression(task)
        target = task.role("target")
        if target is None or target.null_count() or not target.len():
            raise DataError("scale_target needs a target in every row.", got="missing values")
        values = target.cast(pl.Float64)
        deviation = float(values.std(ddof=0) or 0.0)  # type: ignore[arg-type]
        if deviation == 0.0:
            raise DataError(
                f"the target '{task.target}' is the same in all {task.n_rows} rows.",
                expected="a target that varies",
                got=repr(target[0]),
            )
        return Affine(float(values.mean()), deviation)  # type: ignore[arg-type]

    def transform(self, state: Affine, task: Task, key: Key) -> Task:
        """Scale the target where there is one; what undoes it is kept with the task."""
        del key
        inverse = (*task.target_inverse, state)
        if task.target is None:
            return evolve(task, target_inverse=inverse)
        name = task.target
        kept = task if task.roles.get("truth") else _with_truth(task)
        scaled = (pl.col(name).cast(pl.Float64) - state.shift) / state.scale
        return evolve(kept, table=kept.table.with_columns(scaled), target_inverse=inverse)

    def typed(self, task: TaskType) -> TaskType:
        """The target stays a float; the one that entered is kept as the truth."""
        _check_regression(task)
        if task.target is None or task.roles.get("truth"):
            return task
        name = truth_name(task.target)
        roles = task.roles.set("truth", (name,))
        return evolve(task, dtypes=(*task.dtypes, (name, pl.Float64())), roles=roles)


scale = operator(Scale)
scale_target = operator(ScaleTarget)


def truth_name(target: str) -> str:
    """Return the name of the column that keeps the target as it was."""
    return f"{target} (truth)"


def _with_truth(task: Task) -> Task:
    name = truth_name(task.target or "")
    truth = task.column(task.target or "").alias(name)
    roles = task.roles.set("truth", (name,))
    return evolve(task, table=task.table.with_columns(truth), roles=roles)


def _check_regression(task: Task | TaskType) -> None:
    if isinstance(task.kind, Classification):
        raise ParameterError(
            "scale_target is for regression.",
            expected="a regression task",
            got=f"'{task.name}', a classification",
            fix="leave out ops.scale_target()",
        )


def _usable(deviation: float | None, mean: float | None) -> float:
    """Return the deviation, or 1 where a feature is constant up to rounding."""
    small = 10 * 2.220446049250313e-16 * abs(mean or 0.0)
    return float(deviation) if deviation is not None and deviation > small else 1.0
