"""Receiver operating characteristic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import BLUE, INK, RED, Axes, Figure, canvas, dress, legend
from fpipe.pictures.subject import parts_of, pooled, truth_of

Floats = NDArray[np.float64]


def roc(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw the true positive rate against the false positive rate, over all thresholds.

    Of a resampling each fold is a thin line, and all test rows taken together a thick one; the
    legend gives the areas under them.

    Args:
        value: a prediction of two classes, or the result of resampling.
        title: a title to show.

    Raises:
        ParameterError: there are not two classes, no probabilities, or no matplotlib.
        DataError: the truth is unknown or has one class only.
    """
    whole, parts = pooled(value), parts_of(value)
    positive = _positive(whole)
    figure, (axes,) = canvas(width=5.2, height=5.0)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (4, 4)), label="by chance")
    for fold, part in enumerate(parts if len(parts) > 1 else ()):
        _draw(axes, part, positive, f"fold {fold + 1}", thin=True)
    _draw(axes, whole, positive, "all folds pooled" if len(parts) > 1 else "test rows", thin=False)
    dress(
        axes,
        title or f"ROC, positive class '{positive}'",
        "false positive rate",
        "true positive rate",
    )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    legend(axes, "lower right")
    return figure


def roc_points(truth: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
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
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        raise DataError(
            "a curve needs rows of both classes.",
            expected="at least 1 positive and 1 other row",
            got=f"{positives} positive of {len(truth)} rows",
            fix="predict on more rows",
        )
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-np.inf))
    hits = np.concatenate([[0], np.cumsum(truth[order])[last]])
    alarms = np.concatenate([[0], np.cumsum(~truth[order])[last]])
    return alarms / (len(truth) - positives), hits / positives


def _draw(axes: Axes, part: Prediction, positive: str, label: str, *, thin: bool) -> None:
    if part.prob is None:
        raise ParameterError(
            "a prediction without probabilities has no curve.",
            expected="probabilities",
            got="the response only",
            fix='fp.plot(prediction, "confusion")',
        )
    truth = (truth_of(part) == positive).to_numpy()
    x, y = roc_points(truth, part.prob[positive].to_numpy())
    area = float(np.trapezoid(y, x))
    style = {"linewidth": 0.9, "alpha": 0.55} if thin else {"linewidth": 2.2}
    colour = BLUE if thin else RED
    axes.plot(x, y, color=colour, label=f"{label}  (AUC {area:.3f})", **style)


def _positive(prediction: Prediction) -> str:
    kind = prediction.kind
    if not isinstance(kind, Classification) or kind.positive is None:
        found = f"{len(kind.classes)} classes" if isinstance(kind, Classification) else "numbers"
        other = "confusion" if isinstance(kind, Classification) else "response"
        raise ParameterError(
            f"a ROC curve is for 2 classes, and this prediction is of {found}.",
            expected="2 classes",
            got=found,
            fix=f'fp.plot(prediction, "{other}")',
        )
    return kind.positive
