"""The confusion of classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import INK, Axes, Figure, canvas, dress
from fpipe.pictures.subject import pooled, truth_of

_MOST_WRITTEN = 25


def confusion(value: Prediction | ResampleResult, *, title: str | None = None) -> Figure:
    """Draw how many rows of each class were taken for which class.

    Each field shows a number of rows; its shade is the share of the rows of that true class. Of
    more than 25 classes only the shades are shown.

    Args:
        value: a prediction of classes, or the result of resampling (all test rows).
        title: a title to show.

    Raises:
        ParameterError: the prediction is of numbers, or matplotlib is not installed.
        DataError: the truth is unknown.
    """
    prediction = pooled(value)
    counts = confusion_counts(prediction)
    names = prediction.kind.classes if isinstance(prediction.kind, Classification) else ()
    size = min(3.6 + 0.28 * len(names), 9.0)
    figure, (axes,) = canvas(width=size, height=size - 0.2)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    if len(names) <= _MOST_WRITTEN:
        _write(axes, counts, share)
    right = int(np.trace(counts))
    words = f"{right:,} of {int(counts.sum()):,} rows right"
    dress(axes, title or words, "predicted class", "true class")
    _name_ticks(axes, names)
    return figure


def confusion_counts(prediction: Prediction) -> NDArray[np.int64]:
    """Return numbers of rows, ``[true class, predicted class]``, in the order of the classes.

    Raises:
        ParameterError: the prediction is of numbers.
        DataError: the truth is unknown, or none of the classes.
    """
    kind = prediction.kind
    if not isinstance(kind, Classification):
        raise ParameterError(
            "a confusion is of classes, and this prediction is of numbers.",
            expected="a classification",
            got=kind.name,
            fix='fp.plot(prediction, "response")',
        )
    truth_of(prediction)
    counts: NDArray[np.int64] = prediction.confusion().select(kind.classes).to_numpy()
    return counts


def _write(axes: Axes, counts: NDArray[np.int64], share: NDArray[np.float64]) -> None:
    size = 9 if len(counts) <= 12 else 7
    for (row, column), count in np.ndenumerate(counts):
        looks = {"color": "white" if share[row, column] > 0.55 else INK, "fontsize": size}
        if count:
            axes.text(column, row, f"{count:,}", ha="center", va="center", **looks)


def _name_ticks(axes: Axes, names: tuple[str, ...]) -> None:
    axes.grid(visible=False)
    places = list(range(len(names)))
    slanted = max(map(len, names)) * len(names) > 40
    turned = {"rotation": 45, "ha": "right"} if slanted else {}
    axes.set_xticks(places, names, **turned)
    axes.set_yticks(places, names)
    for spine in axes.spines.values():
        spine.set_visible(False)
