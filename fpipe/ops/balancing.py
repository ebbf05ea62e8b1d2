"""Balancing the classes of the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import boolean, number, one_of, parameter
from fpipe.core.value import descriptor
from fpipe.data.kind import Classification
from fpipe.data.schema import TaskType
from fpipe.data.task import Rows, Task
from fpipe.graph.context import Context
from fpipe.graph.operator import operator
from fpipe.ops.selector import View
from fpipe.ops.task_op import TaskOp

_REASON = "balancing changes rows only while fitting"

_REFERENCES = ("all", "major", "minor", "nonmajor", "nonminor", "one")
_ADJUSTS = ("all", "major", "minor", "nonmajor", "nonminor", "upsample", "downsample")


@descriptor
class Balance(TaskOp):
    """Repeat or leave out training rows, so that the classes get the numbers of rows wished for.

    The wished number is ``ratio`` times the reference, rounded (halves to even). A class with
    more rows keeps that many, drawn at random; one with fewer is filled up by going through its
    rows in random order again and again, so that no row occurs twice more than another. Repeats
    get row ids of their own and keep their origin and group. Rows at prediction and validation
    rows stay as they are.

    Args:
        ratio: the wished number, in units of the reference.
        reference: ``"all"`` for the mean number of rows of the classes, ``"major"`` or
            ``"minor"`` for the largest or smallest class, ``"nonmajor"`` or ``"nonminor"`` for
            the mean of all classes but that one, ``"one"`` for 1. Of equally large classes the
            first counts as the largest, of equally small ones the last as the smallest; classes
            without rows do not count.
        adjust: which classes are adjusted: ``"all"``, one or all but one as for the reference,
            ``"upsample"`` for those with fewer rows than wished, ``"downsample"`` for those with
            more.
        shuffle: whether the rows are shuffled; else the rows that stay keep their order, and
            repeats follow class by class.

    Raises:
        ParameterError: the task is a regression.
        DataError: a class is missing in some row, or a class would be left without rows.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.classification({"x": range(5), "y": ["a", "a", "a", "a", "b"]}, "y")
        >>> more = ops.balance(ratio=3, reference="minor", adjust="minor")
        >>> fp.transform(more, task, key=fp.key(0)).column("y").to_list().count("b")
        3

    Source:
        Class balancing of mlr3pipelines.
    """

    name = "balance"
    exempt: ClassVar[Mapping[str, str]] = {"fit is apply": _REASON, "fit with validation": _REASON}

    ratio: float = parameter(default=1.0, check=number(0.0, above=True), convert=float)
    reference: str = parameter(default="all", check=one_of(*_REFERENCES))
    adjust: str = parameter(default="all", check=one_of(*_ADJUSTS))
    shuffle: bool = parameter(default=True, check=boolean())

    def learn(self, task: Task, key: Key) -> None:
        """Check that the task can be balanced."""
        del key
        self._check(task)
        self._wished(_counts(task))

    def fit_outputs(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Balance the training rows."""
        del state, context
        task: Task = inputs[0]
        return (task.repeat(self._rows(task, key)),)

    def transform(self, state: Any, task: Task, key: Key) -> Task:
        """Return the task as it is."""
        del state, key
        return task

    def typed(self, task: TaskType) -> TaskType:
        """The type stays."""
        self._check(task)
        return task

    def _rows(self, task: Task, key: Key) -> Rows:
        """Return the positions of the rows that leave; repeats come after the rows that stay."""
        wished = self._wished(_counts(task))
        target = task.column(task.target or "").cast(pl.String).to_numpy()
        order = np.argsort(key.fold_in("order").row_uniforms(task.row_id)[:, 0], kind="stable")
        stays = np.ones(task.n_rows, bool)
        again: list[Rows] = []
        for name, size in wished.items():
            rows = order[target[order] == name]
            stays[rows[size:]] = False
            again.append(np.resize(rows, size)[len(rows) :])
        found = np.concatenate([np.flatnonzero(stays), *again]).astype(np.int64)
        return found[key.fold_in("shuffle").permutation(len(found))] if self.shuffle else found

    def _wished(self, counts: dict[str, int]) -> dict[str, int]:
        """Return how many rows each class that is adjusted shall have, in the order of classes."""
        ranked = sorted(counts, key=lambda name: -counts[name])
        some = {
            "all": ranked,
            "major": ranked[:1],
            "minor": ranked[-1:],
            "nonmajor": ranked[1:],
            "nonminor": ranked[:-1],
        }
        picked = [counts[name] for name in some.get(self.reference, [])]
        size = round(self.ratio * (float(np.mean(picked)) if picked else 1.0))
        if self.reference in ("nonmajor", "nonminor") and not picked:
            return {}
        some["upsample"] = [name for name in ranked if counts[name] < size]
        some["downsample"] = [name for name in ranked if counts[name] > size]
        adjusted = some[self.adjust]
        if size < 1 and adjusted:
            raise DataError(
                f"balancing would leave no row of the class '{adjusted[0]}'.",
                expected="at least one row of each class",
                got=f"{self.ratio} times the reference '{self.reference}' is {size} rows",
                fix="give a larger ratio",
            )
        return {name: size for name in counts if name in adjusted}

    def _check(self, task: View) -> None:
        if not isinstance(task.kind, Classification):
            raise ParameterError(
                "balance is for classification.",
                expected="a classification task",
                got=f"'{task.name}', a regression",
                fix="leave out ops.balance()",
            )
        if not isinstance(task, Task):
            return
        target = task.role("target")
        if target is None or target.null_count() or not target.len():
            raise DataError(
                "balance needs a class in every row.",
                expected="a class in every row",
                got="no target" if target is None else f"{target.null_count()} missing",
                fix="fit on a task with its target",
            )


balance = operator(Balance)


def _counts(task: Task) -> dict[str, int]:
    """Return the number of rows of each class that occurs, in the order of classes."""
    target = task.column(task.target or "").cast(pl.String)
    return {name: int(n) for name in task.classes if (n := (target == name).sum())}
