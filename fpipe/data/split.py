"""Splitting by position: which rows go where, from counts, codes and a key alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.core.key import Key
from fpipe.core.value import value

Rows = NDArray[np.int64]


def holdout_rows(
    n: int, ratio: float, key: Key, *, groups: Rows | None = None, strata: Rows | None = None
) -> tuple[Rows, Rows]:
    """Return the positions of a first part that holds a share of the rows, and of the rest.

    Without groups the first part has ``round(n * ratio)`` rows, and of every stratum its share,
    rounded up or down. Groups are never split; whole groups are taken, in random order, as they
    bring the counts of rows and of every stratum nearer to their share.

    Args:
        n: how many rows there are.
        ratio: share of the first part, between 0 and 1 (neither of them).
        key: where the draws come from.
        groups: ``[row]`` codes of what may not be split, or None.
        strata: ``[row]`` codes of what shall be spread evenly, or None.

    Returns:
        Two sorted int64 arrays, neither empty, that together hold each of ``0 … n-1`` once.

    Raises:
        ParameterError: the ratio is not between 0 and 1.
        DataError: one of the parts would be empty.
        ShapeError: there is not one code per row.

    Laws:
        L19; groups of one row each are the same as none.

    Example:
        >>> from fpipe.core.key import key
        >>> first, rest = holdout_rows(10, 0.8, key(0), strata=np.array([0] * 5 + [1] * 5))
        >>> len(first), (rest < 5).tolist()
        (8, [True, False])
    """
    _check_ratio(ratio)
    units, layers = checked_codes("groups", groups, n), checked_codes("strata", strata, n)
    if units is None or all_single(units):
        first = _take_rows(n, ratio, key, layers)
    else:
        first = _take_groups(_tally(units, layers), ratio, key)[units]
    return np.flatnonzero(first), np.flatnonzero(~first)


def fold_rows(
    n: int, folds: int, key: Key, *, groups: Rows | None = None, strata: Rows | None = None
) -> tuple[Rows, ...]:
    """Return the test positions of each fold of a cross-validation.

    Without groups, shuffled rows are dealt out stratum by stratum, so sizes and the counts of
    every stratum differ by at most 1. Groups are never split: from the largest to the smallest
    (in random order where equal) each goes to the fold that has least of what it brings.

    Args:
        n: how many rows there are.
        folds: how many folds, at least 2.
        key: where the draws come from.
        groups: ``[row]`` codes of what may not be split, or None.
        strata: ``[row]`` codes of what shall be spread evenly, or None.

    Returns:
        One sorted int64 array per fold, none empty, that together hold each of ``0 … n-1`` once.

    Raises:
        ParameterError: folds is no integer of at least 2.
        DataError: there are more folds than rows or groups.
        ShapeError: there is not one code per row.

    Laws:
        L19; groups of one row each are the same as none.

    Example:
        >>> from fpipe.core.key import key
        >>> [len(rows) for rows in fold_rows(8, 3, key(0))]
        [3, 3, 2]

    Source:
        The balance of groups follows the idea of scikit-learn's ``StratifiedGroupKFold``.
    """
    _check_folds(folds)
    units, layers = checked_codes("groups", groups, n), checked_codes("strata", strata, n)
    _check_enough(folds, n, "rows")
    if units is None or all_single(units):
        fold = _deal_rows(n, folds, key, layers)
    else:
        _check_enough(folds, int(units.max()) + 1, "groups")
        fold = _deal_groups(_tally(units, layers), folds, key)[units]
    return tuple(np.flatnonzero(fold == each) for each in range(folds))


def group_codes(*columns: NDArray[Any]) -> Rows:
    """Return one code per row, equal for rows that may not be parted.

    Rows belong together if they agree in any column, or if a chain of such rows joins them. A
    missing value counts as a value.

    Args:
        *columns: one or more ``[row]`` arrays of integers, strings or objects.

    Returns:
        ``[row]`` int64, numbered ``0, 1, …`` by first appearance.

    Raises:
        ParameterError: there is no column.
        ShapeError: the columns do not have the same rows.

    Laws:
        The order of the columns does not matter; a column given twice is as good as once.

    Example:
        >>> group_codes(np.array(["b", "a", "b", "c"])).tolist()
        [0, 1, 0, 2]
        >>> group_codes(np.array([0, 1, 0, 2]), np.array([7, 8, 9, 8])).tolist()
        [0, 1, 0, 1]

    Source:
        Connected components by hooking and shortcutting (Shiloach and Vishkin 1982).
    """
    if not columns:
        raise ParameterError(
            "group_codes: there is no column to group by.",
            expected="at least 1 column",
            got="0 columns",
            fix="give the group column, the origin ids, or both",
        )
    shapes = [column.shape for column in columns]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        raise ShapeError(
            "group_codes: the columns do not have the same rows.",
            expected="arrays [row] of one length",
            got=", ".join(str(list(shape)) for shape in shapes),
            fix="take all columns from the same table",
        )
    joined = _by_appearance(columns[0])
    for column in columns[1:]:
        joined = _join(joined, _by_appearance(column))
    return joined


def _join(left: Rows, right: Rows) -> Rows:
    """Return the codes of the connected components of rows that agree left or right."""
    if len(left) == 0:
        return left
    u, v = left, right + (left.max() + 1)
    parent = np.arange(v.max() + 1)
    while True:
        low = np.minimum(parent[u], parent[v])
        new = parent.copy()
        for nodes in (u, v, parent[u], parent[v]):
            np.minimum.at(new, nodes, low)
        new = new[new]
        if (new == parent).all():
            return _by_appearance(parent[u])
        parent = new


def _by_appearance(column: NDArray[Any]) -> Rows:
    if column.dtype == object:
        seen: dict[Any, int] = {}
        return np.array([seen.setdefault(each, len(seen)) for each in column.tolist()], np.int64)
    _, first, codes = np.unique(column, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    joined: Rows = rank[codes]
    return joined


# Rows on their own.


def _take_rows(n: int, ratio: float, key: Key, strata: Rows | None) -> NDArray[np.bool_]:
    total = round(n * ratio)
    if not 1 <= total <= n - 1:
        raise _empty_part(n, ratio, total)
    codes = np.zeros(n, np.int64) if strata is None else strata
    counts = quotas_of(np.bincount(codes), ratio, total, key.fold_in("remainders"))
    order = _shuffled_by(codes, key.fold_in("rows"))
    rank = np.arange(n) - np.searchsorted(codes[order], codes[order])
    first = np.zeros(n, np.bool_)
    first[order] = rank < counts[codes[order]]
    return first


def quotas_of(sizes: Rows, ratio: float, total: int, key: Key) -> Rows:
    """Return how many rows each stratum gives, by largest remainder, with the given total."""
    exact = sizes * ratio
    quotas: Rows = np.floor(exact).astype(np.int64)
    order = np.lexsort((key.permutation(len(sizes)), quotas - exact))
    quotas[order[: total - int(quotas.sum())]] += 1
    return quotas


def _deal_rows(n: int, folds: int, key: Key, strata: Rows | None) -> Rows:
    order = _shuffled_by(np.zeros(n, np.int64) if strata is None else strata, key.fold_in("rows"))
    fold = np.empty(n, np.int64)
    fold[order] = np.arange(n) % folds
    return fold


def _shuffled_by(codes: Rows, key: Key) -> Rows:
    shuffled = key.permutation(len(codes))
    return shuffled[np.argsort(codes[shuffled], kind="stable")]


# Whole groups.

_TOLERANCE = 1e-9


@value
class _Tally:
    """How many rows of each stratum each group brings, as one entry per pair that occurs.

    Column 0 counts all rows, column ``1 + s`` those of stratum ``s``.
    """

    sizes: Rows
    totals: Rows
    weights: NDArray[np.float64]
    group: Rows
    column: Rows
    count: Rows


def _tally(groups: Rows, strata: Rows | None) -> _Tally:
    sizes = np.bincount(groups)
    pairs = _pairs(groups, strata)
    every = (np.arange(len(sizes)), np.zeros(len(sizes), np.int64), sizes)
    group, column, count = (np.concatenate(both) for both in zip(every, pairs, strict=True))
    order = np.argsort(group, kind="stable")
    totals = np.bincount(column, count).astype(np.int64)
    weights = 1 / totals
    weights[0] *= max(1, len(totals) - 1)
    return _Tally(sizes, totals, weights, group[order], column[order], count[order])


def _pairs(groups: Rows, strata: Rows | None) -> tuple[Rows, Rows, Rows]:
    if strata is None:
        none = np.empty(0, np.int64)
        return none, none, none
    width = int(strata.max()) + 1
    pair, count = np.unique(groups * width + strata, return_counts=True)
    return pair // width, 1 + pair % width, count.astype(np.int64)


def _deal_groups(tally: _Tally, folds: int, key: Key) -> Rows:
    """Return a fold per group; the cost of a fold is the weighted count of what it already has."""
    shuffled = key.fold_in("groups").permutation(len(tally.sizes))
    order = shuffled[np.argsort(-tally.sizes[shuffled], kind="stable")]
    ends = np.searchsorted(tally.group, np.arange(len(tally.sizes) + 1))
    weighted = tally.weights[tally.column] * tally.count
    load = np.zeros((len(tally.totals), folds))
    fold = np.empty(len(tally.sizes), np.int64)
    for group in order:
        entries = slice(ends[group], ends[group + 1])
        columns = tally.column[entries]
        fold[group] = least = (load[columns] * weighted[entries, None]).sum(axis=0).argmin()
        load[columns, least] += tally.count[entries]
    return fold


def _take_groups(tally: _Tally, ratio: float, key: Key) -> NDArray[np.bool_]:
    """Return which groups go first.

    What is made small is ``sum_c weights[c] * (first[c] - ratio * totals[c])**2``.
    """
    if len(tally.sizes) < 2:
        raise _one_group(int(tally.totals[0]))
    order = key.fold_in("groups").permutation(len(tally.sizes))
    taken = _first_pass(tally, ratio, order)
    for _ in range(len(order)):
        change = _changes(tally, ratio, taken)[order]
        one_sided = taken.all() or not taken.any()
        if change.min() > -_TOLERANCE and not one_sided:
            break
        taken = taken ^ (np.arange(len(order)) == order[change.argmin()])
    return taken


def _first_pass(tally: _Tally, ratio: float, order: Rows) -> NDArray[np.bool_]:
    ends = np.searchsorted(tally.group, np.arange(len(tally.sizes) + 1))
    off = -ratio * tally.totals
    taken = np.zeros(len(tally.sizes), np.bool_)
    for group in order:
        entries = slice(ends[group], ends[group + 1])
        columns, count = tally.column[entries], tally.count[entries]
        if (tally.weights[columns] * count * (2 * off[columns] + count)).sum() < 0:
            taken[group] = True
            off[columns] += count
    return taken


def _changes(tally: _Tally, ratio: float, taken: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return by how much the sum grows if a group changes sides, ``[group]``.

    The last group of a side cannot change: infinity.
    """
    held = tally.count * taken[tally.group]
    off = np.bincount(tally.column, held, len(tally.totals)) - ratio * tally.totals
    step = np.where(taken[tally.group], -tally.count, tally.count)
    growth = tally.weights[tally.column] * step * (2 * off[tally.column] + step)
    change = np.bincount(tally.group, growth, len(tally.sizes)).astype(np.float64)
    return np.where(_last_of_side(taken), np.inf, change)


