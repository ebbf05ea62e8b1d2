"""Transformations of numeric features towards a normal or uniform distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.parameter import boolean, integer, number, one_of, optional, parameter
from fpipe.core.value import descriptor
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.estimator import Matrix, matrix
from fpipe.ops.fitted_columns import EstimatorColumns, FittedColumns


@descriptor
class QuantileTransform(EstimatorColumns):
    """Map every numeric feature by its quantiles, so that it is spread as a normal or uniform one.

    Missing values do not count and stay missing; values beyond those at fit become the ends.

    Args:
        n_quantiles: how many quantiles are kept, at most one per row.
        output: ``"normal"`` or ``"uniform"``.
        noise: standard deviation of normal noise that is added to the values that the quantiles
            are taken from, as a share of the feature's own; it parts values that occur often.
        subsample: how many rows the quantiles are taken from at most, drawn from the key; None
            for all.
        columns: the features; all numbers by default.

    Raises:
        DataError: a feature is infinite somewhere.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 10.0, 100.0], "y": [1, 2, 3]}, "y")
        >>> flat = ops.quantile_transform(output="uniform")
        >>> fp.transform(flat, task, key=fp.key(0)).column("a").to_list()
        [0.0, 0.5, 1.0]

    Source:
        scikit-learn's QuantileTransformer; the noise as in Gorishniy et al. 2021, *Revisiting
        deep learning models for tabular data*.
    """

    name = "quantile_transform"

    n_quantiles: int = parameter(default=1000, check=integer(1))
    output: str = parameter(default="normal", check=one_of("normal", "uniform"))
    noise: float = parameter(default=0.0, check=number(0.0), convert=float)
    subsample: int | None = parameter(default=10_000, check=optional(integer(1)))

    def made(self, rows: int, key: Key) -> Any:
        """Return a transformer with no more quantiles than rows that it looks at."""
        from sklearn.preprocessing import QuantileTransformer  # noqa: PLC0415

        looked_at = rows if self.subsample is None else min(rows, self.subsample)
        return QuantileTransformer(
            n_quantiles=min(self.n_quantiles, looked_at),
            output_distribution=self.output,
            subsample=self.subsample,
            random_state=key.fold_in("rows").integer(31),
        )

    def seen(self, x: Matrix, task: Task, key: Key) -> Matrix:
        """Add the noise, which depends on the key and each row's id alone."""
        if not self.noise:
            return x
        from scipy.special import ndtri  # noqa: PLC0415

        uniform = key.fold_in("noise").row_uniforms(task.row_id, x.shape[1])
        normal = ndtri(np.maximum(uniform, 2.0**-54))
        return np.asarray(x + self.noise * np.nanstd(x, axis=0) * normal, np.float64)


@descriptor
class PowerTransform(EstimatorColumns):
    """Make every numeric feature more like a normal one by a power, whose exponent is learned.

    Missing values do not count and stay missing.

    Args:
        method: ``"yeo_johnson"``, or ``"box_cox"`` for positive numbers.
        standardize: whether the result is scaled to mean 0 and standard deviation 1.
        columns: the features; all numbers by default.

    Raises:
        DataError: a feature is infinite somewhere, or not positive (with ``"box_cox"``).

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 10.0, 100.0], "y": [1, 2, 3]}, "y")
        >>> out = fp.transform(ops.power_transform("box_cox"), task, key=fp.key(0))
        >>> abs(out.column("a")[1]) < 1e-6
        True

    Source:
        scikit-learn's PowerTransformer; Box and Cox 1964, Yeo and Johnson 2000.
    """

    name = "power_transform"
    exempt: ClassVar[Mapping[str, str]] = {
        "row order at fit": "the exponent is searched for, to about eight digits"
    }

    method: str = parameter(default="yeo_johnson", check=one_of("yeo_johnson", "box_cox"))
    standardize: bool = parameter(default=True, check=boolean())

    def made(self, rows: int, key: Key) -> Any:
        """Return the transformer."""
        from sklearn.preprocessing import PowerTransformer  # noqa: PLC0415

        method = self.method.replace("_", "-")
        return PowerTransformer(method=method, standardize=self.standardize)

    def checked(self, task: Task, columns: tuple[str, ...]) -> Matrix:
        """Return the features; box_cox takes positive numbers only."""
        x = EstimatorColumns.checked(self, task, columns)
        if self.method == "box_cox" and (x <= 0.0).any():
            row, place = (int(i) for i in np.argwhere(x <= 0.0)[0])
            raise DataError(
                f"box_cox cannot take '{columns[place]}' in row {row}.",
                expected="numbers above 0",
                got=repr(float(x[row, place])),
                fix='use method="yeo_johnson"',
                column=columns[place],
                row=row,
            )
        return x

    def transformed(self, state: FittedColumns, task: Task) -> pl.DataFrame:
        """Return the powers; an exponent learned from nearly equal numbers can be too large."""
        try:
            with np.errstate(over="ignore"):
                return EstimatorColumns.transformed(self, state, task)
        except DataError as error:
            if not isinstance(error.__cause__, ValueError):
                raise
            raise self._overflow(state, task) or error from error

    def _overflow(self, state: FittedColumns, task: Task) -> DataError | None:
        """Return the error that says which number has no finite power."""
        columns = state.estimator.columns if state.estimator else ()
        raw = state.estimator.rebuilt() if state.estimator else None
        if raw is None:
            return None
        x = matrix(task, columns)
        with np.errstate(over="ignore"):
            powers = raw.set_params(standardize=False).transform(x)
        bad = np.argwhere(np.isinf(powers))
        if not len(bad):
            return None
        row, place = (int(i) for i in bad[0])
        return DataError(
            f"the power of '{columns[place]}' in row {row} is too large for a number.",
            expected="values like those at fit",
            got=f"{x[row, place]!r} to the power {raw.lambdas_[place]:.4g}",
            fix=f"leave out '{columns[place]}', which hardly varied at fit, with columns=...",
            column=columns[place],
            row=row,
        )


quantile_transform = operator(QuantileTransform)
power_transform = operator(PowerTransform)
