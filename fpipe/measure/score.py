"""Scores: how good a prediction is, by standard names, on plain arrays."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError, ShapeError, did_you_mean
from fpipe.core.parameter import boolean, one_of, parameter, text
from fpipe.core.value import descriptor

Array = NDArray[Any]


@descriptor
class Measure:
    """What a score is called and what it asks of a prediction.

    Args:
        name: standard name.
        minimize: whether smaller is better.
        needs: what it compares with the truth: ``"response"`` or ``"prob"``.
        kind: ``"classification"`` or ``"regression"``.
        binary_only: whether it is defined for two classes only.
    """

    name: str = parameter(check=text())
    minimize: bool = parameter(check=boolean())
    needs: Literal["response", "prob"] = parameter(check=one_of("response", "prob"))
    kind: Literal["classification", "regression"] = parameter(
        check=one_of("classification", "regression")
    )
    binary_only: bool = parameter(default=False, check=boolean())


MEASURES: tuple[Measure, ...] = (
    Measure("accuracy", minimize=False, needs="response", kind="classification"),
    Measure("log_loss", minimize=True, needs="prob", kind="classification"),
    Measure("roc_auc", minimize=False, needs="prob", kind="classification"),
    Measure("rmse", minimize=True, needs="response", kind="regression"),
    Measure("mse", minimize=True, needs="response", kind="regression"),
    Measure("mae", minimize=True, needs="response", kind="regression"),
    Measure("r2", minimize=False, needs="response", kind="regression"),
)
"""Every measure that `score` knows."""


def measure(name: str) -> Measure:
    """Return the measure of a standard name.

    Raises:
        ParameterError: there is no measure of that name.

    Example:
        >>> measure("rmse").minimize
        True
    """
    known = {each.name: each for each in MEASURES}
    if name not in known:
        raise ParameterError(
            f"there is no measure {name!r}.",
            expected=", ".join(known),
            got=repr(name),
            fix=did_you_mean(str(name), known),
        )
    return known[name]


def score(
    measure: Measure,
    truth: Array,
    response: Array | None,
    prob: Array | None,
    *,
    classes: Sequence[str] | None,
    positive: str | None,
) -> float:
    """Return the score of predictions against the truth.

    Args:
        measure: one of `MEASURES`.
        truth: ``[row]``; class labels, or floats in the unit of the target.
        response: ``[row]`` of the same kind; may be None where the measure needs ``prob``.
        prob: ``[row, class]``, columns in the order of ``classes``; may be None where the measure
            needs the response. Rows that miss a sum of 1 by rounding (up to 1e-3) are rescaled.
        classes: class labels; None or empty for regression.
        positive: the class whose probability a binary ``roc_auc`` ranks by.

    Returns:
        The number scikit-learn gives: no unit, but for ``rmse`` and ``mae`` (that of the target)
        and ``mse`` (its square).

    Raises:
        ParameterError: the measure is unknown, is for the other kind or for two classes only,
            needs what the prediction has not got, or scikit-learn is not installed.
        ShapeError: the arrays do not have one row each, or one column per class.
        DataError: zero rows; a value that is missing, infinite or no class; for ``roc_auc`` a class
            that the truth does not have; for ``r2`` fewer than 2 rows.

    Example:
        >>> truth, response = np.array([1.0, 2.0, 5.0]), np.array([1.0, 2.0, 2.0])
        >>> score(MEASURES[5], truth, response, None, classes=None, positive=None)
        1.0

    Source:
        scikit-learn, ``sklearn.metrics``.
    """
    name, labels = measure.name, tuple(classes or ())
    if name not in _RULES:
        raise _unknown(name)
    check_measure(measure, labels)
    rows = _check_rows(name, truth)
    given = _given(measure, response, prob)
    _check_shape(measure, given, (rows, len(labels)) if measure.needs == "prob" else (rows,))
    if measure.kind == "regression":
        return _RULES[name](_finite(name, "truth", truth), _finite(name, "response", given))
    known = _codes(name, "truth", truth, labels)
    if measure.needs == "response":
        return _RULES[name](known, _codes(name, "response", given, labels))
    return _RULES[name](known, _probabilities(name, given), labels, positive)


def _accuracy(truth: Array, response: Array) -> float:
    return float(_metrics().accuracy_score(truth, response))


def _log_loss(truth: Array, prob: Array, classes: tuple[str, ...], positive: str | None) -> float:
    return float(_metrics().log_loss(truth, prob, labels=np.arange(len(classes))))


def _roc_auc(truth: Array, prob: Array, classes: tuple[str, ...], positive: str | None) -> float:
    _check_present(truth, classes)
    if len(classes) > 2:
        how = {"average": "macro", "multi_class": "ovr", "labels": np.arange(len(classes))}
        return float(_metrics().roc_auc_score(truth, prob, **how))
    if positive not in classes:
        raise ParameterError(
            f"roc_auc: the positive class {positive!r} is none of the classes.",
            expected=" or ".join(map(repr, classes)),
            got=repr(positive),
            fix=f"positive={classes[-1]!r}",
        )
    column = classes.index(positive)
    return float(_metrics().roc_auc_score(truth == column, prob[:, column]))


def _rmse(truth: Array, response: Array) -> float:
    return float(_metrics().root_mean_squared_error(truth, response))


def _mse(truth: Array, response: Array) -> float:
    return float(_metrics().mean_squared_error(truth, response))


def _mae(truth: Array, response: Array) -> float:
    return float(_metrics().mean_absolute_error(truth, response))


def _r2(truth: Array, response: Array) -> float:
    if len(truth) < 2:
        raise DataError(
            "r2: the variance of 1 row is not defined.",
            expected="at least 2 rows",
            got=f"{len(truth)} row",
            fix="score more rows at once, or use 'rmse'",
        )
    return float(_metrics().r2_score(truth, response))


_RULES: dict[str, Callable[..., float]] = {
    "accuracy": _accuracy,
    "log_loss": _log_loss,
    "roc_auc": _roc_auc,
    "rmse": _rmse,
    "mse": _mse,
    "mae": _mae,
    "r2": _r2,
}


def _metrics() -> Any:
    try:
        return importlib.import_module("sklearn.metrics")
    except ImportError as error:
        raise ParameterError(
            "scores are computed by scikit-learn, which is not installed.",
            expected="scikit-learn",
            got=str(error),
            fix="pip install fpipe[sklearn]",
        ) from error


def _unknown(name: str) -> ParameterError:
    return ParameterError(
        f"there is no rule to score {name!r}.",
        expected=", ".join(_RULES),
        got=repr(name),
        fix=did_you_mean(name, _RULES),
    )


def check_measure(measure: Measure, classes: tuple[str, ...]) -> None:
    """Raise ParameterError where a measure is not for tasks with these classes (none: numbers)."""
    kind = "classification" if classes else "regression"
    if measure.kind != kind:
        names = ", ".join(repr(each.name) for each in MEASURES if each.kind == kind)
        raise ParameterError(
            f"{measure.name}: a measure for {measure.kind} meets a prediction of {kind}.",
            expected=f"a measure for {kind}",
            got=f"{measure.name}, a measure for {measure.kind}",
            fix=f"use one of {names}",
        )
    if measure.binary_only and len(classes) != 2:
        raise ParameterError(
            f"{measure.name}: a measure for 2 classes meets {len(classes)} classes.",
            expected="2 classes",
            got=_shortened(classes),
            fix="use 'log_loss' or 'accuracy'",
        )


def _check_rows(name: str, truth: Array) -> int:
    if truth.ndim != 1:
        raise ShapeError(
            f"{name}: the truth has {truth.ndim} dimensions and needs 1.",
            expected="[row]",
            got=str(list(truth.shape)),
            fix="truth.reshape(-1)",
        )
    if len(truth) == 0:
        raise DataError(
            f"{name}: zero rows have no score.",
            expected="at least 1 row",
            got="0 rows",
            fix="predict on a task that has rows",
        )
    return len(truth)


def _given(measure: Measure, response: Array | None, prob: Array | None) -> Array:
    given = prob if measure.needs == "prob" else response
    if given is not None:
        return given
    word = "probabilities" if measure.needs == "prob" else "the response"
    other = "accuracy" if measure.needs == "prob" else "log_loss"
    same_kind = measure.kind == "classification"
    raise ParameterError(
        f"{measure.name}: the measure needs {word}, and the prediction has none.",
        expected=f"{measure.needs}, an array",
        got=f"{measure.needs} = None",
        fix=f"predict {word}" + (f", or use '{other}'" if same_kind else ""),
    )


def _check_shape(measure: Measure, given: Array, expected: tuple[int, ...]) -> None:
    if given.shape != expected:
        raise ShapeError(
            f"{measure.name}: {measure.needs} is {list(given.shape)}, and the truth and the "
            f"classes ask for {list(expected)}.",
            expected=list(expected),
            got=list(given.shape),
            fix="give one row per row of the truth, and for prob one column per class",
        )


def _check_present(truth: Array, classes: tuple[str, ...]) -> None:
    counts = np.bincount(truth, minlength=len(classes))
    if (counts > 0).all():
        return
    absent = [label for label, count in zip(classes, counts, strict=True) if count == 0]
    present = [label for label, count in zip(classes, counts, strict=True) if count > 0]
    raise DataError(
        f"roc_auc: the truth has only {_shortened(present)}, and no row of {_shortened(absent)}.",
        expected="at least 1 row of every class",
        got=f"{len(truth)} rows: {_shortened(present)}",
        fix="split with strata (give the target the role 'stratum'), or use 'log_loss'",
    )


def _finite(name: str, what: str, array: Array) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: the {what} does not hold numbers.",
            expected="floats",
            got=f"an array of {array.dtype}",
            fix="use a measure for classification, or cast the target to a float",
        ) from error
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise _bad_value(name, what, f"row {bad[0]}", numbers[bad[0]], "a finite number", len(bad))
    return numbers


def _codes(name: str, what: str, array: Array, classes: tuple[str, ...]) -> NDArray[np.int64]:
    codes = {label: code for code, label in enumerate(classes)}
    found = np.fromiter((codes.get(label, -1) for label in array.tolist()), np.int64, len(array))
    bad = np.flatnonzero(found < 0)
    if len(bad):
        row, words = bad[0], f"one of {_shortened(classes)}"
        raise _bad_value(name, what, f"row {row}", array.tolist()[row], words, len(bad))
    return found


def _probabilities(name: str, array: Array) -> NDArray[np.float64]:
    prob = np.asarray(array, np.float64)
    bad = np.argwhere(~((prob >= 0) & (prob <= 1 + _SLACK)))
    if len(bad):
        row, column = bad[0].tolist()
        place = f"row {row}, column {column}"
        raise _bad_value(name, "prob", place, prob[row, column], "a probability", len(bad))
    total = prob.sum(axis=1)
    error = np.abs(total - 1)
    if error.max() > _SLACK:
        row = int(error.argmax())
        raise DataError(
            f"{name}: the probabilities of a row add up to {total[row]:.6g}, not to 1.",
            expected="rows that add up to 1",
            got=f"{total[row]:.6g}",
            at=f"prob, row {row}",
            fix="give probabilities (a softmax), not scores",
        )
    return prob if error.max() <= _ROUNDING else prob / total[:, None]


_SLACK = 1e-3
_ROUNDING = 1e-8


def _bad_value(
    name: str, what: str, place: str, seen: object, expected: str, count: int
) -> DataError:
    missing = seen is None or (isinstance(seen, float) and math.isnan(seen))
    shown = str(seen) if isinstance(seen, float) else repr(seen)
    rule = "has a missing value" if missing else f"has a value that is not {expected}"
    fix = "remove these rows, or give them a value, before scoring"
    return DataError(
        f"{name}: the {what} {rule}.",
        expected=expected,
        got=f"{shown}; {count} such value{'s' if count > 1 else ''}",
        at=f"{what}, {place}",
        fix=fix,
    )


def _shortened(labels: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, labels[:most]))
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"
