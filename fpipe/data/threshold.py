"""Thresholds: which class is predicted at which probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError, did_you_mean

Threshold = float | Mapping[str, float]
Codes = NDArray[np.int64]


def codes_at(
    threshold: Threshold,
    prob: NDArray[np.float64],
    classes: tuple[str, ...],
    positive: str | None,
) -> Codes:
    """Return the classes that thresholds choose.

    With one number the positive class is chosen where its probability is at or above it. With one
    number per class it is the class whose probability is the largest multiple of its threshold; any
    probability is an infinite multiple of 0. Of equal multiples the more probable class is chosen,
    then the first.

    Args:
        threshold: a number in [0, 1] for two classes, or one for every class, by name.
        prob: ``[rows, classes]`` in the order of the classes.
        classes: the class names.
        positive: the positive class where there are two.

    Returns:
        ``[rows]`` int64, positions in ``classes``.

    Raises:
        ParameterError: a threshold is not in [0, 1], a class is missing or unknown, or there is
            one number for more than two classes.

    Example:
        >>> prob = np.array([[0.5, 0.3, 0.2]])
        >>> codes_at({"a": 0.8, "b": 0.4, "c": 0.4}, prob, ("a", "b", "c"), None).tolist()
        [1]

    Source:
        mlr3's ``set_threshold``, which breaks ties at random.
    """
    if isinstance(threshold, Mapping):
        return _largest_multiple(prob, _in_order(threshold, classes))
    if positive is None or len(classes) != 2:
        raise ParameterError(
            f"one threshold does not choose between {len(classes)} classes.",
            expected="a threshold for every class",
            got=repr(threshold),
            fix=f"{{{classes[0]!r}: 0.5, …}}",
        )
    code = classes.index(positive)
    reached = prob[:, code] >= _share(threshold, "the threshold")
    return np.where(reached, np.int64(code), np.int64(1 - code))


def _largest_multiple(prob: NDArray[np.float64], thresholds: NDArray[np.float64]) -> Codes:
    zero = thresholds == 0
    multiples = prob / np.where(zero, 1.0, thresholds)
    multiples[:, zero] = np.inf
    best = multiples == multiples.max(axis=1, keepdims=True)
    codes: Codes = np.where(best, prob, -1.0).argmax(axis=1)
    return codes


def _in_order(thresholds: Mapping[str, float], classes: tuple[str, ...]) -> NDArray[np.float64]:
    unknown = [name for name in thresholds if name not in classes]
    absent = [name for name in classes if name not in thresholds]
    names = {"expected": ", ".join(map(repr, classes)), "got": ", ".join(map(repr, thresholds))}
    if unknown:
        raise ParameterError(
            f"{unknown[0]!r} is none of the classes.",
            **names,
            fix=did_you_mean(str(unknown[0]), classes),
        )
    if absent:
        raise ParameterError(
            f"there is no threshold for the class {absent[0]!r}.",
            **names,
            fix=f"{{{absent[0]!r}: 0.5, …}}",
        )
    return np.array([_share(thresholds[name], f"the threshold of {name!r}") for name in classes])


def _share(given: Any, what: str) -> float:
    number = isinstance(given, int | float | np.floating) and not isinstance(given, bool)
    if not number or not 0.0 <= given <= 1.0:
        raise ParameterError(
            f"{what} cannot be {given!r}.",
            expected="a number from 0 to 1",
            got=f"{given!r} ({type(given).__name__})",
            fix="0.5, or {class: threshold, …}",
        )
    return float(given)
