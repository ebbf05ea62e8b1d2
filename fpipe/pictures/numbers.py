"""Predicted numbers against true ones."""

from __future__ import annotations

import numpy as np

from fpipe.core.errors import ParameterError
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import BLUE, INK, Figure, canvas, dress, legend
from fpipe.pictures.subject import pooled, truth_of


def response(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw the predicted number of each row against the true one.

    Args:
        value: a prediction of numbers, or the result of resampling (all test rows).
        title: a title to show; by default the root mean squared error.

    Raises:
        ParameterError: the prediction is of classes, or matplotlib is not installed.
        DataError: the truth is unknown.
    """
    prediction = pooled(value)
    if isinstance(prediction.kind, Classification):
        raise ParameterError(
            "this picture is of numbers, and the prediction is of classes.",
            expected="a regression",
            got=prediction.kind.name,
            fix='fp.plot(prediction, "confusion")',
        )
    truth, found = truth_of(prediction).to_numpy(), prediction.response.to_numpy()
    error = float(np.sqrt(np.mean((truth - found) ** 2)))
    figure, (axes,) = canvas(width=5.2, height=5.0)
    many = len(truth) > 300
    dots = {"markersize": 2.5 if many else 6, "alpha": 0.25 if many else 0.7}
    axes.plot(truth, found, "o", color=BLUE, markeredgewidth=0, **dots)
    ends = [float(min(truth.min(), found.min())), float(max(truth.max(), found.max()))]
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle=(0, (4, 4)), label="no error")
    dress(axes, title or f"{len(truth):,} rows, rmse {error:,.4g}", "truth", "prediction")
    legend(axes, "upper left")
    return figure
