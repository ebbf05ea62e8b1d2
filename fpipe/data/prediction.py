"""Predictions: what was predicted for which row, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import DataError, SchemaError
from fpipe.core.value import evolve, value
from fpipe.data.kind import Classification, Kind
from fpipe.data.target import undo_all
from fpipe.data.task import Task
from fpipe.data.threshold import Threshold, codes_at
from fpipe.measure.score import Measure, as_measure, score


@value
class Prediction:
    """Predictions for rows, with the truth where it is known.

    Args:
        kind: classification or regression.
        row_id: ``[rows]`` int64.
        origin: the row that each row repeats, ``[rows]`` int64.
        response: the predicted class (``Enum``) or number (``Float64``), ``[rows]``.
        truth: the same for what was to be predicted, missing where it is not known; None where
            it is known of no row.
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
            by: the name of a measure, or a measure. Of numbers: ``"rmse"``, ``"mse"``,
                ``"mae"``, ``"r2"``, ``"mape"``, ``"median_absolute_error"``, ``"max_error"``,
                ``"spearman"`` and others; of classes: ``"accuracy"``, ``"balanced_accuracy"``,
                ``"log_loss"``, ``"brier"``, ``"roc_auc"``, ``"f1_macro"``, ``"f1_weighted"``,
                ``"precision_macro"``, ``"recall_macro"``, ``"mcc"`` and others; of two classes
                also ``"f1"``, ``"precision"``, ``"recall"``, ``"specificity"``, ``"pr_auc"`` and
                others. ``docs/operators.md`` lists all. A parameter is written in brackets, as in
                ``"fbeta(beta=2)"`` or ``"costs(costs={'a': {'b': 1.0}, 'b': {'a': 5.0}})"``.

        Raises:
            DataError: the truth is unknown, or the measure is undefined on these rows.
            ParameterError: the name is unknown or belongs to another kind of task.
        """
        chosen = as_measure(by, self.kind.name)
        truth = self._known_truth(chosen.name)
        kind = self.kind if isinstance(self.kind, Classification) else None
        return score(
            chosen,
            _plain(truth),
            _plain(self.response),
            None if self.prob is None else self.prob.to_numpy(),
            classes=kind.classes if kind else (),
            positive=kind.positive if kind else None,
        )

    def scores(self, *by: str | Measure) -> dict[str, float]:
        """Return the scores under several measures, by name.

        Args:
            *by: measures, or their names, one by one: ``scores("accuracy", "log_loss")``; without
                any there are no scores, ``{}``.

        Raises:
            DataError: as in `score`.
            ParameterError: as in `score`.
        """
        kind = self.kind.name
        return {_label(one, kind): self.score(one) for one in by}

    def confusion(self) -> pl.DataFrame:
        """Return how many rows of each class were predicted as each class.

        Returns:
            one row per true class (column ``truth``) and one ``Int64`` column per predicted class,
            as in scikit-learn; all classes are there, in the task's order.

        Raises:
            SchemaError: the prediction is of numbers.
            DataError: the truth is unknown, or none of the classes.

        Example:
            >>> import fpipe as fp
            >>> task = fp.classification({"x": [1, 2, 3], "y": ["a", "b", "b"]}, "y")
            >>> made = predicted_classes(task, np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
            >>> made.confusion().rows()
            [('a', 1, 0), ('b', 1, 1)]
        """
        classes = _classes_of(self, "a confusion matrix")
        known = self._known_truth("a confusion matrix")
        _check_known_classes(known, classes)
        size = len(classes)
        codes = {name: code for code, name in enumerate(classes)}
        truth, said = (
            np.array([codes[name] for name in column.to_list()], np.int64)
            for column in (known, self.response)
        )
        counts = np.bincount(truth * size + said, minlength=size * size).reshape(size, size)
        first = "truth"
        while first in classes:
            first += "_"
        named = pl.Series(first, list(classes), dtype=self.response.dtype)
        columns = [pl.Series(name, counts[:, i]) for i, name in enumerate(classes)]
        return pl.DataFrame([named, *columns])

    def with_threshold(self, threshold: Threshold) -> Prediction:
        """Return the prediction whose classes are chosen by other thresholds.

        Args:
            threshold: for two classes the probability of the positive class from which on it is
                predicted; or a number in [0, 1] for every class. Then the class is predicted
                whose probability is the largest multiple of its threshold; any probability is an
                infinite multiple of 0. Of equal multiples the more probable class is predicted,
                then the first.

        Raises:
            ParameterError: a threshold is not in [0, 1], a class is missing or unknown, or there
                is one number for more than two classes.
            SchemaError: the prediction has no probabilities.

        Example:
            >>> import fpipe as fp
            >>> task = fp.classification({"x": [1, 2], "y": ["a", "b"]}, "y")
            >>> made = predicted_classes(task, np.array([[0.9, 0.1], [0.6, 0.4]]))
            >>> made.with_threshold(0.3).response.to_list()
            ['a', 'b']
            >>> made.with_threshold({"a": 0.95, "b": 0.05}).response.to_list()
            ['b', 'b']

        Source:
            Thresholds per class as in mlr3's ``set_threshold``, which breaks ties at random.
        """
        classes = _classes_of(self, "a threshold")
        if self.prob is None:
            raise SchemaError(
                "a threshold needs probabilities, and the prediction has none.",
                expected="a prediction with prob",
                got="classes only",
                fix="use a learner that predicts probabilities",
            )
        positive = self.kind.positive if isinstance(self.kind, Classification) else None
        codes = codes_at(threshold, self.prob.to_numpy(), classes, positive)
        chosen = [classes[code] for code in codes]
        return evolve(self, response=pl.Series("response", chosen, dtype=self.response.dtype))

    def filter(self, row_ids: Sequence[int] | NDArray[np.int64]) -> Prediction:
        """Return the prediction of the rows with these ids, in the present order.

        Raises:
            DataError: an id is not among the predicted rows.

        Example:
            >>> import fpipe as fp
            >>> task = fp.regression({"x": [1, 2, 3], "y": [1, 2, 3]}, "y")
            >>> predicted_numbers(task, np.zeros(3)).filter([2, 0]).row_id.tolist()
            [0, 2]
        """
        wanted = np.asarray(row_ids, np.int64)
        unknown = wanted[~np.isin(wanted, self.row_id)]
        if len(unknown):
            raise DataError(
                f"there is no prediction for the row id {int(unknown[0])}.",
                expected="ids of predicted rows (prediction.row_id)",
                got=f"{len(unknown)} unknown ids",
                fix="use row ids, not positions",
            )
        kept = np.flatnonzero(np.isin(self.row_id, wanted))
        return evolve(
            self,
            row_id=self.row_id[kept],
            origin=self.origin[kept],
            response=self.response[kept],
            truth=None if self.truth is None else self.truth[kept],
            prob=None if self.prob is None else self.prob[kept],
        )

    def table(self) -> pl.DataFrame:
        """Return everything as one frame: row_id, truth, response, ``prob.<class>``."""
        columns = [pl.Series("row_id", self.row_id)]
        if self.truth is not None:
            columns.append(self.truth.alias("truth"))
        columns.append(self.response.alias("response"))
        if self.prob is not None:
            columns += [self.prob[name].alias(f"prob.{name}") for name in self.prob.columns]
        return pl.DataFrame(columns)

    def _known_truth(self, what: str) -> pl.Series:
        """Return the truth, which must be known of every row."""
        if self.truth is None or self.truth.null_count():
            raise _no_truth(what, self)
        return self.truth

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
    known = truth is not None and (truth.null_count() < truth.len() or not truth.len())
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


def _label(by: str | Measure, kind: str) -> str:
    return by if isinstance(by, str) else as_measure(by, kind).name


def _classes_of(prediction: Prediction, what: str) -> tuple[str, ...]:
    if isinstance(prediction.kind, Classification):
        return prediction.kind.classes
    raise SchemaError(
        f"{what} needs classes, and the prediction is of numbers.",
        expected="a prediction of a classification",
        got=prediction.kind.name,
        fix="use a learner for classification, or prediction.score",
    )


def _no_truth(what: str, prediction: Prediction) -> DataError:
    truth = prediction.truth
    if truth is None:
        return DataError(
            f"{what} needs the truth, which is not known for these rows.",
            expected="a truth for every row",
            got="rows without it",
            fix="predict on a task that has its target",
        )
    row = int(truth.is_null().arg_true()[0])
    return DataError(
        f"{what} needs the truth, which is missing in {truth.null_count()} of {truth.len()} rows.",
        expected="a truth for every row",
        got=f"the first missing one in row {row}",
        fix="prediction.filter(prediction.row_id[prediction.truth.is_not_null().to_numpy()])",
        row=row,
    )


def _check_known_classes(truth: pl.Series, classes: tuple[str, ...]) -> None:
    """Raise DataError where a true class was not there at fit."""
    wrong = [row for row, name in enumerate(truth.to_list()) if name not in classes]
    if wrong:
        seen = truth[wrong[0]]
        raise DataError(
            f"a confusion matrix: the truth in row {wrong[0]} is {seen!r}, which is no class.",
            expected="one of " + ", ".join(map(repr, classes[:12])),
            got=f"{seen!r} in row {wrong[0]}; {len(wrong)} such rows",
            fix=f"leave out the rows of a class that was not there at fit, such as {seen!r}",
            row=wrong[0],
        )


def _plain(series: pl.Series) -> NDArray[np.generic]:
    if isinstance(series.dtype, pl.Enum):
        return np.array(series.to_list(), dtype=object)
    return series.to_numpy()
