"""Histograms as R makes them by default: Sturges' number of bins, at pretty numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sturges(n: int) -> int:
    """Return the number of bins for ``n`` values, ``ceil(log2(n) + 1)``.

    Example:
        >>> sturges(32)
        6

    Source:
        Sturges (1926), *The Choice of a Class Interval*; R's ``nclass.Sturges``.
    """
    return math.ceil(math.log2(n) + 1.0)


def pretty(low: float, high: float, n: int, *, at_least: int = 1) -> Floats:
    """Return about ``n + 1`` equally spaced numbers that cover a range.

    They are multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: the lower end.
        high: the upper end, not below it.
        n: how many intervals are wanted, at least 1.
        at_least: how many there must be.

    Example:
        >>> pretty(0.0, 10.0, 5).tolist()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]

    Source:
        R's ``pretty``, with its default biases towards larger units (1.5) and towards 5 (2.75).
    """
    unit = _unit(_cell(low, high, n, at_least))
    first, last = math.floor(low / unit + _SLACK), math.ceil(high / unit - _SLACK)
    # Rounding may have left an end of the range outside.
    while first * unit > low + _SLACK * unit:
        first -= 1
    while last * unit < high - _SLACK * unit:
        last += 1
    short = at_least - (last - first)
    if short > 0:
        first, last = _lengthened(first, last, short, low, high)
    with np.errstate(over="ignore"):
        return np.arange(first, last + 1, dtype=np.float64) * unit


def counts(values: Floats, breaks: Floats) -> NDArray[np.int64]:
    """Count values in bins that hold their upper end; the first holds its lower end too.

    A value that is above a break by less than 1e-7 of a bin counts as equal to it.

    Args:
        values: ``[n]``, none outside the breaks.
        breaks: ``[bins + 1]``, ascending.

    Returns:
        ``[bins]``.

    Source:
        R's ``hist``.
    """
    fuzz = 1e-7 * float(np.median(np.diff(breaks)))
    edges = breaks + fuzz
    edges[0] = breaks[0] - fuzz
    bins = np.searchsorted(edges, values, side="left") - 1
    return np.bincount(bins, minlength=len(breaks) - 1)


_SLACK = 1e-10
_BIAS, _BIAS_5 = 1.5, 2.75


def _cell(low: float, high: float, n: int, at_least: int) -> float:
    """Return the wanted width of an interval, not yet a pretty one."""
    size, width = max(abs(low), abs(high)), high - low
    if size == 0.0:
        return 0.75 / max(1, at_least)
    bound = 1.0 + 1.0 / (1.0 + _BIAS)
    if width >= size * bound * max(1, n) * 3.0 * _EPSILON:
        return min(max(width / n, _SMALLEST), _LARGEST)
    # The range is a single number up to rounding: its own size sets the scale.
    cell = 9.0 + size / 10.0 if size > 10.0 else size
    return min(max(cell * 0.75 / max(1, at_least), _SMALLEST), _LARGEST)


def _unit(cell: float) -> float:
    """Return 1, 2, 5 or 10 times a power of ten, near a width."""
    base = 10.0 ** math.floor(math.log10(cell))
    unit = base
    for factor, bias in ((2.0, _BIAS), (5.0, _BIAS_5), (10.0, _BIAS)):
        if factor * base - cell >= bias * (cell - unit):
            break
        unit = factor * base
    return unit


def _lengthened(first: int, last: int, short: int, low: float, high: float) -> tuple[int, int]:
    """Return more intervals, on the side away from zero or on both."""
    less, more = short // 2, short - short // 2
    if low == 0.0 and first == 0 and high != 0.0:
        return first, last + short
    return (first - more, last + less) if first >= 0 else (first - less, last + more)


_EPSILON = float(np.finfo(np.float64).eps)
_SMALLEST, _LARGEST = 20.0 * float(np.finfo(np.float64).tiny), 0.1 * float(np.finfo(np.float64).max)
