"""Predicted numbers against true ones, and what is left between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import BLUE, DASHES, Axes, Figure, canvas, dress, in_words, legend
from fpipe.pictures.subject import numbers_of

Floats = NDArray[np.float64]


def response(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw the predicted number of each row against the true one, both axes in one scale.

    Args:
        value: a prediction of numbers, or the result of resampling (all test rows).
        title: a title to show; by default the root mean squared error.

    Raises:
        ParameterError: the prediction is of classes, or matplotlib is not installed.
        DataError: the truth is unknown, or a prediction is not finite.
    """
    truth, found, name = numbers_of(value)
    error = float(np.sqrt(np.mean((truth - found) ** 2)))
    figure, (axes,) = canvas(width=5.2, height=5.0)
    _dots(axes, truth, found)
    low, high = _ends(np.concatenate([truth, found]))
    axes.plot([low, high], [low, high], label="prediction = truth", **DASHES)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    words = f"{len(truth):,} rows, rmse {in_words(error)}"
    dress(axes, title or words, f"true {name}", f"predicted {name}")
    legend(axes, "upper left")
    return figure


def residuals(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw true minus predicted number of each row against the predicted one.

    A slope, a bow or a funnel in the cloud is something that the learner has not learned.

    Args:
        value: a prediction of numbers, or the result of resampling (all test rows).
        title: a title to show; by default mean and standard deviation of the residuals.

    Raises:
        ParameterError: the prediction is of classes, or matplotlib is not installed.
        DataError: the truth is unknown, or a prediction is not finite.
    """
    truth, found, name = numbers_of(value)
    left = truth - found
    figure, (axes,) = canvas(width=6.0, height=4.4)
    _dots(axes, found, left)
    axes.axhline(0.0, label="no error", **DASHES)
    mean, spread = in_words(float(left.mean())), in_words(float(left.std()))
    words = f"{len(left):,} rows, mean residual {mean}, standard deviation {spread}"
    dress(axes, title or words, f"predicted {name}", f"residual: true − predicted {name}")
    legend(axes)
    return figure


def _dots(axes: Axes, x: Floats, y: Floats) -> None:
    many = len(x) > 300
    looks: dict[str, Any] = {"markersize": 2.5 if many else 6, "alpha": 0.25 if many else 0.7}
    axes.plot(x, y, "o", color=BLUE, markeredgewidth=0, **looks)
    for axis, values in ((axes.xaxis, x), (axes.yaxis, y)):
        if np.abs(values).max() >= 10_000:
            axis.set_major_formatter("{x:,.0f}")


def _ends(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin
