"""Data sets that come with scikit-learn."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.data.construct import classification, regression
from fpipe.data.lazy.making import lazy
from fpipe.data.task import Task


def iris() -> Task:
    """Return Fisher's irises: 150 flowers of three species, 50 of each.

    It is Fisher's table as R has it, without the two wrong rows of the copy at UCI.

    Returns:
        a classification of ``species`` (``"setosa"``, ``"versicolor"``, ``"virginica"``) from 4
        numeric features, length and width of sepal and petal in cm; nothing is missing.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> task = iris()
        >>> task.n_rows, task.features[0], task.classes
        (150, 'sepal_length', ('setosa', 'versicolor', 'virginica'))

    Source:
        Fisher 1936, *The use of multiple measurements in taxonomic problems*; scikit-learn's
        ``load_iris``. Licence: in the public domain.
    """
    bunch = _load("load_iris")
    labels = [str(bunch.target_names[code]) for code in bunch.target]
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    return classification(_table(bunch.data, names, "species", labels), "species", name="iris")


def lazy_iris() -> Task:
    """Return Fisher's irises with their four measurements as one lazy tensor.

    Returns:
        a classification of ``species`` as in `iris` from ``x``, lazy, ``[4]`` float32: length and
        width of sepal and petal in cm.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> lazy_iris()
        Task 'lazy_iris' (classification, 150 rows, target 'species')
          classes   setosa, versicolor, virginica
          features  lazy float32 [4] (1): x

    Source:
        As of `iris`. Licence: in the public domain.
    """
    flowers = iris()
    x = flowers.table.select(flowers.features).to_numpy().astype(np.float32)
    columns = {"species": flowers.column("species"), "x": lazy(x)}
    return classification(columns, "species", name="lazy_iris")


def wine() -> Task:
    """Return the chemical analysis of 178 Italian wines from three cultivars of grape.

    Returns:
        a classification of ``cultivar`` (``"class_0"`` 59 rows, ``"class_1"`` 71, ``"class_2"``
        48: the source does not name them) from 13 numeric features on scales that differ a
        thousandfold; nothing is missing.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> task = wine()
        >>> task.n_rows, len(task.features), task.classes
        (178, 13, ('class_0', 'class_1', 'class_2'))

    Source:
        Aeberhard and Forina 1992, UCI Machine Learning Repository; scikit-learn's ``load_wine``.
        Licence: CC BY 4.0.
    """
    bunch = _load("load_wine")
    labels = [str(bunch.target_names[code]) for code in bunch.target]
    names = [str(name) for name in bunch.feature_names]
    return classification(_table(bunch.data, names, "cultivar", labels), "cultivar", name="wine")


def diabetes() -> Task:
    """Return 442 diabetes patients and how their disease went on in the following year.

    The features are those of the source; scikit-learn's own default is a scaled form of them.

    Returns:
        a regression of ``progression`` (a score of the disease one year later, 25 to 346, no
        unit) on 10 numeric features: ``age`` (years), ``sex`` (1 or 2; the source does not say
        which is which), ``bmi`` (kg/m²), ``bp`` (mean blood pressure, mm Hg) and the blood serum
        measurements ``s1`` to ``s6``; nothing is missing.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> task = diabetes()
        >>> task.n_rows, len(task.features), task.target
        (442, 10, 'progression')

    Source:
        Efron, Hastie, Johnstone and Tibshirani 2004, *Least angle regression*; scikit-learn's
        ``load_diabetes(scaled=False)``. Licence: none is stated at the source.
    """
    bunch = _load("load_diabetes", scaled=False)
    names = [str(name) for name in bunch.feature_names]
    table = _table(bunch.data, names, "progression", bunch.target)
    return regression(table, "progression", name="diabetes")


def breast_cancer() -> Task:
    """Return the Wisconsin diagnostic breast cancer data: 569 tumours, benign or malignant.

    Returns:
        a classification of ``diagnosis`` with the positive class ``"malignant"`` (212 rows, 357
        are benign) from 30 numeric features, mean, standard error and worst value of 10
        measurements of the cell nuclei; nothing is missing.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> task = breast_cancer()
        >>> task.n_rows, len(task.features), task.kind.positive
        (569, 30, 'malignant')

    Source:
        Street, Wolberg and Mangasarian 1993, UCI Machine Learning Repository; scikit-learn's
        ``load_breast_cancer``. Licence: CC BY 4.0.
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
        Alpaydin and Kaynak 1998 (their test part), UCI Machine Learning Repository;
        scikit-learn's ``load_digits``. Licence: CC BY 4.0.
    """
    bunch = _load("load_digits")
    labels = [str(int(digit)) for digit in bunch.target]
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    return classification(_table(bunch.data, names, "digit", labels), "digit", name="digits")


def _table(data: Any, names: Sequence[str], target: str, values: Any) -> pl.DataFrame:
    """Return a matrix ``[row, feature]`` and the target ``[row]`` as one table."""
    return pl.DataFrame(data, schema=list(names)).with_columns(pl.Series(target, values))


def _load(name: str, **settings: Any) -> Any:
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise DataError(
            "this data set comes with scikit-learn, which is not installed.",
            expected="scikit-learn",
            got=str(error),
            fix="pip install fpipe[sklearn]",
        ) from error
    return getattr(datasets, name)(**settings)
