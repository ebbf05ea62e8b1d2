"""What operators on columns of lazy tensors share: nothing is read, the chain to run grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl
import torch

from fpipe.core.errors import FpipeError, SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, instance_of, one_of, optional, parameter, text
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve
from fpipe.data.lazy.columns import is_lazy, kind_text
from fpipe.data.lazy.maps import Map
from fpipe.data.lazy.tensor import LazyColumn, LazyType
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.ops.feature_selector import lazy
from fpipe.ops.selector import Selector, View, as_selector
from fpipe.ops.task_op import TaskOp

STAGES = ("train", "predict", "both")
_WHEN = {"train": "now", "predict": "later", "both": "both"}
_REASON = "an augmentation changes the rows that are learned from alone"


@descriptor
class LazyOp(TaskOp, Map):
    """An operator that is itself what is done to each row of a lazy column, once it is read.

    A class says what a `Map` says. Draws are keyed by the operator's node, the epoch and the row.

    Args:
        stages: when it acts: ``"train"`` on the rows that are learned from, ``"predict"`` on
            validation rows and new data, or ``"both"``.
        columns: the lazy columns; all by default. One operator draws the same for all of them.
        stream: a name under which operators of one graph share their draws, such as those on an
            image and on its mask; by default each draws for itself. Draws are shared in the order
            in which they are taken, so these operators must take as many in the same places.
    """

    stages: str = parameter(default="both", check=one_of(*STAGES), kw_only=True)
    columns: Selector | None = parameter(
        default=None, check=optional(instance_of(Selector)), convert=as_selector, kw_only=True
    )
    stream: str | None = parameter(default=None, check=optional(text()), kw_only=True)

    def bare(self) -> LazyOp:
        """Return what is done to a row, without where and when it is done."""
        default = {f.name: f.default for f in fields_of(type(self))}
        return evolve(self, id=None, columns=None, stream=None, stages=default["stages"])

    def resolved(self, known: LazyType) -> LazyOp:
        """Return the operator for rows of a type; by default it is the same for all."""
        del known
        return self

    def chosen(self, task: View) -> tuple[str, ...]:
        """Return the lazy columns to work on.

        Raises:
            SchemaError: there is none, or a column that was asked for holds no lazy tensors.
        """
        names = (lazy() if self.columns is None else self.columns).of(task)
        wrong = [name for name in names if not is_lazy(task.dtype(name))]
        later = isinstance(task, TaskType) and task.open
        if wrong or not (names or later):
            raise _not_lazy(self.name, task, wrong)
        return names

    def learn(self, task: Task, key: Key) -> tuple[str, ...]:
        """Capture the columns; shapes that cannot be are refused before anything is read."""
        names = self.chosen(task)
        self._mapped(task, names, key, _WHEN[self.stages])
        return names

    def transform(self, state: tuple[str, ...], task: Task, key: Key) -> Task:
        """Append to the chains of the columns, if the operator acts on new data."""
        return task if self.stages == "train" else self._mapped(task, state, key, "both")

    def fit_outputs(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Append to the chains of the columns, for the rows that are learned from or later ones."""
        del context
        return (self._mapped(inputs[0], state, key, _WHEN[self.stages]),)

    def typed(self, task: TaskType) -> TaskType:
        """Shapes and dtypes change."""
        found = {name: self._typed(name, task.tensors[name]) for name in self.chosen(task)}
        return evolve(task, tensors=task.tensors.update(found))

    def _mapped(self, task: Task, names: tuple[str, ...], key: Key, when: str) -> Task:
        check_columns(names, task.features)
        own, grown = self._stream(key), {}
        for name in names:
            column = task.tensors[name]
            grown[name] = column.mapped(self.bare().resolved(column.type), own, stages=when)
        for name, column in grown.items():
            self._check(name, task.tensors[name], column)
        return task.with_tensors(grown) if grown else task

    def _check(self, name: str, before: LazyColumn, after: LazyColumn) -> None:
        try:
            self._check_dtype(before.type.dtype, after.type.dtype)
        except FpipeError as error:
            raise error.located(f"column '{name}'") from error

    def _typed(self, name: str, known: LazyType) -> LazyType:
        """Return what is known afterwards: no shape as long as a parameter is not set."""
        if any(given is REQUIRED for given in self.parameters().values()):
            return LazyType(None, known.dtype, None)
        try:
            own, now, later = self.resolved(known), known.shape, known.later
            if self.stages != "predict":
                now = own.shaped(now)
            if self.stages != "train":
                later = own.shaped(later)
            dtype = own.typed_as(known.dtype)
            self._check_dtype(known.dtype, dtype)
            return LazyType(now, dtype, later)
        except FpipeError as error:
            raise error.located(f"column '{name}'") from error

    def _check_dtype(self, before: torch.dtype, after: torch.dtype) -> None:
        if self.stages != "both" and before != after:
            raise SchemaError(
                f"{self.name} with stages={self.stages!r} would give rows that are learned from "
                "another dtype than new data.",
                expected=f"{before} in both",
                got=f"{after} in one of them",
                fix=f"ops.{self.name}(..., stages='both')",
            )

    def _stream(self, key: Key) -> Key:
        """Return the key of the draws; operators of one level with one stream share it."""
        if self.stream is None:
            return key
        return Key(key.seed, (*key.path[:-1], "stream", self.stream))


def _not_lazy(what: str, task: View, wrong: Sequence[str]) -> SchemaError:
    """Return the error for columns that hold no lazy tensors, or where none is chosen or there."""
    kinds = {name: task.dtype(name) for name in task.features}
    others = any(map(is_lazy, kinds.values()))
    rule = "none of them is chosen" if others else "no feature holds any"
    if wrong:
        rule = f"'{wrong[0]}' is {task.dtype(wrong[0])}"
    fix = "bring them in by fp.image_files(paths), or leave it out"
    if wrong or others:
        fix = f"ops.{what}(columns=ops.lazy())"
    plain = wrong or ([] if others else kinds)
    arrays = [name for name in plain if isinstance(kinds.get(name), pl.Array)]
    if arrays:
        fix = f"make '{arrays[0]}' a lazy column: fp.lazy(array) in place of the array"
    told = (f"{name}: {kind_text(kind)}" for name, kind in kinds.items())
    return SchemaError(
        f"{what} works on lazy tensors, and {rule}.",
        expected="columns of lazy tensors",
        got=", ".join([*told][:6]) or "no features",
        fix=fix,
        columns=tuple(wrong),
    )


@descriptor
class Augmentation(LazyOp):
    """An operator on lazy tensors that acts on the rows that are learned from, unless told more."""

    exempt: ClassVar[Mapping[str, str]] = {"fit is apply": _REASON, "fit with validation": _REASON}

    stages: str = parameter(default="train", check=one_of(*STAGES), kw_only=True)
