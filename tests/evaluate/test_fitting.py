"""Fitting: what cannot be validated on."""

from __future__ import annotations

import polars as pl
import pytest

import fpipe as fp
from fpipe import learners
from fpipe.core.errors import ParameterError

NUMBERS = fp.regression({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
CLASSES = fp.classification({"x": [1.0, 2.0, 3.0], "k": ["u", "v", "u"]}, "k")


@pytest.mark.parametrize(
    ("task", "validate", "rule", "fix"),
    [
        (NUMBERS, NUMBERS.table, "cannot be a DataFrame", "fp.regression(data, 'y')"),
        (CLASSES, CLASSES.table.lazy(), "cannot be a LazyFrame", "fp.classification(data, 'k')"),
        (NUMBERS, [0, 1], "cannot be a list", "fp.regression(data, 'y')"),
        (NUMBERS, pl.Series([1.0]), "cannot be a Series", "fp.regression(data, 'y')"),
    ],
    ids=["frame", "lazy", "list", "series"],
)
def test_validate_that_is_no_task(refused, task, validate, rule, fix):
    """A table is no task: the error says how to make one."""
    graph = learners.featureless()
    refused(
        lambda: fp.fit(graph, task, key=fp.key(0), validate=validate),
        ParameterError,
        rule,
        None,
        fix,
    )
