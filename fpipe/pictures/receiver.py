"""Receiver operating characteristic, precision and recall."""

from __future__ import annotations

import numpy as np

from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import DASHES, Figure, canvas, dress, legend, unit_square
from fpipe.pictures.lines import (
    Floats,
    Truths,
    check_both,
    classes_of,
    draw_lines,
    lines_of,
    title_of,
)


def roc(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw the true positive rate against the false positive rate, over all thresholds.

    Of a resampling each fold is a thin line, and all test rows taken together a thick one; of
    more than two classes each has a line, against the rest. The legend gives the areas under
    them (AUC). A fold with rows of one class only has no line.

    Args:
        value: a prediction of classes, or the result of resampling.
        title: a title to show.

    Raises:
        ParameterError: the prediction is of numbers or has no probabilities, or matplotlib is
            not installed.
        DataError: the truth is unknown or has one class only.
    """
    lines = lines_of(value, "ROC curve")
    beside = sum(not line.thin for line in lines) > 5
    figure, (axes,) = canvas(width=6.6 if beside else 5.2, height=5.0)
    axes.plot([0, 1], [0, 1], label="by chance", **DASHES)
    draw_lines(axes, lines, roc_points, _area)
    words = title or title_of(value, "ROC curve")
    dress(axes, words, "false positive rate", "true positive rate")
    unit_square(axes)
    legend(axes, "beside" if beside else "lower right")
    return figure


def pr(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw the precision against the recall, over all thresholds, as steps.

    Lines are as in `roc`; the legend gives the average precision (AP), which is the area under
    the steps. Of two classes a dashed line shows the precision of calling rows positive by chance.

    Args:
        value: a prediction of classes, or the result of resampling.
        title: a title to show.

    Raises:
        ParameterError: the prediction is of numbers or has no probabilities, or matplotlib is
            not installed.
        DataError: the truth is unknown or has one class only.
    """
    lines = lines_of(value, "precision-recall curve")
    figure, (axes,) = canvas(width=7.3, height=4.9)
    if len(classes_of(value, "precision-recall curve")) == 1:
        share = float(lines[-1].truth.mean())
        axes.plot([0, 1], [share, share], label=f"by chance: {share:.3f}", **DASHES)
    draw_lines(axes, lines, pr_points, _average_precision, drawstyle="steps-pre")
    dress(axes, title or title_of(value, "precision-recall curve"), "recall", "precision")
    unit_square(axes)
    legend(axes, "beside")
    return figure


def roc_points(truth: Truths, score: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the curve, from no row called positive to all.

    Args:
        truth: ``[row]``, whether a row is positive; both kinds occur.
        score: ``[row]``, the higher the more positive; rows of equal score move together.

    Returns:
        false positive rate and true positive rate, ``[corner]`` each, no unit.

    Raises:
        DataError: all rows are of one kind.

    Example:
        >>> x, y = roc_points(np.array([True, False, True]), np.array([0.9, 0.5, 0.1]))
        >>> x.tolist(), y.tolist()
        ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    hits, alarms = _called(truth, score)
    return alarms / alarms[-1], hits / hits[-1]


def pr_points(truth: Truths, score: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the curve, from no row called positive (precision 1) to all.

    Args:
        truth: ``[row]``, whether a row is positive; both kinds occur.
        score: ``[row]``, the higher the more positive; rows of equal score move together.

    Returns:
        recall and precision, ``[corner]`` each, no unit; a precision holds to the left of its
        corner.

    Raises:
        DataError: all rows are of one kind.

    Example:
        >>> x, y = pr_points(np.array([True, False, True]), np.array([0.9, 0.5, 0.1]))
        >>> x.tolist(), y.round(3).tolist()
        ([0.0, 0.5, 0.5, 1.0], [1.0, 1.0, 0.5, 0.667])
    """
    hits, alarms = _called(truth, score)
    return hits / hits[-1], np.append(1.0, hits[1:] / (hits + alarms)[1:])


def _called(truth: Truths, score: Floats) -> tuple[Floats, Floats]:
    """Return how many positive and other rows are called positive, threshold by threshold."""
    check_both(truth)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-np.inf))
    hits = np.concatenate([[0.0], np.cumsum(truth[order])[last]])
    alarms = np.concatenate([[0.0], np.cumsum(~truth[order])[last]])
    return hits, alarms


def _area(truth: Truths, score: Floats) -> str:
    x, y = roc_points(truth, score)
    return f"AUC {float(np.trapezoid(y, x)):.3f}"


def _average_precision(truth: Truths, score: Floats) -> str:
    recall, precision = pr_points(truth, score)
    return f"AP {float(np.diff(recall) @ precision[1:]):.3f}"
