"""Decisions made of uniform numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def between(draw: float, low: float, high: float) -> float:
    """Return a number from an interval.

    Example:
        >>> between(0.25, 2.0, 6.0)
        3.0
    """
    return low + float(draw) * (high - low)


def below(draw: float, count: int) -> int:
    """Return one of ``0, …, count - 1``, all equally likely.

    Example:
        >>> below(0.0, 3), below(0.5, 3), below(0.999, 3)
        (0, 1, 2)
    """
    return int(float(draw) * count)


def shuffled(draws: NDArray[np.float64]) -> tuple[int, ...]:
    """Return ``0, …, n - 1`` in an order, all equally likely.

    Example:
        >>> shuffled(np.array([0.7, 0.1, 0.4]))
        (1, 2, 0)
    """
    return tuple(int(i) for i in np.argsort(draws, kind="stable"))
