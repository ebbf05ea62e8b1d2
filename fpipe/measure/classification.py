"""Measures of predicted classes, and of how far probabilities are from the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pyrsistent import PMap, pmap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import REQUIRED, Check, boolean, integer, number
from fpipe.measure.arrays import Array, Compared
from fpipe.measure.extras import metrics
from fpipe.measure.measure import Measure, Option, Rule, real, undefined


def confusion(c: Compared) -> Array:
    """Return the number of rows by truth (first axis) and response, ``[class, class]`` int64."""
    size = len(c.classes)
    return np.bincount(c.truth * size + c.given, minlength=size * size).reshape(size, size)


def _accuracy(c: Compared) -> float:
    """Share of rows that are predicted right."""
    return float(metrics().accuracy_score(c.truth, c.given))


def _error_rate(c: Compared) -> float:
    """Share of rows that are predicted wrong; ``1 - accuracy``."""
    return float(metrics().zero_one_loss(c.truth, c.given))


def _balanced_accuracy(c: Compared) -> float:
    """Mean over the classes that occur of the share of their rows that are predicted right."""
    table = confusion(c)
    sizes = table.sum(axis=1)
    here = sizes > 0
    return float((table.diagonal()[here] / sizes[here]).mean())


def _precision_macro(c: Compared) -> float:
    """Mean over the classes that occur of their precision, the share of right predictions of it.

    A class occurs where it is true or predicted; the precision of one that is not predicted is 0.
    """
    hits, _, said = _per_class(c)
    return float(_shares(hits, said).mean())


def _recall_macro(c: Compared) -> float:
    """Mean over the classes that occur of their recall, the share of their rows that are found.

    A class occurs where it is true or predicted; the recall of one that is not true is 0, where
    ``balanced_accuracy`` leaves it out.
    """
    hits, true, _ = _per_class(c)
    return float(_shares(hits, true).mean())


def _f1_macro(c: Compared) -> float:
    """Mean over the classes that occur of their F1 score, which is 0 where nothing is right."""
    hits, true, said = _per_class(c)
    return float(_shares(2 * hits, true + said).mean())


def _precision_weighted(c: Compared) -> float:
    """Mean of the precision of the classes (0 where unpredicted), weighted by their true rows."""
    hits, true, said = _per_class(c)
    return float(_shares(hits, said) @ true / true.sum())


def _recall_weighted(c: Compared) -> float:
    """Mean of the recall of the classes, weighted by their true rows; equal to ``accuracy``."""
    hits, true, _ = _per_class(c)
    return float(_shares(hits, true) @ true / true.sum())


def _f1_weighted(c: Compared) -> float:
    """Mean of the F1 scores of the classes, weighted by their true rows."""
    hits, true, said = _per_class(c)
    return float(_shares(2 * hits, true + said) @ true / true.sum())


def _precision_micro(c: Compared) -> float:
    """Precision from the counts of all classes together; equal to ``accuracy``."""
    hits, _, said = _per_class(c)
    return float(hits.sum() / said.sum())


def _recall_micro(c: Compared) -> float:
    """Recall from the counts of all classes together; equal to ``accuracy``."""
    hits, true, _ = _per_class(c)
    return float(hits.sum() / true.sum())


def _f1_micro(c: Compared) -> float:
    """F1 score from the counts of all classes together; equal to ``accuracy``."""
    hits, true, said = _per_class(c)
    return float(2 * hits.sum() / (true.sum() + said.sum()))


def _per_class(c: Compared) -> tuple[Array, Array, Array]:
    """Return right, true and predicted rows of every class that occurs, ``[class]`` each."""
    table = confusion(c)
    hits, true, said = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    here = (true + said) > 0
    return hits[here], true[here], said[here]


def _shares(part: Array, whole: Array) -> Array:
    """Return quotients, and 0 for 0 out of 0."""
    return part / np.where(whole > 0, whole, 1)


def _mcc(c: Compared) -> float:
    """Matthews correlation coefficient of truth and response; 0 where one of them is constant.

    For many classes the R_K statistic (Gorodkin 2004).
    """
    table = confusion(c).astype(np.float64)
    truth, said, rows = table.sum(axis=1), table.sum(axis=0), table.sum()
    spread = (rows**2 - said @ said) * (rows**2 - truth @ truth)
    if spread == 0:
        return 0.0
    return float((table.trace() * rows - truth @ said) / math.sqrt(spread))


def _cohen_kappa(c: Compared) -> float:
    """Cohen's kappa, ``(agreement - chance) / (1 - chance)``."""
    table = confusion(c) / len(c.truth)
    chance = float(table.sum(axis=0) @ table.sum(axis=1))
    if len(np.unique(np.concatenate([c.truth, c.given]))) == 1:
        raise undefined(
            c.name,
            "truth and response are one and the same class, which chance explains.",
            "at least 2 classes",
            f"{len(c.truth)} rows of {c.classes[c.truth[0]]!r}",
            "score more rows at once, or use 'accuracy'",
        )
    return (float(table.trace()) - chance) / (1.0 - chance)


