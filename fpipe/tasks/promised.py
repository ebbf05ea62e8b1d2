"""Tasks that are known before their files are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap
from torch import Tensor

from fpipe.core.errors import DataError, ParameterError, did_you_mean
from fpipe.data.deferred import Plan
from fpipe.data.kind import Kind
from fpipe.data.lazy.columns import LAZY, as_column
from fpipe.data.lazy.source import Rows, Source
from fpipe.data.lazy.tensor import LazyColumn
from fpipe.data.schema import ROLES
from fpipe.data.task import Task

SPLIT = pl.Enum(["train", "test"])


def promised(
    name: str,
    kind: Kind,
    schema: Mapping[str, Any],
    roles: Mapping[str, Sequence[str]],
    rows: Rows,
    sources: Mapping[str, Source],
    read: Callable[[], pl.DataFrame],
) -> Task:
    """Return a task of which all is known but the values; they are read when they are needed.

    What is read then has to be what was promised.

    Args:
        name: a name to show, also of the data set in errors.
        kind: classification or regression.
        schema: column → type, of all columns but the lazy ones.
        roles: role → columns.
        rows: row ids, which are also where the rows stand in the sources, ``[rows]``.
        sources: lazy column → where it is read from.
        read: gives the columns of the schema, levels as text. It fetches what it needs.
    """
    plain = pl.DataFrame(schema=dict(schema))
    empty = plain.with_columns(pl.Series(column, [], dtype=LAZY) for column in sources)

    def table() -> pl.DataFrame:
        found = kept(name, read(), plain, len(rows))
        return found.with_columns(as_column(column, rows) for column in sources)

    given = pmap({role: tuple(roles[role]) for role in ROLES if roles.get(role)})
    tensors = pmap({column: LazyColumn(source) for column, source in sources.items()})
    task = Task(name, kind, empty, given, rows, rows, tensors=tensors)
    plan = Plan(pl.defer(table, schema=empty.schema), empty)
    return task._with(plan)  # noqa: SLF001 - what tasks with plans are made by


def kept(name: str, found: pl.DataFrame, plain: pl.DataFrame, rows: int) -> pl.DataFrame:
    """Return a table in the types that were promised.

    Args:
        name: the name of the data set.
        found: what came; levels are text.
        plain: what was promised, without rows.
        rows: how many rows were promised.

    Raises:
        DataError: it has other columns, rows, levels or types.
    """
    _check(name, "columns", ", ".join(plain.columns), ", ".join(found.columns))
    _check(name, "rows", str(rows), str(found.height))
    for column, dtype in plain.schema.items():
        if isinstance(dtype, pl.Enum):
            strange = found[column].drop_nulls().cast(pl.String).unique()
            strange = strange.filter(~strange.is_in(list(dtype.categories))).sort()
            levels = ", ".join(dtype.categories[:12]) + (
                ", …" if len(dtype.categories) > 12 else ""
            )
            if strange.len():
                _check(name, f"levels of '{column}'", levels, ", ".join(strange[:12]))
    try:
        return found.cast(plain.schema)
    except pl.exceptions.PolarsError as error:
        raise _broken(name, "types", str(dict(plain.schema)), str(error).splitlines()[0]) from error


def _check(name: str, what: str, expected: str, got: str) -> None:
    if expected != got:
        raise _broken(name, what, expected, got)


def _broken(name: str, what: str, expected: str, got: str) -> DataError:
    return DataError(
        f"the data set '{name}' has other {what} than promised.",
        expected=expected[:300],
        got=got[:300],
        fix="restore its files in FPIPE_DATA, or remove them there so that they are fetched anew",
    )


def check_names(name: str, promised: Sequence[str], found: Sequence[str]) -> None:
    """Raise DataError where a data set has other classes than promised, or in another order."""
    for place, (one, other) in enumerate(zip(promised, found, strict=False)):
        _check(name, "classes", f"'{one}' as class {place}", f"'{other}' as class {place}")
    _check(name, "classes", f"{len(promised)} classes", f"{len(found)} classes")


def named(codes: Tensor, classes: Sequence[str]) -> list[str]:
    """Return the names of classes by their numbers; a number that has none stays one.

    Example:
        >>> import torch
        >>> named(torch.tensor([1, 0, 7]), ("a", "b"))
        ['b', 'a', '7']
    """
    known = dict(enumerate(classes))
    return [known.get(code, str(code)) for code in codes.tolist()]


def table_in(path: Path) -> pl.DataFrame:
    """Return a CSV file as text, in which an empty field is missing."""
    return pl.read_csv(path, infer_schema=False)


def span(start: int, stop: int) -> Rows:
    """Return row ids from a start up to, but not including, a stop."""
    return np.arange(start, stop, dtype=np.int64)


def check_part(part: Any, parts: Sequence[str], what: str = "part") -> None:
    """Raise ParameterError where a data set has no such part."""
    if part not in parts:
        raise ParameterError(
            f"the data set has no {what} {part!r}.",
            expected=", ".join(parts),
            got=repr(part),
            fix=did_you_mean(str(part), parts),
        )
