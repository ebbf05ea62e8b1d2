"""Predictions: what was predicted for which row, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import DataError, SchemaError
from fpipe.core.value import value
from fpipe.data.kind import Classification, Kind
from fpipe.data.target import undo_all
from fpipe.data.task import Task
from fpipe.measure.score import Measure, measure, score


@value
class Prediction:
    """Predictions for rows, with the truth where it is known.

    Args:
        kind: classification or regression.
        row_id: ``[rows]`` int64.
        origin: the row that each row repeats, ``[rows]`` int64.
        response: the predicted class (``Enum``) or number (``Float64``), ``[rows]``.
        truth: the same for what was to be predicted, or None.
        prob: one ``Float64`` column per class, ``[rows, classes]``, or None.
    """

    kind: Kind
    row_id: NDArray[np.int64]
    origin: NDArray[np.int64]
    response: pl.Series
    truth: pl.Series | None = None
    prob: pl.DataFrame | None = None

    def score(self, by: str | Measure) -> float:
        """Return the score under one measure.

        Args:
            by: a name such as ``"rmse"`` or ``"accuracy"``, or a measure.

        Raises:
            DataError: the truth is unknown, or the measure is undefined on these rows.
            ParameterError: the name is unknown or belongs to another kind of task.
        """
        chosen = measure(by) if isinstance(by, str) else by
        if self.truth is None:
            raise DataError(
                f"{chosen.name} needs the truth, which is not known for these rows.",
                fix="predict on a task that has its target",
            )
        kind = self.kind if isinstance(self.kind, Classification) else None
        return score(
            chosen,
            _plain(self.truth),
            _plain(self.response),
            None if self.prob is None else self.prob.to_numpy(),
            classes=kind.classes if kind else (),
            positive=kind.positive if kind else None,
        )

    def scores(self, *by: str | Measure) -> dict[str, float]:
        """Return the scores under several measures, by name."""
        return {one if isinstance(one, str) else one.name: self.score(one) for one in by}

    def table(self) -> pl.DataFrame:
        """Return everything as one frame: row_id, truth, response, ``prob.<class>``."""
        columns = [pl.Series("row_id", self.row_id)]
        if self.truth is not None:
            columns.append(self.truth.alias("truth"))
        columns.append(self.response.alias("response"))
        if self.prob is not None:
            columns += [self.prob[name].alias(f"prob.{name}") for name in self.prob.columns]
        return pl.DataFrame(columns)

    def __repr__(self) -> str:
        return f"Prediction ({self.kind.name}, {len(self.row_id)} rows)\n{self.table().head(5)}"


def predicted_numbers(task: Task, numbers: NDArray[np.float64]) -> Prediction:
    """Return the prediction of a regression, brought back to the unit of the target.

    Args:
        task: the rows.
        numbers: on the scale of the task's (transformed) target, ``[rows]``.
    """
    given = undo_all(task.target_inverse, numbers)
    return _of(task, pl.Series("response", given, dtype=pl.Float64), None)


def predicted_classes(
    task: Task, prob: NDArray[np.float64], codes: NDArray[np.int64] | None = None
) -> Prediction:
    """Return the prediction of a classification.

    Args:
        task: the rows.
        prob: ``[rows, classes]`` in the task's order of classes.
        codes: the predicted classes, ``[rows]``; by default the most probable, the first of
            equals.
    """
    chosen = prob.argmax(axis=1) if codes is None else codes
    names = np.array(task.classes, dtype=object)[chosen]
    response = pl.Series("response", names.tolist(), dtype=pl.Enum(list(task.classes)))
    return _of(task, response, pl.DataFrame(prob, schema=list(task.classes)))


def _of(task: Task, response: pl.Series, prob: pl.DataFrame | None) -> Prediction:
    truth = task.truth()
    known = truth is not None and not truth.null_count()
    return Prediction(task.kind, task.row_id, task.origin, response, truth if known else None, prob)


def pool(predictions: Sequence[Prediction]) -> Prediction:
    """Return several predictions of one kind as one.

    Raises:
        DataError: there is none.
        SchemaError: they are of different kinds.
    """
    if not predictions:
        raise DataError(
            "there is no prediction to pool.", expected="at least one prediction", got="0"
        )
    first = predictions[0]
    if any(p.kind != first.kind for p in predictions):
        raise SchemaError(
            "predictions of different kinds cannot be pooled.",
            expected=repr(first.kind),
            got=", ".join(repr(p.kind) for p in predictions if p.kind != first.kind)[:200],
        )
    truths = [p.truth for p in predictions if p.truth is not None]
    probs = [p.prob for p in predictions if p.prob is not None]
    whole = len(truths) == len(predictions)
    return Prediction(
        first.kind,
        np.concatenate([p.row_id for p in predictions]),
        np.concatenate([p.origin for p in predictions]),
        pl.concat([p.response for p in predictions]),
        pl.concat(truths) if whole else None,
        pl.concat(probs) if len(probs) == len(predictions) else None,
    )


def _plain(series: pl.Series) -> NDArray[np.generic]:
    if isinstance(series.dtype, pl.Enum):
        return np.array(series.to_list(), dtype=object)
    return series.to_numpy()
