"""Drawing and leaving out units: rows, or whole groups of rows."""

from __future__ import annotations

import math

import numpy as np

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import Key
from fpipe.data.split import Rows, all_single, checked_codes, quotas_of


def bootstrap_rows(
    n: int, ratio: float, key: Key, *, groups: Rows | None = None, strata: Rows | None = None
) -> tuple[Rows, Rows]:
    """Return the positions of a bootstrap sample, and those of the rows that it never drew.

    Units (rows, or whole groups) are drawn with replacement, ``round(units * ratio)`` of them;
    of every stratum its share, rounded up or down. A group counts to the stratum that most of
    its rows have.

    Args:
        n: how many rows there are.
        ratio: how many units are drawn for each that there is, above 0.
        key: where the draws come from.
        groups: ``[row]`` codes of what is drawn as a whole, or None.
        strata: ``[row]`` codes of what shall keep its share, or None.

    Returns:
        Sorted int64 positions: those drawn, as often as they were, and those left.

    Raises:
        ParameterError: the ratio is no number above 0.
        DataError: nothing is drawn, or nothing is left.
        ShapeError: there is not one code per row.

    Example:
        >>> from fpipe.core.key import key
        >>> drawn, rest = bootstrap_rows(8, 1.0, key(0))
        >>> len(drawn), sorted({*drawn.tolist(), *rest.tolist()}) == list(range(8))
        (8, True)

    Source:
        Efron 1979, *Bootstrap Methods*.
    """
    _check_share(ratio)
    units = checked_codes("groups", groups, n)
    layers = checked_codes("strata", strata, n)
    what = "rows" if units is None or all_single(units) else "groups"
    of_row = np.arange(n, dtype=np.int64) if units is None or what == "rows" else units
    count = int(of_row.max()) + 1 if n else 0
    total = round(count * ratio)
    if total < 1:
        raise DataError(
            "a bootstrap that draws nothing trains on nothing.",
            expected="at least 1 drawn row or group",
            got=f"{count} {what} times {ratio}",
            fix="use a larger ratio, or more rows",
        )
    times = _times(_strata_of_units(of_row, layers, count), ratio, total, key)[of_row]
    rest = np.flatnonzero(times == 0)
    if not len(rest):
        extent = f"{count} {what}" if what == "rows" else f"{count} groups of {n} rows"
        raise DataError(
            f"the bootstrap drew all {extent}, which leaves none to test on.",
            expected="some that were never drawn",
            got=f"{total} draws",
            fix="use more rows, or fp.subsampling()",
        )
    return np.repeat(np.arange(n, dtype=np.int64), times), rest


def single_units(n: int, *, groups: Rows | None = None) -> tuple[Rows, ...]:
    """Return the positions of every unit: each row alone, or each group by first appearance.

    Raises:
        DataError: there are fewer than two.
        ShapeError: there is not one code per row.

    Example:
        >>> [rows.tolist() for rows in single_units(3, groups=np.array([7, 4, 7]))]
        [[0, 2], [1]]
    """
    units = checked_codes("groups", groups, n)
    what = "rows" if units is None else "groups"
    of_row = np.arange(n, dtype=np.int64) if units is None else units
    first = np.sort(np.unique(of_row, return_index=True)[1])
    if len(first) < 2:
        raise DataError(
            f"one of {len(first)} {what} cannot be left out.",
            expected=f"at least 2 {what}",
            got=f"{len(first)} {what}",
            fix=f"use more {what}",
        )
    order = np.argsort(of_row, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(of_row[order])) + 1)
    return tuple(sorted((part.astype(np.int64) for part in parts), key=lambda part: int(part[0])))


def _times(strata: Rows, ratio: float, total: int, key: Key) -> Rows:
    """Return how often each unit is drawn."""
    sizes = np.bincount(strata).astype(np.int64)
    quotas = quotas_of(sizes, ratio, total, key.fold_in("remainders"))
    draws = key.fold_in("units").numpy()
    times = np.zeros(len(strata), np.int64)
    for stratum, quota in enumerate(quotas):
        members = np.flatnonzero(strata == stratum)
        times += np.bincount(draws.choice(members, quota), minlength=len(strata))
    return times


def _strata_of_units(of_row: Rows, layers: Rows | None, count: int) -> Rows:
    if layers is None:
        return np.zeros(count, np.int64)
    table = np.zeros((count, int(layers.max()) + 1), np.int64)
    np.add.at(table, (of_row, layers), 1)
    most = table.argmax(axis=1)
    return np.unique(most, return_inverse=True)[1].astype(np.int64)


def _check_share(ratio: float) -> None:
    plain = isinstance(ratio, int | float) and not isinstance(ratio, bool)
    if not plain or not math.isfinite(ratio) or ratio <= 0:
        raise ParameterError(
            f"a bootstrap cannot draw a share of {ratio!r}.",
            expected="a number above 0",
            got=repr(ratio),
            fix="fp.bootstrap(ratio=1.0)",
        )
