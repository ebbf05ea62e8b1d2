"""Scores: how good a prediction is, by standard names, on plain arrays."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pyrsistent import pmap

from fpipe.core.errors import ParameterError, did_you_mean, nearest
from fpipe.core.value import evolve
from fpipe.measure.arrays import Array, compared, shortened
from fpipe.measure.classification import CLASSIFICATION
from fpipe.measure.counting import COUNTING
from fpipe.measure.measure import Measure, Rule, UndefinedError, read_name, undefined
from fpipe.measure.ranking import RANKING
from fpipe.measure.regression import REGRESSION

__all__ = [
    "MEASURES",
    "Measure",
    "UndefinedError",
    "about",
    "as_measure",
    "check_measure",
    "measure",
    "parameters_of",
    "score",
]

_RULES = pmap(
    {rule.measure.rule: rule for rule in (*CLASSIFICATION, *RANKING, *COUNTING, *REGRESSION)}
)

MEASURES: tuple[Measure, ...] = tuple(
    rule.measure for rule in (*CLASSIFICATION, *RANKING, *COUNTING, *REGRESSION)
)
"""Every measure that `score` knows, with its defaults."""


def measure(name: str, **parameters: Any) -> Measure:
    """Return the measure of a standard name.

    Args:
        name: such as ``"rmse"``; it may hold parameters, as `Measure.name` writes them.
        **parameters: parameters of the measure, such as ``beta`` of ``"fbeta"``.

    Raises:
        ParameterError: there is no measure or no parameter of that name, or its value is not
            accepted.

    Example:
        >>> measure("rmse").minimize
        True
        >>> measure("fbeta", beta=2.0)
        measure('fbeta(beta=2)')
        >>> measure("fbeta(beta=2)") == measure("fbeta", beta=2.0)
        True
    """
    plain, inside = read_name(name) if isinstance(name, str) else (name, {})
    rule = _rule(plain, f"there is no measure {plain!r}.")
    return evolve(rule.measure, parameters=rule.settle(inside | parameters))


def as_measure(by: Any, kind: str | None = None) -> Measure:
    """Return what a prediction is to be scored by as a measure.

    Args:
        by: a measure, or its standard name.
        kind: ``"classification"`` or ``"regression"``: whose names an error lists; all if None.

    Raises:
        ParameterError: it is neither, or the name is unknown.

    Example:
        >>> as_measure("rmse")
        measure('rmse')
    """
    if isinstance(by, Measure):
        return by
    if isinstance(by, str):
        plain, inside = read_name(by)
        rule = _rule(plain, f"there is no measure {plain!r}.", kind)
        return evolve(rule.measure, parameters=rule.settle(inside))
    shown = repr(by) if isinstance(by, list | tuple) else type(by).__name__
    raise ParameterError(
        f"a score is by a measure, and this is of type {type(by).__name__}.",
        expected="a measure, or its name such as " + " or ".join(map(repr, _usual(kind)[:2])),
        got=getattr(by, "__name__", shown),
        fix=_measure_fix(by),
    )


def _measure_fix(by: Any) -> str:
    if isinstance(by, list | tuple):
        return f"give the names one by one: {', '.join(map(repr, by[:4]))}"
    if callable(by):
        return "call it yourself: function(prediction.truth, prediction.response)"
    return "give the name of a measure"


def _usual(kind: str | None) -> tuple[str, ...]:
    return _USUAL.get(str(kind), ("accuracy", "rmse"))


def parameters_of(measure: Measure) -> dict[str, Any]:
    """Return every parameter of a measure with its value, defaults included.

    Example:
        >>> parameters_of(measure("pinball"))
        {'alpha': 0.5}
    """
    rule = _rule(measure.rule, f"there is no rule to score {measure.rule!r}.")
    defaults = {key: option.default for key, option in rule.options.items()}
    return defaults | dict(rule.settle(measure.parameters))


def about(measure: Measure) -> str:
    """Return in one line what a measure is.

    Example:
        >>> about(measure("mse"))
        'Mean squared error, ``mean((t - r)²)``.'
    """
    rule = _rule(measure.rule, f"there is no rule to score {measure.rule!r}.")
    return (inspect.getdoc(rule.compute) or "").partition("\n")[0]


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
        measure: made by `measure`.
        truth: ``[row]``; class labels, or floats in the unit of the target.
        response: ``[row]`` of the same kind; may be None where the measure needs ``prob``.
        prob: ``[row, class]``, columns in the order of ``classes``; may be None where the measure
            needs the response. Rows that miss a sum of 1 by rounding (up to 1e-3) are rescaled.
        classes: class labels; None or empty for regression.
        positive: the class that counts as positive where there are two.

    Returns:
        The score. Errors such as ``rmse`` and ``mae`` have the unit of the target, ``mse`` its
        square; shares, areas and correlations have none.

    Raises:
        ParameterError: the measure is unknown, is for the other kind or for two classes only,
            needs what the prediction has not got, or scikit-learn is not installed.
        ShapeError: the arrays do not have one row each, or one column per class.
        DataError: a value that is missing, infinite or no class.
        UndefinedError: a DataError: the measure is not defined for these rows (there are none, a
            class that it compares is absent, a quotient of 0).

    Example:
        >>> import numpy as np
        >>> truth, response = np.array([1.0, 2.0, 5.0]), np.array([1.0, 2.0, 2.0])
        >>> from fpipe.measure.score import measure
        >>> score(measure("mae"), truth, response, None, classes=None, positive=None)
        1.0

    Source:
        scikit-learn (``sklearn.metrics``) and scipy where they have the measure; what is undefined
        follows mlr3measures.
    """
    rule = _rule(measure.rule, f"there is no rule to score {measure.rule!r}.")
    labels = tuple(classes or ())
    check_measure(measure, labels)
    both = compared(measure, truth, response, prob, labels, positive)
    with np.errstate(all="ignore"):
        found = rule.compute(both, **rule.arguments(measure))
    if math.isnan(found):
        why = "the numbers are too large or too small to be scored."
        raise undefined(measure.name, why, "a number", "nan", "scale the target, or use 'mae'")
    return found


