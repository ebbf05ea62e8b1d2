"""What a picture of predictions is about: parts, their pool, and the truth."""

from __future__ import annotations

from typing import Any

import polars as pl

from fpipe.core.errors import DataError, ParameterError
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult


def parts_of(value: Any) -> tuple[Prediction, ...]:
    """Return the predictions in a value, one per fold.

    Raises:
        ParameterError: the value holds none.
    """
    if isinstance(value, ResampleResult):
        return value.predictions
    if isinstance(value, Prediction):
        return (value,)
    raise ParameterError(
        f"a {type(value).__name__} holds no prediction.",
        expected="a Prediction or a ResampleResult",
        got=type(value).__name__,
        fix="pass what fp.predict or fp.resample returns",
    )


def pooled(value: Any) -> Prediction:
    """Return all predictions in a value as one."""
    parts = parts_of(value)
    return value.prediction() if isinstance(value, ResampleResult) else parts[0]


def truth_of(prediction: Prediction) -> pl.Series:
    """Return the truth.

    Raises:
        DataError: it is unknown.
    """
    if prediction.truth is None:
        raise DataError(
            "the picture compares with the truth, which is not known for these rows.",
            expected="rows with their target",
            got=f"{len(prediction.row_id)} rows without",
            fix="predict on a task that has its target",
        )
    return prediction.truth
