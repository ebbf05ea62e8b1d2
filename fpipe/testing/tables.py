"""Strategies for tasks: tables with missing values, odd names, constant columns and roles.

Features are numbers, truth values, levels, text, dates and tensors.
"""

from __future__ import annotations

import datetime
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe.data.construct import classification, regression
from fpipe.data.task import Task

TaskKind: TypeAlias = Literal["regression", "binary", "multi", "classification"]

ODD_NAMES = ("x", "z", "two words", "a.b", "naïve ☃", "0", "Y", "feature", "x_2", "[0]", "'q'")
LEVELS = ("a", "b", "c d", "é", "", "x.y", "1")


def tasks(
    kind: TaskKind | None = None,
    *,
    rows: tuple[int, int] = (4, 40),
    missing: bool = True,
    numeric: bool = False,
    roles: bool = True,
    repeats: bool = False,
) -> SearchStrategy[Task]:
    """Tasks of a few rows.

    Args:
        kind: what is predicted; any kind by default.
        rows: fewest and most rows, at least 4.
        missing: whether features may miss values (never in every row).
        numeric: whether features are numbers only.
        roles: whether there may be groups, strata, weights and row ids of their own.
        repeats: whether rows may be repeated, so that origins differ from row ids.
    """
    return _tasks(kind, rows, missing, numeric, roles, repeats)


@st.composite
def _tasks(
    draw: DrawFn,
    kind: TaskKind | None,
    rows: tuple[int, int],
    missing: bool,
    numeric: bool,
    roles: bool,
    repeats: bool,
) -> Task:
    n = draw(st.integers(*rows))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    names = draw(st.lists(st.sampled_from(ODD_NAMES), min_size=1, max_size=4, unique=True))
    columns: dict[str, pl.Series] = {}
    for name in names:
        # The first feature is no tensor, so that tables can always be made to enter a network.
        drawn = _NUMBERS if numeric else _ANY if columns else _PLAIN
        columns[name] = _column(draw, rng, draw(drawn), n, missing)
    chosen: str = kind or draw(st.sampled_from(["regression", "binary", "multi"]))
    if chosen == "classification":
        chosen = draw(st.sampled_from(["binary", "multi"]))
    arguments: dict[str, Any] = {}
    if roles:
        extra = draw(st.sets(st.sampled_from(sorted(_ROLES)), max_size=2))
        for role in sorted(extra):
            columns[f"the {role}"] = _ROLES[role](rng, n)
            arguments[role] = f"the {role}"
    columns["target col"] = _target(rng, chosen, n)
    make = regression if chosen == "regression" else classification
    task = make(pl.DataFrame(columns), "target col", **arguments)
    if repeats and draw(st.booleans()):
        again = rng.integers(0, n, draw(st.integers(1, 4)))
        task = task.repeat(np.concatenate([np.arange(n), again]))
    return task


def _target(rng: np.random.Generator, kind: str, n: int) -> pl.Series:
    if kind == "regression":
        return pl.Series(np.round(rng.normal(0.0, 3.0, n), 3) + np.arange(n) * 1e-3)
    count = 2 if kind == "binary" else 3
    codes = np.concatenate([np.arange(count), rng.integers(0, count, n - count)])
    return pl.Series([("no", "yes", "may be")[code] for code in rng.permutation(codes)])


def _column(draw: DrawFn, rng: np.random.Generator, kind: str, n: int, missing: bool) -> pl.Series:
    series = _MADE[kind](rng, n)
    if not missing or not draw(st.booleans()):
        return series
    gone = rng.random(n) < 0.3
    gone[rng.integers(0, n)] = False
    cells = [None if bad else cell for bad, cell in zip(gone, series.to_list(), strict=True)]
    return pl.Series(cells, dtype=series.dtype)


def _floats(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(np.round(rng.normal(0.0, 1.0, n), 3) * float(rng.choice([0.01, 1.0, 100.0])))


def _integers(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(rng.integers(-5, 6, n))


def _constants(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(np.full(n, float(rng.choice([0.0, 0.1, -7.0]))))


def _truths(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(rng.random(n) < 0.5)


def _levels(rng: np.random.Generator, n: int) -> pl.Series:
    levels = list(rng.permutation(np.array(LEVELS, object))[:3])
    return pl.Series(list(rng.choice(levels, n)), dtype=pl.Enum(levels))


def _texts(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(list(rng.choice(["u", "v", "w w"], n)), dtype=pl.String)


def _dates(rng: np.random.Generator, n: int) -> pl.Series:
    start = datetime.date(2023, 11, 1)
    return pl.Series([start + datetime.timedelta(int(days)) for days in rng.integers(0, 500, n)])


def _tensors(rng: np.random.Generator, n: int) -> pl.Series:
    cells = np.round(rng.normal(0.0, 1.0, (n, 2, 2)), 3)
    return pl.Series(cells.tolist(), dtype=pl.Array(pl.Float64, (2, 2)))


_MADE = {
    "float": _floats,
    "integer": _integers,
    "constant": _constants,
    "boolean": _truths,
    "enum": _levels,
    "text": _texts,
    "date": _dates,
    "tensor": _tensors,
}
_ANY = st.sampled_from(tuple(_MADE))
_PLAIN = st.sampled_from(tuple(kind for kind in _MADE if kind != "tensor"))
_NUMBERS = st.sampled_from(("float", "integer", "constant"))


def _groups(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series([f"g{code}" for code in rng.integers(0, max(2, n // 2), n)])


def _strata(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series([None if code == 2 else f"s{code}" for code in rng.integers(0, 3, n)])


def _weights(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(rng.integers(1, 5, n) / 2.0)


def _row_ids(rng: np.random.Generator, n: int) -> pl.Series:
    return pl.Series(rng.permutation(10 * n)[:n] - 7)


_ROLES = {"group": _groups, "stratum": _strata, "weight": _weights, "row_id": _row_ids}
