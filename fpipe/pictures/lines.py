"""The lines of a curve over probabilities: one class against the rest, folds thin, all thick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import BLUE, COLOURS, RED, STROKES, Axes
from fpipe.pictures.subject import check_finite, parts_of, pooled, truth_of

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Points: TypeAlias = Callable[[Truths, Floats], tuple[Floats, Floats]]
Summary: TypeAlias = Callable[[Truths, Floats], str]

MOST_CLASSES = len(COLOURS) * len(STROKES)
_NAMED_FOLDS = 5


class Line(NamedTuple):
    """What one line of a curve is drawn from.

    Args:
        truth: ``[row]``, whether a row is of the class.
        score: ``[row]``, its probability.
        label: words for the legend; empty for none.
        thin: whether it is of one fold among several.
        colour: of the line.
        stroke: how it is dashed.
        scored: whether the legend gives its summary.
    """

    truth: Truths
    score: Floats
    label: str
    thin: bool
    colour: str
    stroke: Any
    scored: bool

    @property
    def drawable(self) -> bool:
        """Whether there are rows of the class and others."""
        return 0 < int(self.truth.sum()) < len(self.truth)


def classes_of(value: Prediction | ResampleResult, curve: str) -> tuple[str, ...]:
    """Return the classes that have a curve: of two the positive one, of more all of them.

    Args:
        value: a prediction of classes, or the result of resampling.
        curve: the name of the picture, for errors.

    Raises:
        ParameterError: the prediction is of numbers, has no probabilities or too many classes.
    """
    kind = parts_of(value)[0].kind
    if not isinstance(kind, Classification):
        raise ParameterError(
            f"a {curve} is of classes, and this prediction is of numbers.",
            expected="a classification",
            got=kind.name,
            fix='fp.plot(prediction, "response")',
        )
    if any(part.prob is None for part in parts_of(value)):
        raise ParameterError(
            f"a prediction without probabilities has no {curve}.",
            expected="probabilities",
            got="the response only",
            fix='fp.plot(prediction, "confusion")',
        )
    if len(kind.classes) > MOST_CLASSES:
        raise ParameterError(
            f"the lines of {len(kind.classes)} classes cannot be told apart.",
            expected=f"at most {MOST_CLASSES} classes",
            got=f"{len(kind.classes)} classes",
            fix='fp.plot(prediction, "confusion")',
        )
    return kind.classes if kind.positive is None else (kind.positive,)


def lines_of(value: Prediction | ResampleResult, curve: str) -> list[Line]:
    """Return the lines of a curve, thin ones first; each of them can be drawn.

    A fold that has no row of a class, or no other, has no line for it. A class without rows has
    none either.

    Raises:
        ParameterError: as in `classes_of`.
        DataError: the truth is unknown, no class has rows, or a probability is no number.
    """
    names, whole, parts = classes_of(value, curve), pooled(value), parts_of(value)
    folds = parts if len(parts) > 1 else ()
    if len(names) == 1:
        thin = _lines_of_folds(names[0], folds)
        rows = "all folds pooled" if folds else "test rows"
        lines = [*thin, _line(whole, names[0], rows, RED, thin=False)]
    else:
        lines = _lines_of_classes(names, whole, folds)
    drawn = [line for line in lines if line.drawable]
    if not any(not line.thin for line in drawn):
        check_both(lines[-1].truth)
    return drawn


def draw_lines(
    axes: Axes, lines: Sequence[Line], points: Points, summary: Summary, **looks: Any
) -> None:
    """Draw lines, each with its points and its summary in the legend.

    Args:
        axes: where.
        lines: what.
        points: gives x and y, ``[point]`` each.
        summary: gives a figure for the legend, in words.
        looks: further settings of the line.
    """
    faint = 0.5 if len(lines) <= 3 * _NAMED_FOLDS else 0.3
    for line in lines:
        x, y = points(line.truth, line.score)
        weight = {"linewidth": 0.9, "alpha": faint} if line.thin else {"linewidth": 2.0}
        figure = f"  ({summary(line.truth, line.score)})" if line.scored else ""
        words = {"label": f"{line.label}{figure}"} if line.label else {}
        axes.plot(x, y, color=line.colour, linestyle=line.stroke, **words, **weight, **looks)


def check_both(truth: Truths) -> None:
    """Raise DataError where all rows are of one kind."""
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        raise DataError(
            "a curve needs rows of both classes.",
            expected="at least 1 positive and 1 other row",
            got=f"{positives} positive of {len(truth)} rows",
            fix="predict on more rows",
        )


def title_of(value: Prediction | ResampleResult, curve: str) -> str:
    """Return the title of a curve."""
    names, folds = classes_of(value, curve), len(parts_of(value))
    what = f"positive class '{names[0]}'" if len(names) == 1 else "each class against the rest"
    return f"{curve}, {what}" + (f", {folds} folds" if folds > 1 and len(names) > 1 else "")


def _lines_of_folds(name: str, folds: Sequence[Prediction]) -> list[Line]:
    """Return a line per fold; of many folds the legend names the first, for all of them."""
    if len(folds) <= _NAMED_FOLDS:
        return [_line(p, name, f"fold {i}", BLUE, thin=True) for i, p in enumerate(folds)]
    words = [f"each of {len(folds)} folds"] + [""] * (len(folds) - 1)
    pairs = zip(folds, words, strict=True)
    return [_line(part, name, said, BLUE, thin=True, scored=False) for part, said in pairs]


def _lines_of_classes(
    names: Sequence[str], whole: Prediction, folds: Sequence[Prediction]
) -> list[Line]:
    """Return a line per class and fold, and one per class; each class has its own looks."""
    thin, thick = [], []
    for place, name in enumerate(names):
        colour, stroke = COLOURS[place % len(COLOURS)], STROKES[place // len(COLOURS)]
        label = name if len(name) <= 24 else f"{name[:23]}…"
        thin += [_line(part, name, "", colour, thin=True, stroke=stroke) for part in folds]
        thick.append(_line(whole, name, label, colour, thin=False, stroke=stroke))
    return [*thin, *thick]


def _line(
    part: Prediction,
    name: str,
    label: str,
    colour: str,
    *,
    thin: bool,
    stroke: Any = "-",
    scored: bool = True,
) -> Line:
    score = np.array([]) if part.prob is None else part.prob[name].to_numpy().astype(np.float64)
    check_finite(score, f"the probability of '{name}'")
    return Line((truth_of(part) == name).to_numpy(), score, label, thin, colour, stroke, scored)
