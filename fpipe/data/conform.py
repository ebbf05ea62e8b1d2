"""Making new data fit the task that a graph was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.errors import SchemaError, nearest
from fpipe.core.tree import items
from fpipe.core.value import evolve
from fpipe.data.frame import as_enum, as_frame, element_type, text_levels
from fpipe.data.lazy.columns import is_lazy, kind_text, set_apart
from fpipe.data.lazy.source import TensorShape
from fpipe.data.lazy.tensor import sizes_text
from fpipe.data.schema import TaskType
from fpipe.data.task import Rows, Task, among


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
    task = data if isinstance(data, Task) else _bare_task(data, outline)
    _check_present(task.table, outline)
    _check_sources(task, outline)
    wanted = [(n, t) for n, t in outline.dtypes if n in task.table.columns]
    columns = [_conformed(task.table[name], dtype) for name, dtype in wanted]
    _check_tensors(task, outline)
    names = {name for name, _ in wanted}
    roles = {
        role: kept
        for role, columns_ in outline.roles.items()
        if (kept := tuple(c for c in columns_ if c in names))
    }
    kind = outline.kind
    valid = None if task.valid is None else conform(task.valid, outline)
    table = pl.DataFrame(columns)
    tensors = among(task.tensors, table.schema)
    return evolve(task, kind=kind, table=table, roles=pmap(roles), valid=valid, tensors=tensors)


def _bare_task(data: Any, outline: TaskType) -> Task:
    plain, tensors = set_apart(data)
    frame = as_frame(plain)
    ids: Rows = np.arange(frame.height, dtype=np.int64)
    return Task(outline.name, outline.kind, frame, pmap(), ids, ids, tensors=tensors)


def _check_sources(task: Task, outline: TaskType) -> None:
    """Raise SchemaError where a table has the places of lazy tensors, and not what they are in."""
    for name in outline.features:
        if is_lazy(task.table.schema[name]) and name not in task.tensors:
            raise SchemaError(
                f"the table says where the tensors of '{name}' stand, and not in what.",
                expected="a task, or a mapping of columns with the lazy tensor itself",
                got=f"a table with the column '{name}' of positions",
                fix=f"{{**table.drop({name!r}).to_dict(), {name!r}: task.tensor({name!r})}}",
                column=name,
            )


def _check_tensors(task: Task, outline: TaskType) -> None:
    """Raise SchemaError where lazy tensors have another dtype or number of dimensions than at fit.

    Sizes may differ: the graph may resize. Where they matter, an ingress compares them.
    """
    for name, column in items(task.tensors):
        known = outline.tensors.get(name)
        if known is None or (
            _meet(column.type.shape, known.later) and column.type.dtype == known.dtype
        ):
            continue
        raise SchemaError(
            f"the lazy tensors in column '{name}' are others than at fit.",
            expected=f"{known.dtype} {sizes_text(known.later)}",
            got=f"{column.type.dtype} {sizes_text(column.type.shape)}",
            fix="bring them to that shape and type first",
            column=name,
        )


def _meet(one: TensorShape, other: TensorShape) -> bool:
    """Tell whether two shapes have as many dimensions, and images as many channels."""
    if one is None or other is None:
        return True
    channels = (one[0], other[0]) if len(one) == len(other) == 3 else (None, None)
    return len(one) == len(other) and (None in channels or channels[0] == channels[1])


def _check_present(table: pl.DataFrame, outline: TaskType) -> None:
    absent = [name for name in outline.features if name not in table.columns]
    if absent:
        raise SchemaError(
            f"{len(absent)} of the {len(outline.features)} features of '{outline.name}' "
            "are missing in the new data.",
            expected=", ".join(outline.features[:12]),
            got=f"columns {', '.join(table.columns[:12])}; missing {', '.join(absent[:12])}",
            fix=_absent_fix(absent[0], [n for n in table.columns if n not in outline.features]),
            missing=tuple(absent),
        )


def _absent_fix(name: str, others: list[str]) -> str:
    close = nearest(name, others)
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


def _lazy_fix(series: pl.Series) -> str:
    """Return how such values are given as a lazy column."""
    made = "fp.image_files(paths)" if series.dtype == pl.String else "fp.lazy(array)"
    return f"give a mapping of columns with {{{series.name!r}: {made}}}"


def _other_type(series: pl.Series, dtype: pl.DataType) -> SchemaError:
    first = "" if series.dtype.is_nested() or not series.len() else f"; first value {series[0]!r}"
    before, now = kind_text(dtype), kind_text(series.dtype)
    return SchemaError(
        f"column '{series.name}' was {before} at fit and is {now} now.",
        expected=before,
        got=f"{now}{first}",
        fix=_lazy_fix(series) if is_lazy(dtype) else f"convert '{series.name}' to {before}",
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
