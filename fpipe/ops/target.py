"""Transformations of the target; predictions and scores stay in its own unit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, Check, number, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.kind import Classification
from fpipe.data.schema import TaskType
from fpipe.data.target import Affine, Logarithm, Mapped
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.task_op import TaskOp

Numbers = NDArray[np.float64]

_FUNCTION = Check("a function of an array", lambda x: isinstance(x, Ref | Opaque))


def _function(given: Any) -> Any:
    return as_code(given) if callable(given) or isinstance(given, str) else given


@descriptor
class TargetOp(TaskOp):
    """An operator that transforms the target of a regression, and knows how to undo it.

    The target as it was is kept with the task, and what undoes the transformation goes with it:
    predictions, scores and early stopping are in the target's own unit. Where a new row's
    target cannot be transformed it becomes missing; its prediction is the same.
    """

    name: ClassVar[str]

    def fitted(self, target: Numbers) -> Any:
        """Return the transformation: ``do``, and ``undo`` for its inverse."""
        raise NotImplementedError

    def learn(self, task: Task, key: Key) -> Any:
        """Learn the transformation from the targets, which must all be there.

        Raises:
            DataError: a target is missing, or cannot be transformed.
        """
        del key
        check_regression(self.name, task)
        target = task.role("target")
        if target is None or target.null_count() or not target.len():
            raise DataError(
                f"{self.name} needs a target in every row.",
                expected="a target in every row",
                got="no target"
                if target is None
                else f"{target.null_count()} of {target.len()} missing",
                fix="fit on a task with its target",
            )
        return self.fitted(target.cast(pl.Float64).to_numpy())

    def transform(self, state: Any, task: Task, key: Key) -> Task:
        """Transform the target where there is one; what undoes it is kept with the task."""
        del key
        done = task.with_target_inverse((*task.target_inverse, state))
        if task.target is None:
            return done
        kept = done if task.roles.get("truth") else _with_truth(done)
        values = task.column(task.target).cast(pl.Float64).to_numpy()
        made = np.where(np.isfinite(values), state.do(values), np.nan)
        made = np.where(np.isfinite(made), made, np.nan)
        new = pl.Series(task.target, made, nan_to_null=True)
        return evolve(kept, table=kept.table.with_columns(new))

    def typed(self, task: TaskType) -> TaskType:
        """The target stays a float; the one that entered is kept as the truth."""
        check_regression(self.name, task)
        if task.target is None or task.roles.get("truth"):
            return task
        name = truth_name(task.target)
        _check_free(name, [column for column, _ in task.dtypes])
        roles = task.roles.set("truth", (name,))
        return evolve(task, dtypes=(*task.dtypes, (name, pl.Float64())), roles=roles)


@descriptor
class ScaleTarget(TargetOp):
    """Standardise the target of a regression; predictions and scores stay in its own unit.

    Raises:
        ParameterError: the task is a classification.
        DataError: the target is constant.
    """

    name = "scale_target"

    def fitted(self, target: Numbers) -> Affine:
        """Measure mean and standard deviation."""
        values = pl.Series(target)
        deviation = float(values.std(ddof=0) or 0.0)  # type: ignore[arg-type]
        if deviation == 0.0:
            raise DataError(
                f"the target is the same in all {len(target)} rows.",
                expected="a target that varies",
                got=repr(values[0]),
                fix="fit on rows with different targets",
            )
        return Affine(float(values.mean()), deviation)  # type: ignore[arg-type]


@descriptor
class LogTarget(TargetOp):
    """Take the logarithm of the target of a regression; predictions stay in its own unit.

    The target becomes ``log(y + offset)``, and predictions ``exp(prediction) - offset``.

    Args:
        offset: what is added first, in the unit of the target.

    Raises:
        ParameterError: the task is a classification.
        DataError: a target plus offset is not positive.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners, ops
        >>> task = fp.regression({"x": [0, 0], "y": [1.0, 100.0]}, "y")
        >>> graph = ops.log_target() >> learners.featureless()
        >>> round(fp.predict(fp.fit(graph, task, key=fp.key(0)), task).response[0], 9)
        10.0
    """

    name = "log_target"

    offset: float = parameter(default=0.0, check=number(), convert=float)

    def learn(self, task: Task, key: Key) -> Any:
        """Check that every target has a logarithm.

        Raises:
            DataError: one has none; where the target was transformed before, that may be why.
        """
        try:
            return super().learn(task, key)
        except DataError as error:
            before = [_UNDOES[type(one)] for one in task.target_inverse if type(one) in _UNDOES]
            if "row" not in error.details or not before:
                raise
            raise DataError(
                error.rule,
                expected=error.expected,
                got=error.got,
                fix=f"swap them: ops.log_target() >> ops.{before[-1]}(...)",
                **error.details,
            ) from None

    def fitted(self, target: Numbers) -> Logarithm:
        """Check that every target has a logarithm."""
        wrong = np.flatnonzero(target + self.offset <= 0.0)
        if len(wrong):
            row = int(wrong[0])
            plus = f" + {self.offset}" if self.offset else ""
            raise DataError(
                f"the target in row {row} has no logarithm: {target[row]}{plus}.",
                expected="targets above " + str(-self.offset if self.offset else 0),
                got=f"{target[row]} in row {row}; {len(wrong)} such rows",
                fix=f"ops.log_target(offset={1.0 - float(target.min())})",
                row=row,
            )
        return Logarithm(self.offset)


@descriptor
class TransformTarget(TargetOp):
    """Transform the target of a regression by a function; predictions stay in its own unit.

    Args:
        function: transforms an array of targets, ``[rows]`` float64, such as ``np.sqrt``; or
            ``"package.module:function"``.
        inverse: brings transformed targets back, such as ``np.square``.

    Raises:
        ParameterError: the task is a classification, or a function cannot be imported.
        DataError: the functions are not inverse to each other on the targets, or give something
            that is not finite.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners, ops
        >>> task = fp.regression({"x": [0, 0], "y": [0.0, 16.0]}, "y")
        >>> graph = ops.transform_target("numpy:sqrt", "numpy:square") >> learners.featureless()
        >>> fp.predict(fp.fit(graph, task, key=fp.key(0)), task).response.to_list()
        [4.0, 4.0]
    """

    name = "transform_target"

    function: Ref | Opaque = parameter(default=REQUIRED, check=_FUNCTION, convert=_function)
    inverse: Ref | Opaque = parameter(default=REQUIRED, check=_FUNCTION, convert=_function)

    def fitted(self, target: Numbers) -> Mapped:
        """Check that the inverse undoes the function on these targets."""
        made = Mapped(self.function, self.inverse)
        there = made.do(target)
        self._check(target, there, np.isfinite(there), self.function.name)
        back = made.undo(there)
        near = np.isclose(back, target, rtol=1e-6, atol=1e-9 * max(1.0, float(np.std(target))))
        both = f"{self.inverse.name}({self.function.name}(y))"
        self._check(target, back, near, both, "the target itself")
        return made

    def typed(self, task: TaskType) -> TaskType:
        """The functions must be there."""
        for code in (self.function, self.inverse):
            if code is not REQUIRED:
                code.resolve()
        return TargetOp.typed(self, task)

    def _check(
        self, target: Numbers, made: Numbers, good: Any, what: str, expected: str = "finite numbers"
    ) -> None:
        if not good.all():
            row = int((~good).argmax())
            raise DataError(
                f"transform_target: {what} gives {made[row]} for the target in row {row}.",
                expected=expected,
                got=f"{made[row]} for {target[row]}; {int((~good).sum())} such rows",
                fix="give functions that undo each other on all targets",
                row=row,
            )


_UNDOES = {Affine: "scale_target", Mapped: "transform_target"}
"""The operators whose transformations these values undo."""

scale_target = operator(ScaleTarget)
log_target = operator(LogTarget)
transform_target = operator(TransformTarget)


def truth_name(target: str) -> str:
    """Return the name of the column that keeps the target as it was."""
    return f"{target} (truth)"


def check_regression(what: str, task: Task | TaskType) -> None:
    """Raise ParameterError for a task that is no regression."""
    if isinstance(task.kind, Classification):
        raise ParameterError(
            f"{what} is for regression.",
            expected="a regression task",
            got=f"'{task.name}', a classification",
            fix=f"leave out ops.{what}()",
        )


def _check_free(name: str, columns: list[str]) -> None:
    """Raise SchemaError where the target as it was would take the place of another column."""
    if name in columns:
        raise SchemaError(
            f"a column has the name '{name}', under which the target is kept as it was.",
            expected="a table without such a column",
            got=f"a column '{name}'",
            fix=f"rename it: data.rename({{'{name}': 'column'}})",
            column=name,
        )


def _with_truth(task: Task) -> Task:
    name = truth_name(task.target or "")
    _check_free(name, list(task.schema))
    truth = task.column(task.target or "").alias(name)
    roles = task.roles.set("truth", (name,))
    return evolve(task, table=task.table.with_columns(truth), roles=roles)
