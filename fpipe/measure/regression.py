"""Measures of predicted numbers: ``t`` is the truth, ``r`` the response."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fpipe.core.parameter import Check, number
from fpipe.measure.arrays import Array, Compared
from fpipe.measure.extras import metrics, stats
from fpipe.measure.measure import Measure, Option, Rule, real, undefined


def _rmse(c: Compared) -> float:
    """Root mean squared error, ``sqrt(mean((t - r)²))``."""
    return float(metrics().root_mean_squared_error(c.truth, c.given))


def _mse(c: Compared) -> float:
    """Mean squared error, ``mean((t - r)²)``."""
    return float(metrics().mean_squared_error(c.truth, c.given))


def _mae(c: Compared) -> float:
    """Mean absolute error, ``mean(|t - r|)``."""
    return float(metrics().mean_absolute_error(c.truth, c.given))


def _sse(c: Compared) -> float:
    """Sum of squared errors, ``sum((t - r)²)``."""
    return float(((c.truth - c.given) ** 2).sum())


def _sae(c: Compared) -> float:
    """Sum of absolute errors, ``sum(|t - r|)``."""
    return float(np.abs(c.truth - c.given).sum())


def _max_error(c: Compared) -> float:
    """Largest absolute error, ``max(|t - r|)``."""
    return float(metrics().max_error(c.truth, c.given))


def _median_absolute_error(c: Compared) -> float:
    """Median absolute error, ``median(|t - r|)``."""
    return float(metrics().median_absolute_error(c.truth, c.given))


def _median_squared_error(c: Compared) -> float:
    """Median squared error, ``median((t - r)²)``."""
    return float(np.median((c.truth - c.given) ** 2))


def _bias(c: Compared) -> float:
    """Mean of ``r - t``: above 0 where predictions are too high.

    The sign of statistics (estimate minus truth) and of present mlr3measures; its versions up to
    1.0 took ``t - r``.
    """
    return float((c.given - c.truth).mean())


def _pbias(c: Compared) -> float:
    """Mean of ``(r - t) / |t|``, a share (0.1 is 10 %); undefined where a truth is 0."""
    _check_no_zero(c, c.truth, "the truth")
    return float(((c.given - c.truth) / np.abs(c.truth)).mean())


def _mape(c: Compared) -> float:
    """Mean of ``|t - r| / |t|``, a share (0.1 is 10 %); undefined where a truth is 0."""
    _check_no_zero(c, c.truth, "the truth")
    return float(metrics().mean_absolute_percentage_error(c.truth, c.given))


def _smape(c: Compared) -> float:
    """Mean of ``2 |t - r| / (|t| + |r|)``, from 0 to 2; undefined where both are 0."""
    whole = np.abs(c.truth) + np.abs(c.given)
    _check_no_zero(c, whole, "|truth| + |response|")
    return float((2 * np.abs(c.truth - c.given) / whole).mean())


def _msle(c: Compared) -> float:
    """Mean of ``(log(1 + t) - log(1 + r))²``; undefined where one of them is -1 or less."""
    _check_above_minus_one(c)
    return float(((np.log1p(c.truth) - np.log1p(c.given)) ** 2).mean())


def _rmsle(c: Compared) -> float:
    """Root of ``msle``."""
    return math.sqrt(_msle(c))


def _r2(c: Compared) -> float:
    """Share of variance explained, ``1 - sse / sum((t - mean(t))²)``; 0 for the mean of the rows.

    Undefined for one row, and where all truths are equal.
    """
    _check_varies(c, c.truth, "variance")
    return float(metrics().r2_score(c.truth, c.given))


def _rse(c: Compared) -> float:
    """Relative squared error, ``sse / sum((t - mean(t))²)``; ``1 - r2``."""
    _check_varies(c, c.truth, "variance")
    return _sse(c) / float(((c.truth - c.truth.mean()) ** 2).sum())


def _rrse(c: Compared) -> float:
    """Root relative squared error, the root of ``rse``."""
    return math.sqrt(_rse(c))


def _rae(c: Compared) -> float:
    """Relative absolute error, ``sae / sum(|t - mean(t)|)``."""
    _check_varies(c, c.truth, "variance")
    return _sae(c) / float(np.abs(c.truth - c.truth.mean()).sum())


def _pinball(c: Compared, alpha: float) -> float:
    """Mean pinball loss of a quantile: an error ``e = t - r`` costs ``max(alpha e, (alpha-1) e)``.

    With ``alpha=0.5`` it is half of ``mae``.
    """
    return _pinball_of(c.truth, c.given, alpha)


def _rqr(c: Compared, alpha: float) -> float:
    """R² of a quantile: 1 - pinball loss over that of the truth's own quantile.

    The quantile interpolates as NumPy's and R's do by default (Koenker and Machado 1999). It is
    taken of the rows that are scored. Undefined where they are all equal.
    """
    _check_varies(c, c.truth, "variance")
    with np.errstate(over="ignore", invalid="ignore"):
        level = np.full_like(c.truth, np.quantile(c.truth, alpha))
    if not np.isfinite(level).all():
        raise _undefined_spread(c, f"their {alpha}-quantile is no finite number")
    naive = _pinball_of(c.truth, level, alpha)
    if naive == 0.0:
        raise _undefined_spread(c, f"the pinball loss of their own {alpha}-quantile is 0")
    return 1.0 - _pinball_of(c.truth, c.given, alpha) / naive


def _kendall_tau(c: Compared) -> float:
    """Kendall's rank correlation tau-b of truth and response; undefined where one is constant."""
    _check_varies(c, c.truth, "rank correlation")
    _check_varies(c, c.given, "rank correlation", "responses")
    return float(stats().kendalltau(c.truth, c.given).statistic)


