"""Resampling: fit and predict on every split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import FpipeError, ParameterError, did_you_mean
from fpipe.core.key import Key, require_key
from fpipe.core.value import value
from fpipe.data.prediction import Prediction, pool
from fpipe.data.task import Task
from fpipe.evaluate.fitting import fit, predict
from fpipe.evaluate.partition import check_task
from fpipe.evaluate.resampling import Resampling, Split
from fpipe.evaluate.surroundings import context_of
from fpipe.evaluate.validation import Validate
from fpipe.graph.context import Context, Sink
from fpipe.graph.fitted import Fitted
from fpipe.graph.graph import Graph, Joinable, as_graph
from fpipe.measure.score import Measure, UndefinedError, as_measure


@value
class ResampleResult:
    """What resampling gave.

    Args:
        resampling: how the rows were split, as it was given to `resample`.
        splits: one `Split` per fit: the positions of its training and test rows in the task, and
            its ``place``, such as its fold counted from 0.
        predictions: the `Prediction` on each test set, in the order of ``splits``; they hold the
            truth and can be scored and filtered one by one. `prediction` gives them as one.
        fitted: the `Fitted` graph of each split, in the same order; empty unless
            ``resample(..., keep_fitted=True)``.
    """

    resampling: Resampling
    splits: tuple[Split, ...]
    predictions: tuple[Prediction, ...]
    fitted: tuple[Fitted, ...] = ()

    def score(
        self, by: str | Measure, *, undefined: Literal["error", "nan"] = "error"
    ) -> tuple[float, ...]:
        """Return the score of every test set.

        Args:
            by: a measure, or its name.
            undefined: what a test set gives on which the measure is not defined (one class only,
                no row predicted positive): an error that names the fold, or NaN.

        Raises:
            DataError: the measure is undefined on one of them; the error names the fold.
        """
        _check_choice("undefined", undefined, ("error", "nan"))
        jobs = zip(self.splits, self.predictions, strict=True)
        return tuple(_scored(_place(i, s), p, by, undefined) for i, (s, p) in enumerate(jobs))

    def aggregate(
        self,
        by: str | Measure,
        *,
        average: Literal["macro", "micro", "weighted"] = "macro",
        undefined: Literal["error", "nan"] = "error",
    ) -> float:
        """Return one score for all test sets.

        Args:
            by: a measure, or its name.
            average: ``"macro"``: the mean of the scores of the test sets; ``"weighted"``: their
                mean weighted by test rows; ``"micro"``: the score of all predictions together.
                A mean is NaN where one of its scores is.
            undefined: as in `score`.

        Raises:
            DataError: the measure is undefined.
        """
        _check_choice("average", average, ("macro", "micro", "weighted"))
        if average == "micro":
            _check_choice("undefined", undefined, ("error", "nan"))
            return _scored(None, self.prediction(), by, undefined)
        sizes = [len(split.test) for split in self.splits]
        weights = sizes if average == "weighted" else None
        return float(np.average(self.score(by, undefined=undefined), weights=weights))

    def standard_error(
        self, by: str | Measure, *, undefined: Literal["error", "nan"] = "error"
    ) -> float:
        """Return the standard error of the mean score: deviation over sqrt(number of folds).

        Folds share training rows, so this is a guide and no confidence interval. One test set
        (a holdout) has no deviation: its standard error is NaN.
        """
        scores = self.score(by, undefined=undefined)
        if len(scores) < 2:
            return float("nan")
        return float(np.std(scores, ddof=1) / np.sqrt(len(scores)))

    def prediction(self) -> Prediction:
        """Return the predictions of all test sets as one."""
        return pool(self.predictions)

    def confusion(self) -> pl.DataFrame:
        """Return how many test rows of each class were predicted as each class, over all splits.

        A row that is tested several times counts as often. The columns are as in
        ``Prediction.confusion``.

        Raises:
            SchemaError: the predictions are of numbers.
            DataError: the truth is unknown.
        """
        return self.prediction().confusion()

    def table(
        self, *by: str | Measure, undefined: Literal["error", "nan"] = "error"
    ) -> pl.DataFrame:
        """Return one row per split: its place (``fold``, ``repeat``), its sizes and its scores.

        Args:
            *by: measures, or their names, one by one: ``table("rmse", "mae")``; a column each.
            undefined: as in `score`.
        """
        places = [_place(i, split) for i, split in enumerate(self.splits)]
        columns: dict[str, Any] = {
            name: [place.get(name) for place in places] for name in places[0]
        }
        columns["train_rows"] = [len(split.train) for split in self.splits]
        columns["test_rows"] = [len(split.test) for split in self.splits]
        for one in by:
            name = one if isinstance(one, str) else as_measure(one, self._kind()).name
            columns[name] = list(self.score(one, undefined=undefined))
        return pl.DataFrame(columns)

    def _kind(self) -> str:
        return self.predictions[0].kind.name

    def __repr__(self) -> str:
        return f"ResampleResult ({self.resampling!r})\n{self.table()}"


def resample(
    graph: Joinable,
    task: Task,
    resampling: Resampling,
    *,
    key: Key,
    validate: Validate = None,
    keep_fitted: bool = False,
    executor: Executor | None = None,
    device: str | None = None,
    interpreter: str = "auto",
    precision: str = "float32",
    sinks: Sequence[Sink] = (),
    workers: int | None = None,
    materialize: str = "auto",
) -> ResampleResult:
    """Fit a graph on the training rows of every split and predict its test rows.

    Args:
        graph: what to fit; it must end in a prediction.
        task: the task.
        resampling: how to split, such as ``fp.cv(5)``.
        key: where all randomness comes from.
        validate: as in `fit`, of each split's training rows; ``"test"`` validates on the test
            rows.
        keep_fitted: whether the fitted graphs are kept in the result.
        executor: any ``concurrent.futures`` executor, such as ``ThreadPoolExecutor(2)``; by
            default folds run one by one. The results are the same.
        device: where networks are trained and predict, as in `fit`.
        interpreter: as in `fit`.
        precision: as in `fit`.
        sinks: where progress is reported (not with an executor of processes).
        workers: threads that read lazy tensors ahead in each fold, as in `fit`.
        materialize: how much of lazy tensors is read once in each fold, as in `fit`.

    Returns:
        predictions per fold, with ``score``, ``aggregate`` and ``standard_error``.

    Raises:
        FpipeError: as in `fit`.
    """
    whole, own_key = as_graph(graph), require_key(key, "resample")
    _check_keepers(context_of(device, interpreter, sinks, precision, workers, materialize))
    _check_executor(executor)
    _check(task, resampling)
    splits = resampling.splits(task, own_key.fold_in("splits"))
    settings = {
        "device": device,
        "interpreter": interpreter,
        "precision": precision,
        "sinks": tuple(sinks),
        "workers": workers,
        "materialize": materialize,
    }
    one = partial(_one_split, whole, task, own_key, validate, keep_fitted, settings, len(splits))
    jobs = list(enumerate(splits))
    done = list(map(one, jobs)) if executor is None else list(executor.map(one, jobs))
    kept = tuple(fitted for fitted, _ in done if fitted is not None)
    return ResampleResult(resampling, splits, tuple(prediction for _, prediction in done), kept)


class InFold:
    """A sink that tells another one what happens in a fold.

    Args:
        sink: the other one.
        fold: the number of the fold, from 0.
    """

    def __init__(self, sink: Sink, fold: int) -> None:
        self._sink = sink
        self._fold = fold

    def emit(self, event: Mapping[str, object]) -> None:
        """Pass the event on, with the number of the fold."""
        self._sink.emit({**event, "fold": self._fold})


def _one_split(
    graph: Graph,
    task: Task,
    key: Key,
    validate: Validate,
    keep: bool,
    settings: dict[str, Any],
    folds: int,
    job: tuple[int, Split],
) -> tuple[Fitted | None, Prediction]:
    fold, split = job
    train, test = _rows(task, split.train), task.take(split.test)
    held: Validate = test if isinstance(validate, str) and validate == "test" else validate
    told = settings | {"sinks": tuple(InFold(sink, fold) for sink in settings["sinks"])}
    fitted = fit(graph, train, key=key.fold_in(fold), validate=held, **told)
    prediction = predict(fitted, test, device=settings["device"], workers=settings["workers"])
    for sink in settings["sinks"]:
        sink.emit({"kind": "fold", "index": fold, "folds": folds})
    return (fitted if keep else None), prediction


def _check(task: Any, resampling: Any) -> None:
    check_task(task)
    if not isinstance(resampling, Resampling):
        raise ParameterError(
            f"{type(resampling).__name__} is no resampling.",
            expected="such as fp.cv(5) or fp.holdout()",
            got=repr(resampling)[:80],
            fix="fp.cv(5)",
        )


def _check_keepers(context: Context) -> None:
    """Raise ParameterError where a sink would keep many fits as one."""
    if context.keepers:
        raise ParameterError(
            f"{type(context.keepers[0]).__name__} keeps one fit, but a resampling fits many.",
            expected="sinks that report",
            got=repr(context.keepers[0]),
            fix="fit the splits one by one: fp.fit(graph, task.take(split.train), ...), "
            "with a folder for each",
        )


def _check_executor(executor: Any) -> None:
    if executor is None or (
        callable(getattr(executor, "map", None)) and not isinstance(executor, type)
    ):
        return
    name = getattr(executor, "__name__", type(executor).__name__)
    raise ParameterError(
        f"'{name}' does not run folds.",
        expected="an executor of concurrent.futures, or None",
        got=repr(executor),
        fix=f"executor=concurrent.futures.ThreadPoolExecutor("
        f"{executor if isinstance(executor, int) else 2})",
    )


def _rows(task: Task, positions: NDArray[np.int64]) -> Task:
    distinct = len(np.unique(positions)) == len(positions)
    return task.take(positions) if distinct else task.repeat(positions)


def _place(index: int, split: Split) -> dict[str, int | str]:
    return dict(split.place) or {"fold": index}


def _scored(
    place: dict[str, int | str] | None, prediction: Prediction, by: str | Measure, undefined: str
) -> float:
    try:
        return prediction.score(by)
    except UndefinedError as error:
        if undefined == "nan":
            return float("nan")
        raise _at(error, place) from error
    except FpipeError as error:
        raise _at(error, place) from error


def _at(error: FpipeError, place: dict[str, int | str] | None) -> FpipeError:
    words = ", ".join(f"{name} {where}" for name, where in (place or {}).items())
    return error.located(words) if words else error


def _check_choice(name: str, given: object, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise ParameterError(
            f"{name} cannot be {given!r}.",
            expected=" or ".join(map(repr, choices)),
            got=repr(given),
            fix=did_you_mean(str(given), choices),
        )
