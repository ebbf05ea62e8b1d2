"""What scores are computed from, and the checks that plain arrays must pass first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.measure.measure import Measure, undefined

Array = NDArray[Any]


class Compared(NamedTuple):
    """Truth and prediction, checked and in the form that rules compute with.

    Args:
        name: the standard name of the measure, for errors.
        truth: ``[row]``: finite float64, or int64 codes of classes.
        given: ``[row]`` of the same form, or ``[row, class]`` float64 probabilities.
        classes: the class labels by code; empty for regression.
        positive: the code of the positive class, -1 where there is none.
    """

    name: str
    truth: Array
    given: Array
    classes: tuple[str, ...] = ()
    positive: int = -1


def compared(
    measure: Measure,
    truth: Array,
    response: Array | None,
    prob: Array | None,
    classes: tuple[str, ...],
    positive: str | None,
) -> Compared:
    """Return what a measure compares, after every check.

    Raises:
        ParameterError: the prediction has not got what the measure needs, or no positive class.
        ShapeError: the arrays do not have one row each, or one column per class.
        DataError: zero rows; a value that is missing, infinite or no class.
    """
    name = measure.name
    rows = _check_rows(name, truth)
    given = _given(measure, response, prob)
    _check_shape(measure, given, (rows, len(classes)) if measure.needs == "prob" else (rows,))
    if measure.kind == "regression":
        return Compared(name, _finite(name, "truth", truth), _finite(name, "response", given))
    code = classes.index(positive) if positive in classes else -1
    if code < 0 and (measure.binary_only or (measure.rule == "roc_auc" and len(classes) == 2)):
        raise _no_positive(name, classes, positive)
    known = _codes(name, "truth", truth, classes)
    if measure.needs == "prob":
        return Compared(name, known, _probabilities(name, given), classes, code)
    return Compared(name, known, _codes(name, "response", given, classes), classes, code)


def shortened(labels: Sequence[str], most: int = 5) -> str:
    """Return labels as text, at most a few of them."""
    shown = ", ".join(map(repr, labels[:most]))
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"


def _no_positive(name: str, classes: tuple[str, ...], positive: str | None) -> ParameterError:
    return ParameterError(
        f"{name}: the positive class {positive!r} is none of the classes.",
        expected=" or ".join(map(repr, classes)),
        got=repr(positive),
        fix=f"positive={classes[-1]!r}",
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
        fix = "predict on a task that has rows"
        raise undefined(name, "zero rows have no score.", "at least 1 row", "0 rows", fix)
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
        row, words = bad[0], f"one of {shortened(classes)}"
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