def _spearman(c: Compared) -> float:
    """Spearman's rank correlation of truth and response; undefined where one is constant."""
    _check_varies(c, c.truth, "rank correlation")
    _check_varies(c, c.given, "rank correlation", "responses")
    return float(stats().spearmanr(c.truth, c.given).statistic)


def _pinball_of(truth: Array, given: Array, alpha: float) -> float:
    return float(metrics().mean_pinball_loss(truth, given, alpha=alpha))


def _check_varies(c: Compared, numbers: Array, what: str, whose: str = "truths") -> None:
    rows = len(numbers)
    if rows == 1:
        raise undefined(
            c.name,
            f"the {what} of 1 row is not defined.",
            "at least 2 rows",
            "1 row",
            "score more rows at once, or use 'rmse'",
        )
    spread = ((numbers - numbers.mean()) ** 2).sum()
    if spread == 0 or (numbers == numbers[0]).all():
        raise _undefined_spread(c, f"all {rows} {whose} are {numbers[0]:.6g}")


def _undefined_spread(c: Compared, why: str) -> Exception:
    return undefined(
        c.name,
        f"{why}, so the score is not defined.",
        "rows with different values",
        why,
        "score more rows at once, or use 'rmse'",
    )


def _check_no_zero(c: Compared, numbers: Array, what: str) -> None:
    zeros = np.flatnonzero(numbers == 0)
    if len(zeros):
        raise undefined(
            c.name,
            f"{what} is 0, which cannot be divided by.",
            f"no 0 in {what}",
            f"{len(zeros)} of {len(numbers)} rows, the first at row {zeros[0]}",
            "use 'mae'",
        )


def _check_above_minus_one(c: Compared) -> None:
    for what, numbers in (("truth", c.truth), ("response", c.given)):
        low = np.flatnonzero(numbers <= -1)
        if len(low):
            raise undefined(
                c.name,
                f"the {what} is {numbers[low[0]]:.6g}, and log(1 + x) needs more than -1.",
                "numbers above -1",
                f"{len(low)} of {len(numbers)} rows, the first at row {low[0]}",
                "use 'mse'",
            )


_LEVEL = Check("a number from 0 to 1", number(0, 1).accepts)
_INNER = Check("a number above 0 and below 1", lambda x: number(0, 1).accepts(x) and 0 < x < 1)


def _rule(
    name: str,
    compute: Callable[..., float],
    minimize: bool | None = True,
    bounds: tuple[float, float] = (0.0, math.inf),
    **options: Option,
) -> Rule:
    return Rule(Measure(name, minimize, "response", "regression", range=bounds), compute, options)


_EVERYTHING = (-math.inf, math.inf)

REGRESSION: tuple[Rule, ...] = (
    _rule("rmse", _rmse),
    _rule("mse", _mse),
    _rule("mae", _mae),
    _rule("r2", _r2, False, (-math.inf, 1.0)),
    _rule("max_error", _max_error),
    _rule("median_absolute_error", _median_absolute_error),
    _rule("median_squared_error", _median_squared_error),
    _rule("sse", _sse),
    _rule("sae", _sae),
    _rule("bias", _bias, None, _EVERYTHING),
    _rule("pbias", _pbias, None, _EVERYTHING),
    _rule("mape", _mape),
    _rule("smape", _smape, True, (0.0, 2.0)),
    _rule("msle", _msle),
    _rule("rmsle", _rmsle),
    _rule("rse", _rse),
    _rule("rrse", _rrse),
    _rule("rae", _rae),
    _rule("pinball", _pinball, alpha=Option(0.5, _LEVEL, real)),
    _rule("rqr", _rqr, False, (-math.inf, 1.0), alpha=Option(0.5, _INNER, real)),
    _rule("kendall_tau", _kendall_tau, False, (-1.0, 1.0)),
    _rule("spearman", _spearman, False, (-1.0, 1.0)),
)
"""The measures of numbers."""
