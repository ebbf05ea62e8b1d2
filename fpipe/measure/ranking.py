"""Measures of how well probabilities rank rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from fpipe.measure.arrays import Array, Compared, shortened
from fpipe.measure.extras import metrics
from fpipe.measure.measure import Measure, Rule, undefined


def _roc_auc(c: Compared) -> float:
    """Area under the ROC curve of the positive class; for many classes that of `roc_auc_ovr`."""
    _check_present(c, len(c.classes))
    if len(c.classes) > 2:
        return _mean_over_classes(c, weighted=False)
    return _area(c.truth == c.positive, c.given[:, c.positive])


def _roc_auc_ovr(c: Compared) -> float:
    """Mean over the classes of the area of each against the rest (AUNU, Fawcett 2001)."""
    _check_present(c, len(c.classes))
    return _mean_over_classes(c, weighted=False)


def _roc_auc_ovr_weighted(c: Compared) -> float:
    """Mean, weighted by class shares, of each class against the rest (AUNP, Fawcett 2001).

    A class without rows has no weight; two classes must occur.
    """
    _check_present(c, 2)
    return _mean_over_classes(c, weighted=True)


def _roc_auc_ovo(c: Compared) -> float:
    """Mean over all pairs of classes of the area of each against the other (AU1U, Hand 2001)."""
    _check_present(c, len(c.classes))
    return _mean_over_pairs(c, weighted=False)


def _roc_auc_ovo_weighted(c: Compared) -> float:
    """Mean over pairs of classes, weighted by the rows of a pair (AU1P, Ferri 2009)."""
    _check_present(c, len(c.classes))
    return _mean_over_pairs(c, weighted=True)


def _roc_auc_mu(c: Compared) -> float:
    """Mean over pairs of classes of the area when ranked by the difference of their probabilities.

    AUC-mu with equal costs and weights (Kleiman and Page 2019).
    """
    _check_present(c, len(c.classes))
    areas = []
    for i, j in combinations(range(len(c.classes)), 2):
        rows = (c.truth == i) | (c.truth == j)
        areas.append(_area(c.truth[rows] == i, c.given[rows, i] - c.given[rows, j]))
    return float(np.mean(areas))


def _pr_auc(c: Compared) -> float:
    """Average precision: precision at each step of recall, weighted by the step.

    That of ``sklearn.metrics.average_precision_score``, without interpolation; mlr3's ``prauc``
    interpolates between the points (Davis and Goadrich 2006) and gives other numbers.
    """
    _check_present(c, len(c.classes))
    truth, prob = c.truth == c.positive, c.given[:, c.positive]
    return float(metrics().average_precision_score(truth, prob))


def _mean_over_classes(c: Compared, *, weighted: bool) -> float:
    sizes = np.bincount(c.truth, minlength=len(c.classes))
    here = np.flatnonzero(sizes)
    areas = [_area(c.truth == k, c.given[:, k]) for k in here]
    return float(np.average(areas, weights=sizes[here] if weighted else None))


def _mean_over_pairs(c: Compared, *, weighted: bool) -> float:
    areas, weights = [], []
    for i, j in combinations(range(len(c.classes)), 2):
        rows = (c.truth == i) | (c.truth == j)
        is_i, prob = c.truth[rows] == i, c.given[rows]
        areas.append((_area(is_i, prob[:, i]) + _area(~is_i, prob[:, j])) / 2)
        weights.append(len(is_i))
    return float(np.average(areas, weights=weights if weighted else None))


def _area(positive: Array, scores: Array) -> float:
    return float(metrics().roc_auc_score(positive, scores))


def _check_present(c: Compared, at_least: int) -> None:
    sizes = np.bincount(c.truth, minlength=len(c.classes))
    if np.count_nonzero(sizes) >= at_least:
        return
    pairs = list(zip(c.classes, sizes, strict=True))
    absent = [label for label, size in pairs if size == 0]
    present = [label for label, size in pairs if size > 0]
    raise undefined(
        c.name,
        f"the truth has only {shortened(present)}, and no row of {shortened(absent)}.",
        "at least 1 row of every class" if at_least > 2 or len(pairs) == 2 else "2 classes",
        f"{len(c.truth)} rows: {shortened(present)}",
        "split with strata (give the target the role 'stratum'), or use 'log_loss'",
    )


def _rule(name: str, compute: Callable[[Compared], float], **more: Any) -> Rule:
    made = Measure(name, False, "prob", "classification", range=(0.0, 1.0), **more)
    return Rule(made, compute)


RANKING: tuple[Rule, ...] = (
    _rule("roc_auc", _roc_auc),
    _rule("roc_auc_ovr", _roc_auc_ovr),
    _rule("roc_auc_ovr_weighted", _roc_auc_ovr_weighted),
    _rule("roc_auc_ovo", _roc_auc_ovo),
    _rule("roc_auc_ovo_weighted", _roc_auc_ovo_weighted),
    _rule("roc_auc_mu", _roc_auc_mu),
    _rule("pr_auc", _pr_auc, binary_only=True),
)
"""The measures that rank rows by their probabilities."""
