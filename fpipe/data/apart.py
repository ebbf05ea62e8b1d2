"""Which rows of a task may not be parted, and what shall be spread evenly over parts."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.data.kind import Classification
from fpipe.data.split import group_codes
from fpipe.data.task import Task

Codes = NDArray[np.int64]


def groups_of(task: Task) -> Codes | None:
    """Return which rows may not be parted, ``[rows]`` codes, or None where any may.

    Rows of one group stay together, and so do repeats of one row.
    """
    repeated = len(np.unique(task.origin)) < task.n_rows
    group = task.role("group")
    columns = [] if group is None else [_codes(group)]
    columns += [task.origin] if repeated else []
    return group_codes(*columns) if columns else None


def strata_of(task: Task) -> Codes | None:
    """Return the stratum of every row: of the ``stratum`` columns, else of the classes.

    Strata that the user names are what is kept; classes are among them only if the target is.
    """
    names = task.roles.get("stratum", ())
    if not names and isinstance(task.kind, Classification) and task.target:
        names = (task.target,)
    if not names:
        return None
    columns = task.table.select(names).with_row_index("__row")
    ranked = columns.select(pl.struct(names).rank("dense").alias("code"))
    return ranked["code"].to_numpy().astype(np.int64)


def _codes(column: pl.Series) -> Codes:
    return column.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)
