"""Parts of dates against Python's own calendar."""

from __future__ import annotations

import calendar
import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import ParameterError, SchemaError

KEY = fp.key(0)
RNG = np.random.default_rng(0)
DAYS = [
    *(dt.date(1900, 2, 28), dt.date(2000, 2, 29), dt.date(2020, 12, 31), dt.date(2021, 1, 3)),
    *(dt.date(2023, 3, 31), dt.date(2024, 4, 1), dt.date(2026, 12, 28), dt.date(1969, 7, 20)),
    *(dt.date(1970, 1, 1) + dt.timedelta(days=int(d)) for d in RNG.integers(-30000, 30000, 80)),
]
TIMES = [
    dt.datetime.combine(day, dt.time(int(h), int(m), int(s)))
    for day, h, m, s in zip(
        DAYS,
        [5, 6, 19, 20, *RNG.integers(0, 24, len(DAYS) - 4)],
        RNG.integers(0, 60, len(DAYS)),
        RNG.integers(0, 60, len(DAYS)),
        strict=True,
    )
]
N = len(DAYS)
TASK = fp.regression({"x": range(N), "d": DAYS, "t": TIMES, "y": range(N)}, "y")


def last(day):
    return calendar.monthrange(day.year, day.month)[1]


def weeks(day):
    return dt.date(day.isocalendar().year, 12, 28).isocalendar().week


PARTS = {
    "year": lambda x: x.year,
    "quarter": lambda x: math.ceil(x.month / 3),
    "month": lambda x: x.month,
    "week_of_year": lambda x: x.isocalendar().week,
    "day_of_year": lambda x: x.timetuple().tm_yday,
    "day_of_month": lambda x: x.day,
    "day_of_week": lambda x: x.isoweekday(),
    "is_month_start": lambda x: x.day == 1,
    "is_month_end": lambda x: x.day == last(x),
    "is_quarter_start": lambda x: (x.month, x.day) in {(1, 1), (4, 1), (7, 1), (10, 1)},
    "is_quarter_end": lambda x: (x.month, x.day) in {(3, 31), (6, 30), (9, 30), (12, 31)},
    "is_year_start": lambda x: (x.month, x.day) == (1, 1),
    "is_year_end": lambda x: (x.month, x.day) == (12, 31),
    "is_leap_year": lambda x: calendar.isleap(x.year),
}
CLOCK = {
    "hour": lambda x: x.hour,
    "minute": lambda x: x.minute,
    "second": lambda x: x.second,
    "is_day": lambda x: dt.time(6) <= x.time() < dt.time(20),
}
CYCLES = {
    "month": lambda x: (x.month - 1) / 12,
    "week_of_year": lambda x: (x.isocalendar().week - 1) / weeks(x),
    "day_of_year": lambda x: (
        (x.timetuple().tm_yday - 1) / (366 if calendar.isleap(x.year) else 365)
    ),
    "day_of_month": lambda x: (x.day - 1) / last(x),
    "day_of_week": lambda x: (x.isoweekday() - 1) / 7,
}
CLOCK_CYCLES = {
    "hour": lambda x: x.hour / 24,
    "minute": lambda x: x.minute / 60,
    "second": lambda x: x.second / 60,
}
OUT = fp.transform(ops.date_features(cyclic=True), TASK, key=KEY)
CASES = [
    *(("d", DAYS, part, f) for part, f in PARTS.items()),
    *(("t", TIMES, part, f) for part, f in (PARTS | CLOCK).items()),
]


@pytest.mark.parametrize(
    ("name", "values", "part", "expected"),
    CASES,
    ids=[f"date_features-{case[0]}-{case[2]}" for case in CASES],
)
def test_numbers(name, values, part, expected):
    """Every part is what Python's calendar says."""
    found = OUT.column(f"{name}.{part}")
    assert found.to_list() == [expected(x) for x in values]
    assert found.dtype == (pl.Boolean() if part.startswith("is_") else pl.Int64())


@pytest.mark.parametrize("part", [*CYCLES, *CLOCK_CYCLES])
def test_numbers_cyclic(part):
    """date_features: sine and cosine of where a part stands in its cycle."""
    place = (CYCLES | CLOCK_CYCLES)[part]
    for name, values in [("d", DAYS)] * (part in CYCLES) + [("t", TIMES)]:
        angles = 2 * np.pi * np.array([place(x) for x in values])
        np.testing.assert_allclose(OUT.column(f"{name}.{part}_sin"), np.sin(angles), atol=1e-12)
        np.testing.assert_allclose(OUT.column(f"{name}.{part}_cos"), np.cos(angles), atol=1e-12)


def test_names():
    """The parts stand behind the other features; a date has no clock."""
    out = fp.transform(ops.date_features(), TASK, key=KEY)
    assert set(out.features) == {
        "x",
        *(f"d.{p}" for p in PARTS),
        *(f"t.{p}" for p in PARTS | CLOCK),
    }
    out = fp.transform(ops.date_features(parts=["hour", "year"]), TASK, key=KEY)
    assert out.features == ("x", "d.year", "t.hour", "t.year")
    out = fp.transform(ops.date_features(parts=["year"], keep=True, columns="d"), TASK, key=KEY)
    assert out.features == ("x", "d", "t", "d.year")
    out = fp.transform(ops.date_features(parts=["hour"], cyclic=True, columns="t"), TASK, key=KEY)
    assert out.features == ("x", "d", "t.hour", "t.hour_sin", "t.hour_cos")


def test_missing_dates():
    """A missing date is missing in all parts."""
    task = fp.regression({"d": [DAYS[0], None], "y": [1.0, 2.0]}, "y")
    out = fp.transform(ops.date_features(cyclic=True), task, key=KEY)
    assert out.table.select(out.features).row(1) == (None,) * len(out.features)


def test_zones():
    """A point in time is read in its own zone."""
    instant = dt.datetime(2024, 7, 1, 22, 30, tzinfo=dt.UTC)
    column = pl.Series([instant, instant]).dt.convert_time_zone("Asia/Tokyo")
    task = fp.regression({"t": column, "y": [1.0, 2.0]}, "y")
    out = fp.transform(ops.date_features(parts=["day_of_month", "hour"]), task, key=KEY)
    assert out.table.row(0)[1:] == (2, 7)


CLASH = fp.regression({"d": DAYS[:2], "d.year": [1, 2], "y": [1, 2]}, "y")


@pytest.mark.parametrize(
    ("act", "error", "rule"),
    [
        (
            lambda: fp.fit(ops.date_features() >> ops.scale(), CLASH, key=KEY),
            SchemaError,
            "a second column 'd.year'",
        ),
        (lambda: fp.check(ops.date_features(), CLASH), SchemaError, "a second column 'd.year'"),
        (
            lambda: fp.fit(ops.date_features(columns="x"), TASK, key=KEY),
            SchemaError,
            "date_features cannot work on 'x'",
        ),
        (lambda: ops.date_features(parts=["yaer"]), ParameterError, "parts cannot be"),
        (lambda: ops.date_features(parts=()), ParameterError, "parts cannot be"),
        (lambda: ops.date_features(parts="year"), ParameterError, "parts cannot be"),
    ],
    ids=["clash", "clash-check", "numbers", "part", "no-part", "text"],
)
def test_bad_input(act, error, rule):
    """What cannot be done is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        act()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


def test_one_part_is_written_as_a_tuple():
    """A part in place of a tuple of parts is refused with the tuple."""
    with pytest.raises(ParameterError) as caught:
        ops.date_features("month")
    assert caught.value.fix == "parts=('month',)"
