"""From columns to tensors: what an ingress feeds to the network, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.errors import DataError, SchemaError
from fpipe.data.frame import element_type
from fpipe.data.lazy.columns import is_lazy
from fpipe.data.schema import is_categorical
from fpipe.data.task import Task
from fpipe.nn.descriptor import Ingress
from fpipe.train.feeding import LazyInput


def encode(ingress: Ingress, dtype: torch.dtype) -> Tensor | LazyInput:
    """Return the tensor that an ingress feeds to the network, ``[rows, …]``, or how to read it.

    Args:
        ingress: an ingress over a task.
        dtype: floating dtype of inputs that are numbers; codes are int64 whatever it is.
    """
    task = ingress.view
    if not isinstance(task, Task) or ingress.encoding is None:
        raise DataError("this ingress has no data.", fix="apply the graph to a task")
    if ingress.columns and is_lazy(task.dtype(ingress.columns[0])):
        return _lazy(ingress, task, dtype)
    return _ENCODINGS[ingress.encoding](task.table.select(ingress.columns), dtype)


def _lazy(ingress: Ingress, task: Task, dtype: torch.dtype) -> LazyInput:
    (name,) = ingress.columns
    size = tuple(n or 0 for n in ingress.input.shape[1:])
    return LazyInput(name, task.tensor(name), size, dtype)


def check_complete(table: pl.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise DataError for the first missing or infinite value in some columns."""
    for name in columns:
        series = table[name]
        bad = series.is_null()
        if series.dtype.is_float():
            bad = bad | ~series.is_finite().fill_null(False)
        if bad.any():
            row = int(bad.arg_true()[0])
            levels = is_categorical(series.dtype)
            raise DataError(
                f"column '{name}' has {int(bad.sum())} missing or infinite values at the ingress.",
                expected="a level in every row" if levels else "a finite number in every row",
                got=f"{series[row]} in row {row}",
                fix=_imputer(name, levels=levels),
                column=name,
                row=row,
            )


def _imputer(name: str, *, levels: bool) -> str:
    """Return what to do against missing values; a name with a dot may be a level's own column."""
    kind = "mode" if levels else "median"
    fix = f"put ops.impute_{kind}() (or another imputer) before the ingress"
    encoded = "." in name and not levels
    return f"{fix}; of levels, ops.impute_oor() before ops.one_hot()" if encoded else fix


def with_levels(table: pl.DataFrame, captured: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    """Return the table with categorical columns in the types that they had at fit.

    Levels are found by name, so codes mean the same as at fit.

    Args:
        table: the rows.
        captured: pairs of column name and the dtype at fit.

    Raises:
        DataError: a level was not there at fit.
        SchemaError: a column is not categorical any more.
    """
    return table.with_columns([_known(table[name], dtype) for name, dtype in captured])


def check_tensors(table: pl.DataFrame, column: str) -> None:
    """Raise DataError for the first missing or infinite number in a column of tensors."""
    array = _array(table[column])
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"column '{column}' has missing or infinite numbers in {int(bad.sum())} rows "
            "at the ingress.",
            expected="finite numbers in every tensor",
            got=f"a missing or infinite number in row {row}",
            fix=f"replace them in '{column}', or drop these rows, before the task is made",
            column=column,
            row=row,
        )


def _known(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    if series.dtype == dtype:
        return series
    if not (isinstance(series.dtype, pl.Enum) and isinstance(dtype, pl.Enum)):
        raise SchemaError(
            f"column '{series.name}' had other values at fit.",
            expected=_kind(dtype),
            got=_kind(series.dtype),
            fix=f"give '{series.name}' the type that it had at fit",
            column=series.name,
        )
    found = series.cast(pl.String)
    cast = found.cast(dtype, strict=False)
    unseen = cast.is_null() & found.is_not_null()
    if unseen.any():
        row = int(unseen.arg_true()[0])
        raise _unseen(series.name, found[row], row, tuple(dtype.categories))
    return cast


def _unseen(column: str, level: str, row: int, levels: tuple[str, ...]) -> DataError:
    more = ", …" if len(levels) > 8 else ""
    return DataError(
        f"column '{column}' has the level '{level}', which was not there at fit.",
        expected=f"one of {', '.join(levels[:8])}{more}",
        got=f"'{level}' in row {row}",
        fix="put ops.collapse_levels() first, or ops.drop_unseen_levels() and ops.impute_mode()",
        column=column,
        level=level,
        row=row,
    )


def _kind(dtype: pl.DataType) -> str:
    return "levels (Enum)" if isinstance(dtype, pl.Enum) else str(dtype)


def _array(series: pl.Series) -> NDArray[Any]:
    """Return a column of tensors as an array, ``[rows, …]``; what is missing is NaN."""
    dtype = series.dtype
    if isinstance(dtype, pl.Array) and isinstance(element_type(dtype), pl.Boolean):
        series = series.cast(pl.Array(pl.UInt8, dtype.shape))
    return series.to_numpy()


def _numbers(frame: pl.DataFrame, dtype: torch.dtype) -> Tensor:
    numbers = frame.cast(pl.Float64).to_numpy(writable=True)
    made = torch.from_numpy(np.ascontiguousarray(numbers)).to(dtype)
    if not bool(made.isfinite().all()):
        row, column = (int(n) for n in (~made.isfinite()).nonzero()[0])
        raise _too_large(frame.columns[column], row, float(numbers[row, column]), dtype)
    return made


def _too_large(column: str, row: int, number: float, dtype: torch.dtype) -> DataError:
    name = str(dtype).removeprefix("torch.")
    return DataError(
        f"a number in column '{column}' is too large for {name}, in which the network computes.",
        expected=f"numbers of at most {torch.finfo(dtype).max:.3g} in size",
        got=f"{number!r} in row {row}",
        fix="scale the feature first, e.g. with ops.scale(), or precision='float64'",
        column=column,
        row=row,
    )


def _codes(frame: pl.DataFrame, dtype: torch.dtype) -> Tensor:
    del dtype
    codes = [frame[name].to_physical().cast(pl.Int64).to_numpy() for name in frame.columns]
    return torch.from_numpy(np.stack(codes, axis=1))


def _tensors(frame: pl.DataFrame, dtype: torch.dtype) -> Tensor:
    wide = np.float32 if dtype.itemsize <= 4 else np.float64
    array = _array(frame.to_series())
    with np.errstate(over="ignore"):  # told below
        made = torch.from_numpy(array.astype(wide)).to(dtype)
    if not bool(made.isfinite().all()):
        at = tuple(int(n) for n in (~made.isfinite()).nonzero()[0])
        raise _too_large(frame.columns[0], at[0], float(array[at]), dtype)
    return made


_ENCODINGS: dict[str, Callable[[pl.DataFrame, torch.dtype], Tensor]] = {
    "numeric": _numbers,
    "categorical": _codes,
    "tensor": _tensors,
}
"""How an ingress turns its columns into a tensor, by the name of its encoding."""