def _costs(c: Compared, costs: PMap[str, PMap[str, float]], normalize: bool) -> float:
    """Mean cost of a row (or with ``normalize=False`` the sum), costs by truth and response.

    ``costs[truth][response]`` holds a cost for every two different classes; being right costs
    nothing unless the diagonal says otherwise.
    """
    total = float((confusion(c) * _cost_matrix(c, costs)).sum())
    return total / len(c.truth) if normalize else total


def _log_loss(c: Compared) -> float:
    """Mean of ``-log`` of the probability that the true class was given."""
    return float(metrics().log_loss(c.truth, c.given, labels=np.arange(len(c.classes))))


def _brier(c: Compared) -> float:
    """Mean over rows of the squared errors of all class probabilities, summed.

    The form of Brier (1950), between 0 and 2. For two classes it is twice ``brier_binary``.
    """
    errors = c.given - np.eye(len(c.classes))[c.truth]
    return float((errors**2).sum(axis=1).mean())


def _brier_binary(c: Compared) -> float:
    """Mean squared error of the probability of the positive class, between 0 and 1."""
    errors = c.given[:, c.positive] - (c.truth == c.positive)
    return float((errors**2).mean())


def _top_k_accuracy(c: Compared, k: int) -> float:
    """Share of rows whose true class is among the ``k`` most probable (the first of equals).

    With ``k=1`` it is the accuracy of the most probable class.
    """
    if k >= len(c.classes):
        raise ParameterError(
            f"{c.name}: with k = {k} every row of {len(c.classes)} classes is right.",
            expected=f"1 <= k < {len(c.classes)}",
            got=f"k = {k}",
            fix=f"k={len(c.classes) - 1}",
        )
    best = np.argsort(-c.given, axis=1, kind="stable")[:, :k]
    return float((best == c.truth[:, None]).any(axis=1).mean())


def _cost_matrix(c: Compared, costs: PMap[str, PMap[str, float]]) -> Array:
    matrix = np.zeros((len(c.classes), len(c.classes)))
    for name in (*costs, *(inner for row in costs.values() for inner in row)):
        if name not in c.classes:
            raise ParameterError(
                f"costs: {name!r} is none of the classes.",
                expected=", ".join(map(repr, c.classes)),
                got=repr(name),
                fix=did_you_mean(name, c.classes),
            )
    for i, truth in enumerate(c.classes):
        for j, said in enumerate(c.classes):
            cost = costs.get(truth, pmap()).get(said, 0.0 if i == j else None)
            if cost is None:
                raise ParameterError(
                    f"costs: there is no cost of predicting {said!r} where {truth!r} is true.",
                    expected="a cost for every two classes",
                    got=f"costs for {', '.join(map(repr, costs))}",
                    fix=f"costs={{{truth!r}: {{{said!r}: 1.0}}, …}}",
                )
            matrix[i, j] = cost
    return matrix


def _frozen(costs: Mapping[str, Mapping[str, Any]]) -> PMap[str, PMap[str, float]]:
    return pmap({t: pmap({r: real(x) for r, x in row.items()}) for t, row in costs.items()})


_COSTS = Check(
    "a mapping of true class → predicted class → cost",
    lambda x: (
        isinstance(x, PMap)
        and bool(x)
        and all(isinstance(t, str) and isinstance(r, PMap) for t, r in x.items())
        and all(
            isinstance(k, str) and number().accepts(v) for r in x.values() for k, v in r.items()
        )
    ),
)


def _rule(
    name: str,
    compute: Callable[..., float],
    minimize: bool,
    bounds: tuple[float, float] = (0.0, 1.0),
    needs: Any = "response",
    binary_only: bool = False,
    **options: Option,
) -> Rule:
    made = Measure(name, minimize, needs, "classification", binary_only, bounds)
    return Rule(made, compute, options)


CLASSIFICATION: tuple[Rule, ...] = (
    _rule("accuracy", _accuracy, False),
    _rule("error_rate", _error_rate, True),
    _rule("balanced_accuracy", _balanced_accuracy, False),
    _rule("precision_macro", _precision_macro, False),
    _rule("recall_macro", _recall_macro, False),
    _rule("f1_macro", _f1_macro, False),
    _rule("precision_weighted", _precision_weighted, False),
    _rule("recall_weighted", _recall_weighted, False),
    _rule("f1_weighted", _f1_weighted, False),
    _rule("precision_micro", _precision_micro, False),
    _rule("recall_micro", _recall_micro, False),
    _rule("f1_micro", _f1_micro, False),
    _rule("mcc", _mcc, False, (-1.0, 1.0)),
    _rule("cohen_kappa", _cohen_kappa, False, (-1.0, 1.0)),
    _rule(
        "costs",
        _costs,
        True,
        (-math.inf, math.inf),
        costs=Option(REQUIRED, _COSTS, _frozen),
        normalize=Option(True, boolean()),
    ),
    _rule("log_loss", _log_loss, True, (0.0, math.inf), "prob"),
    _rule("brier", _brier, True, (0.0, 2.0), "prob"),
    _rule("brier_binary", _brier_binary, True, (0.0, 1.0), "prob", True),
    _rule("top_k_accuracy", _top_k_accuracy, False, needs="prob", k=Option(2, integer(1))),
)
"""The measures of classes by counting, and of probabilities by distance."""
