"""Imputation of missing values by draws: what fills a row depends on key, row id and feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.value import descriptor, value
from fpipe.data.schema import check_columns
from fpipe.data.task import Rows, Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, Learned, as_float
from fpipe.ops.feature_selector import categorical, numeric, temporal
from fpipe.ops.finite import check_finite, first_infinite
from fpipe.ops.histogram import counts, pretty, sturges


@descriptor
class ImputeDraw(ColumnOp):
    """Fill missing values by draws that are made when the feature is computed.

    A row's draw depends on the key of the node, the row's id and the feature's name, so that it
    is the same in every batch and order, while fitting and later.
    """

    draws = 1

    def drawn(self, learned: Any, uniforms: NDArray[np.float64]) -> pl.Series:
        """Return what fills some rows.

        Args:
            learned: what was learned of the feature.
            uniforms: ``[rows, draws]`` in ``[0, 1)``.
        """
        raise NotImplementedError

    def transform(self, state: Any, task: Task, key: Key) -> Task:
        """Plan the filled columns."""
        check_columns(state.columns, task.features)
        return task.computed(
            *(self._filled(task, name, learned, key) for name, learned in state.items())
        )

    def _filled(self, task: Task, name: str, learned: Any, key: Key) -> pl.Expr:
        rows, source, dtype = task.row_id, key.fold_in(name), self.becomes(task.dtype(name))

        def fill(series: pl.Series) -> pl.Series:
            wide = series.cast(dtype)
            gaps = series.is_null().to_numpy()
            if not gaps.any():
                return wide
            draws = self.drawn(learned, source.row_uniforms(rows[gaps], self.draws))
            places: Rows = np.flatnonzero(gaps)
            return wide.scatter(places, draws.cast(dtype))

        return pl.col(name).map_batches(fill, return_dtype=dtype)


@descriptor
class Histogram:
    """How the numbers of a feature are spread.

    Args:
        breaks: the ends of the bins, ascending; none where all values are missing.
        counts: how many values each bin holds.
        whole: whether the feature holds integers.
    """

    breaks: tuple[float, ...]
    counts: tuple[int, ...]
    whole: bool


@descriptor
class ImputeHist(ImputeDraw):
    """Fill missing numbers by draws from the histogram of their feature.

    A bin is drawn in proportion to its count, then a number uniformly in it. The bins are those
    that R makes by default (Sturges' number, at pretty numbers), so that draws may lie somewhat
    outside the range of the values. Integers stay integers (of 64 bits): their draws are
    rounded. A feature that is missing in every row is filled by 0. Every feature has a histogram,
    also those that miss nothing at fit.

    A row's draw depends on the key, the feature and the row's id. A table of new rows numbers them
    0, 1, …, so that there the draw goes with the row's place; to keep a row's draw wherever it
    stands, predict on a task with ``row_id``.

    Args:
        columns: the features to fill; all numbers by default.

    Raises:
        DataError: a feature holds an infinite number, or numbers too large for a histogram.

    Source:
        mlr3pipelines' PipeOpImputeHist over R's ``hist``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, None, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> filled = fp.transform(ops.impute_hist(), task, key=fp.key(0)).column("x")[1]
        >>> 1.0 <= filled <= 3.0
        True
    """

    name = "impute_hist"
    draws = 2

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """Integers stay integers."""
        return pl.Int64() if dtype.is_integer() else pl.Float64()

    def aggregates(self, column: pl.Expr) -> tuple[pl.Expr, ...]:
        """Both ends, and how many there are."""
        x = as_float(column)
        return first_infinite(column), x.min(), x.max(), x.count()

    def learned(self, name: str, found: tuple[Any, ...]) -> tuple[float, ...]:
        """Return the breaks of the histogram.

        Raises:
            DataError: a number is infinite, or the numbers are too large.
        """
        row, low, high, n = found
        check_finite(self.name, name, row)
        breaks = pretty(low, high, sturges(n)) if n else np.zeros(0)
        if not np.isfinite(breaks).all():
            raise DataError(
                f"{self.name} finds no histogram for '{name}', whose numbers are too large.",
                expected="numbers whose range is a 64-bit float",
                got=f"numbers from {low} to {high}",
                fix=f"divide '{name}' by a power of ten first",
                column=name,
            )
        return tuple(breaks.tolist())

    def learn(self, task: Task, key: Key) -> Learned:
        """Find the breaks of all features in one pass, then count."""
        found = super().learn(task, key)
        made = [self._histogram(task.column(name), breaks) for name, breaks in found.items()]
        return Learned(found.columns, tuple(made))

    def _histogram(self, series: pl.Series, breaks: tuple[float, ...]) -> Histogram:
        whole = series.dtype.is_integer()
        if not breaks:
            return Histogram((), (), whole)
        values = series.drop_nulls().cast(pl.Float64).to_numpy()
        return Histogram(breaks, tuple(counts(values, np.array(breaks)).tolist()), whole)

    def drawn(self, learned: Histogram, uniforms: NDArray[np.float64]) -> pl.Series:
        """Draw a bin, then a number in it."""
        if not learned.breaks:
            return pl.Series(np.zeros(len(uniforms)))
        breaks = np.array(learned.breaks)
        bins = _weighted(learned.counts, uniforms[:, 0])
        numbers = breaks[bins] + uniforms[:, 1] * (breaks[bins + 1] - breaks[bins])
        return pl.Series(np.rint(numbers) if learned.whole else numbers)


@value
class Observed:
    """The distinct values of some features.

    Args:
        columns: the features.
        values: for each of them a frame of its distinct values in order (``value``) and how
            often each occurs (``count``).
    """

    columns: tuple[str, ...]
    values: tuple[pl.DataFrame, ...]

    def items(self) -> Any:
        """Yield each feature with its distinct values."""
        return zip(self.columns, self.values, strict=True)


@descriptor
class ImputeSample(ImputeDraw):
    """Fill missing values by draws from the observed values of their feature; types stay.

    Its state holds the distinct values of every feature. A row's draw goes with its id, as in
    `ImputeHist`.

    Args:
        columns: the features to fill; all but tensors by default.

    Raises:
        DataError: a feature is missing in every row.

    Source:
        mlr3pipelines' PipeOpImputeSample.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [5, None, 5], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.impute_sample(), task, key=fp.key(0)).column("x").to_list()
        [5, 5, 5]
    """

    name = "impute_sample"
    default = numeric() | categorical() | temporal()

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """The types stay."""
        return dtype

    def learn(self, task: Task, key: Key) -> Observed:
        """Count the distinct values."""
        del key
        columns = self.chosen(task)
        return Observed(columns, tuple(self._counted(task.column(name)) for name in columns))

    def _counted(self, series: pl.Series) -> pl.DataFrame:
        found = series.drop_nulls().alias("value")
        if not len(found):
            raise DataError(
                f"{self.name} cannot fill '{series.name}', which is missing in every row.",
                expected="at least one value to draw",
                got=f"{len(series)} missing values",
                fix=f"drop '{series.name}' with ops.select(~ops.named('{series.name}'))",
                column=series.name,
            )
        return found.value_counts().sort("value").with_columns(pl.col("count").cast(pl.Int64))

    def drawn(self, learned: pl.DataFrame, uniforms: NDArray[np.float64]) -> pl.Series:
        """Draw one of the values."""
        return learned["value"][_weighted(learned["count"].to_numpy(), uniforms[:, 0])]


impute_hist = operator(ImputeHist)
impute_sample = operator(ImputeSample)


def _weighted(weights: Any, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return positions drawn in proportion to integer weights."""
    ends = np.cumsum(np.asarray(weights, np.int64))
    bins: NDArray[np.int64] = np.searchsorted(ends, uniforms * ends[-1], side="right")
    return bins
