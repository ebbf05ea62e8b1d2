"""Law 9: splits are disjoint and cover all rows, groups stay whole, strata keep their share."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.errors import DataError
from fpipe.core.key import key
from fpipe.data.split import fold_rows, group_codes, holdout_rows

LAW = settings(max_examples=300, deadline=None)
KEYS = st.builds(key, st.integers(0, 2**32))
RATIOS = st.floats(0.01, 0.99)


@st.composite
def codes(draw, n, most):
    """Int64 codes with gaps and any order, or None."""
    if draw(st.booleans()):
        return None
    limit = draw(st.integers(1, most))
    values = draw(st.lists(st.integers(0, limit), min_size=n, max_size=n))
    return np.array(values, np.int64) * 7 - 11


@st.composite
def cases(draw, grouped):
    n = draw(st.integers(2, 60))
    strata = draw(codes(n, 8))
    groups = None
    if grouped:
        of_rows = st.lists(st.integers(-3, n), min_size=n, max_size=n)
        groups = np.array(draw(of_rows), np.int64)
    return n, groups, strata


def covers(n, parts):
    return np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))


def is_sorted(rows):
    return rows.dtype == np.int64 and bool((np.diff(rows) > 0).all())


def counts(strata, rows):
    """How many of the rows each stratum has, over the strata that occur."""
    return np.array([int((strata[rows] == code).sum()) for code in np.unique(strata)])


def whole(groups, parts):
    """Whether no group is in two parts."""
    return sum(len(np.unique(groups[part])) for part in parts) == len(np.unique(groups))


def unchanged(arrays, before):
    return all(a is None or np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def copies(*arrays):
    return [None if array is None else array.copy() for array in arrays]


@LAW
@given(cases(grouped=False), RATIOS, KEYS)
def test_holdout_without_groups(case, ratio, k):
    """Two complements, ``round(n * ratio)`` rows, each stratum within one row of its share."""
    n, _, strata = case
    total = round(n * ratio)
    try:
        parts = holdout_rows(n, ratio, k, strata=strata)
    except DataError:
        assert total in (0, n)
        return
    assert covers(n, parts)
    assert all(map(is_sorted, parts))
    assert len(parts[0]) == total
    if strata is not None:
        share = counts(strata, np.arange(n)) * ratio
        assert (abs(counts(strata, parts[0]) - share) < 1).all()


@LAW
@given(cases(grouped=True), RATIOS, KEYS)
def test_holdout_with_groups(case, ratio, k):
    """Two complements, no group in both, neither empty, and no single move that helps."""
    n, groups, strata = case
    sizes = np.unique(groups, return_counts=True)[1]
    try:
        parts = holdout_rows(n, ratio, k, groups=groups, strata=strata)
    except DataError:
        single = (sizes == 1).all() and round(n * ratio) in (0, n)
        assert len(sizes) == 1 or single
        return
    assert covers(n, parts)
    assert all(map(is_sorted, parts))
    assert whole(groups, parts)
    assert all(len(part) for part in parts)
    if strata is None:
        off = len(parts[0]) - n * ratio
        side = parts[0] if off > 0 else parts[1]
        movable = np.unique(groups[side], return_counts=True)[1]
        smallest = movable.min() if len(movable) > 1 else n
        assert abs(off) <= abs(abs(off) - smallest) + 1e-6


@LAW
@given(cases(grouped=False), st.integers(2, 12), KEYS)
def test_folds_without_groups(case, folds, k):
    """Disjoint, covering; sizes and the counts of each stratum differ by at most one."""
    n, _, strata = case
    try:
        parts = fold_rows(n, folds, k, strata=strata)
    except DataError:
        assert folds > n
        return
    assert len(parts) == folds
    assert covers(n, parts)
    assert all(map(is_sorted, parts))
    assert np.ptp([len(part) for part in parts]) <= 1
    if strata is not None:
        assert (np.ptp([counts(strata, part) for part in parts], axis=0) <= 1).all()


@LAW
@given(cases(grouped=True), st.integers(2, 12), KEYS)
def test_folds_with_groups(case, folds, k):
    """Disjoint, covering, no group in two folds, no empty fold, sizes within the largest group."""
    n, groups, strata = case
    sizes = np.unique(groups, return_counts=True)[1]
    try:
        parts = fold_rows(n, folds, k, groups=groups, strata=strata)
    except DataError:
        assert folds > len(sizes)
        return
    assert len(parts) == folds
    assert covers(n, parts)
    assert all(map(is_sorted, parts))
    assert whole(groups, parts)
    assert all(len(part) for part in parts)
    if strata is None:
        assert np.ptp([len(part) for part in parts]) <= sizes.max()


@LAW
@given(cases(grouped=True), st.booleans(), RATIOS, st.integers(2, 4), KEYS)
def test_same_key_same_split(case, grouped, ratio, folds, k):
    """A split is a function of its arguments, and changes none of them."""
    n, groups, strata = case
    groups = groups if grouped else None
    before = copies(groups, strata)
    for cut in (
        lambda: holdout_rows(n, ratio, k, groups=groups, strata=strata),
        lambda: fold_rows(n, folds, k, groups=groups, strata=strata),
    ):
        try:
            one = cut()
        except DataError:
            continue
        assert all(map(np.array_equal, one, cut()))
    assert unchanged((groups, strata), before)


@LAW
@given(cases(grouped=True), RATIOS, st.integers(2, 4), KEYS)
def test_names_of_codes_carry_no_meaning(case, ratio, folds, k):
    """Codes stretched and shifted in order give the same split."""
    n, groups, strata = case
    other = None if strata is None else strata * 3 + 5
    for cut, amount in ((holdout_rows, ratio), (fold_rows, folds)):
        try:
            one = cut(n, amount, k, groups=groups, strata=strata)
        except DataError:
            continue
        again = cut(n, amount, k, groups=groups * 2 - 9, strata=other)
        assert all(map(np.array_equal, one, again))


@LAW
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=25))
def test_units_are_connected_components(pairs):
    """Codes agree with components found by joining sets one row at a time."""
    left = np.array([a for a, _ in pairs], np.int64)
    right = np.array([b for _, b in pairs], np.int64)
    unit = {node: {node} for a, b in pairs for node in (("a", a), ("b", b))}
    for a, b in pairs:
        merged = unit["a", a] | unit["b", b]
        unit.update(dict.fromkeys(merged, merged))
    seen: dict[int, int] = {}
    expected = [seen.setdefault(id(unit["a", a]), len(seen)) for a, _ in pairs]
    assert group_codes(left, right).tolist() == expected
    assert group_codes(right, left).tolist() == expected
    assert group_codes(left, right, left).tolist() == expected
