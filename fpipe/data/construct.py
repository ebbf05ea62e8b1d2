"""Making tasks from tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from pyrsistent import PMap, pmap

from fpipe.core.errors import DataError, SchemaError
from fpipe.data.frame import as_enum, as_frame, clean, text_levels
from fpipe.data.kind import Classification, Kind, Regression
from fpipe.data.lazy.columns import check_plain, set_apart
from fpipe.data.lazy.tensor import LazyColumn
from fpipe.data.roles import check_roles
from fpipe.data.schema import check_columns
from fpipe.data.task import Rows, Task

Columns = str | Sequence[str] | None


def classification(
    data: Any,
    target: str,
    *,
    positive: str | None = None,
    features: Columns = None,
    group: str | None = None,
    stratum: Columns = None,
    weight: str | None = None,
    row_id: str | None = None,
    name: str = "data",
) -> Task:
    """Make a task whose target is a class.

    Args:
        data: a polars or pandas frame, Arrow table, mapping of columns, or CSV/Parquet path. Of
            a CSV file, columns of dates and times as ISO 8601 writes them are read as such. The
            columns of a mapping may be lazy tensors: ``{**table.to_dict(), "image": lazy}``.
        target: the column to predict; its distinct values, sorted, are the classes.
        positive: of two classes, the one that counts as positive; the last by default.
        features: the columns to predict from; by default all that have no other role.
        group: a column whose equal values are never parted by a split.
        stratum: columns whose combinations splits keep in proportion, in place of the classes;
            name the target among them to keep those as well.
        weight: a column of row weights.
        row_id: a column of unique integers that names the rows; 0 … n-1 by default.
        name: a name to show.

    Returns:
        the task; text columns are ``Enum`` columns with sorted levels, NaN is missing.

    Raises:
        SchemaError: a column is unknown, occurs twice or has an unusable type.
        DataError: the table is empty, the target is missing somewhere, has one value only or
            holds numbers that are not whole.

    Example:
        >>> task = classification({"x": [1.0, 2.0, 3.0], "y": ["a", "b", "a"]}, "y")
        >>> task.classes, task.kind.positive, task.features
        (('a', 'b'), 'b', ('x',))
    """
    plain, tensors = set_apart(data)
    frame = as_frame(plain)
    _check_single(target=target, group=group, weight=weight, row_id=row_id)
    truth = _checked_target(frame, target)
    _check_classes(truth)
    classes = text_levels(truth)
    last = classes[-1] if len(classes) == 2 else None
    kind = Classification(classes, last if positive is None else str(positive))
    coded = frame.with_columns(as_enum(truth, classes))
    roles = _roles(frame, target, features, group, stratum, weight, row_id)
    return _task(coded, kind, roles, row_id, name, tensors)


def regression(
    data: Any,
    target: str,
    *,
    features: Columns = None,
    group: str | None = None,
    stratum: Columns = None,
    weight: str | None = None,
    row_id: str | None = None,
    name: str = "data",
) -> Task:
    """Make a task whose target is a number; arguments and errors as in `classification`.

    Example:
        >>> regression({"x": [1.0, 2.0], "y": [3, 4]}, "y").n_rows
        2
    """
    plain, tensors = set_apart(data)
    frame = as_frame(plain)
    _check_single(target=target, group=group, weight=weight, row_id=row_id)
    truth = _checked_target(frame, target)
    if not (truth.dtype.is_numeric() or isinstance(truth.dtype, pl.Decimal)):
        raise SchemaError(
            f"the target '{target}' of a regression has the type {truth.dtype}.",
            expected="numbers",
            got=str(truth.dtype),
            fix="a target is one number for each row, not a tensor; reduce it to one first"
            if truth.dtype.is_nested()
            else "use fp.classification for classes",
        )
    numbers = truth.cast(pl.Float64)
    if not bool(numbers.is_finite().all()):
        raise DataError(
            f"the target '{target}' is infinite somewhere.",
            expected="finite numbers",
            got=f"{numbers.filter(~numbers.is_finite())[0]} in row "
            f"{int((~numbers.is_finite()).arg_true()[0])}",
            fix="drop those rows",
        )
    roles = _roles(frame, target, features, group, stratum, weight, row_id)
    return _task(frame.with_columns(numbers), Regression(), roles, row_id, name, tensors)


def _check_single(**given: Any) -> None:
    """Raise SchemaError where what can only be one column is given otherwise."""
    for role, column in given.items():
        if column is not None and not isinstance(column, str):
            listed = isinstance(column, list | tuple) and len(column) == 1
            name = column[0] if listed else "column"
            raise SchemaError(
                f"{role} takes the name of one column.",
                expected="a string",
                got=f"{column!r} ({type(column).__name__})"[:80],
                fix=f"{role}={name!r}",
            )


def _checked_target(frame: pl.DataFrame, target: str) -> pl.Series:
    if frame.height == 0:
        raise DataError(
            "the table has no rows.",
            expected="at least one row",
            got=f"columns {', '.join(frame.columns[:8])}",
        )
    check_columns((target,), tuple(frame.columns))
    check_plain(target, frame.schema[target])
    truth = frame[target].fill_nan(None) if frame[target].dtype.is_float() else frame[target]
    if truth.null_count():
        row = int(truth.is_null().arg_true()[0])
        raise DataError(
            f"the target '{target}' is missing in {truth.null_count()} of {frame.height} rows.",
            expected="a target in every row",
            got=f"the first missing one in row {row}",
            fix=f"drop the rows without a value of '{target}'",
        )
    if truth.n_unique() < 2:
        raise DataError(
            f"the target '{target}' has the same value in every row.",
            expected="at least two different values",
            got=f"{truth[0]!r} in all {frame.height} rows",
            fix="choose another target; from a constant nothing can be learned",
        )
    return truth


def _check_classes(truth: pl.Series) -> None:
    nested = truth.dtype.is_nested() or truth.dtype in (pl.Object, pl.Binary)
    if nested:
        raise SchemaError(
            f"the values of '{truth.name}' cannot be classes: they are {truth.dtype}.",
            expected="text, truth values, integers or other plain values",
            got=str(truth.dtype),
            fix=f"turn '{truth.name}' into text first",
        )
    if not (truth.dtype.is_float() or isinstance(truth.dtype, pl.Decimal)):
        return
    numbers = truth.cast(pl.Float64)
    broken = (numbers != numbers.round(0)).arg_true()
    if broken.len():
        row = int(broken[0])
        raise DataError(
            f"the target '{truth.name}' of a classification holds numbers that are not whole.",
            expected="text, truth values, integers or other plain values",
            got=f"{truth[row]} in row {row}; {truth.n_unique()} different values",
            fix="use fp.regression to predict a number, or cut it into classes first",
            row=row,
        )


def _roles(
    frame: pl.DataFrame,
    target: str,
    features: Columns,
    group: str | None,
    stratum: Columns,
    weight: str | None,
    row_id: str | None,
) -> dict[str, tuple[str, ...]]:
    special = {
        "target": (target,),
        "group": _listed(group),
        "stratum": _listed(stratum),
        "weight": _listed(weight),
        "name": _listed(row_id),
    }
    _check_names(frame)
    taken = {column for columns in special.values() for column in columns}
    chosen = tuple(c for c in frame.columns if c not in taken)
    if features is not None:
        chosen = _listed(features)
    roles = {role: columns for role, columns in special.items() if columns}
    roles["feature"] = chosen
    for columns in roles.values():
        check_columns(columns, tuple(frame.columns))
    return roles


def _check_names(frame: pl.DataFrame) -> None:
    for name in frame.columns:
        if not name:
            raise SchemaError(
                "a column has no name.",
                expected="a name for every column",
                got=f"'' among {', '.join(frame.columns[:8])}",
                fix="give it one: data.rename({'': 'row'}), or drop it",
            )
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise SchemaError(
                f"the column name '{name}' is a pattern to polars, which would match others.",
                expected="names other than '*' and '^…$'",
                got=name,
                fix=f"rename it: data.rename({{'{name}': 'column'}})",
            )


def _task(
    frame: pl.DataFrame,
    kind: Kind,
    roles: dict[str, tuple[str, ...]],
    row_id: str | None,
    name: str,
    tensors: PMap[str, LazyColumn],
) -> Task:
    table = clean(frame, roles["feature"])
    ids = np.arange(table.height, dtype=np.int64) if row_id is None else _ids(table[row_id])
    check_roles(table, roles)
    return Task(name, kind, table, pmap(roles), ids, ids, tensors=tensors)


def _ids(column: pl.Series) -> Rows:
    if not column.dtype.is_integer() or column.null_count() or column.n_unique() < column.len():
        raise DataError(
            f"the column '{column.name}' cannot name the rows.",
            expected="unique integers, none missing",
            got=f"{column.dtype}, {column.n_unique()} distinct values in {column.len()} rows",
            fix="leave row_id out, which numbers the rows",
        )
    return column.to_numpy().astype(np.int64)


def _listed(columns: Columns) -> tuple[str, ...]:
    if columns is None:
        return ()
    return tuple(columns) if isinstance(columns, list | tuple) else (str(columns),)
