"""Making new data fit the task that a graph was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.errors import SchemaError, nearest
from fpipe.core.value import evolve
from fpipe.data.frame import as_enum, as_frame, element_type, text_levels
from fpipe.data.schema import TaskType
from fpipe.data.task import Rows, Task


def conform(data: Any, outline: TaskType) -> Task:
    """Return new data as a task with the columns that were there at fit.

    Columns are found by name; further ones are ignored; the target may be absent. A level that
    was not there at fit is kept as a further level, so that each operator can apply its own
    policy to it.

    Args:
        data: a task or a table.
        outline: what entered at fit.

    Raises:
        SchemaError: a feature is missing, or has a type that cannot be the one at fit.
    """
    task = data if isinstance(data, Task) else _bare_task(as_frame(data), outline)
    _check_present(task.table, outline)
    wanted = [(n, t) for n, t in outline.dtypes if n in task.table.columns]
    columns = [_conformed(task.table[name], dtype) for name, dtype in wanted]
    names = {name for name, _ in wanted}
    roles = {
        role: kept
        for role, columns_ in outline.roles.items()
        if (kept := tuple(c for c in columns_ if c in names))
    }
    kind = outline.kind
    valid = None if task.valid is None else conform(task.valid, outline)
    return evolve(task, kind=kind, table=pl.DataFrame(columns), roles=pmap(roles), valid=valid)


def _bare_task(frame: pl.DataFrame, outline: TaskType) -> Task:
    ids: Rows = np.arange(frame.height, dtype=np.int64)
    return Task(outline.name, outline.kind, frame, pmap(), ids, ids)


def _check_present(table: pl.DataFrame, outline: TaskType) -> None:
    absent = [name for name in outline.features if name not in table.columns]
    if absent:
        raise SchemaError(
            f"{len(absent)} of the {len(outline.features)} features of '{outline.name}' "
            "are missing in the new data.",
            expected=", ".join(outline.features[:12]),
            got=f"columns {', '.join(table.columns[:12])}; missing {', '.join(absent[:12])}",
            fix=_absent_fix(absent[0], table.columns),
            missing=tuple(absent),
        )


def _absent_fix(name: str, present: list[str]) -> str:
    close = nearest(name, present)
    return f"rename '{close}' to '{name}'" if close else f"add the column '{name}'"


def _conformed(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    if series.dtype == dtype:
        return series.fill_nan(None) if dtype.is_float() else series
    if isinstance(dtype, pl.Enum) and _has_levels(series):
        known = tuple(dtype.categories)
        unseen = tuple(level for level in text_levels(series) if level not in known)
        return as_enum(series, (*known, *unseen))
    if isinstance(dtype, pl.Array) and series.dtype != pl.Null:
        return _as_tensors(series, dtype)
    both_numbers = dtype.is_numeric() and (series.dtype.is_numeric() or series.dtype == pl.Null)
    if both_numbers or series.dtype == pl.Null:
        return _as_numbers(series, dtype)
    if _same_clock(series.dtype, dtype):
        return series.cast(dtype)
    raise _other_type(series, dtype)


def _other_type(series: pl.Series, dtype: pl.DataType) -> SchemaError:
    first = "" if series.dtype.is_nested() or not series.len() else f"; first value {series[0]!r}"
    return SchemaError(
        f"column '{series.name}' was {_shown(dtype)} at fit and is {_shown(series.dtype)} now.",
        expected=_shown(dtype),
        got=f"{_shown(series.dtype)}{first}",
        fix=f"convert '{series.name}' to {_shown(dtype)}",
        column=series.name,
    )


def _as_numbers(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return numbers in the type at fit, or as floats where that type cannot hold them."""
    if series.dtype.is_float():
        return series.fill_nan(None)
    cast = series.cast(dtype, strict=False)
    return cast if cast.null_count() == series.null_count() else series.cast(pl.Float64)


def _as_tensors(series: pl.Series, dtype: pl.Array) -> pl.Series:
    """Return tensors, or lists that have their shape, in the type at fit (floats stay)."""
    found = series.dtype
    elements = element_type(found)
    if not (elements.is_numeric() and element_type(dtype).is_numeric()):
        raise _other_type(series, dtype)
    if isinstance(found, pl.Array) and found.shape == dtype.shape and elements.is_float():
        return series
    if isinstance(found, pl.Array) and found.shape != dtype.shape:
        raise _other_type(series, dtype)
    try:
        return series.cast(dtype)
    except pl.exceptions.PolarsError as error:
        raise _other_type(series, dtype) from error


def _same_clock(found: pl.DataType, dtype: pl.DataType) -> bool:
    """Tell whether two types of times differ in nothing but their unit."""
    if isinstance(found, pl.Datetime) and isinstance(dtype, pl.Datetime):
        return found.time_zone == dtype.time_zone
    return isinstance(found, pl.Duration) and isinstance(dtype, pl.Duration)


def _has_levels(series: pl.Series) -> bool:
    plain = isinstance(series.dtype, pl.String | pl.Categorical | pl.Enum | pl.Boolean)
    return plain or series.dtype.is_integer()


def _shown(dtype: pl.DataType) -> str:
    return "Enum" if isinstance(dtype, pl.Enum) else str(dtype)
