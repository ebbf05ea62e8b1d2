"""Numbers from dates and points in time."""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from fpipe.core.key import Key
from fpipe.core.parameter import boolean, one_of, optional, parameter, tuple_of
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, Learned, forgotten
from fpipe.ops.feature_selector import dates
from fpipe.ops.naming import check_free

Part = Callable[[pl.Expr], pl.Expr]

NUMBERS: dict[str, Part] = {
    "year": lambda x: x.dt.year(),
    "quarter": lambda x: x.dt.quarter(),
    "month": lambda x: x.dt.month(),
    "week_of_year": lambda x: x.dt.week(),
    "day_of_year": lambda x: x.dt.ordinal_day(),
    "day_of_month": lambda x: x.dt.day(),
    "day_of_week": lambda x: x.dt.weekday(),
    "hour": lambda x: x.dt.hour(),
    "minute": lambda x: x.dt.minute(),
    "second": lambda x: x.dt.second(),
}
"""Parts that are integers."""

TRUTHS: dict[str, Part] = {
    "is_day": lambda x: x.dt.hour().is_between(6, 20, closed="left"),
    "is_month_start": lambda x: x.dt.day() == 1,
    "is_month_end": lambda x: x.dt.day() == x.dt.days_in_month(),
    "is_quarter_start": lambda x: (x.dt.day() == 1) & (x.dt.month() % 3 == 1),
    "is_quarter_end": lambda x: (x.dt.day() == x.dt.days_in_month()) & (x.dt.month() % 3 == 0),
    "is_year_start": lambda x: x.dt.ordinal_day() == 1,
    "is_year_end": lambda x: (x.dt.month() == 12) & (x.dt.day() == 31),
    "is_leap_year": lambda x: x.dt.is_leap_year(),
}
"""Parts that are truth values."""

CLOCK = ("hour", "minute", "second", "is_day")
"""Parts that a date without a time has not."""

CYCLES: dict[str, tuple[int, Part]] = {
    "month": (1, lambda x: pl.lit(12)),
    "week_of_year": (1, lambda x: pl.date(x.dt.iso_year(), 12, 28).dt.week()),
    "day_of_year": (1, lambda x: 365 + x.dt.is_leap_year().cast(pl.Int64)),
    "day_of_month": (1, lambda x: x.dt.days_in_month()),
    "day_of_week": (1, lambda x: pl.lit(7)),
    "hour": (0, lambda x: pl.lit(24)),
    "minute": (0, lambda x: pl.lit(60)),
    "second": (0, lambda x: pl.lit(60)),
}
"""Parts that come again: their first number, and the length of the cycle."""

PARTS = (*NUMBERS, *TRUTHS)


@descriptor
class DateFeatures(ColumnOp):
    """Replace dates and points in time by their parts, named ``feature.part``.

    Numbers: ``year``, ``quarter``, ``month``, ``week_of_year`` (ISO 8601), ``day_of_year``,
    ``day_of_month``, ``day_of_week`` (Monday is 1), ``hour``, ``minute``, ``second``. Truth
    values: ``is_day`` (from 6:00 to before 20:00), ``is_month_start``, ``is_month_end``,
    ``is_quarter_start``, ``is_quarter_end``, ``is_year_start``, ``is_year_end``,
    ``is_leap_year``. Parts of the clock are left out for dates. A point in time with a zone is
    read in its zone. The new features come after the others; a missing date is missing in all.

    Args:
        parts: which parts, all by default.
        cyclic: whether ``feature.part_sin`` and ``feature.part_cos`` of ``2 pi part / length``
            follow the parts that come again, so that the last is near the first.
        keep: whether the dates stay as features.
        columns: the features to work on; all dates and points in time by default.

    Raises:
        SchemaError: a new column would have the name of an old one.

    Source:
        mlr3pipelines' PipeOpDateFeatures, after fastai's ``add_datepart``.

    Example:
        >>> import datetime, fpipe as fp
        >>> from fpipe import ops
        >>> day = datetime.date(2024, 2, 29)
        >>> task = fp.regression({"d": [day, day], "y": [1.0, 2.0]}, "y")
        >>> parts = ops.date_features(parts=("month", "is_month_end"))
        >>> fp.transform(parts, task, key=fp.key(0)).table.row(0)
        (1.0, 2, True)
    """

    name = "date_features"
    default = dates()

    parts: tuple[str, ...] | None = parameter(
        default=None,
        check=optional(tuple_of(one_of(*PARTS), at_least=1)),
        convert=lambda x: x if x is None or isinstance(x, str) else tuple(x),
    )
    cyclic: bool = parameter(default=False, check=boolean())
    keep: bool = parameter(default=False, check=boolean())

    def learn(self, task: Task, key: Key) -> Learned:
        """Capture the features, and whether they have a clock."""
        del key
        columns = self.chosen(task)
        return Learned(columns, tuple(_has_clock(task.dtype(name)) for name in columns))

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Compute the parts."""
        del key
        check_columns(state.columns, task.features)
        made = [made for name, clock in state.items() for made in self._made(name, clock)]
        names = [name for name, _, _ in made]
        check_free(self.name, names, task, replaced=() if self.keep else state.columns)
        left = [n for n in task.features if self.keep or n not in state.columns]
        columns = (column.cast(dtype).alias(name) for name, dtype, column in made)
        return task.computed(*columns, features=(*left, *names))

    def typed(self, task: TaskType) -> TaskType:
        """The parts follow from the types."""
        sure, possible = self.bounds(task)
        chosen = [name for name in task.features if name in sure]
        clocks = [(name, _has_clock(task.dtype(name))) for name in chosen]
        made = [made for name, clock in clocks for made in self._made(name, clock)]
        gone = () if self.keep else chosen
        check_free(self.name, [name for name, _, _ in made], task, replaced=gone)
        rest = forgotten(task, possible - sure)
        left = ((n, rest.dtype(n)) for n in rest.features if n not in gone)
        return rest.with_features((*left, *((name, dtype) for name, dtype, _ in made)))

    def _made(self, name: str, clock: bool) -> list[tuple[str, pl.DataType, pl.Expr]]:
        """Return the new features of one feature: names, types and expressions."""
        wanted = [p for p in self.parts or PARTS if clock or p not in CLOCK]
        made = [(f"{name}.{part}", *_part(part, pl.col(name))) for part in wanted]
        for part in [p for p in wanted if self.cyclic and p in CYCLES]:
            angle = _angle(part, pl.col(name))
            made += [
                (f"{name}.{part}_sin", pl.Float64(), angle.sin()),
                (f"{name}.{part}_cos", pl.Float64(), angle.cos()),
            ]
        return made


date_features = operator(DateFeatures)


def _has_clock(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime)


def _part(part: str, column: pl.Expr) -> tuple[pl.DataType, pl.Expr]:
    if part in NUMBERS:
        return pl.Int64(), NUMBERS[part](column)
    return pl.Boolean(), TRUTHS[part](column)


def _angle(part: str, column: pl.Expr) -> pl.Expr:
    """Return how far in its cycle a part is, from 0 to just below two pi."""
    first, length = CYCLES[part]
    place = NUMBERS[part](column).cast(pl.Int64) - first
    return 2.0 * math.pi * place / length(column).cast(pl.Float64)
