"""Splits by position: counts worked by hand, balance against scikit-learn, error texts."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.core.key import key
from fpipe.data.split import fold_rows, group_codes, holdout_rows

RNG = np.random.default_rng(0)


def test_holdout_counts():
    """Four fifths of ten rows are eight; all is sorted int64."""
    first, rest = holdout_rows(10, 0.8, key(0))
    assert (len(first), len(rest)) == (8, 2)
    assert sorted([*first, *rest]) == list(range(10))
    assert (np.diff(first) > 0).all()
    assert first.dtype == rest.dtype == np.int64


def test_holdout_strata_by_largest_remainder():
    """Shares 2.5, 4.5 and 3: one of the two halves is rounded up, and the key says which."""
    strata = np.repeat([7, 3, 5], [5, 9, 6])
    seen = set()
    for seed in range(20):
        first, _ = holdout_rows(20, 0.5, key(seed), strata=strata)
        seen.add(tuple(int((strata[first] == code).sum()) for code in (7, 3, 5)))
    assert seen == {(2, 5, 3), (3, 4, 3)}


def test_keys_matter():
    """The same key gives the same rows, another key others."""
    one, again, other = (holdout_rows(100, 0.5, key(k))[0] for k in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_holdout_takes_whole_groups():
    """Sizes 4, 3, 2 and 1 come within a row of half of ten, and no group is on both sides."""
    groups = np.repeat([0, 1, 2, 3], [4, 3, 2, 1])
    for seed in range(20):
        first, rest = holdout_rows(10, 0.5, key(seed), groups=groups)
        assert not set(groups[first]) & set(groups[rest])
        assert abs(len(first) - 5) <= 1


def test_a_large_group_can_go_either_way():
    """A group of half the rows is sometimes in the first half, sometimes in the rest."""
    groups = np.concatenate([np.zeros(20, int), 1 + np.arange(20)])
    seen = {0 in groups[holdout_rows(40, 0.5, key(s), groups=groups)[0]] for s in range(20)}
    assert seen == {True, False}


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.99])
def test_no_side_is_empty(ratio):
    """Two groups always make two sides."""
    groups = np.repeat([0, 1], [9, 1])
    first, rest = holdout_rows(10, ratio, key(0), groups=groups)
    assert {len(first), len(rest)} == {1, 9}


def test_holdout_groups_keep_strata():
    """Two hundred groups of mixed strata: counts within two rows of their share."""
    groups, strata = RNG.integers(0, 200, 1000), RNG.integers(0, 3, 1000)
    for seed in range(5):
        first, _ = holdout_rows(1000, 0.7, key(seed), groups=groups, strata=strata)
        off = np.bincount(strata[first]) - 0.7 * np.bincount(strata)
        assert abs(off).max() <= 2
        assert abs(len(first) - 700) <= 1


def test_fold_sizes():
    """Eleven rows in three folds: 4, 4 and 3, no remainder dropped."""
    folds = fold_rows(11, 3, key(0))
    assert [len(fold) for fold in folds] == [4, 4, 3]
    assert sorted(np.concatenate(folds)) == list(range(11))
    assert all(fold.dtype == np.int64 and (np.diff(fold) > 0).all() for fold in folds)


def test_strata_do_not_all_start_at_the_first_fold():
    """Five strata of one row each go to five folds."""
    folds = fold_rows(5, 5, key(0), strata=np.arange(5))
    assert [len(fold) for fold in folds] == [1] * 5


def test_group_folds_by_size():
    """Sizes 5, 4, 3, 2, 1 in three folds are 5, 5 and 5."""
    groups = np.repeat([10, 20, 30, 40, 50], [5, 4, 3, 2, 1])
    for seed in range(5):
        folds = fold_rows(15, 3, key(seed), groups=groups)
        assert [len(fold) for fold in folds] == [5, 5, 5]
        assert sum(len(np.unique(groups[fold])) for fold in folds) == 5


def test_every_fold_gets_a_group():
    """As many folds as groups, whatever the sizes and strata."""
    groups, strata = np.repeat([0, 1, 2], [50, 3, 1]), np.repeat([0, 1, 2], [50, 3, 1])
    folds = fold_rows(54, 3, key(0), groups=groups, strata=strata)
    assert sorted(len(fold) for fold in folds) == [1, 3, 50]


def spread(folds, strata):
    counts = np.array([np.bincount(strata[fold], minlength=3) for fold in folds])
    return int(np.ptp(counts, axis=0).max())


def test_group_folds_are_no_worse_than_sklearns():
    """The worst spread of a stratum over the folds, against StratifiedGroupKFold."""
    groups, strata = RNG.integers(0, 300, 1000), RNG.integers(0, 3, 1000)
    for seed in range(5):
        mine = fold_rows(1000, 5, key(seed), groups=groups, strata=strata)
        theirs = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        split = [test for _, test in theirs.split(groups, strata, groups)]
        assert spread(mine, strata) <= spread(split, strata)


@pytest.mark.parametrize(("cut", "amount"), [(holdout_rows, 0.3), (fold_rows, 4)])
def test_single_groups_are_rows(cut, amount):
    """Groups of one row each give the split of no groups."""
    groups, strata = RNG.permutation(50) * 3, RNG.integers(0, 3, 50)
    grouped = cut(50, amount, key(1), groups=groups, strata=strata)
    assert all(map(np.array_equal, grouped, cut(50, amount, key(1), strata=strata)))


PROGRAM = """
import numpy as np
from fpipe.core.key import key
from fpipe.data.split import fold_rows, holdout_rows
units, strata = np.arange(60) // 3, np.arange(60) % 7 % 2
print([part.tolist() for cut, amount in ((holdout_rows, 0.7), (fold_rows, 4))
       for part in cut(60, amount, key(5), groups=units, strata=strata)])
