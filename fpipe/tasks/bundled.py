"""Data sets that come with scikit-learn."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import polars as pl

from fpipe.core.errors import DataError
from fpipe.data.construct import classification
from fpipe.data.task import Task


def breast_cancer() -> Task:
    """Return the Wisconsin diagnostic breast cancer data: 569 tumours, benign or malignant.

    Returns:
        a classification of ``diagnosis`` with the positive class ``"malignant"`` (212 rows, 357
        are benign) from 30 numeric features; nothing is missing.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> task = breast_cancer()
        >>> task.n_rows, len(task.features), task.kind.positive
        (569, 30, 'malignant')

    Source:
        Street, Wolberg and Mangasarian 1993; scikit-learn's ``load_breast_cancer``.
    """
    bunch = _load("load_breast_cancer")
    labels = [str(bunch.target_names[code]) for code in bunch.target]
    names = [str(name) for name in bunch.feature_names]
    table = _table(bunch.data, names, "diagnosis", labels)
    return classification(table, "diagnosis", positive="malignant", name="breast_cancer")


def digits() -> Task:
    """Return 1,797 handwritten digits as images of 8 × 8 pixels.

    Returns:
        a classification of ``digit`` with the classes ``"0"`` to ``"9"`` from 64 numeric
        features ``pixel_<row>_<column>``, whole numbers from 0 to 16; nothing is missing.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> task = digits()
        >>> task.n_rows, len(task.features), len(task.classes)
        (1797, 64, 10)

    Source:
        Alpaydin and Kaynak 1998 (their test part); scikit-learn's ``load_digits``.
    """
    bunch = _load("load_digits")
    labels = [str(int(digit)) for digit in bunch.target]
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    return classification(_table(bunch.data, names, "digit", labels), "digit", name="digits")


def _table(data: Any, names: Sequence[str], target: str, labels: list[str]) -> pl.DataFrame:
    """Return a matrix ``[row, feature]`` and its labels ``[row]`` as one table."""
    return pl.DataFrame(data, schema=list(names)).with_columns(pl.Series(target, labels))


def _load(name: str) -> Any:
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise DataError(
            "this data set comes with scikit-learn, which is not installed.",
            expected="scikit-learn",
            got=str(error),
            fix="pip install fpipe[sklearn]",
        ) from error
    return getattr(datasets, name)()
