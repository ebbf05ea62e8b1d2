"""Histograms against what R prints."""

from __future__ import annotations

import numpy as np
import pytest

from fpipe.ops.histogram import counts, pretty, sturges

MPG = [
    *(21.0, 21.0, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4),
    *(10.4, 14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26.0, 30.4, 15.8, 19.7),
    *(15.0, 21.4),
]
"""``mtcars$mpg``."""

ISLANDS = [
    *(11506, 5500, 16988, 2968, 16, 184, 23, 280, 84, 73, 25, 43, 21, 82, 3745, 840, 13, 30, 30),
    *(89, 40, 33, 49, 14, 42, 227, 16, 36, 29, 15, 306, 44, 58, 43, 9390, 32, 13, 29, 6795, 16),
    *(15, 183, 14, 26, 19, 13, 12, 82),
]
"""``islands``."""


@pytest.mark.parametrize(
    ("low", "high", "n", "expected"),
    [
        (1, 15, 5, range(0, 17, 2)),
        (1, 15, 4, range(0, 16, 5)),
        (2, 30, 5, range(0, 31, 5)),
        (1, 20, 5, range(0, 21, 5)),
        (1, 20, 2, range(0, 21, 10)),
        (1, 20, 10, range(0, 21, 2)),
        (0, 10, 5, range(0, 11, 2)),
        # Near the middle the documented bias of 2.75 decides for 5.
        (0, 15, 5, range(0, 16, 5)),
        (0, 13, 5, range(0, 15, 2)),
        (0, 97, 5, range(0, 101, 20)),
        (10.4, 33.9, 6, range(10, 36, 5)),
        (0, 1, 5, np.arange(6) / 5),
        (-1, 1, 5, np.arange(-2, 3) / 2),
        # One value: R draws one bar, below a positive number and around others.
        (1, 1, 5, [0, 1]),
        (5, 5, 4, [0, 5]),
        (0, 0, 5, [-1, 0]),
        (np.pi, np.pi, 5, [2, 4]),
    ],
)
def test_pretty_is_r(low, high, n, expected):
    """Breaks are those that R's help and sessions show for ``pretty(c(low, high), n)``."""
    np.testing.assert_allclose(pretty(float(low), float(high), n), list(expected), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 30])
@pytest.mark.parametrize("seed", range(20))
def test_pretty_covers(seed, n):
    """The breaks cover the range, are equally far apart, and end near it."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.normal(size=2) * 10.0 ** rng.integers(-12, 12))
    breaks = pretty(low, high, n)
    unit = breaks[1] - breaks[0]
    assert breaks[0] <= low + 1e-9 * unit
    assert breaks[-1] >= high - 1e-9 * unit
    np.testing.assert_allclose(np.diff(breaks), unit, rtol=1e-6)
    lead = unit / 10.0 ** np.floor(np.log10(unit) + 1e-9)
    assert np.isclose([1.0, 2.0, 5.0], lead, rtol=1e-6).any()


@pytest.mark.parametrize("number", [5e-324, 1e-300, 1e300, 1.7e308])
def test_pretty_of_extremes(number):
    """Numbers at the ends of what a float holds give breaks, if not pretty ones."""
    assert len(pretty(-number, number, 5)) >= 2
    assert len(pretty(number, number, 5)) >= 2


@pytest.mark.parametrize(
    ("n", "bins"), [(1, 1), (2, 2), (3, 3), (31, 6), (32, 6), (33, 7), (48, 7), (100, 8), (128, 8)]
)
def test_sturges(n, bins):
    """The number of bins is ``ceiling(log2(n) + 1)``, exact at powers of two."""
    assert sturges(n) == bins


@pytest.mark.parametrize(
    ("values", "breaks", "expected"),
    [
        (MPG, range(10, 36, 5), [6, 12, 8, 2, 4]),
        (ISLANDS, range(0, 18001, 2000), [41, 2, 1, 1, 1, 1, 0, 0, 1]),
    ],
    ids=["mtcars", "islands"],
)
def test_hist_is_r(values, breaks, expected):
    """Breaks and counts are those of R's ``hist`` on its own data."""
    x = np.array(values, float)
    made = pretty(x.min(), x.max(), sturges(len(x)))
    np.testing.assert_allclose(made, list(breaks))
    assert counts(x, made).tolist() == expected


def test_bins_hold_their_upper_end():
    """A value on a break counts below it, the lowest in the first bin, also up to rounding."""
    breaks = np.array([0.0, 1.0, 2.0, 3.0])
    values = np.array([0.0, 1.0, 1.0 + 1e-9, 2.0, 3.0, 1.001])
    assert counts(values, breaks).tolist() == [3, 2, 1]
