"""Ingress: where a task enters the network, and how its columns become tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from pyrsistent import pmap
from torch import Tensor

from fpipe.core.errors import DataError, SchemaError
from fpipe.core.key import Key
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType, check_columns, is_numeric
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.graph import operator
from fpipe.graph.op import Op
from fpipe.graph.ports import Port
from fpipe.net.network import Input, Wire
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import Ingress, ModelDescriptor, Pointer, View
from fpipe.nn.layer_op import OUTPUT


@descriptor
class IngressNumeric(Op):
    """All features, which must be numbers or truth values, as one float tensor.

    Gives ``[batch, features]`` in the task's order of features, as captured at fit.

    Raises:
        SchemaError: there is no feature, or one is no number.
        DataError: a value is missing or infinite.
    """

    name = "ingress_numeric"
    inputs = (Port("task", Task),)
    outputs = (OUTPUT,)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> tuple[str, ...]:
        """Capture the columns."""
        del key, context
        return _numeric_columns(inputs[0])

    def apply(
        self, state: tuple[str, ...], inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Start a descriptor over the task."""
        del key
        task: Task = inputs[0]
        check_columns(state, task.features)
        check_complete(task.table, state)
        return (_entered(task, context.place, "numeric", state, (None, len(state))),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Start a descriptor over the task's type."""
        del key
        task: TaskType = types[0]
        columns = () if task.open else _numeric_columns(task)
        width = None if task.open else len(columns)
        return (_entered(task, context.place, "numeric", columns, (None, width)),)


ingress_numeric = operator(IngressNumeric)


def encode(ingress: Ingress, dtype: torch.dtype) -> Tensor:
    """Return the tensor that an ingress feeds to the network, ``[rows, …]``.

    Args:
        ingress: an ingress over a task.
        dtype: floating dtype of numeric inputs.
    """
    task = ingress.view
    if not isinstance(task, Task):
        raise DataError("this ingress has no data.", fix="apply the graph to a task")
    frame = task.table.select(pl.col(name).cast(pl.Float64) for name in ingress.columns)
    return torch.from_numpy(np.ascontiguousarray(frame.to_numpy(writable=True))).to(dtype)


def check_complete(table: pl.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise DataError for the first missing or infinite value in some columns."""
    for name in columns:
        series = table[name]
        bad = series.is_null()
        if series.dtype.is_float():
            bad = bad | ~series.is_finite().fill_null(False)
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(
                f"column '{name}' has {int(bad.sum())} missing or infinite values at the ingress.",
                expected="a finite number in every row",
                got=f"{series[row]} in row {row}",
                fix="put ops.impute_median() (or another imputer) before the ingress",
                column=name,
                row=row,
            )


def _numeric_columns(task: View) -> tuple[str, ...]:
    wrong = [n for n in task.features if not _enters(task.dtype(n))]
    if wrong:
        raise SchemaError(
            f"ingress_numeric takes numbers, but '{wrong[0]}' is {_kind(task.dtype(wrong[0]))}.",
            expected="numeric features",
            got=", ".join(f"{n}: {_kind(task.dtype(n))}" for n in wrong[:6]),
            fix=_encoding_fix(task.dtype(wrong[0])),
            columns=tuple(wrong),
        )
    if not task.features:
        raise SchemaError(
            "no feature reaches the ingress.",
            expected="at least one numeric feature",
            got="none",
            fix="check what ops.select keeps",
        )
    return task.features


def _encoding_fix(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Enum):
        return "encode them first with ops.one_hot(), or keep only ops.select(ops.numeric())"
    return "turn them into numbers first, or keep only ops.select(ops.numeric())"


def _enters(dtype: pl.DataType) -> bool:
    return is_numeric(dtype) or isinstance(dtype, pl.Boolean)


def _kind(dtype: pl.DataType) -> str:
    return "Enum" if isinstance(dtype, pl.Enum) else str(dtype)


def _entered(
    task: View, place: str, encoding: str, columns: tuple[str, ...], shape: Shape
) -> ModelDescriptor:
    ingress = Ingress(Input(shape), encoding, columns, _without_valid(task))
    return ModelDescriptor(
        ingress=pmap({place: ingress}),
        pointers=(Pointer(Wire(place, is_input=True), shape),),
        subject=_subject(task),
    )


def _subject(task: View) -> View:
    """Return the task with only the columns that have a role other than feature.

    Columns without a role go as well: paths that select different features may meet.
    """
    roles = task.roles.set("feature", ())
    kept = {column for columns in roles.values() for column in columns}
    if isinstance(task, TaskType):
        dtypes = tuple((name, dtype) for name, dtype in task.dtypes if name in kept)
        return evolve(task, dtypes=dtypes, roles=roles, open=False)
    others = [name for name in task.table.columns if name not in kept]
    return evolve(task, table=task.table.drop(others), roles=roles, valid=None)


def _without_valid(task: View) -> View:
    return task.with_valid(None) if isinstance(task, Task) else task
