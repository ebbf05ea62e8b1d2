"""What a picture of predictions is about: parts, their pool, and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError
from fpipe.data.kind import Classification
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
    missing = prediction.truth.null_count()
    if missing:
        raise DataError(
            f"the picture compares with the truth, which is missing in {missing} rows.",
            expected="a truth for every row",
            got=f"{missing} of {prediction.truth.len()} missing",
            fix="prediction.filter(prediction.row_id[prediction.truth.is_not_null().to_numpy()])",
        )
    return prediction.truth


def numbers_of(value: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Return the true and the predicted numbers, ``[row]`` each, and the name of the target.

    Raises:
        ParameterError: the value holds no prediction, or one of classes.
        DataError: the truth is unknown, or a number is missing or infinite.
    """
    prediction = pooled(value)
    if isinstance(prediction.kind, Classification):
        raise ParameterError(
            "this picture is of numbers, and the prediction is of classes.",
            expected="a regression",
            got=prediction.kind.name,
            fix='fp.plot(prediction, "confusion")',
        )
    truth = truth_of(prediction)
    found = prediction.response.to_numpy().astype(np.float64)
    check_finite(found, "the predicted number")
    name = truth.name.removesuffix(" (truth)")
    return truth.to_numpy().astype(np.float64), found, name or "value"


def check_finite(values: NDArray[np.float64], what: str) -> None:
    """Raise DataError where a number is missing or infinite."""
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"{what} is missing or infinite in {len(wrong)} of {len(values)} rows.",
            expected="a finite number in every row",
            got=f"{values[wrong[0]]} in row {wrong[0]}",
            fix="find out why the learner gave it: too large a learning rate, for one",
        )
