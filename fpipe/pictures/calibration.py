"""Whether probabilities are what they say."""

from __future__ import annotations

import numpy as np

from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import DASHES, Figure, canvas, dress, legend, unit_square
from fpipe.pictures.lines import Floats, Truths, classes_of, draw_lines, lines_of, title_of

_EDGES = np.linspace(0.0, 1.0, 11)


def calibration(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw how often rows are of a class against the probability that was predicted for it.

    Rows are put together in ten bins of equal width; a bin without rows has no point. Above the
    dashed line probabilities are too low, below it too high. Lines are as in `roc`; the legend
    gives the Brier score, the mean squared difference of probability and truth.

    Args:
        value: a prediction of classes, or the result of resampling.
        title: a title to show.

    Raises:
        ParameterError: the prediction is of numbers or has no probabilities, or matplotlib is
            not installed.
        DataError: the truth is unknown or has one class only.
    """
    lines = lines_of(value, "calibration curve")
    figure, (axes,) = canvas(width=7.3, height=4.9)
    axes.plot([0, 1], [0, 1], label="calibrated", **DASHES)
    thin = [line for line in lines if line.thin]
    draw_lines(axes, thin, calibration_points, _brier)
    draw_lines(axes, lines[len(thin) :], calibration_points, _brier, marker="o", markersize=5)
    names = classes_of(value, "calibration curve")
    what = f"'{names[0]}'" if len(names) == 1 else "the class"
    words = title or title_of(value, "calibration curve")
    dress(axes, words, f"mean predicted probability of {what}", f"share of rows that are {what}")
    unit_square(axes)
    legend(axes, "beside")
    return figure


def calibration_points(truth: Truths, score: Floats) -> tuple[Floats, Floats]:
    """Return the mean probability and the share of positive rows in each bin that has rows.

    Args:
        truth: ``[row]``, whether a row is positive.
        score: ``[row]``, its probability, 0 to 1.

    Returns:
        mean probability and share, ``[bin]`` each, no unit.

    Example:
        >>> x, y = calibration_points(np.array([True, False, True]), np.array([0.31, 0.39, 0.9]))
        >>> x.round(2).tolist(), y.tolist()
        ([0.35, 0.9], [0.5, 1.0])
    """
    bins = np.searchsorted(_EDGES[1:-1], score)
    rows = np.bincount(bins, minlength=10)
    there = rows > 0
    mean = np.bincount(bins, weights=score, minlength=10)[there] / rows[there]
    share = np.bincount(bins, weights=truth, minlength=10)[there] / rows[there]
    return mean, share


def _brier(truth: Truths, score: Floats) -> str:
    return f"Brier {float(np.mean((score - truth) ** 2)):.3f}"
