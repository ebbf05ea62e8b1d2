"""Measures of two classes, from the four counts of a confusion matrix.

A positive row (of the positive class) is a hit (tp) or a miss (fn); a negative row is a false
alarm (fp) or a correct rejection (tn). A share of no rows at all is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fpipe.core.parameter import number
from fpipe.measure.arrays import Compared
from fpipe.measure.measure import Measure, Option, Rule, real, undefined


class Counts(NamedTuple):
    """Rows by truth and response: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int


def counts(c: Compared) -> Counts:
    """Return the four counts of two classes."""
    truth, said = c.truth == c.positive, c.given == c.positive
    four = (truth & said, ~truth & said, truth & ~said, ~truth & ~said)
    return Counts(*(int(np.count_nonzero(each)) for each in four))


def _tp(c: Compared) -> float:
    """True positives: positive rows that are predicted so."""
    return float(counts(c).tp)


def _fp(c: Compared) -> float:
    """False positives: negative rows that are predicted positive."""
    return float(counts(c).fp)


def _fn(c: Compared) -> float:
    """False negatives: positive rows that are predicted negative."""
    return float(counts(c).fn)


def _tn(c: Compared) -> float:
    """True negatives: negative rows that are predicted so."""
    return float(counts(c).tn)


def _tpr(c: Compared) -> float:
    """True positive rate, ``tp / (tp + fn)``; also recall, sensitivity."""
    n = counts(c)
    return _share(c, n, n.tp, n.tp + n.fn, _NO_POSITIVE)


def _fnr(c: Compared) -> float:
    """False negative rate, ``fn / (tp + fn)``."""
    n = counts(c)
    return _share(c, n, n.fn, n.tp + n.fn, _NO_POSITIVE)


def _tnr(c: Compared) -> float:
    """True negative rate, ``tn / (tn + fp)``; also specificity."""
    n = counts(c)
    return _share(c, n, n.tn, n.tn + n.fp, _NO_NEGATIVE)


def _fpr(c: Compared) -> float:
    """False positive rate, ``fp / (tn + fp)``."""
    n = counts(c)
    return _share(c, n, n.fp, n.tn + n.fp, _NO_NEGATIVE)


def _ppv(c: Compared) -> float:
    """Positive predictive value, ``tp / (tp + fp)``; also precision."""
    n = counts(c)
    return _share(c, n, n.tp, n.tp + n.fp, _NONE_SAID_POSITIVE)


def _fdr(c: Compared) -> float:
    """False discovery rate, ``fp / (tp + fp)``."""
    n = counts(c)
    return _share(c, n, n.fp, n.tp + n.fp, _NONE_SAID_POSITIVE)


def _npv(c: Compared) -> float:
    """Negative predictive value, ``tn / (tn + fn)``."""
    n = counts(c)
    return _share(c, n, n.tn, n.tn + n.fn, _NONE_SAID_NEGATIVE)


def _fomr(c: Compared) -> float:
    """False omission rate, ``fn / (tn + fn)``."""
    n = counts(c)
    return _share(c, n, n.fn, n.tn + n.fn, _NONE_SAID_NEGATIVE)


def _fbeta(c: Compared, beta: float) -> float:
    """F-beta score, ``(1 + beta²) tp / ((1 + beta²) tp + beta² fn + fp)``; undefined where tp is 0.

    Precision and recall in one number, recall counting ``beta`` times as much (van Rijsbergen
    1979).
    """
    n = counts(c)
    if n.tp == 0:
        raise _undefined(c, n, "no positive row is predicted positive")
    square = beta**2
    return (1 + square) * n.tp / ((1 + square) * n.tp + square * n.fn + n.fp)


def _f1(c: Compared) -> float:
    """F1 score, the harmonic mean of precision and recall; undefined where tp is 0."""
    return _fbeta(c, 1.0)


def _dor(c: Compared) -> float:
    """Diagnostic odds ratio, ``(tp · tn) / (fp · fn)``."""
    n = counts(c)
    return _share(c, n, n.tp * n.tn, n.fp * n.fn, "there is no false positive or no false negative")


_NO_POSITIVE = "the truth has no positive row"
_NO_NEGATIVE = "the truth has no negative row"
_NONE_SAID_POSITIVE = "no row is predicted positive"
_NONE_SAID_NEGATIVE = "no row is predicted negative"


def _share(c: Compared, n: Counts, part: int, whole: int, why: str) -> float:
    if whole == 0:
        raise _undefined(c, n, why)
    return part / whole


def _undefined(c: Compared, n: Counts, why: str) -> Exception:
    return undefined(
        c.name,
        f"{why}, so the score is not defined.",
        f"rows for both sides of the division (positive class {c.classes[c.positive]!r})",
        f"tp {n.tp}, fp {n.fp}, fn {n.fn}, tn {n.tn}",
        "score more rows at once, use 'accuracy', or undefined=\"nan\" over folds",
    )


def _rule(
    name: str, compute: Callable[..., float], minimize: bool, high: float = 1.0, **options: Option
) -> Rule:
    made = Measure(name, minimize, "response", "classification", True, (0.0, high))
    return Rule(made, compute, options)


COUNTING: tuple[Rule, ...] = (
    _rule("precision", _ppv, False),
    _rule("recall", _tpr, False),
    _rule("f1", _f1, False),
    _rule("fbeta", _fbeta, False, beta=Option(1.0, number(0), real)),
    _rule("sensitivity", _tpr, False),
    _rule("specificity", _tnr, False),
    _rule("tpr", _tpr, False),
    _rule("tnr", _tnr, False),
    _rule("fpr", _fpr, True),
    _rule("fnr", _fnr, True),
    _rule("ppv", _ppv, False),
    _rule("npv", _npv, False),
    _rule("fdr", _fdr, True),
    _rule("fomr", _fomr, True),
    _rule("dor", _dor, False, math.inf),
    _rule("tp", _tp, False, math.inf),
    _rule("tn", _tn, False, math.inf),
    _rule("fp", _fp, True, math.inf),
    _rule("fn", _fn, True, math.inf),
)
"""The measures of two classes that need the response."""