def _last_of_side(taken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    count = int(taken.sum())
    return (taken & (count == 1)) | (~taken & (count == len(taken) - 1))


# What is accepted.


def checked_codes(name: str, codes: Rows | None, n: int) -> Rows | None:
    """Return codes numbered without gaps, or raise where there is not one integer per row."""
    if codes is None:
        return None
    if codes.shape != (n,):
        raise ShapeError(
            f"{name}: {list(codes.shape)} codes meet {n} rows.",
            expected=f"[{n}]",
            got=str(list(codes.shape)),
            fix="give one code per row",
        )
    if not np.issubdtype(codes.dtype, np.integer):
        raise ParameterError(
            f"{name}: the codes are {codes.dtype} and must be integers.",
            expected="int64",
            got=str(codes.dtype),
            fix="make codes with group_codes",
        )
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def all_single(units: Rows) -> bool:
    """Tell whether every row is a unit of its own."""
    return len(units) == 0 or int(units.max()) + 1 == len(units)


def _check_ratio(ratio: Any) -> None:
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1:
        raise ParameterError(
            f"a share of the rows cannot be {ratio!r}.",
            expected="a number between 0 and 1 (neither of them)",
            got=f"{ratio!r} ({type(ratio).__name__})",
            fix="ratio=0.8",
        )


def _check_folds(folds: Any) -> None:
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ParameterError(
            f"a cross-validation cannot have {folds!r} folds.",
            expected="an integer of at least 2",
            got=f"{folds!r} ({type(folds).__name__})",
            fix="folds=5",
        )


def _check_enough(folds: int, count: int, what: str) -> None:
    if folds > count:
        raise DataError(
            f"{folds} folds were asked for, but there are only {count} {what}.",
            expected=f"2 <= folds <= {count}" if count >= 2 else f"at least 2 {what}",
            got=f"folds = {folds}, {what} = {count}",
            fix=f"use folds={count}" if count >= 2 else f"give data with more {what}",
        )


def _empty_part(n: int, ratio: float, total: int) -> DataError:
    return DataError(
        f"a share of {ratio} of {n} rows is {total}, which leaves one part empty.",
        expected="at least 1 row on either side",
        got=f"{total} and {n - total} rows",
        fix="use another ratio" if n >= 2 else "give at least 2 rows",
    )


def _one_group(n: int) -> DataError:
    return DataError(
        f"all {n} rows belong to 1 group, which cannot be split.",
        expected="at least 2 groups",
        got="1 group",
        fix="give at least 2 groups, or remove the role 'group'",
    )
