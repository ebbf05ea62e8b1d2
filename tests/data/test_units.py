"""Bootstraps and leave-one-out: units stay whole, strata keep their share, keys decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.core.key import key
from fpipe.data.units import bootstrap_rows, single_units


def attempt(act):
    """What is drawn, or the rule that refused it."""
    try:
        return act(), ""
    except DataError as error:
        return None, error.rule


@st.composite
def cases(draw, grouped):
    n = draw(st.integers(2, 40))
    codes = st.lists(st.integers(-3, 5), min_size=n, max_size=n)
    groups = np.array(draw(codes), np.int64) if grouped else None
    strata = np.array(draw(codes), np.int64) if draw(st.booleans()) else None
    return n, groups, strata, draw(st.floats(0.1, 1.5)), key(draw(st.integers(0, 10**6)))


@settings(max_examples=200, deadline=None)
@given(cases(grouped=False))
def test_rows_drawn_and_left(case):
    """Each row is drawn or left; as many as asked for; each stratum within one row of its share."""
    n, _, strata, ratio, k = case
    made, refused = attempt(lambda: bootstrap_rows(n, ratio, k, strata=strata))
    if made is None:
        assert round(n * ratio) < 1 or "drew all" in refused
        return
    drawn, rest = made
    assert sorted({*drawn.tolist(), *rest.tolist()}) == list(range(n))
    assert not set(drawn.tolist()) & set(rest.tolist())
    assert len(drawn) == round(n * ratio)
    assert (np.diff(drawn) >= 0).all()
    assert (np.diff(rest) > 0).all()
    if strata is not None:
        for code in np.unique(strata):
            assert abs((strata[drawn] == code).sum() - (strata == code).sum() * ratio) < 1
    again = bootstrap_rows(n, ratio, k, strata=strata)
    assert np.array_equal(again[0], drawn)
    alone = bootstrap_rows(n, ratio, k, strata=strata, groups=np.arange(n) * 3)
    assert np.array_equal(alone[0], drawn)


@settings(max_examples=200, deadline=None)
@given(cases(grouped=True))
def test_groups_drawn_and_left(case):
    """Groups are drawn whole, each row of a group as often as the others."""
    n, groups, strata, ratio, k = case
    count = len(np.unique(groups))
    made, refused = attempt(lambda: bootstrap_rows(n, ratio, k, strata=strata, groups=groups))
    if made is None:
        assert round(count * ratio) < 1 or "drew all" in refused
        return
    drawn, rest = made
    times = np.bincount(drawn, minlength=n)
    of_group = [set(times[groups == code].tolist()) for code in np.unique(groups)]
    assert all(len(each) == 1 for each in of_group)
    assert sum(each.pop() for each in of_group) == round(count * ratio)
    assert np.array_equal(rest, np.flatnonzero(times == 0))


def test_shares_of_a_bootstrap():
    """A row stays out of a bag of n draws with a probability of (1 - 1/n)^n, about 0.368."""
    shares = [len(bootstrap_rows(200, 1.0, key(i))[1]) / 200 for i in range(200)]
    assert np.mean(shares) == pytest.approx((1 - 1 / 200) ** 200, abs=0.01)
    times = np.bincount(np.concatenate([bootstrap_rows(20, 1.0, key(i))[0] for i in range(3000)]))
    assert np.abs(times / 3000 - 1).max() < 0.1


def test_groups_count_to_their_most_frequent_stratum():
    """Eight groups, four of each stratum: every bag has four of either."""
    groups = np.repeat(np.arange(8), 3)
    strata = np.where(groups < 4, 0, 9)
    strata[::3] = 5
    for i in range(20):
        drawn, _ = bootstrap_rows(24, 1.0, key(i), groups=groups, strata=strata)
        assert (groups[drawn] < 4).sum() == 12


def test_single_units():
    """Every row alone, or every group, by first appearance."""
    assert [rows.tolist() for rows in single_units(3)] == [[0], [1], [2]]
    found = single_units(5, groups=np.array([9, 2, 9, 2, 4]))
    assert [rows.tolist() for rows in found] == [[0, 2], [1, 3], [4]]
    assert all(rows.dtype == np.int64 for rows in found)


@pytest.mark.parametrize(
    ("act", "error", "rule", "expected"),
    [
        (lambda: bootstrap_rows(5, 0.0, key(0)), ParameterError, "share of 0.0", "above 0"),
        (lambda: bootstrap_rows(5, "1", key(0)), ParameterError, "share of '1'", "above 0"),
        (lambda: bootstrap_rows(5, True, key(0)), ParameterError, "share of True", "above 0"),
        (lambda: bootstrap_rows(5, np.inf, key(0)), ParameterError, "share of inf", "above 0"),
        (lambda: bootstrap_rows(5, 0.05, key(0)), DataError, "trains on nothing", "at least 1"),
        (lambda: bootstrap_rows(0, 1.0, key(0)), DataError, "trains on nothing", "at least 1"),
        (lambda: bootstrap_rows(1, 1.0, key(0)), DataError, "drew all 1 rows", "never drawn"),
        (
            lambda: bootstrap_rows(6, 1.0, key(0), groups=np.zeros(6, np.int64)),
            DataError,
            "drew all 1 groups of 6 rows",
            "never drawn",
        ),
        (
            lambda: bootstrap_rows(6, 1.0, key(0), groups=np.zeros(5, np.int64)),
            ShapeError,
            "5] codes meet 6 rows",
            "[6]",
        ),
        (lambda: single_units(1), DataError, "one of 1 rows cannot be left out", "2 rows"),
        (
            lambda: single_units(4, groups=np.ones(4, np.int64)),
            DataError,
            "one of 1 groups cannot be left out",
            "2 groups",
        ),
    ],
)
def test_refusals(act, error, rule, expected):
    """What cannot be drawn or left out is named, with what to do."""
    with pytest.raises(error) as caught:
        act()
    assert rule in caught.value.rule
    assert expected in caught.value.expected
    assert caught.value.got
    assert caught.value.fix