"""


def test_another_process_splits_alike():
    """The same key gives the same split under another hash seed."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    units, strata = np.arange(60) // 3, np.arange(60) % 7 % 2
    here = [
        part.tolist()
        for cut, amount in ((holdout_rows, 0.7), (fold_rows, 4))
        for part in cut(60, amount, key(5), groups=units, strata=strata)
    ]
    assert runs == [f"{here}\n"] * 2


def test_fast_enough():
    """20,640 rows in 10,000 groups and five strata take less than a second."""
    groups, strata = RNG.integers(0, 10_000, 20_640), RNG.integers(0, 5, 20_640)
    start = time.perf_counter()
    fold_rows(20_640, 5, key(0), groups=groups, strata=strata)
    holdout_rows(20_640, 0.8, key(0), groups=groups, strata=strata)
    group_codes(groups, np.arange(20_640))
    assert time.perf_counter() - start < 2


def test_group_codes_of_one_column():
    """Codes by first appearance; strings, objects and missing values are values."""
    assert group_codes(np.array([9, 2, 9, 5])).tolist() == [0, 1, 0, 2]
    assert group_codes(np.array(["b", None, "b", None], dtype=object)).tolist() == [0, 1, 0, 1]
    assert group_codes(np.array(["b", "a"])).dtype == np.int64
    assert group_codes(np.empty(0, int)).tolist() == []
    assert group_codes(np.empty(0, int), np.empty(0, int)).tolist() == []


def test_group_codes_joins_chains():
    """Rows 0-1 share a group, 1-2 an origin, 2-3 a group: one unit; row 4 stands alone."""
    group, origin = np.array([1, 1, 2, 2, 3]), np.array([10, 11, 11, 12, 13])
    assert group_codes(group, origin).tolist() == [0, 0, 0, 0, 1]
    assert group_codes(origin, group).tolist() == [0, 0, 0, 0, 1]


def test_group_codes_of_a_long_chain():
    """A chain over 2,000 rows with shuffled names is one unit."""
    names = RNG.permutation(2001)
    rows = np.arange(2000)
    assert group_codes(names[rows // 2], names[(rows + 1) // 2]).max() == 0


def test_group_codes_errors():
    """No column, or columns of different tables."""
    with pytest.raises(ParameterError, match="there is no column to group by"):
        group_codes()
    with pytest.raises(ShapeError) as error:
        group_codes(np.zeros(3), np.zeros(2))
    assert error.value.got == "[3], [2]"


def test_more_folds_than_rows_or_groups():
    """Both counts are named."""
    with pytest.raises(DataError) as error:
        fold_rows(4, 10, key(0))
    assert str(error.value) == (
        "10 folds were asked for, but there are only 4 rows.\n"
        "  expected  2 <= folds <= 4\n"
        "  got       folds = 10, rows = 4\n"
        "  fix       use folds=4"
    )
    with pytest.raises(DataError, match="5 folds were asked for, but there are only 3 groups"):
        fold_rows(6, 5, key(0), groups=np.array([0, 0, 1, 1, 2, 2]))
    with pytest.raises(DataError, match="there are only 0 rows") as error:
        fold_rows(0, 2, key(0), groups=np.empty(0, np.int64))
    assert error.value.fix == "give data with more rows"


@pytest.mark.parametrize("folds", [1, 0, -3, 2.0, True, "5"])
def test_folds_below_two(folds):
    """Fewer than two folds, or no integer."""
    with pytest.raises(ParameterError, match="a cross-validation cannot have"):
        fold_rows(10, folds, key(0))


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, True, "half", float("nan")])
def test_ratio_between_zero_and_one(ratio):
    """Neither end, nor what is no number."""
    with pytest.raises(ParameterError, match="a share of the rows cannot be"):
        holdout_rows(10, ratio, key(0))


def test_empty_parts():
    """A share that rounds to nothing or to all, and a single group."""
    with pytest.raises(DataError) as error:
        holdout_rows(3, 0.1, key(0))
    assert str(error.value) == (
        "a share of 0.1 of 3 rows is 0, which leaves one part empty.\n"
        "  expected  at least 1 row on either side\n"
        "  got       0 and 3 rows\n"
        "  fix       use another ratio"
    )
    with pytest.raises(DataError, match="which leaves one part empty"):
        holdout_rows(1, 0.5, key(0))
    with pytest.raises(DataError, match="which leaves one part empty"):
        holdout_rows(0, 0.5, key(0), strata=np.empty(0, np.int64))
    with pytest.raises(DataError, match="all 4 rows belong to 1 group"):
        holdout_rows(4, 0.5, key(0), groups=np.zeros(4, np.int64))


def test_codes_must_fit():
    """One integer code per row."""
    with pytest.raises(ShapeError, match=r"groups: \[3\] codes meet 4 rows"):
        holdout_rows(4, 0.5, key(0), groups=np.zeros(3, np.int64))
    with pytest.raises(ParameterError, match="strata: the codes are float64"):
        fold_rows(4, 2, key(0), strata=np.zeros(4))
