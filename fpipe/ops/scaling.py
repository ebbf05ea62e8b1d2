"""Scaling of numeric features."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.parameter import boolean, number, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, as_float
from fpipe.ops.finite import check_finite, first_infinite

_SMALLEST = 1e-308
"""A scale that is smaller cannot be divided by: the quotient of 1 would be infinite."""

Shifted = tuple[float, float]
"""Shift and scale of a feature, in its own unit."""


@descriptor
class Scaling(ColumnOp):
    """``(x - shift) / scale`` per feature. Missing values do not count and stay missing.

    A class says which statistics it needs and how shift and scale follow from them.
    """

    def statistics(self, x: pl.Expr) -> tuple[pl.Expr, ...]:
        """Return the statistics of a feature as aggregating expressions."""
        raise NotImplementedError

    def shifted(self, found: tuple[Any, ...]) -> Shifted:
        """Return shift and scale from the statistics."""
        raise NotImplementedError

    def aggregates(self, column: pl.Expr) -> tuple[pl.Expr, ...]:
        """The statistics, and whether a number is infinite."""
        return first_infinite(column), *self.statistics(as_float(column))

    def learned(self, name: str, found: tuple[Any, ...]) -> Shifted:
        """Return shift and scale.

        Raises:
            DataError: a number is infinite, or the numbers are too large to be scaled.
        """
        check_finite(self.name, name, found[0])
        shift, scale = self.shifted(found[1:])
        if not (math.isfinite(shift) and math.isfinite(scale)):
            raise DataError(
                f"{self.name} cannot scale '{name}', whose numbers are too large.",
                expected="numbers whose range is a 64-bit float",
                got=f"shift {shift}, scale {scale}",
                fix=f"divide '{name}' by a power of ten first",
                column=name,
            )
        return shift, scale if abs(scale) > _SMALLEST else 1.0

    def expression(self, column: pl.Expr, learned: Shifted) -> pl.Expr:
        """Shift, then divide: by a product, which polars rounds the same for one row and many."""
        shift, scale = learned
        return (as_float(column) - shift) * (1.0 / scale)


@descriptor
class Scale(Scaling):
    """Subtract the mean of every numeric feature and divide by its standard deviation.

    Missing values do not count and stay missing; a constant feature is divided by 1.

    Args:
        center: whether the mean is subtracted.
        scale: whether it is divided.
        columns: the features to scale; all numbers by default.

    Source:
        scikit-learn's StandardScaler (standard deviation with ``n``).

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.scale(scale=False), task, key=fp.key(0)).column("x").to_list()
        [-1.0, 0.0, 1.0]
    """

    name = "scale"

    center: bool = parameter(default=True, check=boolean())
    scale: bool = parameter(default=True, check=boolean())

    def statistics(self, x: pl.Expr) -> tuple[pl.Expr, ...]:
        """Mean and standard deviation."""
        return x.mean(), x.std(ddof=0)

    def shifted(self, found: tuple[Any, ...]) -> Shifted:
        """Keep them where they are wanted and usable."""
        mean, deviation = found
        shift = float(mean or 0.0) if self.center else 0.0
        return shift, _usable(deviation, mean) if self.scale else 1.0


@descriptor
class ScaleRobust(Scaling):
    """Subtract the median of every numeric feature and divide by a range of quantiles.

    Outliers move neither. A feature whose quantiles are equal is divided by 1.

    Args:
        low: the lower quantile, in [0, 1).
        high: the upper quantile, in (0, 1].
        columns: the features to scale; all numbers by default.

    Raises:
        ParameterError: ``low`` is not below ``high``.

    Source:
        scikit-learn's RobustScaler.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.scale_robust(0.0, 1.0), task, key=fp.key(0)).column("x").to_list()
        [-0.5, 0.0, 0.5]
    """

    name = "scale_robust"

    low: float = parameter(default=0.25, check=number(0.0, 1.0), convert=float)
    high: float = parameter(default=0.75, check=number(0.0, 1.0), convert=float)

    def __attrs_post_init__(self) -> None:
        if not self.low < self.high:
            raise ParameterError(
                "scale_robust needs two quantiles.",
                expected="low below high",
                got=f"low={self.low}, high={self.high}",
                fix="ops.scale_robust(low=0.25, high=0.75)",
            )

    def statistics(self, x: pl.Expr) -> tuple[pl.Expr, ...]:
        """Both quantiles and the median between them, from one sorting."""
        return (x.quantile([self.low, 0.5, self.high], "linear"),)

    def shifted(self, found: tuple[Any, ...]) -> Shifted:
        """The median, and the distance between the quantiles."""
        low, median, high = found[0] if found[0] is not None else (None,) * 3
        spread = None if high is None else high - low
        return float(median or 0.0), _usable(spread, median)


@descriptor
class ScaleRange(Scaling):
    """Map the smallest value of every numeric feature to ``low`` and the largest to ``high``.

    New values may lie outside. A constant feature becomes ``low``.

    Args:
        low: what the smallest value becomes.
        high: what the largest value becomes.
        columns: the features to scale; all numbers by default.

    Raises:
        ParameterError: ``low`` is not below ``high``.

    Source:
        scikit-learn's MinMaxScaler.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.scale_range(), task, key=fp.key(0)).column("x").to_list()
        [0.0, 0.5, 1.0]
    """

    name = "scale_range"

    low: float = parameter(default=0.0, check=number(), convert=float)
    high: float = parameter(default=1.0, check=number(), convert=float)

    def __attrs_post_init__(self) -> None:
        if not self.low < self.high:
            raise ParameterError(
                "scale_range needs a range.",
                expected="low below high",
                got=f"low={self.low}, high={self.high}",
                fix="ops.scale_range(0.0, 1.0)",
            )

    def statistics(self, x: pl.Expr) -> tuple[pl.Expr, ...]:
        """Smallest and largest value."""
        return x.min(), x.max()

    def shifted(self, found: tuple[Any, ...]) -> Shifted:
        """Solve ``(min - shift) / scale = low`` and the same for the largest value."""
        smallest, largest = (float(x or 0.0) for x in found)
        width = largest - smallest
        scale = (width if width > 0.0 else 1.0) / (self.high - self.low)
        return smallest - self.low * scale, scale


@descriptor
class ScaleMaxAbs(Scaling):
    """Divide every numeric feature by its largest absolute value; zeros stay zeros.

    Args:
        columns: the features to scale; all numbers by default.

    Source:
        scikit-learn's MaxAbsScaler.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [-2.0, 0.0, 4.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.scale_max_abs(), task, key=fp.key(0)).column("x").to_list()
        [-0.5, 0.0, 1.0]
    """

    name = "scale_max_abs"

    def statistics(self, x: pl.Expr) -> tuple[pl.Expr, ...]:
        """The largest absolute value."""
        return (x.abs().max(),)

    def shifted(self, found: tuple[Any, ...]) -> Shifted:
        """Divide by it, or by 1 where all are 0."""
        return 0.0, float(found[0] or 1.0)


scale = operator(Scale)
scale_robust = operator(ScaleRobust)
scale_range = operator(ScaleRange)
scale_max_abs = operator(ScaleMaxAbs)


def _usable(deviation: float | None, mean: float | None) -> float:
    """Return the deviation, or 1 where a feature is constant up to rounding."""
    small = 10 * 2.220446049250313e-16 * abs(mean or 0.0)
    return float(deviation) if deviation is not None and deviation > small else 1.0