def check_measure(measure: Measure, classes: tuple[str, ...]) -> None:
    """Raise ParameterError where a measure is not for tasks with these classes (none: numbers).

    A parameter that has to be set and is not is an error too.
    """
    kind = "classification" if classes else "regression"
    if measure.kind != kind:
        raise ParameterError(
            f"{measure.name}: a measure for {measure.kind} meets a prediction of {kind}.",
            expected=f"a measure for {kind}",
            got=f"{measure.name}, a measure for {measure.kind}",
            fix=f"use one of {', '.join(repr(name) for name in _USUAL[kind])}",
        )
    if measure.binary_only and len(classes) != 2:
        raise ParameterError(
            f"{measure.name}: a measure for 2 classes meets {len(classes)} classes.",
            expected="2 classes",
            got=shortened(classes),
            fix=_fix_for_many(measure.rule),
        )
    _rule(measure.rule, f"there is no rule to score {measure.rule!r}.").arguments(measure)


_USUAL = {
    "classification": ("accuracy", "log_loss", "roc_auc"),
    "regression": ("rmse", "mse", "mae", "r2"),
}


_OTHERWISE = pmap(
    {
        "auc": "roc_auc",
        "auroc": "roc_auc",
        "average_precision": "pr_auc",
        "acc": "accuracy",
        "logloss": "log_loss",
        "cross_entropy": "log_loss",
        "accuracy_score": "accuracy",
        "balanced_acc": "balanced_accuracy",
        "bce": "log_loss",
        "binary_cross_entropy": "log_loss",
        "nll": "log_loss",
        "brier_score": "brier",
        "kappa": "cohen_kappa",
        "matthews_corrcoef": "mcc",
        "f1_score": "f1",
        "l1": "mae",
        "l2": "mse",
        "mean_squared_error": "mse",
        "mean_absolute_error": "mae",
        "root_mean_squared_error": "rmse",
        "mean_absolute_percentage_error": "mape",
        "quantile": "pinball",
    }
)
"""What measures are called elsewhere."""


def _fix_for_many(rule: str) -> str:
    """Return the fix for a measure of two classes that meets more."""
    if f"{rule}_macro" in _RULES:
        return f"use '{rule}_macro', the mean over the classes"
    return "use 'log_loss' or 'accuracy'"


def _rule(name: Any, message: str, kind: str | None = None) -> Rule:
    if name in _RULES:
        return _RULES[name]
    known = [each.rule for each in MEASURES if kind in (None, each.kind)]
    meant = {other: rule for other, rule in _OTHERWISE.items() if rule in known}
    meant |= {each: each for each in known}
    close = nearest(str(name), meant)
    raise ParameterError(
        message,
        expected=", ".join(known),
        got=repr(name),
        fix=did_you_mean(str(name), known) if close is None else f"did you mean '{meant[close]}'?",
    )
